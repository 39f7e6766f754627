//! All gateways: which channel has which, in which order they are tried, and whether any would take a message.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::turns::Turns;
use super::{Balance, BuildError, EmailConfig, Gateway, OnUnknown, Rate, SmsConfig};
use crate::clock::Steady;
use crate::drain::Drain;
use crate::plan::Channel;

/// Every configured gateway, by channel.
pub struct Gateways {
    sms: Vec<Gateway>,
    email: Vec<Gateway>,
    sms_balance: Balance,
    email_balance: Balance,
}

impl Gateways {
    /// Builds them from the configuration.
    ///
    /// # Errors
    /// The first that cannot be built.
    pub fn new(sms: &SmsConfig, email: &EmailConfig, receipts: Option<&Url>) -> Result<Self, BuildError> {
        let gateway = |config| Gateway::sms(config, receipts);
        let relay = |config| Gateway::relay(config, email);
        Ok(Self {
            sms: sms.gateways.iter().map(gateway).collect::<Result<_, _>>()?,
            email: email.relays.iter().map(relay).collect::<Result<_, _>>()?,
            sms_balance: sms.balance,
            email_balance: email.balance,
        })
    }

    /// With each `rate_per_second` divided by so many workers, and `standard` of each worker's part, 0 to 1, sure for the standard
    /// lane.
    #[must_use]
    pub fn shared_by(mut self, replicas: NonZeroU32, standard: f64) -> Self {
        for gateway in self.sms.iter_mut().chain(&mut self.email) {
            gateway.rate = gateway.rate.map(|rate| Rate { replicas, ..rate });
            gateway.turns = Turns::new(gateway.rate, standard);
        }
        self
    }

    /// With another clock for how long gateways are left alone.
    #[must_use]
    pub fn timed_by(mut self, time: &Steady) -> Self {
        self.sms.iter_mut().chain(&mut self.email).for_each(|gateway| gateway.gate.timed_by(time.clone()));
        self
    }

    /// The gateways of a channel as they are configured.
    pub fn of(&self, channel: Channel) -> &[Gateway] {
        match channel {
            Channel::Sms => &self.sms,
            Channel::Email => &self.email,
        }
    }

    /// Whether one of a channel's gateways tells later what became of its messages, or is waited for as if it did.
    pub fn take_receipts(&self, channel: Channel) -> bool {
        let tells = |it: &Gateway| it.takes_receipts() || it.on_unknown() == OnUnknown::Wait;
        self.of(channel).iter().any(tells)
    }

    /// The gateways of a channel in the order in which they are tried for a notification: the same for all its attempts.
    pub fn order(&self, channel: Channel, reference: &str) -> Vec<&Gateway> {
        let balance = match channel {
            Channel::Sms => self.sms_balance,
            Channel::Email => self.email_balance,
        };
        let gateways = self.of(channel);
        let named = gateways.iter().map(|gateway| (gateway.name(), gateway.weight()));
        balance.order(named, reference).map(|(_, index)| &gateways[index]).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Gateway> {
        self.sms.iter().chain(&self.email)
    }

    /// Follows what the ledger says at `now`: these are drained, the others are not.
    pub fn follow(&self, drains: &[Drain], now: Timestamp) {
        for gateway in self.iter() {
            let drain = drains.iter().find(|drain| drain.gateway == gateway.name());
            gateway.gate.follow(drain, now);
        }
    }

    /// Whether one of the channel's gateways may be asked at the moment, be it by a probe.
    pub fn may_be_asked(&self, channel: Channel) -> bool {
        self.of(channel).iter().any(|gateway| gateway.refusal().is_none())
    }

    /// Every gateway of every channel is known to take nothing at the moment.
    pub fn take_nothing(&self) -> bool {
        let mut gateways = self.iter().peekable();
        gateways.peek().is_some() && gateways.all(Gateway::takes_nothing)
    }

    /// Each channel without a way out, and what is wrong with its gateways, in words.
    pub fn trouble(&self) -> Vec<String> {
        Channel::ALL.into_iter().filter_map(|channel| self.trouble_of(channel)).collect()
    }

    /// What is wrong with a channel's gateways, in words, while it has no way out.
    pub fn trouble_of(&self, channel: Channel) -> Option<String> {
        let gateways = self.of(channel);
        if gateways.is_empty() || !gateways.iter().all(Gateway::takes_nothing) {
            return None;
        }
        let each: Vec<String> = gateways.iter().filter_map(Gateway::trouble).collect();
        let what = match gateways.iter().filter(|gateway| gateway.drained().is_some()).count() {
            0 => "failing",
            drained if drained < each.len() => "failing or drained",
            _ => "drained",
        };
        Some(format!("{}: every gateway is {what} ({})", channel.as_str(), each.join("; ")))
    }

    /// No attempt at any of them takes longer.
    pub fn longest_attempt(&self) -> Duration {
        self.iter().map(Gateway::longest_attempt).max().unwrap_or_default()
    }
}
