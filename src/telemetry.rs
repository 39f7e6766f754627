//! One function a happening: it emits the log line and the metric together. Neither ever holds a phone number, an
//! address, a name or a text.
//!
//! | file | |
//! |---|---|
//! | `event`, `notification`, `attempt` | what becomes of an event, its notifications, and each try |
//! | `gateway`, `ledger`, `broker` | whether what a worker depends on works |
//! | `console` | what people do on the console |
//! | `receipts`, `wording` | what gateways say later; what becomes of changed templates |
//! | `registry` | every metric by name: the list that all else is held against |
//! | `start` | the series that are there before anything happens |
//! | `recorder`, `logging` | where metrics and log lines go |

mod attempt;
mod broker;
mod console;
mod event;
mod gateway;
mod ledger;
mod logging;
mod notification;
mod receipts;
mod recorder;
mod registry;
mod start;
mod waiting;
mod wording;

pub use self::attempt::attempted;
pub use self::broker::{broker_connected, broker_lost, publish_failed};
pub use self::console::{
    ConsoleAction, ConsoleActor, ConsoleResult, console_acted, console_forbidden, console_refused,
    console_signed_in,
};
pub use self::event::{decoded, event_ended, event_panicked, in_flight, oldest_event};
pub use self::gateway::{circuit_changed, gateway_configured, gateway_drained, gateway_resumed};
pub use self::ledger::{claim_taken_over, fenced_out, ledger_committed, ledger_in_trouble, ledger_recovered};
pub use self::logging::start_logging;
pub use self::notification::{fell_back, notification_ended};
pub use self::receipts::{BOUNCE, kept_event_unreadable, receipt_refused, receipt_taken, receipts_deferred};
pub use self::recorder::{metrics_builder, start_metrics};
pub use self::registry::{Kind, METRICS, Metric};
pub use self::start::catalog_loaded;
pub use self::waiting::waiting;
pub use self::wording::{wording_reloaded, wording_watched};
