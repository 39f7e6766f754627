//! Kind `http`: SMS gateways that take a JSON `POST`.
//!
//! Wire shape: `{"to", "text", "reference"}` with configurable names, `Authorization` when configured. Any 2xx is
//! accepted and its `message_id` kept; other answers are classified by [`default_class`] unless `answers` says
//! otherwise. Redirects are never followed: a text must not go where nobody configured it to.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, redirect};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::{Accepted, Class, Failure, Letter, OnUnknown, Reason, default_unknown_wait};
use crate::config::{Secret, Span, text_value};
use crate::event::PhoneNumber;
use crate::plan::Address;
use crate::template::Message;

/// An answer longer than this is not read on: it only has to hold an id.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// One of `[[sms.gateways]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpGatewayConfig {
    /// Name in metrics and logs.
    pub name: String,
    /// How it speaks.
    pub kind: SmsKind,
    /// Where it listens.
    pub url: GatewayUrl,
    /// The whole `Authorization` header, for example `Bearer …`.
    pub authorization: Option<Secret>,
    /// Number of requests a second; no limit without it.
    #[schemars(range(min = 1))]
    pub rate_per_second: Option<NonZeroU32>,
    /// One attempt, from connecting to the answer's end.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// Connecting alone.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: Span,
    /// When the answer never came.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// With `on_unknown = "wait"`: how long.
    #[serde(default = "default_unknown_wait")]
    pub unknown_wait: Span,
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

/// How an SMS gateway speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmsKind {
    /// JSON over HTTP, this file.
    Http,
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

fn default_timeout() -> Span {
    Span::seconds(10)
}

fn default_connect_timeout() -> Span {
    Span::seconds(3)
}

fn default_message_id() -> String {
    "message_id".to_owned()
}

/// A gateway's URL: http or https, with a host. Its `Debug` hides user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayUrl(Url);

/// A text that is no [`GatewayUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no http or https URL with a host, for example \"https://sms.example.jp/v1/messages\"")]
pub struct GatewayUrlError;

impl FromStr for GatewayUrl {
    type Err = GatewayUrlError;

    fn from_str(text: &str) -> Result<Self, GatewayUrlError> {
        let url = Url::parse(text).map_err(|_| GatewayUrlError)?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self(url))
        } else {
            Err(GatewayUrlError)
        }
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        let _ = (shown.set_username(""), shown.set_password(None));
        shown.fmt(f)
    }
}

impl fmt::Debug for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(GatewayUrl, "gateway-url");

/// The gateway itself.
pub(super) struct HttpGateway {
    client: Client,
    url: Url,
    authorization: Option<HeaderValue>,
    number_format: NumberFormat,
    fields: Fields,
    message_id: String,
    answers: BTreeMap<u16, AnswerClass>,
}

/// Why a gateway of this kind could not be built.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error("authorization: holds a character that no header may hold")]
    Authorization,
    #[error("answers: \"{0}\" is no HTTP status")]
    Status(String),
    #[error("the HTTP client could not be built")]
    Client(#[from] reqwest::Error),
}

impl HttpGateway {
    pub(super) fn new(config: &HttpGatewayConfig) -> Result<Self, BuildError> {
        let authorization = config.authorization.as_ref().map(|secret| {
            let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| BuildError::Authorization)?;
            value.set_sensitive(true);
            Ok::<_, BuildError>(value)
        });
        let status = |(text, class): (&String, &AnswerClass)| {
            let status: u16 = text.parse().map_err(|_| BuildError::Status(text.clone()))?;
            Ok::<_, BuildError>((status, *class))
        };
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(config.timeout.0)
            .connect_timeout(config.connect_timeout.0)
            .tcp_nodelay(true)
            .user_agent(concat!("shirase/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self {
            client,
            url: config.url.0.clone(),
            authorization: authorization.transpose()?,
            number_format: config.number_format,
            fields: config.fields.clone(),
            message_id: config.message_id.clone(),
            answers: config.answers.iter().map(status).collect::<Result<_, _>>()?,
        })
    }

    pub(super) async fn send(&self, letter: &Letter<'_>) -> Result<Accepted, Failure> {
        let (Address::Sms(phone), Message::Sms { text }) = (letter.address, letter.message) else {
            return Err(Failure::new(Class::Permanent, Reason::Build, "not an SMS"));
        };
        let mut request = self.client.post(self.url.clone()).json(&self.body(phone, text, letter.reference));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let answer = request.send().await.map_err(|error| failure(&error))?;
        self.read(answer).await
    }

    /// Connects without sending: the listener is there. `HEAD` has no effect on a message API.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        self.client.head(self.url.clone()).send().await.map(drop).map_err(|error| failure(&error))
    }

    fn body(&self, phone: &PhoneNumber, text: &str, reference: &str) -> Value {
        let to = match self.number_format {
            NumberFormat::National => phone.national(),
            NumberFormat::E164 => phone.e164(),
            NumberFormat::E164Digits => phone.e164_digits(),
        };
        let mut body = Map::new();
        for (name, value) in [
            (&self.fields.to, to),
            (&self.fields.text, text.to_owned()),
            (&self.fields.reference, reference.to_owned()),
        ] {
            body.insert(name.clone(), Value::String(value));
        }
        Value::Object(body)
    }

    async fn read(&self, mut answer: Response) -> Result<Accepted, Failure> {
        let status = answer.status();
        let class = self.answers.get(&status.as_u16()).copied().unwrap_or_else(|| default_class(status));
        if class != AnswerClass::Accepted {
            return Err(refused(class, status, retry_after(&answer)));
        }
        // The status line is the acceptance; a body that breaks off takes only the id with it.
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Accepted { provider_id: find_id(&body, &self.message_id) })
    }
}

/// What an HTTP status means when the configuration says nothing of it.
///
/// A 5xx on a POST may come after the message was taken, so it is unknown; 404 and 405 are a wrong URL, never the
/// recipient's fault.
fn default_class(status: StatusCode) -> AnswerClass {
    match status.as_u16() {
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

fn refused(class: AnswerClass, status: StatusCode, wait: Option<Duration>) -> Failure {
    let (class, reason) = match class {
        AnswerClass::Accepted | AnswerClass::Unknown => (Class::Unknown, Reason::Server),
        AnswerClass::Retryable => (Class::Retryable, Reason::Server),
        AnswerClass::Throttled => (Class::Throttled { wait }, Reason::RateLimit),
        AnswerClass::Credentials => (Class::Credentials, Reason::Credentials),
        AnswerClass::Credit => (Class::Credentials, Reason::Credit),
        AnswerClass::Route => (Class::Route, Reason::Route),
        AnswerClass::Recipient => (Class::Permanent, Reason::Recipient),
        AnswerClass::Rejected => (Class::Permanent, Reason::Rejected),
        AnswerClass::Filtered => (Class::Filtered, Reason::Filtered),
    };
    Failure::new(class, reason, format!("HTTP {}", status.as_u16()))
}

/// `Retry-After` in seconds; its form as a date is too rare to be worth a clock here.
fn retry_after(answer: &Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// Nothing was written when connecting failed; after that, nobody knows.
fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        let tls = chain(error)
            .any(|cause| cause.to_string().contains("certificate") || cause.to_string().contains("tls"));
        let reason = if tls { Reason::Tls } else { Reason::Connect };
        return Failure::new(Class::Retryable, reason, "no connection");
    }
    if error.is_builder() {
        return Failure::new(Class::Permanent, Reason::Build, "the request could not be built");
    }
    if error.is_timeout() {
        return Failure::new(Class::Unknown, Reason::Timeout, "no answer in time");
    }
    if chain(error).any(|cause| cause.to_string().contains("invalid HTTP")) {
        return Failure::new(Class::Unknown, Reason::Garbage, "the answer is no HTTP");
    }
    Failure::new(Class::Unknown, Reason::Cut, "the connection ended before the answer")
}

fn chain<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(std::error::Error::source(error), |error| error.source())
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
            let status = StatusCode::from_u16(code).expect("a status");
            let accepted = default_class(status) == AnswerClass::Accepted;
            assert_eq!(accepted, (200..300).contains(&code), "{code}");
        }
    }

    #[test]
    fn a_url_shows_neither_password_nor_query() {
        let url: GatewayUrl = "https://user:hunter2@sms.example.jp/v1?key=hunter2".parse().expect("a URL");
        assert_eq!(format!("{url} {url:?}"), "https://sms.example.jp/v1 https://sms.example.jp/v1");
        for text in ["", "sms.example.jp", "ftp://x/", "http://", "/sms"] {
            assert!(text.parse::<GatewayUrl>().is_err(), "{text}");
        }
    }
}
