//! Test material of the vendors' kinds: an SMS, answers and callbacks, and a request as text.

use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName};
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::receipt::{Callback, CallbackError, Report};
use super::super::{Accepted, Class, Failure, Reason};
use super::wire::{Answer, Body, Request, Sms, Wire};
use crate::event::PhoneNumber;

pub(super) const REFERENCE: &str = "0123456789abcdef0123456789abcdef";

pub(super) const CALLBACK: &str = "https://house.example.jp/receipts/vendor";

pub(super) fn now() -> Timestamp {
    "2026-11-24T00:00:00Z".parse().expect("a time")
}

/// The request for an example SMS.
pub(super) fn request(wire: &dyn Wire, valid_for: Duration, callback: Option<&str>) -> Request {
    let phone = PhoneNumber::parse("090-1234-5678").expect("a number");
    let callback = callback.map(|url| Url::parse(url).expect("a URL"));
    let callback = callback.as_ref();
    let text = "【サンプル銀行】A&B=1+1";
    wire.request(&Sms { phone: &phone, text, reference: REFERENCE, now: now(), valid_for, callback })
}

/// Method, URL, headers and body; a sensitive header's value only as such.
pub(super) fn shown(request: &Request) -> String {
    let mut text = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        let _ = writeln!(text, "{name}: {value:?}");
    }
    match &request.body {
        Body::Empty => {}
        Body::Json(body) => text += &serde_json::to_string_pretty(body).expect("JSON"),
        Body::Form(fields) => {
            let encoded = Serializer::new(String::new()).extend_pairs(fields).finish();
            text += &encoded.replace('&', "\n&");
        }
    }
    text
}

/// The `Authorization` of a request.
pub(super) fn authorization(request: &Request) -> Option<&str> {
    let (_, value) = request.headers.iter().find(|(name, _)| name == "authorization")?;
    assert!(value.is_sensitive());
    value.to_str().ok()
}

pub(super) fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: Some(Duration::from_secs(17)), body: body.into(), whole: true }
}

/// Class and reason of an answer that was no acceptance.
pub(super) fn refusal(result: Result<Accepted, Failure>) -> (Class, Reason) {
    let failure = result.expect_err("not accepted");
    (failure.class, failure.reason)
}

/// What a kind makes of a callback.
pub(super) fn receipts(
    wire: &dyn Wire,
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<Report>, CallbackError> {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value")))
        .collect();
    wire.receipts(&Callback { url, headers: &headers, body, now })
}
