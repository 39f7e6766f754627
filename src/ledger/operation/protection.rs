//! What protects a recipient: the rules that a claim carries, and the summaries of what was held back by them. Recipients are
//! named by HMACs alone.

use std::time::Duration;

use super::Sealed;

/// Rules that an event is judged by when the ledger hears of it for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// It is told only when it comes from another device than the last one of this recipient.
    pub device: Option<DeviceRule>,
    /// Many in a short time become one summary.
    pub collapse: Option<CollapseRule>,
}

/// Whether a login comes from another device than the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Of recipient and event type.
    pub key: String,
    /// HMAC of what the device says of itself.
    pub device: String,
    /// How long it is remembered.
    pub retention: Duration,
}

/// How many are told within a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollapseRule {
    /// Of recipient and event type.
    pub key: String,
    /// So many.
    pub max: u32,
    /// From the first of them on.
    pub window: Duration,
    /// The event, should it be the one that the summary is made of.
    pub sealed: Sealed,
}

/// How many SMS a number gets a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayLimit {
    /// Of number and day.
    pub key: String,
    /// So many.
    pub max: u32,
}

/// Why somebody was deliberately not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBack {
    /// One of many: it is part of a summary.
    Collapsed,
    /// A login from the same device as the one before.
    KnownDevice,
    /// The number has had its SMS of the day, and there is no other channel.
    SmsDayLimit,
}

/// A summary whose window is over, and that nobody has brought to its lane yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueSummary {
    /// Which one.
    pub id: String,
    /// The memory that has to be locked before it is changed.
    pub(in crate::ledger) window: String,
    /// The key of the event that it is made of: the newest of those held back.
    pub event_key: String,
    /// Its CloudEvents `id`.
    pub event_id: String,
    /// Its CloudEvents `type`.
    pub event_type: String,
    /// The lane that it came through.
    pub lane: String,
    /// How many were held back beside it.
    pub others: u32,
    /// Its message.
    pub sealed: Sealed,
}
