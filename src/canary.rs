//! The canary: an event that a worker sends itself, so that the whole way is tried while customers are silent. What it looks
//! like and how it is known again; nothing here waits or sends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Span;
use crate::event::{
    Catalog, EmailAddress, Event, EventType, Lane, PhoneKind, PhoneNumber, RawEvent, Rejected, decode,
};
use crate::example;
use crate::plan::{Address, Channel, Contact, Notification, Why};

/// CloudEvents `source` of every canary.
pub const SOURCE: &str = "urn:shirase:canary";

/// `[canary]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CanaryConfig {
    /// How often each worker sends one, `1s` to `1h`; it is worth nothing after that time.
    #[serde(default = "default_every")]
    pub every: Span,
    /// Its event type: whose lane, schema and texts it takes.
    #[serde(default = "default_type", rename = "type")]
    pub event_type: String,
    /// The only gateway or relay that it goes through.
    pub gateway: String,
    /// The number that gets it, of your own; for an SMS gateway.
    pub phone: Option<PhoneNumber>,
    /// The mailbox that gets it, of your own; for a relay.
    pub email: Option<EmailAddress>,
}

fn default_every() -> Span {
    Span::seconds(60)
}

fn default_type() -> String {
    "security.password.changed".to_owned()
}

impl CanaryConfig {
    /// What one key alone cannot show: keys below `canary`, and what is wrong with them. `channel` is that of its gateway, when
    /// there is such a gateway.
    pub fn problems(&self, channel: Option<Channel>) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(1..=3600).contains(&self.every.0.as_secs()) {
            problems.push(("every", "is not between \"1s\" and \"1h\"".to_owned()));
        }
        let Some(channel) = channel else {
            problems.push(("gateway", "is no name of an SMS gateway or a relay".to_owned()));
            return problems;
        };
        let (wanted, other, what) = match channel {
            Channel::Sms => (("phone", self.phone.is_some()), ("email", self.email.is_some()), "SMS"),
            Channel::Email => (("email", self.email.is_some()), ("phone", self.phone.is_some()), "mail"),
        };
        let sends = format!("the gateway {} sends {what}", self.gateway);
        if !wanted.1 {
            problems.push((wanted.0, format!("is missing: {sends}; give an address of your own")));
        }
        if other.1 {
            problems.push((other.0, format!("has no use: {sends}; remove it")));
        }
        if let Some(kind) = self.phone.as_ref().map(PhoneNumber::kind)
            && kind != PhoneKind::JapaneseMobile
        {
            problems.push(("phone", format!("is {}; SMS goes to Japanese mobile numbers", kind.in_words())));
        }
        problems
    }

    fn address(&self) -> Option<Address> {
        let sms = self.phone.clone().map(Address::Sms);
        sms.or_else(|| self.email.clone().map(Address::Email))
    }
}

/// No canary can be made as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// The catalog has no such type.
    #[error("canary.type: \"{0}\" is not in the catalog (config/events.toml)")]
    UnknownType(String),
    /// A worker that knows of no canary would tell the example's old contact.
    #[error("canary.type: \"{0}\" also tells old contacts (previous_contact); take another type")]
    OldContact(String),
    /// Nothing to make one of, or nobody to send it to.
    #[error("canary.type: \"{0}\" has no example in its schema, or no address is configured")]
    Nothing(String),
    /// The example with our address does not fit the schema.
    #[error(
        "canary.type: the first example of \"{0}\" is no event any more with the canary's address alone: {1}"
    )]
    NoEvent(String, Rejected),
}

/// The canary that a worker sends and knows again.
pub struct Canary {
    every: Duration,
    kind: Arc<EventType>,
    gateway: String,
    address: Address,
    /// The type's first example, with our address in place of its recipient's.
    data: Value,
    seen: Mutex<Seen>,
}

/// What this worker has seen of canaries.
#[derive(Default)]
struct Seen {
    last: Option<Flight>,
    /// Why the last one failed; nothing once one has arrived.
    trouble: Option<String>,
}

/// A canary that a gateway accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// When.
    pub accepted_at: Timestamp,
    /// From the event's time until then.
    pub round_trip: Duration,
}

impl Canary {
    /// From the configuration and the catalog.
    ///
    /// # Errors
    /// [`CanaryError`]: what of the two does not go together.
    pub fn new(config: &CanaryConfig, catalog: &Catalog) -> Result<Self, CanaryError> {
        let name = || config.event_type.clone();
        let kind = catalog.get(&config.event_type).ok_or_else(|| CanaryError::UnknownType(name()))?;
        if kind.policy.previous_contact {
            return Err(CanaryError::OldContact(name()));
        }
        let example = kind.schema.examples().first().zip(config.address());
        let (example, address) = example.ok_or_else(|| CanaryError::Nothing(name()))?;
        let canary = Self {
            every: config.every.0,
            kind: Arc::clone(kind),
            gateway: config.gateway.clone(),
            data: addressed(example, &address),
            address,
            seen: Mutex::default(),
        };
        decode(&canary.event("trial", Timestamp::UNIX_EPOCH), catalog, Timestamp::UNIX_EPOCH)
            .map_err(|rejected| CanaryError::NoEvent(name(), rejected))?;
        Ok(canary)
    }

    /// How often it is sent.
    pub fn every(&self) -> Duration {
        self.every
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.kind.policy.lane
    }

    /// The only gateway that it goes through.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// One canary, which happens now.
    pub fn event(&self, id: &str, now: Timestamp) -> RawEvent {
        let mut event = example::envelope(&self.kind, id, now, &self.data);
        event["source"] = json!(SOURCE);
        event["expires"] = json!(now.saturating_add(self.every).unwrap_or(Timestamp::MAX).to_string());
        RawEvent::structured(event.to_string())
    }

    /// Whether an event is one, of whichever worker: by its source, and by our own address, so that nobody who may publish has
    /// a customer told as a canary. Any other event of that source is one as any other.
    pub fn is(&self, event: &Event) -> bool {
        let recipient = &event.recipient;
        let is_ours = match &self.address {
            Address::Sms(phone) => recipient.phone.usable() == Some(phone),
            Address::Email(email) => recipient.email.usable() == Some(email),
        };
        event.source == SOURCE && is_ours
    }

    /// Its plan, whatever policy and settings say: the configured address, and no other channel.
    pub fn notification(&self) -> Notification {
        Notification {
            contact: Contact::Current,
            address: self.address.clone(),
            why: Why::Canary,
            fallback: None,
        }
    }

    /// The last one that this worker saw accepted.
    pub fn last_accepted(&self) -> Option<Flight> {
        self.seen().last
    }

    /// One was accepted. True when one before it had failed.
    pub fn accepted(&self, flight: Flight) -> bool {
        let mut seen = self.seen();
        seen.last = Some(flight);
        seen.trouble.take().is_some()
    }

    /// One failed. True when that is news: the one before did not, or for another reason.
    pub fn failed(&self, reason: &str) -> bool {
        self.seen().trouble.replace(reason.to_owned()).as_deref() != Some(reason)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The example's data with one address, ours: nobody else's is in it, should a worker take it that knows of no canary.
fn addressed(example: &Value, address: &Address) -> Value {
    let mut data = example.clone();
    if let Some(recipient) = data.get_mut("recipient").and_then(Value::as_object_mut) {
        for key in ["phone", "email", "auth_email", "settings"] {
            recipient.remove(key);
        }
        let (key, text) = match address {
            Address::Sms(phone) => ("phone", phone.national()),
            Address::Email(email) => ("email", email.as_str().to_owned()),
        };
        recipient.insert(key.to_owned(), json!(text));
    }
    data
}

#[cfg(test)]
mod tests;
