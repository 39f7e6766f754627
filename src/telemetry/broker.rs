//! Connections to the broker, and what it does not take.

use std::time::Duration;

use metrics::counter;
use tracing::{info, warn};

/// A broker connection is up. `role` is a lane's name or `publish`.
pub fn broker_connected(role: &'static str, host: &str) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "connected").increment(1);
    info!(role, host, "broker connected");
}

/// A broker connection failed or ended; it will be tried again.
pub fn broker_lost(role: &'static str, host: &str, detail: &str, retry_in: Duration) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "lost").increment(1);
    let retry_ms = u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX);
    warn!(role, host, detail, retry_ms, "broker connection lost; trying again");
}

/// A retry or dead letter could not be handed to the broker; it is tried until it can.
pub fn publish_failed(queue: &str, detail: &str) {
    warn!(queue, detail, "publish failed; trying again");
}
