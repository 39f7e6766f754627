//! What a kind of SMS gateway has to know: requests out, answers and callbacks in. Pure, so that a kind is tested with
//! texts alone.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::super::receipt::{Callback, CallbackError, Report};
use super::super::{Accepted, Failure};
use crate::event::PhoneNumber;

/// One SMS as a kind gets it.
pub(in crate::gateway) struct Sms<'a> {
    pub phone: &'a PhoneNumber,
    /// As it is to be sent: already made safe for the route.
    pub text: &'a str,
    /// Our idempotency key, 32 hexadecimal digits.
    pub reference: &'a str,
    pub now: Timestamp,
    /// After this the message is worthless: the vendor is told not to deliver it later.
    pub valid_for: Duration,
    /// Where receipts are to be sent to, when the house takes any.
    pub callback: Option<&'a Url>,
}

/// A request to a vendor.
pub(in crate::gateway) struct Request {
    pub method: Method,
    pub url: Url,
    /// Secrets are marked sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Body,
}

pub(in crate::gateway) enum Body {
    Empty,
    Json(Value),
    /// `application/x-www-form-urlencoded`, in this order.
    Form(Vec<(String, String)>),
}

/// An answer as far as it was read.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Answer {
    pub status: u16,
    /// `Retry-After`, where it was given and is a time to come.
    pub retry_after: Option<Duration>,
    /// At most [`super::client::MAX_ANSWER_BYTES`].
    pub body: Vec<u8>,
    /// False: it broke off, or was longer than that.
    pub whole: bool,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A kind of SMS gateway.
pub(in crate::gateway) trait Wire: Send + Sync {
    /// The request that hands a message over.
    fn request(&self, sms: &Sms<'_>) -> Request;

    /// What the answer to it means. A failure's detail holds codes only, nothing of the answer's text: that may echo the
    /// number.
    fn read(&self, answer: &Answer) -> Result<Accepted, Failure>;

    /// A request that sends no message and, where the vendor's API allows, shows whether the credentials are in order.
    fn probe(&self, now: Timestamp) -> Request;

    /// What the answer to it means.
    fn read_probe(&self, answer: &Answer) -> Result<(), Failure>;

    /// What is needed to verify receipts is configured.
    fn verifies_receipts(&self) -> bool;

    /// Whether receipts can be verified only where our public address is known.
    fn signs_the_address(&self) -> bool {
        false
    }

    /// Verifies a callback first, in constant time, and then reads it.
    fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError>;
}

/// `Authorization`, marked so that it never prints. `Err`: it holds what no header may hold.
pub(in crate::gateway) fn authorization(value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let refused = |_| "holds a character that no header may hold".to_owned();
    let mut value = HeaderValue::from_str(value).map_err(refused)?;
    value.set_sensitive(true);
    Ok((AUTHORIZATION, value))
}
