//! What became of an event, for whoever brought it and for people: masked, serialisable.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{Burial, Disposition, Incoming};
use crate::event::{Event, Lane, peek};
use crate::ledger::HeldBack;
use crate::plan::Notification;
use crate::template::{Message, segments};

/// What became of an event.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// CloudEvents `id`, as far as it could be read.
    pub event_id: Option<String>,
    /// Its type, or `unknown`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its lane.
    #[serde(serialize_with = "lane")]
    pub lane: Lane,
    /// What becomes of the delivery.
    #[serde(flatten)]
    pub disposition: Disposition,
    /// The customer chose not to be told.
    pub muted: bool,
    /// Deliberately not told, to protect the customer, and why.
    #[serde(serialize_with = "held_back")]
    pub held_back: Option<HeldBack>,
    /// The event was done, muted or given up before, or is on its way with another body.
    pub duplicate: bool,
    /// How often it was tried, this time included.
    pub attempts: u32,
    /// How often it was given up before.
    pub deaths: u32,
    /// The trace that the event belongs to, in hexadecimal; empty without one.
    #[serde(skip)]
    pub trace_id: String,
    /// The templates that it was rendered from, if it came so far.
    #[serde(skip)]
    pub template_version: Option<String>,
    /// What is left to do once a dead letter is where it belongs.
    #[serde(skip)]
    pub burial: Option<Burial>,
    /// It was a canary, which counts nowhere else.
    #[serde(skip)]
    pub canary: bool,
    /// One for each notification, fallbacks included.
    pub notifications: Vec<NotificationReport>,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationReport {
    /// `sms` or `email`.
    pub channel: &'static str,
    /// `current` or `previous`.
    pub contact: &'static str,
    /// The masked address.
    pub to: String,
    /// Why this channel.
    pub why: String,
    /// How it ended.
    pub result: NotificationResult,
    /// Through which gateway.
    pub gateway: Option<String>,
    /// Why it was not accepted.
    pub reason: Option<Cow<'static, str>>,
    /// Codes for a person.
    pub detail: Option<String>,
    /// SMS segments.
    pub segments: Option<usize>,
}

/// How a notification ended in this attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationResult {
    /// A gateway took it.
    Accepted,
    /// A gateway had taken it before.
    Duplicate,
    /// Another delivery of the event is at it.
    Busy,
    /// Later.
    Retry,
    /// Later, and not tried: every gateway of the channel is failing or wants to be left alone.
    Waiting,
    /// Nobody knows.
    Unknown,
    /// Given up on this channel.
    Failed,
    /// Past its deadline.
    Expired,
    /// Deliberately not sent, to protect the customer.
    HeldBack,
}

impl NotificationResult {
    /// Nothing more will become of it.
    pub(super) fn is_final(self) -> bool {
        match self {
            Self::Accepted | Self::Duplicate | Self::Failed | Self::Expired | Self::HeldBack => true,
            Self::Busy | Self::Retry | Self::Waiting | Self::Unknown => false,
        }
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Busy => "busy",
            Self::Retry => "retry",
            Self::Waiting => "waiting",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::HeldBack => "held_back",
        }
    }
}

impl Report {
    /// All that is still to be told waits for gateways.
    pub fn waits_for_a_gateway(&self) -> bool {
        let mut open =
            self.notifications.iter().map(|one| one.result).filter(|result| !result.is_final()).peekable();
        open.peek().is_some() && open.all(|result| result == NotificationResult::Waiting)
    }

    /// A notification that is still to be told.
    pub fn open(&self) -> Option<&NotificationReport> {
        self.notifications.iter().find(|one| !one.result.is_final())
    }

    pub(super) fn new(incoming: &Incoming, event_type: String, disposition: Disposition) -> Self {
        let event_id = peek(&incoming.raw).0;
        let attempts = incoming.attempts.saturating_add(1);
        Self {
            event_id,
            event_type,
            lane: incoming.lane,
            disposition,
            muted: false,
            held_back: None,
            duplicate: false,
            attempts,
            deaths: 0,
            trace_id: String::new(),
            template_version: None,
            burial: None,
            canary: false,
            notifications: Vec::new(),
        }
    }

    /// Of a decoded event, with nothing decided yet.
    pub(super) fn of(incoming: &Incoming, event: &Event) -> Self {
        Self {
            event_id: Some(event.id.clone()),
            event_type: event.kind.name.clone(),
            lane: incoming.lane,
            disposition: Disposition::Done,
            muted: false,
            held_back: None,
            duplicate: false,
            attempts: incoming.attempts.saturating_add(1),
            deaths: 0,
            trace_id: event.trace_id(),
            template_version: None,
            burial: None,
            canary: false,
            notifications: Vec::new(),
        }
    }

    pub(super) fn told_before(mut self, notifications: &[Notification]) -> Self {
        self.duplicate = true;
        self.notifications = notifications
            .iter()
            .map(|notification| NotificationReport::of(notification, None, NotificationResult::Duplicate))
            .collect();
        self
    }

    /// `again`: this delivery of it found it so.
    pub(super) fn held_back(mut self, reason: HeldBack, again: bool) -> Self {
        self.held_back = Some(reason).filter(|_| !again);
        self.duplicate = again;
        self
    }

    /// `done`, `retried`, `dead`; `None` when the delivery was left to the broker.
    pub fn result(&self) -> Option<&'static str> {
        self.disposition.result()
    }
}

impl NotificationReport {
    pub(super) fn of(
        notification: &Notification,
        message: Option<&Message>,
        result: NotificationResult,
    ) -> Self {
        let segments = match message {
            Some(Message::Sms { text }) => Some(segments(text).segments),
            _ => None,
        };
        Self {
            channel: notification.address.channel().as_str(),
            contact: notification.contact.as_str(),
            to: notification.address.to_string(),
            why: notification.why.to_string(),
            result,
            gateway: None,
            reason: None,
            detail: None,
            segments,
        }
    }
}

#[allow(clippy::ref_option)] // serde's signature
fn held_back<S: Serializer>(held_back: &Option<HeldBack>, serializer: S) -> Result<S::Ok, S::Error> {
    held_back.map(HeldBack::as_str).serialize(serializer)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn lane<S: Serializer>(lane: &Lane, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(lane.as_str())
}
