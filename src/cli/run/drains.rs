//! Has the gateways follow the drains in the ledger.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::dispatch::Dispatcher;
use crate::drain::Drain;
use crate::gateway::Gateways;
use crate::telemetry;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// How long a worker's start waits for the first look. Without the ledger nothing is sent anyway, and the look comes
/// before the claims when it is back.
const FIRST: Duration = Duration::from_secs(1);

/// The drains that log and metric know of, by gateway.
#[derive(Default)]
struct Told(BTreeMap<String, Drain>);

/// Follows them from now on, in `beside`; when it returns, the first look is done, if the ledger answers.
pub(super) async fn follow(beside: &mut JoinSet<()>, dispatcher: &Arc<Dispatcher>) {
    let (looked, first) = oneshot::channel();
    beside.spawn(follow_on(Arc::clone(dispatcher), looked));
    // Late, or the ledger is closed: both show elsewhere.
    let _ = timeout(FIRST, first).await;
}

/// While the ledger does not answer, what is known counts until it is over.
async fn follow_on(dispatcher: Arc<Dispatcher>, looked: oneshot::Sender<()>) {
    let (mut told, mut looked) = (Told::default(), Some(looked));
    loop {
        // One question at a time: those that nobody waits for any more would fill a stuck ledger's queue.
        let mut asked = pin!(dispatcher.ledger.drains());
        let drains = loop {
            match timeout(EVERY, &mut asked).await {
                Ok(Ok(drains)) => break drains,
                Ok(Err(_closed)) => return,
                Err(_) => told.tell(&dispatcher.gateways),
            }
        };
        dispatcher.gateways.follow(&drains, dispatcher.clock.now());
        told.tell(&dispatcher.gateways);
        // Whoever started us may have gone on.
        if let Some(looked) = looked.take() {
            let _ = looked.send(());
        }
        sleep(EVERY).await;
    }
}

impl Told {
    /// Tells what has changed since.
    fn tell(&mut self, gateways: &Gateways) {
        for gateway in gateways.iter() {
            let (name, channel) = (gateway.name(), gateway.channel());
            match gateway.drained() {
                Some(drain) if self.0.get(name) == Some(&drain) => {}
                Some(drain) => {
                    telemetry::gateway_drained(name, channel, &drain);
                    self.0.insert(name.to_owned(), drain);
                }
                None if self.0.remove(name).is_some() => telemetry::gateway_resumed(name, channel),
                None => {}
            }
        }
    }
}
