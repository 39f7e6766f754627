//! The network side of all SMS gateways: one request, one bounded answer.

use std::error::Error;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::{Class, Failure, Reason};
use super::SmsGatewayConfig;
use super::wire::{Answer, Body, Request};
use crate::{http_client, tls};

/// An answer longer than this is not read on: it only has to hold an id and a code.
pub(super) const MAX_ANSWER_BYTES: usize = 64 * 1024;

pub(super) struct Client(reqwest::Client);

impl Client {
    /// # Errors
    /// In words, when the configured certificates or the system's TLS cannot be used.
    pub fn new(config: &SmsGatewayConfig) -> Result<Self, String> {
        let common = &config.common;
        let built = http_client::builder(common.ca.as_ref()).and_then(|builder| {
            builder
                .timeout(common.timeout.0)
                .connect_timeout(common.connect_timeout.0.min(common.timeout.0 / 2))
                .tcp_nodelay(true)
                .build()
        });
        built.map(Self).map_err(|_| "the HTTP client could not be built".to_owned())
    }

    /// Sends a request and reads its answer; `now` is for an answer that names a time.
    ///
    /// # Errors
    /// [`Failure`] when there was none.
    pub async fn ask(&self, request: Request, now: Timestamp) -> Result<Answer, Failure> {
        let url = request.url.clone();
        let mut builder = self.0.request(request.method, request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let builder = match request.body {
            Body::Empty => builder,
            Body::Json(body) => builder.json(&body),
            Body::Form(fields) => builder
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(Serializer::new(String::new()).extend_pairs(fields).finish()),
        };
        let answer = builder.send().await.map_err(|error| failure(&error, &url))?;
        Ok(read(answer, now).await)
    }
}

async fn read(mut answer: Response, now: Timestamp) -> Answer {
    let asked = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
    let (status, retry_after) = (answer.status().as_u16(), asked.and_then(|wait| retry_after(wait, now)));
    let mut body = Vec::new();
    let whole = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER_BYTES => body.extend_from_slice(&chunk),
            Ok(None) => break true,
            Ok(Some(_)) | Err(_) => break false,
        }
    };
    Answer { status, retry_after, body, whole }
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3), of which one that is over asks for nothing.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = DateTimeParser::new().parse_timestamp(text).ok()?;
            Duration::try_from(until.duration_since(now)).ok()
        }
    }
}

/// Nothing was written when connecting failed, or when a connection that was kept had ended before it took the request;
/// after that, nobody knows.
fn failure(error: &reqwest::Error, url: &Url) -> Failure {
    let host = url.host_str().unwrap_or_default();
    if error.is_connect() {
        return match tls::explain(error, host) {
            Some(words) => Failure::new(Class::Retryable, Reason::Tls, words),
            None => Failure::new(Class::Retryable, Reason::Connect, unreachable(error, host, url)),
        };
    }
    if chain(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled) {
        return Failure::new(
            Class::Retryable,
            Reason::Cut,
            "the connection ended before the request was written",
        );
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

/// Why there was no connection, with the address that was tried.
fn unreachable(error: &reqwest::Error, host: &str, url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or_default();
    let is_refused = |cause: &(dyn Error + 'static)| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if chain(error).any(is_refused) {
        return format!("{host}:{port} refuses connections");
    }
    if error.is_timeout() {
        return format!("no connection to {host}:{port} in time");
    }
    format!("no connection to {host}:{port}")
}

fn chain(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (*error).source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_time_to_come() {
        let now = "2026-11-24T06:00:00Z".parse().expect("a time");
        let seconds = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 17 "), Some(17));
        assert_eq!(seconds("Tue, 24 Nov 2026 06:02:00 GMT"), Some(120));
        for nothing in ["Tue, 24 Nov 2026 05:59:00 GMT", "-1", "soon", "", "99999999999999999999999"] {
            assert_eq!(seconds(nothing), None, "{nothing}");
        }
    }
}
