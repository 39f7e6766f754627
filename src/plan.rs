//! Which notifications an event becomes: event type policy × recipient → notifications. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{
    Channels, EmailAddress, EmailError, EmailTo, Event, Given, PhoneError, PhoneKind, PhoneNumber, Policy,
    Recipient, Wish,
};

/// A way to a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// SMS through an HTTP gateway.
    Sms,
    /// Mail through an SMTP relay.
    Email,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Sms, Self::Email];

    /// As settings and metrics call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
        }
    }
}

/// Which of the customer's contacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contact {
    /// The one in force.
    Current,
    /// The one that the event names as old.
    Previous,
}

impl Contact {
    /// As templates and the ledger call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }
}

/// Where a notification goes. Its `Debug` and `Display` are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A mobile number.
    Sms(PhoneNumber),
    /// A mailbox.
    Email(EmailAddress),
}

impl Address {
    /// The channel that carries it.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Sms(_) => Channel::Sms,
            Self::Email(_) => Channel::Email,
        }
    }
}

/// A text that is no [`Address`]. It does not hold the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It has an @.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// It has none.
    #[error(transparent)]
    Phone(#[from] PhoneError),
}

/// As a person writes it who looks for somebody.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.contains('@') {
            return Ok(Self::Email(EmailAddress::parse(text)?));
        }
        Ok(Self::Sms(PhoneNumber::parse(text)?))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sms(phone) => phone.fmt(f),
            Self::Email(email) => email.fmt(f),
        }
    }
}

/// The intent to tell one recipient one thing over one channel to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Which contact; with the channel it identifies the notification within its event.
    pub contact: Contact,
    /// Where it goes.
    pub address: Address,
    /// Why there.
    pub why: Why,
    /// Where it goes when this channel fails for good.
    pub fallback: Option<Address>,
}

impl Notification {
    /// `current.sms`, `previous.email`: unique within an event.
    pub fn target(&self) -> String {
        format!("{}.{}", self.contact.as_str(), self.address.channel().as_str())
    }

    /// The notification that takes over when this one has failed for good.
    pub fn fallback(&self) -> Option<Self> {
        let address = self.fallback.clone()?;
        let why = Why::Fallback(self.address.channel());
        Some(Self { contact: self.contact, address, why, fallback: None })
    }
}

/// Why a notification takes its channel, in the words of `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Policy `auto`, and the number has this configured prefix.
    Prefix(String),
    /// Policy `auto`, and there is no number for SMS.
    NoSms(NoSms),
    /// Policy names the channel.
    Policy,
    /// The customer's settings name the channel.
    Settings,
    /// Policy or settings name both channels.
    Both,
    /// Policy or settings name SMS, which cannot be used.
    InsteadOfSms(NoSms),
    /// Policy or settings name email, and there is no usable address.
    InsteadOfEmail,
    /// The event names this contact as old.
    OldContact,
    /// The other channel failed for good.
    Fallback(Channel),
    /// It is a canary: the configuration names address and gateway.
    Canary,
}

/// Why a recipient gets no SMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSms {
    /// No phone in the event.
    NoPhone,
    /// The text is no phone number.
    NotANumber,
    /// A landline or another number that takes no SMS.
    NotMobile,
    /// A number of another country.
    Foreign,
    /// Mobile by the numbering plan, but its prefix is not configured.
    PrefixNotConfigured(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(prefix) => write!(f, "mobile number with prefix {prefix}"),
            Self::NoSms(why) => write!(f, "{why}"),
            Self::Policy => f.write_str("policy names the channel"),
            Self::Settings => f.write_str("the customer's settings"),
            Self::Both => f.write_str("both channels are told"),
            Self::InsteadOfSms(why) => write!(f, "instead of SMS: {why}"),
            Self::InsteadOfEmail => f.write_str("instead of email: no usable address"),
            Self::OldContact => f.write_str("the event names this contact as old"),
            Self::Fallback(failed) => write!(f, "{} failed for good", failed.as_str()),
            Self::Canary => f.write_str("canary"),
        }
    }
}

impl fmt::Display for NoSms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPhone => f.write_str("no phone"),
            Self::NotANumber => f.write_str("the phone is no valid number"),
            Self::NotMobile => f.write_str("not a mobile number"),
            Self::Foreign => f.write_str("a foreign number"),
            Self::PrefixNotConfigured(prefix) => write!(f, "prefix {prefix} is not among sms.prefixes"),
        }
    }
}

/// What an event becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// These notifications; never empty.
    Send(Vec<Notification>),
    /// The customer chose not to be told, and policy allows it.
    Muted,
}

/// An event that nobody can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Past its deadline.
    #[error("older than max_age or past expires")]
    Expired,
    /// No usable address on any channel.
    #[error("neither a usable mobile number nor a usable email address")]
    NoAddress,
}

/// Plans one event. `prefixes` are those of numbers that get SMS (`sms.prefixes`).
///
/// # Errors
/// [`PlanError`]: nothing can or may be sent.
pub fn plan(event: &Event, prefixes: &[String], now: Timestamp) -> Result<Plan, PlanError> {
    if now > event.deadline {
        return Err(PlanError::Expired);
    }
    let policy = &event.kind.policy;
    let Some((channels, chosen)) = channels(policy, event.recipient.settings.wish(&event.kind.name)) else {
        return Ok(Plan::Muted);
    };
    let ways = Ways::of(&event.recipient, policy, prefixes);
    let mut notifications = current(&ways, channels, chosen, policy.fallback);
    if policy.previous_contact {
        previous(&event.recipient, prefixes, &mut notifications);
    }
    if notifications.is_empty() { Err(PlanError::NoAddress) } else { Ok(Plan::Send(notifications)) }
}

/// Why `phone` gets no SMS under `prefixes`, or the prefix that it matches.
pub fn sms_route(
    phone: &Given<PhoneNumber, crate::event::PhoneError>,
    prefixes: &[String],
) -> Result<(PhoneNumber, String), NoSms> {
    let phone = match phone {
        Given::Absent => return Err(NoSms::NoPhone),
        Given::Unusable(_) => return Err(NoSms::NotANumber),
        Given::Usable(phone) => phone,
    };
    if let Some(prefix) = prefixes.iter().find(|prefix| phone.is_mobile_with(prefix)) {
        return Ok((phone.clone(), prefix.clone()));
    }
    Err(match phone.kind() {
        PhoneKind::Foreign => NoSms::Foreign,
        PhoneKind::JapaneseOther => NoSms::NotMobile,
        PhoneKind::JapaneseMobile => NoSms::PrefixNotConfigured(phone.prefix().to_owned()),
    })
}

/// The channels to use and whether the customer chose them; `None` when the customer chose not to be told and may.
fn channels(policy: &Policy, wish: Wish) -> Option<(Channels, bool)> {
    let chosen = match wish {
        Wish::None if policy.user_may_mute => return None,
        Wish::None | Wish::Auto => None,
        Wish::Sms => Some(Channels::Sms),
        Wish::Email => Some(Channels::Email),
        Wish::Both => Some(Channels::Both),
    };
    match chosen.filter(|_| policy.user_may_choose) {
        Some(channels) => Some((channels, true)),
        None => Some((policy.channels, false)),
    }
}

/// The recipient's usable addresses.
struct Ways {
    sms: Result<(PhoneNumber, String), NoSms>,
    email: Option<EmailAddress>,
}

impl Ways {
    fn of(recipient: &Recipient, policy: &Policy, prefixes: &[String]) -> Self {
        let (first, second) = match policy.email_to {
            EmailTo::Auth => (&recipient.auth_email, &recipient.email),
            EmailTo::Contact => (&recipient.email, &recipient.auth_email),
        };
        let email = first.usable().or(second.usable()).cloned();
        Self { sms: sms_route(&recipient.phone, prefixes), email }
    }

    fn sms(&self) -> Option<Address> {
        self.sms.as_ref().ok().map(|(phone, _)| Address::Sms(phone.clone()))
    }

    fn email(&self) -> Option<Address> {
        self.email.clone().map(Address::Email)
    }
}

/// The notifications for the contact in force.
fn current(ways: &Ways, channels: Channels, chosen: bool, may_fall_back: bool) -> Vec<Notification> {
    let named = if chosen { Why::Settings } else { Why::Policy };
    let no_sms = || ways.sms.as_ref().err().cloned().unwrap_or(NoSms::NoPhone);
    let prefix = || ways.sms.as_ref().map(|(_, prefix)| prefix.clone()).unwrap_or_default();
    let both_usable = ways.sms.is_ok() && ways.email.is_some();

    let picked: Vec<(Option<Address>, Why)> = match channels {
        Channels::Both if both_usable => vec![(ways.sms(), Why::Both), (ways.email(), Why::Both)],
        Channels::Auto if ways.sms.is_ok() => vec![(ways.sms(), Why::Prefix(prefix()))],
        Channels::Auto => vec![(ways.email(), Why::NoSms(no_sms()))],
        Channels::Sms if ways.sms.is_ok() => vec![(ways.sms(), named)],
        Channels::Email if ways.email.is_some() => vec![(ways.email(), named)],
        Channels::Both | Channels::Email if ways.sms.is_ok() => vec![(ways.sms(), Why::InsteadOfEmail)],
        Channels::Both | Channels::Sms | Channels::Email => vec![(ways.email(), Why::InsteadOfSms(no_sms()))],
    };
    let alone = picked.len() == 1 && may_fall_back;
    let other = |address: &Address| match address.channel() {
        Channel::Sms => ways.email(),
        Channel::Email => ways.sms(),
    };
    let notification = |(address, why): (Option<Address>, Why)| {
        let address = address?;
        let fallback = if alone { other(&address) } else { None };
        Some(Notification { contact: Contact::Current, address, why, fallback })
    };
    picked.into_iter().filter_map(notification).collect()
}

/// Adds the old contact, unless the same address is already told.
fn previous(recipient: &Recipient, prefixes: &[String], notifications: &mut Vec<Notification>) {
    let sms = sms_route(&recipient.previous.phone, prefixes).ok().map(|(phone, _)| Address::Sms(phone));
    let email = recipient.previous.email.usable().cloned().map(Address::Email);
    for address in [sms, email].into_iter().flatten() {
        if notifications.iter().all(|told| told.address != address) {
            let why = Why::OldContact;
            notifications.push(Notification { contact: Contact::Previous, address, why, fallback: None });
        }
    }
}

#[cfg(test)]
mod tests;
