//! Events made of the schemas' examples, and events read from a file: what preview, check, explain and demo work on.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Usage;
use super::house::House;
use crate::broker::EventFile;
use crate::event::{Event, EventType, RawEvent, Rejected, decode};
use crate::plan::{Channel, Notification, Plan, plan};
use crate::template::Rendered;

/// A whole event around an example of `data`.
pub(super) fn envelope(kind: &EventType, id: &str, time: Timestamp, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/examples", "type": kind.name,
        "time": time.to_string(), "datacontenttype": "application/json", "data": data
    })
}

/// The examples of one type, decoded as if they had just happened.
pub(super) fn of_type(house: &House, kind: &Arc<EventType>, now: Timestamp) -> Result<Vec<Event>, Usage> {
    let event = |(index, data): (usize, &Value)| {
        let id = format!("{}-{}", kind.name, index + 1);
        let raw = RawEvent::structured(envelope(kind, &id, now, data).to_string());
        decode(&raw, &house.catalog, now).map_err(|error| Usage(format!("{id}: {error}")))
    };
    kind.schema.examples().iter().enumerate().map(event).collect()
}

/// The entries of a file, `-` for standard input, with their places; what is no event is rejected there.
pub(super) async fn of_file(
    house: &House,
    file: &Path,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, Result<Event, Rejected>)>> {
    let entries = read(file).await?.into_iter();
    let place = |line: usize| format!("{}:{line}", file.display());
    Ok(entries.map(|(line, raw)| (place(line), decode(&raw, &house.catalog, now))).collect())
}

/// The entries of a file, undecoded, with their lines.
pub(super) async fn read(file: &Path) -> anyhow::Result<Vec<(usize, RawEvent)>> {
    let failed = |error: std::io::Error| Usage(format!("{}: {error}", file.display()));
    let input: Box<dyn tokio::io::AsyncBufRead + Unpin> = if file == Path::new("-") {
        Box::new(tokio::io::BufReader::new(tokio::io::stdin()))
    } else {
        Box::new(tokio::io::BufReader::new(tokio::fs::File::open(file).await.map_err(failed)?))
    };
    let mut entries = EventFile::new(input);
    let mut events = Vec::new();
    while let Some(entry) = entries.next().await.map_err(failed)? {
        events.push((entry.line, RawEvent::structured(entry.body)));
    }
    if events.is_empty() {
        return Err(Usage(format!("{}: holds no event", file.display())).into());
    }
    Ok(events)
}

/// A notification and what the worker would do with it.
pub(super) struct Shown {
    pub notification: Notification,
    pub fate: Fate,
}

/// What the worker would do with a notification.
pub(super) enum Fate {
    Sent,
    /// Only when the channel before it fails for good.
    Fallback,
    /// Not at all, and why; its address is nobody's.
    NotSent(String),
}

/// The notifications of an event as the worker would plan them, with their fallbacks, and for preview and checks also
/// one on each channel that it would not take: ops want to see every text.
pub(super) fn on_every_channel(house: &House, event: &Event, now: Timestamp) -> Vec<Shown> {
    let (planned, otherwise) = match plan(event, &house.config.sms.prefixes, now) {
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
    use crate::event::{EmailAddress, PhoneNumber};
    use crate::plan::{Address, Contact, Why};

    let address = match channel {
        Channel::Sms => Address::Sms(PhoneNumber::parse("090-1234-5678").ok()?),
        Channel::Email => Address::Email(EmailAddress::parse("customer@example.jp").ok()?),
    };
    Some(Notification { contact: Contact::Current, address, why: Why::Policy, fallback: None })
}

/// Renders notifications of an event.
pub(super) fn render(
    house: &House,
    event: &Event,
    notifications: &[Notification],
) -> Result<Vec<Rendered>, crate::template::RenderError> {
    house.templates.render(event, notifications, &house.config.brand)
}
