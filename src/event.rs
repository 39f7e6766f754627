//! Events: from bytes to an [`Event`] that plan and render can rely on. Pure; see [`decode`].

mod catalog;
mod decode;
mod email;
mod envelope;
mod phone;
mod recipient;
mod rejected;
mod schema;
pub mod shape;
mod trace_context;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

pub use self::catalog::{
    Catalog, CatalogError, Channels, Collapse, EmailTo, EventType, Lane, NotifyWhen, Policy,
};
pub use self::decode::{Envelope, MAX_EVENT_BYTES, decode, envelope, peek};
pub use self::email::{EmailAddress, EmailError};
pub use self::envelope::RawEvent;
pub use self::phone::{PhoneError, PhoneKind, PhoneNumber};
pub use self::recipient::{Given, Previous, Recipient, Settings, Wish};
pub use self::rejected::{BadReason, Rejected};
pub use self::schema::{EventSchema, SchemaError, Violation};
pub use self::trace_context::TraceContext;

/// Behind the key of a summary: it is not the event that it is made of.
pub const SUMMARY_SUFFIX: &str = "\u{1f}summary";

/// A header of our own on a summary: how many events beside it were held back.
pub const OTHERS_HEADER: &str = "x-shirase-others";

/// Something happened to a customer: decoded, known to the catalog, fitting its schema.
/// Its `Debug` shows what it is, not whom it is about.
#[derive(Clone)]
pub struct Event {
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `source`; with `id` it identifies the event.
    pub source: String,
    /// What the catalog says of its type.
    pub kind: Arc<EventType>,
    /// When it happened.
    pub time: Timestamp,
    /// Nothing is sent after this: `expires`, else `time` + `max_age`.
    pub deadline: Timestamp,
    /// Whom to tell.
    pub recipient: Recipient,
    /// `data` as it came.
    pub data: Value,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
    /// It is a summary: so many like it were held back.
    pub others: Option<u32>,
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({} {} {})", self.kind.name, self.source, self.id)
    }
}

impl Event {
    /// `source` and `id` as one key. U+001F cannot stand in either (see [`decode`]), so no two events share a key. A summary
    /// has one of its own.
    pub fn key(&self) -> String {
        let suffix = self.others.map_or("", |_| SUMMARY_SUFFIX);
        format!("{}\u{1f}{}{suffix}", self.source, self.id)
    }

    /// The trace's id in hexadecimal, empty without one: for log lines.
    pub fn trace_id(&self) -> String {
        self.trace.map(|trace| trace.to_string()).unwrap_or_default()
    }
}
