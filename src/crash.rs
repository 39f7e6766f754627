//! Points at which the process ends itself, so that the fault tests can show what a crash right there comes to, and one at
//! which it panics with an event's data in its mouth. Only in builds with debug assertions: a release build has none of it.

/// A point on the way of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The event was decoded; the ledger has not heard of it.
    Decoded,
    /// The claim is durable; nothing was sent.
    Claimed,
    /// The gateway's answer is here; the ledger does not know it.
    Answered,
    /// The settlement is durable; the event's delivery has no disposition yet.
    Settled,
    /// The disposition is known; the delivery is not acknowledged.
    Acknowledging,
    /// The broker has the retry; the delivery that it replaces is not acknowledged.
    RetryPublished,
    /// The broker has the dead letter; the ledger does not know it, and the delivery is not acknowledged.
    DeadPublished,
    /// The broker has a summary; the ledger does not know it.
    SummaryBrought,
}

/// Ends the process without a word if the variable `SHIRASE_CRASH_AT` names this point.
#[cfg(debug_assertions)]
pub fn point(point: Point) {
    static AT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let at = AT.get_or_init(|| std::env::var("SHIRASE_CRASH_AT").ok());
    if at.as_deref() == Some(format!("{point:?}").as_str()) {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub fn point(_: Point) {}

/// Panics with the event's data in its message, as an `expect` that nobody thought through might, if the variable
/// `SHIRASE_PANIC_ON` is the event's id.
#[cfg(debug_assertions)]
pub fn panic_on(event: &crate::event::Event) {
    static ON: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let on = ON.get_or_init(|| std::env::var("SHIRASE_PANIC_ON").ok());
    assert!(on.as_ref() != Some(&event.id), "a bug has come upon {}", event.data);
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub fn panic_on(_: &crate::event::Event) {}
