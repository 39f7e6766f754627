//! The worker: lanes in, dispositions out, and an orderly stop.

mod readiness;

use std::num::NonZeroU32;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::readiness::{Check, Readiness};
use crate::broker::{BringAgain, BrokerConfig, Consumer, Delivered, Handle, Handled, Names, Publisher};
use crate::config::Span;
use crate::dispatch::{Burial, DeadReason, Dispatcher, Disposition, Incoming, Revive};
use crate::event::Lane;
use crate::telemetry;

/// `[lanes]`
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LanesConfig {
    /// What a customer loses money by not hearing.
    pub critical: LaneConfig,
    /// Everything else.
    pub standard: StandardLaneConfig,
}

/// `[lanes.…]`
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaneConfig {
    /// Events worked on at once; quorum queues allow 2000.
    #[schemars(range(min = 1, max = 2000))]
    pub prefetch: u16,
}

/// `[lanes.standard]`
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandardLaneConfig {
    /// As the other lane's.
    #[schemars(range(min = 1, max = 2000))]
    pub prefetch: u16,
    /// Of each gateway's rate, what standard messages are sure of while critical ones wait for it, which go first otherwise.
    #[serde(default = "fifth")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub share: f64,
}

fn fifth() -> f64 {
    0.2
}

impl LanesConfig {
    /// Of one lane.
    pub fn prefetch(&self, lane: Lane) -> u16 {
        match lane {
            Lane::Critical => self.critical.prefetch,
            Lane::Standard => self.standard.prefetch,
        }
    }
}

/// `[worker]`
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkerConfig {
    /// After SIGTERM, how long what is in flight may take; then it is left to the broker.
    pub drain: Span,
    /// How many workers share the gateways, and so each gateway's `rate_per_second`.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: NonZeroU32,
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// How the worker is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// No more intake; finish what is in flight.
    pub soft: CancellationToken,
    /// Give up what is in flight.
    pub hard: CancellationToken,
}

/// While every gateway of every channel is failing, a lane takes an event this often: a probe needs one. It is also often
/// enough that no delivery waits in our hands until the broker loses patience (RabbitMQ: half an hour).
const ONE_FOR_A_PROBE: Duration = Duration::from_millis(500);

/// How soon a lane sees that a gateway works again.
const LOOK_AT_GATEWAYS: Duration = Duration::from_millis(50);

/// The worker's running tasks.
pub struct Worker {
    lanes: TaskTracker,
    publishing: TaskTracker,
    /// Ends the publisher, after the lanes have ended.
    publisher_stop: CancellationToken,
    stop: Stop,
    drain: Duration,
}

/// Dispatches deliveries and turns their dispositions into the broker's terms.
struct Dispatch {
    dispatcher: Arc<Dispatcher>,
    jitter: f64,
    random: SystemRandom,
}

impl Handle for Dispatch {
    type Burial = Burial;

    async fn handle(&self, delivered: Delivered) -> Handled<Burial> {
        let lane = delivered.lane;
        let revive = revive(&delivered);
        let incoming = Incoming { raw: delivered.raw, lane, attempts: delivered.attempts, revive };
        // A panic is our bug, not the event's; still, the event must not sit unacknowledged until the broker loses
        // patience and brings it to the next panic.
        let Ok(report) = AssertUnwindSafe(self.dispatcher.dispatch(&incoming)).catch_unwind().await else {
            telemetry::event_panicked(lane);
            let detail = "the worker panicked on this event; its log says where".to_owned();
            let attempts = incoming.attempts.saturating_add(1);
            let deaths = delivered.deaths.unwrap_or_default().saturating_add(1);
            let reason = DeadReason::Internal.as_str();
            return Handled::Dead { reason, detail, attempts, deaths, at: self.now(), burial: None };
        };
        match report.disposition {
            Disposition::Done => Handled::Ack,
            Disposition::Retry { delay, attempts } => {
                Handled::Retry { delay, earlier: self.earlier(delay), attempts, deaths: report.deaths }
            }
            Disposition::Dead { reason, detail } => Handled::Dead {
                reason: reason.as_str(),
                detail,
                attempts: report.attempts,
                deaths: report.deaths.saturating_add(1),
                at: self.now(),
                burial: report.burial,
            },
            Disposition::Abandon => Handled::Abandon,
        }
    }

    async fn intake(&self) {
        let begun = Instant::now();
        while self.dispatcher.gateways.take_nothing() && begun.elapsed() < ONE_FOR_A_PROBE {
            sleep(LOOK_AT_GATEWAYS).await;
        }
    }

    async fn bury(&self, burial: Burial) -> bool {
        self.dispatcher.bury(burial).await.is_ok()
    }
}

/// What was put back says which death it comes from. Without that word it is upstream's, whose second publish of an event
/// that was given up is meant; unless the broker says that it brings it again.
fn revive(delivered: &Delivered) -> Revive {
    match delivered.deaths {
        Some(deaths) => Revive::After(deaths),
        None if delivered.redelivered => Revive::Never,
        None => Revive::Always,
    }
}

impl Dispatch {
    fn now(&self) -> String {
        self.dispatcher.clock.now().to_string()
    }

    /// A random part of at most `jitter` of the delay.
    fn earlier(&self, delay: Duration) -> Duration {
        let mut bytes = [0; 4];
        // Without randomness there is no jitter, which is no reason to stop.
        let share = self
            .random
            .fill(&mut bytes)
            .map_or(0.0, |()| f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX));
        delay.mul_f64(self.jitter * share)
    }
}

impl Worker {
    /// Starts consuming every lane.
    pub fn start(
        dispatcher: Arc<Dispatcher>,
        broker: &BrokerConfig,
        lanes: LanesConfig,
        jitter: f64,
        config: WorkerConfig,
        stop: Stop,
    ) -> (Self, Readiness, BringAgain) {
        let names = Names::new(broker, &dispatcher.catalog, dispatcher.schedule.steps());
        let (lane_tasks, publishing, publisher_stop) =
            (TaskTracker::new(), TaskTracker::new(), CancellationToken::new());
        let publisher = Publisher::start(broker.clone(), names.clone(), publisher_stop.clone(), &publishing);
        telemetry::catalog_loaded(&dispatcher.catalog);
        dispatcher.gateways.iter().for_each(telemetry::gateway_configured);
        let handler =
            Arc::new(Dispatch { dispatcher: Arc::clone(&dispatcher), jitter, random: SystemRandom::new() });
        let mut consuming = Vec::new();
        for lane in Lane::ALL {
            let (sender, receiver) = watch::channel(Some("not connected yet".to_owned()));
            consuming.push((lane, receiver));
            let consumer = Consumer {
                config: broker.clone(),
                names: names.clone(),
                lane,
                prefetch: lanes.prefetch(lane),
                publisher: publisher.clone(),
                handler: Arc::clone(&handler),
                consuming: sender,
                soft: stop.soft.clone(),
                hard: stop.hard.clone(),
            };
            lane_tasks.spawn(consumer.run());
        }
        let bring = BringAgain { publisher: publisher.clone(), names, give_up: stop.hard.clone() };
        let readiness = Readiness::new(consuming, publisher, dispatcher, stop.soft.clone());
        let worker = Self { lanes: lane_tasks, publishing, publisher_stop, stop, drain: config.drain.0 };
        (worker, readiness, bring)
    }

    /// Waits for the soft stop, then until what was in flight is finished or the drain time is over. True when all of
    /// it was finished.
    pub async fn finish(self) -> bool {
        self.stop.soft.cancelled().await;
        self.lanes.close();
        let finished = tokio::select! {
            () = self.lanes.wait() => true,
            () = sleep(self.drain) => false,
        };
        if !finished {
            self.stop.hard.cancel();
            self.lanes.wait().await;
        }
        self.publisher_stop.cancel();
        self.publishing.close();
        self.publishing.wait().await;
        finished
    }
}
