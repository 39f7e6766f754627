//! What a worker does beside its events.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::broker::BringAgain;
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

/// Sends a canary now and then, where one is configured, until the worker takes no more events.
pub(super) async fn send_canaries(dispatcher: Arc<Dispatcher>, bring: BringAgain, stop: CancellationToken) {
    let Some(canary) = &dispatcher.canary else { return };
    telemetry::canary_configured(dispatcher.clock.now());
    let mut every = interval(canary.every());
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_sent = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let id = format!("{:032x}", fastrand::u128(..));
        let sent = bring.send(canary.lane(), canary.event(&id, dispatcher.clock.now())).await;
        match &sent {
            Ok(()) => telemetry::canary_sent(&id),
            Err(error) => telemetry::canary_unsent(&error.to_string(), was_sent),
        }
        was_sent = sent.is_ok();
    }
}
