//! Connections to the broker, and what it does not take.

use std::time::Duration;

use metrics::counter;
use tracing::Level;

use super::ms;
use super::trouble::{Trouble, over, say};

const CONNECTED: &str = "broker connected";
const LOST: &str = "broker connection lost; trying again";

/// A broker connection is up. `role` is a lane's name or `publish`.
pub fn broker_connected(role: &'static str, host: &str) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "connected").increment(1);
    say!(of_broker(Level::INFO, CONNECTED, role, host));
}

/// A broker connection failed or ended; it will be tried again. That one which `worked` for a while is lost is news; that the
/// next one fails as the one before is not.
pub fn broker_lost(role: &'static str, host: &str, detail: &str, retry_in: Duration, worked: bool) {
    counter!("shirase_broker_connections_total", "role" => role, "result" => "lost").increment(1);
    if worked {
        over(|trouble| trouble.role == Some(role));
    }
    let lost = of_broker(Level::WARN, LOST, role, host);
    let retry_ms = ms(retry_in);
    say!(Trouble { detail: Some(detail.to_owned()), ..lost }, detail, retry_ms);
}

/// A retry or dead letter could not be handed to the broker; it is tried until it can.
pub fn publish_failed(queue: &str, detail: &str) {
    let trouble = Trouble {
        queue: Some(queue.to_owned()),
        detail: Some(detail.to_owned()),
        ..Trouble::new(Level::WARN, "publish failed; trying again")
    };
    say!(trouble, detail);
}

fn of_broker(level: Level, what: &'static str, role: &'static str, host: &str) -> Trouble {
    Trouble { role: Some(role), host: Some(host.to_owned()), ..Trouble::new(level, what) }
}
