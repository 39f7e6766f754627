//! Gateways: the ways out. Each kind is one file with its wire shape, its answers and its configuration; everyone else
//! reads the closed [`Failure`].

mod http;
mod mail;
mod outcome;
mod relay_url;
mod smtp;
mod turns;

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::http::{GatewayUrl, HttpGatewayConfig};
pub use self::mail::Mailbox;
pub use self::outcome::{Accepted, Class, Failure, Reason};
pub use self::relay_url::RelayUrl;
pub use self::smtp::RelayConfig;
use self::turns::Turns;
use crate::config::Span;
use crate::event::Lane;
use crate::plan::{Address, Channel};
use crate::template::Message;

/// `[sms]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// Prefixes of Japanese mobile numbers that get SMS.
    pub prefixes: Vec<String>,
    /// Tried in order.
    pub gateways: Vec<HttpGatewayConfig>,
}

/// `[email]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The sender, with a display name.
    pub from: Mailbox,
    /// Tried in order.
    pub relays: Vec<RelayConfig>,
}

/// What to do when nobody knows whether an attempt was accepted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnUnknown {
    /// Send again later, with the same reference.
    #[default]
    Resend,
    /// Send through the next gateway at once, with the same reference.
    Failover,
    /// Wait for the gateway's receipt, `unknown_wait` at most; then send again.
    Wait,
}

/// `unknown_wait` where the configuration says nothing: receipts of most messages are there within minutes.
fn default_unknown_wait() -> Span {
    Span::seconds(600)
}

/// One message for one address, ready to hand over.
pub struct Letter<'a> {
    /// The notification's idempotency key, the same over all its attempts.
    pub reference: &'a str,
    /// Where it goes.
    pub address: &'a Address,
    /// What it says.
    pub message: &'a Message,
    /// For the mail's `Date`.
    pub now: Timestamp,
}

/// A configured way out.
pub struct Gateway {
    name: String,
    timeout: Duration,
    on_unknown: OnUnknown,
    unknown_wait: Duration,
    turns: Turns,
    kind: Kind,
}

/// The right to hand over one message now, under the gateway's limits.
pub struct Turn<'a> {
    /// A connection of a relay's pool.
    place: Option<smtp::Place<'a>>,
}

enum Kind {
    Http(Box<http::HttpGateway>),
    Smtp(Box<smtp::Relay>),
}

/// A gateway that cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {detail}")]
pub struct BuildError {
    name: String,
    detail: String,
}

impl Gateway {
    /// An SMS gateway.
    ///
    /// # Errors
    /// When its HTTP client cannot be built.
    pub fn sms(config: &HttpGatewayConfig) -> Result<Self, BuildError> {
        let kind = http::HttpGateway::new(config)
            .map_err(|error| BuildError { name: config.name.clone(), detail: error.to_string() })?;
        Ok(Self {
            name: config.name.clone(),
            timeout: config.timeout.0,
            on_unknown: config.on_unknown,
            unknown_wait: config.unknown_wait.0,
            turns: Turns::new(config.rate_per_second),
            kind: Kind::Http(Box::new(kind)),
        })
    }

    /// An SMTP relay.
    ///
    /// # Errors
    /// When its TLS parameters cannot be built.
    pub fn relay(config: &RelayConfig, from: &Mailbox) -> Result<Self, BuildError> {
        let kind = smtp::Relay::new(config, from)
            .map_err(|detail| BuildError { name: config.name.clone(), detail })?;
        Ok(Self {
            name: config.name.clone(),
            timeout: config.timeout.0,
            on_unknown: config.on_unknown,
            unknown_wait: config.unknown_wait.0,
            turns: Turns::new(config.rate_per_second),
            kind: Kind::Smtp(Box::new(kind)),
        })
    }

    /// Its name in configuration, metrics and logs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The channel that it serves.
    pub fn channel(&self) -> Channel {
        match self.kind {
            Kind::Http(_) => Channel::Sms,
            Kind::Smtp(_) => Channel::Email,
        }
    }

    /// No attempt takes longer than this, once it has its turn.
    pub fn longest_attempt(&self) -> Duration {
        self.timeout
    }

    /// What to do when an attempt's answer never came.
    pub fn on_unknown(&self) -> OnUnknown {
        self.on_unknown
    }

    /// How long a receipt is waited for where that is the policy.
    pub fn unknown_wait(&self) -> Duration {
        self.unknown_wait
    }

    /// Waits for its turn under `rate_per_second` and `pool`, at most `patience`. Critical events keep a share of both, so
    /// that a storm in the other lane can't take every one.
    ///
    /// # Errors
    /// When the turn does not come in time; nothing was sent.
    pub async fn turn(&self, lane: Lane, patience: Duration) -> Result<Turn<'_>, Failure> {
        let late = || {
            Failure::new(Class::Throttled { wait: None }, Reason::OwnLimit, "no turn under our own limits")
        };
        if patience.is_zero() {
            return Err(late());
        }
        let turn = async {
            let place = match &self.kind {
                Kind::Http(_) => None,
                Kind::Smtp(relay) => Some(relay.place(lane).await),
            };
            self.turns.next(lane).await;
            Turn { place }
        };
        tokio::time::timeout(patience, turn).await.map_err(|_| late())
    }

    /// Hands a message over; its turn is over when that has ended.
    ///
    /// # Errors
    /// [`Failure`]: how it ended, classified by the kind, which alone knows its answers.
    pub async fn send(&self, letter: &Letter<'_>, turn: Turn<'_>) -> Result<Accepted, Failure> {
        let result = match &self.kind {
            Kind::Http(http) => http.send(letter).await,
            Kind::Smtp(relay) => relay.send(letter, self.timeout).await,
        };
        drop(turn.place);
        result
    }

    /// Tries the connection without sending anything.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn probe(&self) -> Result<(), Failure> {
        match &self.kind {
            Kind::Http(http) => http.probe().await,
            Kind::Smtp(relay) => relay.probe(self.timeout).await,
        }
    }
}

/// Every configured gateway, by channel, in order.
pub struct Gateways {
    sms: Vec<Gateway>,
    email: Vec<Gateway>,
}

impl Gateways {
    /// Builds them from the configuration.
    ///
    /// # Errors
    /// The first that cannot be built.
    pub fn new(sms: &SmsConfig, email: &EmailConfig) -> Result<Self, BuildError> {
        Ok(Self {
            sms: sms.gateways.iter().map(Gateway::sms).collect::<Result<_, _>>()?,
            email: email
                .relays
                .iter()
                .map(|relay| Gateway::relay(relay, &email.from))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The gateways of a channel, in the order in which they are tried.
    pub fn of(&self, channel: Channel) -> &[Gateway] {
        match channel {
            Channel::Sms => &self.sms,
            Channel::Email => &self.email,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Gateway> {
        self.sms.iter().chain(&self.email)
    }

    /// No attempt at any of them takes longer.
    pub fn longest_attempt(&self) -> Duration {
        self.iter().map(Gateway::longest_attempt).max().unwrap_or_default()
    }
}
