//! What may be shown of a dead letter.

use jiff::Timestamp;
use serde::Serialize;

use crate::broker::DeadLetter;
use crate::event::{Catalog, Lane, envelope};
use crate::printable::printable;

/// The type of an event that is not in the catalog, as in logs and metrics: it may hold anything.
const UNKNOWN: &str = "unknown";

/// For what is not there.
pub const NOTHING: &str = "-";

/// A dead letter without its event's data: small, safe to print, and one line of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// CloudEvents `id`.
    pub event_id: Option<String>,
    /// `unknown` when it is not in the catalog.
    #[serde(rename = "type")]
    pub event_type: Option<String>,
    /// CloudEvents `source`.
    pub source: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Where it would go back to.
    pub lane: Option<&'static str>,
    /// Why it was given up.
    pub reason: String,
    /// Where and what.
    pub detail: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// How often it was given up.
    pub deaths: Option<u32>,
    /// When it was given up, as far as anybody noted it.
    pub died_at: Option<Timestamp>,
    /// Seconds since then; below zero where another machine's clock is ahead.
    pub age_seconds: Option<i64>,
    /// The event's length.
    pub bytes: usize,
    /// The queue in which the broker itself gave it up.
    pub given_up_in: Option<String>,
}

impl Letter {
    /// With the lane of its type.
    pub fn of(dead: &DeadLetter, catalog: &Catalog, now: Timestamp) -> (Self, Option<Lane>) {
        let envelope = envelope(&dead.raw);
        let known = envelope.event_type.as_deref().map(|name| catalog.get(name));
        let lane = known.flatten().map(|kind| kind.policy.lane);
        let by_broker = dead.by_broker.as_ref();
        let reason = dead.reason.as_deref().or(by_broker.map(|death| death.reason.as_str()));
        let letter = Self {
            event_id: envelope.id.as_deref().map(printable),
            event_type: known
                .map(|kind| kind.map_or_else(|| UNKNOWN.to_owned(), |kind| printable(&kind.name))),
            source: envelope.source.as_deref().map(printable),
            time: envelope.time,
            lane: lane.map(Lane::as_str),
            reason: printable(reason.unwrap_or(UNKNOWN)),
            detail: dead.detail.as_deref().map(printable),
            attempts: dead.attempts,
            deaths: dead.deaths,
            died_at: dead.died_at,
            age_seconds: dead.died_at.map(|died_at| now.duration_since(died_at).as_secs()),
            bytes: dead.raw.body.len(),
            given_up_in: by_broker.map(|death| printable(&death.queue)),
        };
        (letter, lane)
    }

    /// By which letters are ordered, oldest first; those of which nobody knows when they died come before the others.
    pub fn order(&self) -> (Option<Timestamp>, Option<String>) {
        (self.died_at, self.event_id.clone())
    }

    /// Its id, or that there is none.
    pub fn event_id(&self) -> &str {
        self.event_id.as_deref().unwrap_or(NOTHING)
    }

    /// Its type, or that there is none.
    pub fn event_type(&self) -> &str {
        self.event_type.as_deref().unwrap_or(NOTHING)
    }
}
