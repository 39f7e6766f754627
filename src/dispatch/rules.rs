//! The rules that protect a recipient, as a claim carries them to the ledger: HMACs in the place of whoever it is.

use std::time::Duration;

use jiff::tz::Offset;
use serde_json::{Value, json};

use super::{Dispatcher, Journey};
use crate::event::{Event, NotifyWhen};
use crate::ledger::{CollapseRule, DayLimit, DeviceRule, Pseudonyms, Rules};
use crate::plan::{Address, Notification};

/// What the configuration says of rules; the catalog says the rest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Protection {
    /// SMS that a number gets a day; 0 for no limit.
    pub sms_day_limit: u32,
    /// How long a device is remembered.
    pub device_retention: Duration,
}

/// What a login is compared by.
const DEVICE_FIELDS: [&str; 5] = ["name", "os", "os_version", "browser", "browser_version"];

impl Dispatcher {
    /// What a new event is judged by. A summary was judged when its events were.
    pub(super) fn rules(&self, journey: &Journey<'_>) -> Option<Box<Rules>> {
        let Journey { event, pseudonyms, .. } = journey;
        let policy = &event.kind.policy;
        let by_device = policy.notify_when == NotifyWhen::NewDevice;
        if event.others.is_some() || !(by_device || policy.collapse.is_some()) {
            return None;
        }
        let recipient = recipient(event, pseudonyms);
        let device = by_device.then(|| self.device_rule(event, pseudonyms, &recipient)).flatten();
        let collapse = policy.collapse.map(|collapse| CollapseRule {
            key: key("collapse", event, pseudonyms, &recipient),
            max: collapse.max.get(),
            window: collapse.window.0,
            sealed: pseudonyms.seal(journey.incoming.raw.pack(), &journey.record.key),
        });
        Some(Box::new(Rules { device, collapse }))
    }

    /// A login that says nothing of its device cannot be judged: it is told.
    fn device_rule(&self, event: &Event, pseudonyms: &Pseudonyms, recipient: &str) -> Option<DeviceRule> {
        let device = device(&event.data)?;
        let key = key("device", event, pseudonyms, recipient);
        // With the customer in it: that two have the same device shows nowhere.
        let device = pseudonyms.of(format!("{key}\u{1f}{device}").as_bytes());
        Some(DeviceRule { key, device, retention: self.protection.device_retention })
    }

    /// How many SMS a number gets a day, for a notification that counts.
    pub(super) fn day_limit(&self, journey: &Journey<'_>, notification: &Notification) -> Option<DayLimit> {
        let is_canary = journey.through.is_some();
        let counts = journey.event.kind.policy.counts_sms() && self.protection.sms_day_limit > 0;
        let Address::Sms(phone) = &notification.address else { return None };
        if is_canary || !counts {
            return None;
        }
        let day = Offset::constant(9).to_datetime(self.clock.now()).date();
        let key = format!("sms.{day}.{}", journey.pseudonyms.of_phone(phone));
        Some(DayLimit { key, max: self.protection.sms_day_limit })
    }
}

/// Of a recipient and an event type.
fn key(rule: &str, event: &Event, pseudonyms: &Pseudonyms, recipient: &str) -> String {
    let of = pseudonyms.of(format!("{rule}\u{1f}{}\u{1f}{recipient}", event.kind.name).as_bytes());
    format!("{rule}.{of}")
}

/// Whom an event is about: the customer, or the addresses where upstream does not name one.
fn recipient(event: &Event, pseudonyms: &Pseudonyms) -> String {
    let user_id = event.data["recipient"]["user_id"].as_str().filter(|id| !id.is_empty());
    if let Some(user_id) = user_id {
        return format!("user\u{1f}{user_id}");
    }
    let recipient = &event.recipient;
    let phone = recipient.phone.usable().map(|phone| pseudonyms.of_phone(phone));
    let emails = [&recipient.email, &recipient.auth_email].into_iter().filter_map(|email| email.usable());
    let emails = emails.map(|email| pseudonyms.of_email(email));
    format!("addresses\u{1f}{}", phone.into_iter().chain(emails).collect::<Vec<_>>().join("\u{1f}"))
}

/// What a login says of its device; nothing when it says nothing.
fn device(data: &Value) -> Option<String> {
    let said = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    let fields = DEVICE_FIELDS.map(|field| data["device"].get(field).filter(said));
    fields.iter().any(Option::is_some).then(|| json!(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_all_that_a_login_says_of_it_and_nothing_is_no_device() {
        let of = |fields: Value| device(&json!({"device": fields, "ip": "203.0.113.7"}));
        let full = json!({"name": "iPhone", "os": "iOS", "os_version": "18.1", "browser": "Safari",
                          "browser_version": "18.1"});
        assert_eq!(of(full.clone()), of(full.clone()));
        for field in DEVICE_FIELDS {
            let mut other = full.clone();
            other[field] = json!("other");
            assert_ne!(of(other.clone()), of(full.clone()), "{field}");
            other[field] = Value::Null;
            assert_ne!(of(other), of(full.clone()), "{field}");
        }
        for nothing in
            [json!({}), json!({"name": ""}), json!({"os": null}), json!({"color": "red"}), Value::Null]
        {
            assert_eq!(of(nothing.clone()), None, "{nothing}");
        }
        assert_ne!(of(json!({"name": "a"})), of(json!({"os": "a"})));
    }
}
