//! One function a happening: it emits the log line and the metric together. Neither ever holds a phone number, an
//! address, a name or a text.
//!
//! | file | |
//! |---|---|
//! | `event`, `notification`, `attempt` | what becomes of an event, its notifications, and each try |
//! | `gateway`, `ledger`, `broker`, `certificate` | whether what a worker depends on works |
//! | `canary` | what becomes of the events that workers send themselves |
//! | `console` | what people do on the console |
//! | `protection` | what is held back to protect recipients, and its summaries |
//! | `receipts`, `wording` | what gateways say later; what becomes of changed templates |
//! | `traces` | what becomes of spans |
//! | `registry` | every metric by name: the list that all else is held against |
//! | `start` | the series that are there before anything happens |
//! | `repeats`, `trouble` | what fails by the thousand is said once and summed up |
//! | `recorder`, `logging` | where metrics and log lines go |

use std::time::Duration;

mod attempt;
mod broker;
mod canary;
mod certificate;
mod console;
mod event;
mod gateway;
mod ledger;
mod logging;
mod notification;
mod protection;
mod receipts;
mod recorder;
mod registry;
mod repeats;
mod start;
mod traces;
mod trouble;
mod waiting;
mod wording;

pub use self::attempt::{Attempted, attempted};
pub use self::broker::{broker_connected, broker_lost, publish_failed};
pub use self::canary::{canary_accepted, canary_configured, canary_failed, canary_sent, canary_unsent};
pub use self::certificate::{certificate_seen, certificate_unseen};
pub use self::console::{
    ConsoleAction, ConsoleActor, ConsoleObject, ConsoleResult, LookedUp, console_acted, console_forbidden,
    console_looked_up, console_refused, console_signed_in,
};
pub use self::event::{decoded, event_ended, event_panicked, in_flight, oldest_event};
pub use self::gateway::{circuit_changed, gateway_configured, gateway_drained, gateway_resumed};
pub use self::ledger::{claim_taken_over, fenced_out, ledger_committed, ledger_in_trouble, ledger_recovered};
pub use self::logging::start_logging;
pub use self::notification::{NotificationEnd, fell_back, notification_ended};
pub use self::protection::{summary_brought, summary_unreadable};
pub use self::receipts::{BOUNCE, kept_event_unreadable, receipt_refused, receipt_taken, receipts_deferred};
pub use self::recorder::{metrics_builder, start_metrics};
pub use self::registry::{Kind, METRICS, Metric};
pub use self::start::catalog_loaded;
pub use self::traces::{
    spans_dropped, spans_exported, traces_configured, traces_in_trouble, traces_recovered,
};
pub use self::trouble::{sum_up, sum_up_all};
pub use self::waiting::waiting;
pub use self::wording::{wording_reloaded, wording_watched};

/// A log line tells how long something took in whole milliseconds.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A field without a value is not there.
fn shown(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
