//! Events made of the schemas' examples and of what the schemas allow at most and at least: what checks, preview,
//! workbench and demo work on. Pure.

pub mod extremes;
mod pattern;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{Catalog, EmailAddress, Event, EventType, PhoneNumber, RawEvent, Rejected, decode};
use crate::plan::{Address, Channel, Contact, Notification, Plan, Why, plan};

/// A whole event around an example of `data`.
pub fn envelope(kind: &EventType, id: &str, time: impl ToString, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/examples", "type": kind.name,
        "time": time.to_string(), "datacontenttype": "application/json", "data": data
    })
}

/// The examples of one type, decoded as if they had just happened: `<type>-1`, `<type>-2` and so on.
///
/// # Errors
/// When an example is no event of its type; a catalog that loaded has none.
pub fn of_type(kind: &EventType, catalog: &Catalog, now: Timestamp) -> Result<Vec<Event>, Rejected> {
    let examples = kind.schema.examples().iter().enumerate();
    examples.map(|(index, data)| event(kind, &(index + 1).to_string(), data, catalog, now)).collect()
}

/// The shortest and longest events that a type's schema allows, one for each value of its enums: `<type>-shortest-1`,
/// `<type>-longest-1` and so on. What is no event, a rule says.
pub fn extremes_of_type(kind: &EventType, catalog: &Catalog, now: Timestamp) -> Vec<Event> {
    let extremes = extremes::of(&kind.schema).data.into_iter();
    extremes.filter_map(|(name, data)| event(kind, &name, &data, catalog, now).ok()).collect()
}

/// The examples of a type and then its extremes; true for an extreme.
pub fn all_of_type(kind: &EventType, catalog: &Catalog, now: Timestamp) -> Vec<(Event, bool)> {
    let examples = of_type(kind, catalog, now).unwrap_or_default().into_iter();
    let extremes = extremes_of_type(kind, catalog, now).into_iter();
    examples.map(|event| (event, false)).chain(extremes.map(|event| (event, true))).collect()
}

fn event(
    kind: &EventType,
    name: &str,
    data: &Value,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Event, Rejected> {
    let id = format!("{}-{name}", kind.name);
    decode(&RawEvent::structured(envelope(kind, &id, now, data).to_string()), catalog, now)
}

/// A notification and what the worker would do with it.
pub struct Shown {
    /// To whom; to nobody's address where it would not be sent.
    pub notification: Notification,
    /// What would become of it.
    pub fate: Fate,
}

/// What the worker would do with a notification.
pub enum Fate {
    /// Send it.
    Sent,
    /// Only when the channel before it fails for good.
    Fallback,
    /// Not at all, and why; its address is nobody's.
    NotSent(String),
}

/// The notifications of an event as the worker would plan them, with their fallbacks, and also one on each channel that it
/// would not take: ops want to see every text.
pub fn on_every_channel(event: &Event, prefixes: &[String], now: Timestamp) -> Vec<Shown> {
    let (planned, otherwise) = match plan(event, prefixes, now) {
        Ok(Plan::Send(notifications)) => (notifications, "not on this channel".to_owned()),
        Ok(Plan::Muted) => (Vec::new(), "the customer's settings say none".to_owned()),
        Err(error) => (Vec::new(), error.to_string()),
    };
    let fallbacks: Vec<_> = planned.iter().filter_map(Notification::fallback).collect();
    let fallbacks = fallbacks.into_iter().map(|notification| Shown { notification, fate: Fate::Fallback });
    let mut all: Vec<_> = planned
        .into_iter()
        .map(|notification| Shown { notification, fate: Fate::Sent })
        .chain(fallbacks)
        .collect();
    for channel in [Channel::Sms, Channel::Email] {
        if all.iter().all(|one| one.notification.address.channel() != channel) {
            let stand_in = |notification| Shown { notification, fate: Fate::NotSent(otherwise.clone()) };
            all.extend(stand_in_for(channel).map(stand_in));
        }
    }
    all
}

/// A notification to nobody, on a channel.
fn stand_in_for(channel: Channel) -> Option<Notification> {
    let address = match channel {
        Channel::Sms => Address::Sms(PhoneNumber::parse("090-1234-5678").ok()?),
        Channel::Email => Address::Email(EmailAddress::parse("customer@example.jp").ok()?),
    };
    Some(Notification { contact: Contact::Current, address, why: Why::Policy, fallback: None })
}

/// The examples of every type as whole events.
pub fn samples(catalog: &Catalog, now: Timestamp) -> Vec<(Arc<EventType>, Value)> {
    let of_kind = |kind: &Arc<EventType>| {
        let kind = Arc::clone(kind);
        let examples = kind.schema.examples().to_vec().into_iter().enumerate();
        examples
            .map(move |(index, data)| {
                let id = format!("sample-{}-{}", kind.name, index + 1);
                let whole = envelope(&kind, &id, now, &data);
                (Arc::clone(&kind), whole)
            })
            .collect::<Vec<_>>()
    };
    catalog.iter().flat_map(of_kind).collect()
}
