//! What a worker depends on, and whether it works at the moment.

use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::broker::Publisher;
use crate::dispatch::Dispatcher;
use crate::event::Lane;
use crate::plan::Channel;

/// One thing that a worker depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `broker.<lane>`, `broker.publish`, `ledger`, `gateways.<channel>`.
    pub name: String,
    /// What is wrong with it, in words that name it; nothing personal.
    pub problem: Option<String>,
}

/// What `/readyz` and `/healthz` want to know.
#[derive(Clone)]
pub struct Readiness {
    consuming: Vec<(Lane, watch::Receiver<Option<String>>)>,
    publisher: Publisher,
    dispatcher: Arc<Dispatcher>,
    stopping: CancellationToken,
}

impl Readiness {
    pub(super) fn new(
        consuming: Vec<(Lane, watch::Receiver<Option<String>>)>,
        publisher: Publisher,
        dispatcher: Arc<Dispatcher>,
        stopping: CancellationToken,
    ) -> Self {
        Self { consuming, publisher, dispatcher, stopping }
    }

    /// Everything that the worker depends on, always the same names in the same order.
    pub fn checks(&self) -> Vec<Check> {
        let mut checks: Vec<Check> = self.consuming.iter().map(lane_check).collect();
        let unconnected = (!self.publisher.is_connected())
            .then(|| "broker: no connection to publish retries and dead letters".to_owned());
        checks.push(Check { name: "broker.publish".to_owned(), problem: unconnected });
        let trouble = self.dispatcher.ledger.trouble().map(|trouble| format!("ledger: {trouble}"));
        checks.push(Check { name: "ledger".to_owned(), problem: trouble });
        for channel in Channel::ALL {
            let problem = self.dispatcher.gateways.trouble_of(channel);
            checks.push(Check { name: format!("gateways.{}", channel.as_str()), problem });
        }
        checks
    }

    /// Why the worker is not ready; empty when it is.
    pub fn problems(&self) -> Vec<String> {
        self.checks().into_iter().filter_map(|check| check.problem).collect()
    }

    /// What no waiting mends: a part of the process has ended that nothing starts again. `None` during a stop, which ends
    /// all of them.
    pub fn stuck(&self) -> Option<String> {
        if self.stopping.is_cancelled() {
            return None;
        }
        if self.dispatcher.ledger.is_closed() {
            return Some("the ledger's writer has ended".to_owned());
        }
        let ended = self.consuming.iter().find(|(_, consuming)| consuming.has_changed().is_err());
        ended.map(|(lane, _)| format!("lane {} is consumed by nobody any more", lane.as_str()))
    }
}

fn lane_check((lane, consuming): &(Lane, watch::Receiver<Option<String>>)) -> Check {
    let lane = lane.as_str();
    let why = consuming.borrow().clone();
    let problem = why.map(|why| format!("broker: lane {lane} is not being consumed: {why}"));
    Check { name: format!("broker.{lane}"), problem }
}
