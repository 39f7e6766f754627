//! How much waits in each of our queues, as the broker counts it: what a lane has not taken yet, what waits for a retry, what
//! was given up.

use std::convert::Infallible;
use std::time::Duration;

use lapin::Connection;
use tokio::time::{MissedTickBehavior, interval};

use super::connection::channel;
use super::{BrokerError, Names, topology};
use crate::telemetry;

/// Fifteen small questions each time; what they cost the broker does not show.
const EVERY: Duration = Duration::from_secs(5);

/// Counts as long as it is let.
pub(super) async fn watch(connection: &Connection, names: &Names) -> Infallible {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        // Whoever looks after the connection says why.
        if count(connection, names).await.is_err() {
            forget(names);
        }
    }
}

/// Nobody knows how much waits: a count from before would be believed.
pub(super) fn forget(names: &Names) {
    names.queues().into_iter().for_each(|(queue, _)| telemetry::waiting(queue, None));
}

/// A channel of its own, because asking for a queue that is not there ends it; that queue's count is not known then, and the
/// others' are.
async fn count(connection: &Connection, names: &Names) -> Result<(), BrokerError> {
    let mut asking = None;
    for (queue, name) in names.queues() {
        let on = match asking.take() {
            Some(on) => on,
            None => channel(connection).await?,
        };
        let found = topology::look(&on, &name).await;
        telemetry::waiting(queue, found.as_ref().ok().map(lapin::Queue::message_count));
        match found {
            Ok(_) => asking = Some(on),
            Err(BrokerError::Lapin(_)) => {}
            Err(error) => return Err(error),
        }
    }
    match asking {
        Some(on) => topology::close(&on).await,
        None => Ok(()),
    }
}
