//! What a worker does beside its events.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::dispatch::Dispatcher;
use crate::event::Lane;
use crate::telemetry;

/// Between two steps of forgetting what is older than the ledger's retention.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Between two looks at the oldest event.
const AGE_EVERY: Duration = Duration::from_secs(2);

/// Between two looks at what was counted instead of being logged.
const SUMS_EVERY: Duration = Duration::from_secs(5);

/// Sums up repeated failures also while nothing else happens.
pub(super) async fn sum_up() {
    loop {
        sleep(SUMS_EVERY).await;
        telemetry::sum_up();
    }
}

/// Forgets what is older than the retention, a step at a time, so that no commit waits long. It also shows within seconds
/// that a ledger cannot be written, when no event comes to show it.
pub(super) async fn sweep(dispatcher: Arc<Dispatcher>, retention: Duration) {
    loop {
        match dispatcher.ledger.sweep(retention).await {
            Ok(0) => sleep(SWEEP_EVERY).await,
            Ok(_) => sleep(Duration::from_millis(100)).await,
            Err(_closed) => return,
        }
    }
}

/// Tells how old the oldest event of each lane is that is still to be told: being worked on, or open in the ledger and
/// waiting for a retry. One whose message was lost on its way shows here too.
pub(super) async fn watch_age(dispatcher: Arc<Dispatcher>) {
    loop {
        // A ledger in trouble does not answer; what is stuck before it is known all the same.
        let open = timeout(AGE_EVERY, dispatcher.ledger.oldest()).await;
        let open = open.ok().and_then(Result::ok).unwrap_or_default();
        let now = dispatcher.clock.now();
        for lane in Lane::ALL {
            let waiting = open.iter().find(|oldest| oldest.lane == lane.as_str()).map(|oldest| oldest.time);
            let oldest = waiting.into_iter().chain(dispatcher.underway.oldest(lane)).min();
            telemetry::oldest_event(lane, oldest.map(|time| now.duration_since(time)));
        }
        sleep(AGE_EVERY).await;
    }
}
