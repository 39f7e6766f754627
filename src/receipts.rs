//! Receipts: what gateways and the mail system say later of a message, over HTTP.
//!
//! | file | |
//! |---|---|
//! | `config` | `[receipts]` |
//! | `http` | the listener: limits, whose word it is, how fast it is answered |
//! | `desk` | what a receipt changes: the ledger, and the event that is brought to its lane again |
//! | `bounce` | what `shirase bounce` hands over |
//!
//! A callback is answered 2xx only when what it says is durable, and within `receipts.patience`: a vendor that gets 503
//! instead brings it again, and what could not wait is written down all the same as soon as the ledger can.

mod bounce;
mod config;
mod desk;
mod http;

pub use self::bounce::Bounce;
pub use self::config::ReceiptsConfig;
pub use self::desk::{Bring, Desk, STRANDED_AFTER};
pub use self::http::router;
