//! Email: one mail for one recipient, signed, over one of several SMTP relays. The only part that names lettre.

mod cleartext;
mod dialogue;
mod dkim;
mod mail;
mod relay_url;
mod reply;
mod return_path;
mod smtp;
mod status_code;
mod tls;

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::dkim::DkimConfig;
pub use self::mail::Mailbox;
pub use self::relay_url::{RelayUrl, Tls as RelayTls};
pub use self::return_path::{ReturnPath, reference, reference_in};
pub(super) use self::smtp::Relay;
pub use self::status_code::StatusCode;
use super::{Balance, BreakerConfig, OnUnknown, default_unknown_wait, default_weight};
use crate::config::{Certificates, Span};

/// `[email]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The sender, with a display name.
    pub from: Mailbox,
    /// Where bounces go: MAIL FROM is this address with `+` and the notification's reference before the @. The sender's own
    /// address without it.
    pub return_path: Option<ReturnPath>,
    /// Signs every mail; none is signed without it.
    pub dkim: Option<DkimConfig>,
    /// Which relay is tried first.
    #[serde(default)]
    pub balance: Balance,
    /// The ways out.
    pub relays: Vec<RelayConfig>,
}

/// One of `[[email.relays]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Name in metrics and logs.
    pub name: String,
    /// Where it listens, with credentials when it wants them.
    pub url: RelayUrl,
    /// Certificates (PEM) of a private authority that are trusted beside the system's.
    pub ca: Option<Certificates>,
    /// Connections at most.
    #[serde(default = "default_pool")]
    #[schemars(range(min = 1, max = 1000))]
    pub pool: u32,
    /// Its share where the relays share by weight.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// When it is left alone.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// Mails a second, from all workers together; no limit without it.
    #[schemars(range(min = 1))]
    pub rate_per_second: Option<NonZeroU32>,
    /// One attempt, from connecting to the last reply.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// When the last reply never came.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// With `on_unknown = "wait"`: how long.
    #[serde(default = "default_unknown_wait")]
    pub unknown_wait: Span,
    /// The name in EHLO; receivers compare it with the address's PTR record.
    #[serde(default = "default_client_name")]
    pub client_name: String,
}

fn default_pool() -> u32 {
    16
}

fn default_timeout() -> Span {
    Span::seconds(30)
}

fn default_client_name() -> String {
    "localhost".to_owned()
}

impl EmailConfig {
    /// Names of the relays in the order in which they are tried for a notification.
    pub fn order(&self, reference: &str) -> Vec<&str> {
        let relays = self.relays.iter().map(|relay| (relay.name.as_str(), relay.weight));
        self.balance.order(relays, reference).map(|(name, _)| name).collect()
    }

    /// What one key alone cannot show: keys below `email`, and what is wrong with them.
    pub fn problems(&self) -> Vec<(String, String)> {
        let signing = self.dkim.iter().flat_map(DkimConfig::problems);
        let signing = signing.map(|(key, message)| (format!("dkim.{key}"), message));
        let relays = self.relays.iter().enumerate().filter_map(|(index, relay)| {
            let problem = client_name_problem(&relay.client_name)?;
            Some((format!("relays.{index}.client_name"), problem.to_owned()))
        });
        signing.chain(relays).collect()
    }
}

/// It stands in EHLO as it is: a line break would be a command of its own.
fn client_name_problem(name: &str) -> Option<&'static str> {
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic());
    (!plain).then_some("is no host name; write this machine's public name, \"mail1.example.jp\"")
}
