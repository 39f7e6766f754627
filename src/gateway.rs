//! Gateways: the ways out. Each kind is one file with its wire shape, its answers and its configuration; everyone else
//! reads the closed [`Failure`].

mod breaker;
mod bucket;
mod email;
mod gate;
mod last_failure;
mod limits;
mod order;
mod outcome;
pub mod receipt;
mod registry;
mod sms;
mod turns;

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

pub use self::breaker::{BreakerConfig, Circuit, Outage, Refusal};
pub use self::email::{
    DkimConfig, EmailConfig, Mailbox, RelayConfig, RelayTls, RelayUrl, ReturnPath, StatusCode, reference,
    reference_in,
};
use self::gate::{Gate, Passage};
pub use self::last_failure::LastFailure;
use self::last_failure::Memory;
pub use self::limits::Rate;
use self::limits::{Place, Places};
pub use self::order::Balance;
pub use self::outcome::{Accepted, Class, Failure, Reason};
use self::receipt::{Callback, CallbackError, Report};
pub use self::registry::Gateways;
pub use self::sms::{
    GatewayUrl, HttpGatewayConfig, InfobipConfig, SmsConfig, SmsGatewayConfig, SmsKindConfig, TwilioConfig,
    VonageConfig,
};
use self::turns::Turns;
use crate::config::Span;
use crate::drain::Drain;
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

/// `weight` where the configuration says nothing.
fn default_weight() -> u32 {
    1
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
    weight: u32,
    at_once: u32,
    rate: Option<Rate>,
    turns: Turns,
    places: Places,
    gate: Gate,
    failures: Memory,
    kind: Kind,
}

/// The right to hand over one message now, under the gateway's limits.
pub struct Turn<'a> {
    passage: Passage<'a>,
    place: Place<'a>,
}

/// Why there is no turn. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTurn {
    /// None became free in time under our own limits.
    Late,
    /// The gateway is not to be asked at the moment.
    Refused(Refusal),
}

impl From<NoTurn> for Failure {
    fn from(why: NoTurn) -> Self {
        match why {
            NoTurn::Late => {
                let detail = "no turn under our own limits";
                Self::new(Class::Throttled { wait: None }, Reason::OwnLimit, detail)
            }
            NoTurn::Refused(Refusal::CircuitOpen { .. }) => {
                Self::new(Class::Retryable, Reason::CircuitOpen, "not asked: it is failing")
            }
            NoTurn::Refused(Refusal::Drained { .. }) => {
                Self::new(Class::Retryable, Reason::Drained, "not asked: it is drained")
            }
            NoTurn::Refused(Refusal::Held { wait }) => {
                let detail = "not asked: it wants to be left alone";
                Self::new(Class::Throttled { wait: Some(wait) }, Reason::RateLimit, detail)
            }
        }
    }
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
        let kind = sms::SmsGateway::new(config, receipts.and_then(|base| callback_url(base, &common.name)))?;
        Ok(Self {
            name: common.name.clone(),
            timeout: common.timeout.0,
            on_unknown: common.on_unknown,
            unknown_wait: common.unknown_wait.0,
            weight: common.weight,
            at_once: common.concurrency,
            rate: alone(common.rate_per_second),
            turns: Turns::new(alone(common.rate_per_second), 0.0),
            places: Places::new(common.concurrency),
            gate: Gate::new(&common.name, Channel::Sms, common.breaker, common.concurrency),
            failures: Memory::default(),
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
            weight: config.weight,
            at_once: config.pool,
            rate: alone(config.rate_per_second),
            turns: Turns::new(alone(config.rate_per_second), 0.0),
            places: Places::new(config.pool),
            gate: Gate::new(&config.name, Channel::Email, config.breaker, config.pool),
            failures: Memory::default(),
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

    /// Its rate, and how many workers share it.
    pub fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// How many messages this worker hands to it at once.
    pub fn at_once(&self) -> u32 {
        self.at_once
    }

    /// Its share where it shares a channel by weight.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Its circuit.
    pub fn circuit(&self) -> Circuit {
        self.gate.circuit()
    }

    /// Why it is not to be asked at the moment.
    pub fn refusal(&self) -> Option<Refusal> {
        self.gate.refusal()
    }

    /// The drain that is in force: it is not asked, what is on its way to it goes on.
    pub fn drained(&self) -> Option<Drain> {
        self.gate.drained()
    }

    /// What is wrong with it and for how long it has been, until it has taken a message again.
    pub fn outage(&self) -> Option<(Outage, Duration)> {
        self.gate.outage()
    }

    /// What it last failed with, since this worker started.
    pub fn last_failure(&self) -> Option<LastFailure> {
        self.failures.last()
    }

    /// Nobody knows of a message that it would take: it is failing and has not been seen to work again, or it asked to be
    /// left alone, or it is drained.
    fn takes_nothing(&self) -> bool {
        self.outage().is_some() || self.refusal().is_some()
    }

    /// `primary: connect for 12 s`
    fn trouble(&self) -> Option<String> {
        let (name, outage) = (&self.name, self.outage());
        if let Some(Drain { until, by, reason, .. }) = self.drained() {
            return Some(format!("{name}: drained until {until:.0} by {by}: {reason}"));
        }
        if let Some((outage, ago)) = outage {
            return Some(format!("{name}: {} for {} s", outage.reason.as_str(), ago.as_secs()));
        }
        let wait = self.refusal()?.wait();
        Some(format!("{name}: wants to be left alone for {} s", wait.as_secs()))
    }

    /// Waits for its turn under its limits, at most `patience`. Critical events keep a share of each, so that a storm in
    /// the other lane can't take every one.
    ///
    /// # Errors
    /// At once when its circuit is open, it asked to be left alone or is drained, and as soon as that happens while waiting; and when
    /// the turn does not come in time. Nothing was sent.
    pub async fn turn(&self, lane: Lane, patience: Duration) -> Result<Turn<'_>, NoTurn> {
        if let Some(refusal) = self.refusal() {
            return Err(NoTurn::Refused(refusal));
        }
        if patience.is_zero() {
            return Err(NoTurn::Late);
        }
        let turn = async {
            let place = self.places.next(lane).await;
            self.turns.next(lane).await;
            // Last, because what it lets through counts as being sent.
            let passage = self.gate.pass().await?;
            Ok(Turn { passage, place })
        };
        let turn = async {
            tokio::select! {
                biased;
                turn = turn => turn,
                refusal = self.gate.closes() => Err(refusal),
            }
        };
        match tokio::time::timeout(patience, turn).await {
            Ok(turn) => turn.map_err(NoTurn::Refused),
            Err(_) => Err(NoTurn::Late),
        }
    }

    /// Hands a message over; its turn is over when that has ended.
    ///
    /// # Errors
    /// [`Failure`]: how it ended, classified by the kind, which alone knows its answers.
    pub async fn send(&self, letter: &Letter<'_>, turn: Turn<'_>) -> Result<Accepted, Failure> {
        let Turn { passage, place } = turn;
        // Pinned here: given away by value, it would have a place in each future that it goes through.
        let attempt = pin!(async {
            match &self.kind {
                Kind::Sms(sms) => sms.send(letter).await,
                Kind::Smtp(relay) => relay.send(letter, self.timeout).await,
            }
        });
        let result = passage.attempt(attempt).await;
        if let Err(failure) = &result {
            self.failures.failed(letter.now, failure);
        }
        drop(place);
        result
    }

    /// Whether it tells later what became of a message, in a way that can be told from forgeries.
    pub fn takes_receipts(&self) -> bool {
        match &self.kind {
            Kind::Sms(sms) => sms.verifies_receipts(),
            Kind::Smtp(relay) => relay.hears_of_bounces(),
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

/// A rate that no other worker shares.
fn alone(per_second: Option<NonZeroU32>) -> Option<Rate> {
    per_second.map(|per_second| Rate { per_second, replicas: NonZeroU32::MIN })
}

/// Where a gateway is told to send its receipts to.
pub fn callback_url(base: &Url, name: &str) -> Option<Url> {
    let mut url = base.clone();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["receipts", name]);
    Some(url)
}
