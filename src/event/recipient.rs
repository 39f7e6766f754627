//! The customer as the event carries them: addresses and settings, parsed.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{EmailAddress, EmailError, PhoneError, PhoneNumber};

/// Whom to tell. An address that cannot be used is not an error: it means another channel, and why is kept.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Two-letter language of the texts, from `locale` (`ja-JP` → `ja`); `ja` without one.
    pub locale: String,
    /// Contact phone.
    pub phone: Given<PhoneNumber, PhoneError>,
    /// Contact address.
    pub email: Given<EmailAddress, EmailError>,
    /// Authenticated address (認証メールアドレス).
    pub auth_email: Given<EmailAddress, EmailError>,
    /// The contact that the event names as old (`data.previous`).
    pub previous: Previous,
    /// What the customer chose.
    pub settings: Settings,
}

/// Old contact of a contact change.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Old phone.
    pub phone: Given<PhoneNumber, PhoneError>,
    /// Old address.
    pub email: Given<EmailAddress, EmailError>,
}

/// A field that may be absent, unusable or usable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given<T, E> {
    /// Not in the event, null or empty.
    Absent,
    /// There, but nothing can be sent to it.
    Unusable(E),
    /// Parsed.
    Usable(T),
}

impl<T, E> Given<T, E> {
    /// The value when it can be used.
    pub fn usable(&self) -> Option<&T> {
        match self {
            Self::Usable(value) => Some(value),
            _ => None,
        }
    }
}

/// The customer's settings.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Settings {
    /// For every event type without a choice of its own.
    #[serde(default)]
    pub channel: Wish,
    /// By event type.
    #[serde(default)]
    pub by_type: BTreeMap<String, Wish>,
}

/// What a customer may wish for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wish {
    /// As the event type's policy says.
    #[default]
    Auto,
    /// SMS.
    Sms,
    /// Email.
    Email,
    /// SMS and email.
    Both,
    /// Not at all, where policy allows it.
    None,
}

impl Settings {
    /// The wish for one event type: its own, else the general one.
    pub fn wish(&self, event_type: &str) -> Wish {
        self.by_type.get(event_type).copied().unwrap_or(self.channel)
    }
}

impl Recipient {
    /// Reads the recipient from an event's `data`, which its schema has already accepted.
    pub fn from_data(data: &Value) -> Self {
        let recipient = &data["recipient"];
        let previous = &data["previous"];
        Self {
            locale: language(recipient["locale"].as_str()),
            phone: given(&recipient["phone"], PhoneNumber::parse),
            email: given(&recipient["email"], EmailAddress::parse),
            auth_email: given(&recipient["auth_email"], EmailAddress::parse),
            previous: Previous {
                phone: given(&previous["phone"], PhoneNumber::parse),
                email: given(&previous["email"], EmailAddress::parse),
            },
            settings: Settings::deserialize(&recipient["settings"]).unwrap_or_default(),
        }
    }
}

fn given<T, E>(value: &Value, parse: impl Fn(&str) -> Result<T, E>) -> Given<T, E> {
    match value.as_str().map(str::trim) {
        None | Some("") => Given::Absent,
        Some(text) => parse(text).map_or_else(Given::Unusable, Given::Usable),
    }
}

/// BCP 47's primary language, lower case.
fn language(locale: Option<&str>) -> String {
    let primary = locale.and_then(|locale| locale.split(['-', '_']).next()).unwrap_or_default();
    if primary.is_empty() { "ja".to_owned() } else { primary.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unusable_phone_is_kept_as_such_and_settings_are_read() {
        let recipient = Recipient::from_data(&json!({
            "recipient": {
                "user_id": "U1", "locale": "ja-JP", "phone": "0900", "email": " ", "auth_email": "a@example.jp",
                "settings": {"channel": "email", "by_type": {"security.login": "none"}}
            },
            "previous": {"phone": "080-1111-2222"}
        }));
        assert_eq!(recipient.phone, Given::Unusable(PhoneError::Plan));
        assert_eq!(recipient.email, Given::Absent);
        assert!(recipient.auth_email.usable().is_some() && recipient.previous.phone.usable().is_some());
        assert_eq!(recipient.settings.wish("security.login"), Wish::None);
        assert_eq!(recipient.settings.wish("security.password.changed"), Wish::Email);
        assert_eq!(recipient.locale, "ja");
    }
}
