//! Kind `http`: SMS gateways that take a JSON or form `POST`, as most Japanese ones do.
//!
//! Wire shape: number, text and reference under configurable names, further fields and headers as configured, and
//! `Authorization`. Any 2xx is accepted and its `message_id` kept, unless `success`, `error_code` or `answers` say
//! otherwise; what the other statuses mean is in `answer`, what receipts say in `receipts`.

mod answer;
mod config;
mod path;
mod receipts;
mod request;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use url::Url;

use self::answer::Answers;
pub use self::config::HttpGatewayConfig;
use self::config::ProbeMethod;
use self::receipts::Receipts;
use super::super::receipt::{Callback, CallbackError, Report};
use super::super::{Accepted, Failure};
use super::wire::{Answer, Body, Request, Sms, Wire};

/// The gateway itself.
pub(super) struct Http {
    config: HttpGatewayConfig,
    headers: Vec<(HeaderName, HeaderValue)>,
    answers: Answers,
    receipts: Option<Receipts>,
}

impl Http {
    pub fn new(config: &HttpGatewayConfig) -> Result<Self, String> {
        Ok(Self {
            headers: request::headers(config)?,
            answers: Answers::new(config)?,
            receipts: Receipts::new(config),
            config: config.clone(),
        })
    }

    fn url(&self) -> Url {
        self.config.url.url().clone()
    }
}

impl Wire for Http {
    fn request(&self, sms: &Sms<'_>) -> Request {
        let body = request::body(&self.config, sms);
        Request { method: Method::POST, url: self.url(), headers: self.headers.clone(), body }
    }

    fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        self.answers.read(answer)
    }

    /// `HEAD` has no effect on a message API; whether it shows refused credentials is the gateway's affair, so a house may
    /// give an address that does.
    fn probe(&self, _now: Timestamp) -> Request {
        let probe = self.config.probe.as_ref();
        let method = match probe.map(|probe| probe.method).unwrap_or_default() {
            ProbeMethod::Head => Method::HEAD,
            ProbeMethod::Get => Method::GET,
            ProbeMethod::Options => Method::OPTIONS,
        };
        let url =
            probe.and_then(|probe| probe.url.as_ref()).map_or_else(|| self.url(), |url| url.url().clone());
        Request { method, url, headers: self.headers.clone(), body: Body::Empty }
    }

    fn read_probe(&self, answer: &Answer) -> Result<(), Failure> {
        answer::read_probe(answer, self.config.probe.is_some())
    }

    fn verifies_receipts(&self) -> bool {
        self.receipts.is_some()
    }

    fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        self.receipts.as_ref().ok_or(CallbackError::Forged)?.read(callback)
    }
}
