//! Kind `http`: SMS gateways that take a JSON `POST`.
//!
//! Wire shape: `{"to", "text", "reference"}` with configurable names, `Authorization` when configured. Any 2xx is
//! accepted and its `message_id` kept; other answers are classified by [`default_class`] unless `answers` says
//! otherwise.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::super::receipt::{Callback, CallbackError, Report};
use super::super::{Accepted, Class, Failure, Reason};
use super::url::GatewayUrl;
use super::wire::{Answer, Body, Request, Sms, Wire, authorization};
use crate::config::Secret;

/// What kind `http` needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct HttpGatewayConfig {
    /// Where it listens.
    pub url: GatewayUrl,
    /// The whole `Authorization` header, for example `Bearer …`.
    pub authorization: Option<Secret>,
    /// How it wants numbers.
    #[serde(default)]
    pub number_format: NumberFormat,
    /// What it calls the fields.
    #[serde(default)]
    pub fields: Fields,
    /// Where its answer holds the message's id: names separated by dots, list positions as numbers.
    #[serde(default = "default_message_id")]
    pub message_id: String,
    /// Classes of answers by HTTP status, over the built-in ones.
    #[serde(default)]
    pub answers: BTreeMap<String, AnswerClass>,
}

impl HttpGatewayConfig {
    /// The gateway at `url` that takes the default shape.
    pub fn at(url: GatewayUrl) -> Self {
        Self {
            url,
            authorization: None,
            number_format: NumberFormat::default(),
            fields: Fields::default(),
            message_id: default_message_id(),
            answers: BTreeMap::new(),
        }
    }
}

impl HttpGatewayConfig {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let is_status = |text: &str| text.parse::<u16>().is_ok_and(|status| (100..600).contains(&status));
        let wrong = self.answers.keys().filter(|status| !is_status(status));
        let message = "is no HTTP status; write it as \"422\"";
        wrong.map(|status| (format!("answers.{status}"), message.to_owned())).collect()
    }
}

/// How a gateway wants numbers written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberFormat {
    /// `09012345678`
    #[default]
    National,
    /// `+819012345678`
    E164,
    /// `819012345678`
    E164Digits,
}

/// Names of the fields in the request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The number.
    pub to: String,
    /// The text.
    pub text: String,
    /// Our idempotency key.
    pub reference: String,
}

impl Default for Fields {
    fn default() -> Self {
        Self { to: "to".to_owned(), text: "text".to_owned(), reference: "reference".to_owned() }
    }
}

/// What an HTTP status means, in the configuration's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerClass {
    /// Taken, or taken before.
    Accepted,
    /// Surely not taken.
    Retryable,
    /// Slow down.
    Throttled,
    /// Refused credentials.
    Credentials,
    /// No credit left.
    Credit,
    /// No route from here.
    Route,
    /// The number is refused.
    Recipient,
    /// The text is refused.
    Rejected,
    /// Taken for spam.
    Filtered,
    /// May have been taken.
    Unknown,
}

fn default_message_id() -> String {
    "message_id".to_owned()
}

/// The gateway itself.
pub(super) struct Http {
    url: Url,
    authorization: Option<(HeaderName, HeaderValue)>,
    number_format: NumberFormat,
    fields: Fields,
    message_id: String,
    answers: BTreeMap<u16, AnswerClass>,
}

impl Http {
    pub fn new(config: &HttpGatewayConfig) -> Result<Self, String> {
        let header = config.authorization.as_ref().map(|secret| authorization(secret.reveal())).transpose();
        let status = |(text, class): (&String, &AnswerClass)| {
            let status: u16 = text.parse().map_err(|_| format!("answers: \"{text}\" is no HTTP status"))?;
            Ok::<_, String>((status, *class))
        };
        Ok(Self {
            url: config.url.url().clone(),
            authorization: header.map_err(|problem| format!("authorization: {problem}"))?,
            number_format: config.number_format,
            fields: config.fields.clone(),
            message_id: config.message_id.clone(),
            answers: config.answers.iter().map(status).collect::<Result<_, _>>()?,
        })
    }

    fn body(&self, sms: &Sms<'_>) -> Value {
        let to = match self.number_format {
            NumberFormat::National => sms.phone.national(),
            NumberFormat::E164 => sms.phone.e164(),
            NumberFormat::E164Digits => sms.phone.e164_digits(),
        };
        let mut body = Map::new();
        for (name, value) in [
            (&self.fields.to, to),
            (&self.fields.text, sms.text.to_owned()),
            (&self.fields.reference, sms.reference.to_owned()),
        ] {
            body.insert(name.clone(), Value::String(value));
        }
        Value::Object(body)
    }

    fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        self.authorization.iter().cloned().collect()
    }
}

impl Wire for Http {
    fn request(&self, sms: &Sms<'_>) -> Request {
        let body = Body::Json(self.body(sms));
        Request { method: Method::POST, url: self.url.clone(), headers: self.headers(), body }
    }

    fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        let class = self.answers.get(&answer.status).copied().unwrap_or_else(|| default_class(answer.status));
        if class != AnswerClass::Accepted {
            return Err(refused(class, answer));
        }
        // The status line is the acceptance; a body that breaks off takes only the id with it.
        Ok(Accepted::with_id(find_id(&answer.body, &self.message_id)))
    }

    /// `HEAD` has no effect on a message API: the listener is there.
    fn probe(&self, _now: Timestamp) -> Request {
        Request { method: Method::HEAD, url: self.url.clone(), headers: self.headers(), body: Body::Empty }
    }

    fn read_probe(&self, _answer: &Answer) -> Result<(), Failure> {
        Ok(())
    }

    fn verifies_receipts(&self) -> bool {
        false
    }

    fn receipts(&self, _callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        Err(CallbackError::Forged)
    }
}

/// What an HTTP status means when the configuration says nothing of it.
///
/// A 5xx on a POST may come after the message was taken, so it is unknown; 404 and 405 are a wrong URL, never the
/// recipient's fault.
fn default_class(status: u16) -> AnswerClass {
    match status {
        200..=299 => AnswerClass::Accepted,
        401 | 403 | 407 => AnswerClass::Credentials,
        402 => AnswerClass::Credit,
        408 | 425 => AnswerClass::Retryable,
        429 => AnswerClass::Throttled,
        400 | 422 => AnswerClass::Recipient,
        413 | 414 => AnswerClass::Rejected,
        500..=599 => AnswerClass::Unknown,
        _ => AnswerClass::Route,
    }
}

fn refused(class: AnswerClass, answer: &Answer) -> Failure {
    let (class, reason) = match class {
        AnswerClass::Accepted | AnswerClass::Unknown => (Class::Unknown, Reason::Server),
        AnswerClass::Retryable => (Class::Retryable, Reason::Server),
        AnswerClass::Throttled => (Class::Throttled { wait: answer.retry_after }, Reason::RateLimit),
        AnswerClass::Credentials => (Class::Credentials, Reason::Credentials),
        AnswerClass::Credit => (Class::Credentials, Reason::Credit),
        AnswerClass::Route => (Class::Route, Reason::Route),
        AnswerClass::Recipient => (Class::Permanent, Reason::Recipient),
        AnswerClass::Rejected => (Class::Permanent, Reason::Rejected),
        AnswerClass::Filtered => (Class::Filtered, Reason::Filtered),
    };
    Failure::new(class, reason, format!("HTTP {}", answer.status))
}

/// The id at `path` in the answer: text without control characters or a number, at most 200 bytes.
fn find_id(body: &[u8], path: &str) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let found = path.split('.').try_fold(&answer, |node, part| match node {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        node => node.get(part),
    })?;
    let id = match found {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    // What stands in a database and on a terminal is text.
    (id.len() <= 200 && !id.chars().any(char::is_control)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_at_its_path() {
        let body = br#"{"messages": [{"id": "abc"}], "n": 17, "message_id": ""}"#;
        assert_eq!(find_id(body, "messages.0.id").as_deref(), Some("abc"));
        assert_eq!(find_id(body, "n").as_deref(), Some("17"));
        assert_eq!(find_id(body, "messages.1.id"), None);
        assert_eq!(find_id(b"garbage", "n"), None);
        assert_eq!(find_id(br#"{"n": "a\u0000b"}"#, "n"), None, "no database takes it");
    }

    #[test]
    fn every_status_has_a_class_and_only_success_is_acceptance() {
        for code in 100..=599_u16 {
            let accepted = default_class(code) == AnswerClass::Accepted;
            assert_eq!(accepted, (200..300).contains(&code), "{code}");
        }
    }
}
