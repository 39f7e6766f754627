//! One look a second at the worker's own metrics, for everybody who watches; one in five seconds while nobody does.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::counts::{Counts, Ring, STEP_SECONDS};
use super::exposition::Exposition;
use super::history::History;
use super::state::{Known, State};
use crate::admin::Health;
use crate::dispatch::Dispatcher;

/// What those who watch are sent.
#[derive(Clone)]
pub(super) struct Frame {
    /// The step that `history` ends with.
    pub step: u64,
    pub history: Arc<str>,
    pub state: Arc<str>,
}

/// Where the looks are taken.
pub(super) struct Sampler {
    pub metrics: PrometheusHandle,
    pub dispatcher: Arc<Dispatcher>,
    pub health: Health,
    pub started_at: Timestamp,
    pub ring: Ring,
    pub step: u64,
}

impl Sampler {
    /// Looks until the task is ended. `watched` says whether anybody watches, `asked` that somebody began to.
    pub async fn run(
        mut self,
        frames: watch::Sender<Frame>,
        watched: impl Fn() -> bool + Send,
        asked: Arc<Notify>,
    ) {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut into_step = 0;
        loop {
            tokio::select! {
                _ = seconds.tick() => into_step += 1,
                () = asked.notified() => {}
            }
            if into_step >= STEP_SECONDS {
                into_step = 0;
                frames.send_replace(self.next_step());
            } else if watched() {
                let (page, now) = self.look();
                let state = self.state(&page, &now);
                frames.send_modify(|frame| frame.state = state);
            }
        }
    }

    /// A step is over.
    pub fn next_step(&mut self) -> Frame {
        let (page, now) = self.look();
        self.ring.push(now.clone());
        self.step += 1;
        let history = History::of(&self.ring, &self.names(), self.dispatcher.clock.now());
        Frame { step: self.step, history: json(&history), state: self.state(&page, &now) }
    }

    fn look(&self) -> (Exposition, Counts) {
        let page = Exposition::parse(&self.metrics.render());
        let now = Counts::read(&page, &self.names());
        (page, now)
    }

    fn names(&self) -> Vec<&str> {
        self.dispatcher.gateways.iter().map(|gateway| gateway.name()).collect()
    }

    fn state(&self, page: &Exposition, now: &Counts) -> Arc<str> {
        let wording = &self.dispatcher.templates;
        let known = Known {
            at: self.dispatcher.clock.now(),
            started_at: self.started_at,
            problems: (self.health)().problems().into_iter().map(str::to_owned).collect(),
            warnings: wording.refusal().map(|refusal| refusal.in_a_line()).into_iter().collect(),
            templates: wording.current().version().to_owned(),
            gateways: self.dispatcher.gateways.iter().collect(),
            ledger_trouble: self.dispatcher.ledger.trouble(),
        };
        let recent = self.ring.recent().cloned().unwrap_or_default();
        json(&State::of(page, now, &recent, known))
    }
}

/// Numbers, texts and times: nothing that JSON could not say.
fn json(value: &impl serde::Serialize) -> Arc<str> {
    serde_json::to_string(value).unwrap_or_default().into()
}
