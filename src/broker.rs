//! RabbitMQ: the only part that names lapin.
//!
//! lapin's auto-recovery is off (it hangs for good once its budget is spent); `connection::supervise` connects, declares and
//! consumes anew after whatever happened. Every operation has a timeout. Each lane and the publisher have a connection
//! of their own, so that a blocked publisher can still acknowledge and a full lane can't slow another.

mod ack;
mod bring;
mod connection;
mod consume;
mod dead;
mod depth;
mod file;
mod properties;
mod publish;
mod topology;
mod url;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::bring::BringAgain;
pub use self::connection::{BrokerError, probe};
pub use self::consume::{Consumer, Delivered, Handle, Handled};
pub use self::dead::{BrokerDeath, DeadLetter, DeadLetters, Held, PutBackError};
pub use self::file::{Entry, EventFile};
pub use self::publish::{Outgoing, Publisher};
pub use self::topology::{Names, Queue};
pub use self::url::{AmqpUrl, Node};
use crate::config::Certificates;

/// No single operation on the broker takes longer; a publish that does is unknown, not failed.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);

/// `[broker]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrokerConfig {
    /// The nodes of a cluster, tried in turn.
    #[schemars(length(min = 1))]
    pub urls: Vec<AmqpUrl>,
    /// Certificates (PEM) of a private authority that are trusted beside the system's, for `amqps://`.
    pub ca: Option<Certificates>,
    /// Prefix of our queues and exchanges.
    pub prefix: String,
    /// The exchange that upstream publishes to.
    pub exchange: String,
    /// Who makes the topology.
    pub topology: Topology,
}

/// Who makes exchanges, queues and bindings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// The worker declares everything.
    Declare,
    /// The worker only checks that everything is there.
    Passive,
}

/// Headers of our own on retries and dead letters.
pub mod header {
    /// How often the event was tried.
    pub const ATTEMPTS: &str = "x-shirase-attempts";
    /// Why it was given up.
    pub const REASON: &str = "x-shirase-reason";
    /// Where and what, for a person.
    pub const DETAIL: &str = "x-shirase-detail";
    /// How often the event was given up, this time included on a dead letter. What is put back carries it, so that it
    /// begins anew once.
    pub const DEATHS: &str = "x-shirase-deaths";
    /// On a summary: how many events beside it were held back.
    pub const OTHERS: &str = crate::event::OTHERS_HEADER;
    /// When it was given up, RFC 3339.
    pub const DIED_AT: &str = "x-shirase-died-at";
}
