//! Gateways: the ways out. Each kind is one file with its wire shape, its answers and its configuration; everyone else
//! reads the closed [`Failure`].

mod email;
mod outcome;
pub mod receipt;
mod sms;
mod turns;

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

pub use self::email::{
    DkimConfig, EmailConfig, Mailbox, RelayConfig, RelayUrl, ReturnPath, StatusCode, reference, reference_in,
};
pub use self::outcome::{Accepted, Class, Failure, Reason};
use self::receipt::{Callback, CallbackError, Report};
pub use self::sms::{GatewayUrl, HttpGatewayConfig, SmsConfig, SmsGatewayConfig, SmsKindConfig};
use self::turns::Turns;
use crate::config::Span;
use crate::event::Lane;
use crate::plan::{Address, Channel};
use crate::template::Message;

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
    /// How long the message is worth anything: until the event's deadline.
    pub valid_for: Duration,
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
    place: Option<email::Place<'a>>,
}

enum Kind {
    Sms(Box<sms::SmsGateway>),
    Smtp(Box<email::Relay>),
}

/// A gateway that cannot be built from its configuration.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {detail}")]
pub struct BuildError {
    name: String,
    detail: String,
}

impl Gateway {
    /// An SMS gateway. `receipts` is the public base URL of our receipts listener, where there is one.
    ///
    /// # Errors
    /// When its HTTP client cannot be built from the configuration.
    pub fn sms(config: &SmsGatewayConfig, receipts: Option<&Url>) -> Result<Self, BuildError> {
        let common = &config.common;
        let kind = sms::SmsGateway::new(config, receipts.and_then(|base| callback(base, &common.name)))?;
        Ok(Self {
            name: common.name.clone(),
            timeout: common.timeout.0,
            on_unknown: common.on_unknown,
            unknown_wait: common.unknown_wait.0,
            turns: Turns::new(common.rate_per_second),
            kind: Kind::Sms(Box::new(kind)),
        })
    }

    /// An SMTP relay, one of `email`'s.
    ///
    /// # Errors
    /// When its certificates or the key for signatures cannot be used.
    pub fn relay(config: &RelayConfig, email: &EmailConfig) -> Result<Self, BuildError> {
        let kind = email::Relay::new(config, email)
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
            Kind::Sms(_) => Channel::Sms,
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
                Kind::Sms(_) => None,
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
            Kind::Sms(sms) => sms.send(letter).await,
            Kind::Smtp(relay) => relay.send(letter, self.timeout).await,
        };
        drop(turn.place);
        result
    }

    /// Whether it tells later what became of a message, in a way that can be told from forgeries.
    pub fn takes_receipts(&self) -> bool {
        match &self.kind {
            Kind::Sms(sms) => sms.verifies_receipts(),
            Kind::Smtp(_) => false,
        }
    }

    /// Verifies a callback and reads what it says.
    ///
    /// # Errors
    /// [`CallbackError`]: it is not the vendor's, or not to be understood.
    pub fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        match &self.kind {
            Kind::Sms(sms) => sms.receipts(callback),
            Kind::Smtp(_) => Err(CallbackError::Forged),
        }
    }

    /// Tries the connection without sending anything.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        match &self.kind {
            Kind::Sms(sms) => sms.probe(now).await,
            Kind::Smtp(relay) => relay.probe(self.timeout).await,
        }
    }
}

/// Where a gateway is told to send its receipts to.
fn callback(base: &Url, name: &str) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["receipts", name]);
    Some(url)
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
    pub fn new(sms: &SmsConfig, email: &EmailConfig, receipts: Option<&Url>) -> Result<Self, BuildError> {
        let gateway = |config| Gateway::sms(config, receipts);
        Ok(Self {
            sms: sms.gateways.iter().map(gateway).collect::<Result<_, _>>()?,
            email: email.relays.iter().map(|relay| Gateway::relay(relay, email)).collect::<Result<_, _>>()?,
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
