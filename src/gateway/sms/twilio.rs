//! Kind `twilio`: Twilio's Messages resource.
//!
//! Wire shape: a form `To`, `From` or `MessagingServiceSid`, `Body`, `StatusCallback`, `ValidityPeriod` to
//! `/2010-04-01/Accounts/{AccountSid}/Messages.json` (<https://www.twilio.com/docs/messaging/api/message-resource>), with
//! HTTP Basic: the account with its token, or an API key with its secret (<https://www.twilio.com/docs/iam/api-keys>). A 201
//! is the acceptance. Codes: <https://www.twilio.com/docs/api/errors>.
//!
//! Receipts: a form, signed with the account's token over URL and fields
//! (<https://www.twilio.com/docs/usage/security#validating-requests>). The signature does not age; a receipt that is played
//! again says what was said before, and states never go backwards.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::super::receipt::{Callback, CallbackError, Report, Status};
use super::super::{Accepted, Failure};
use super::url::GatewayUrl;
use super::vendor::{self, Codes, Meaning};
use super::wire::{Answer, Body, Request, Sms, Wire};
use crate::config::Secret;

pub(super) const URL: &str = "https://api.twilio.com";

/// `ValidityPeriod` in seconds: error 90007 (<https://www.twilio.com/docs/api/errors/90007>).
const MAX_VALIDITY: u64 = 36_000;

/// What kind `twilio` needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct TwilioConfig {
    /// Base URL, where it is not Twilio's own.
    pub url: Option<GatewayUrl>,
    /// `AC` and 32 hexadecimal digits.
    pub account_sid: String,
    /// The account's token. Receipts are signed with it, whatever requests use.
    pub auth_token: Option<Secret>,
    /// An API key (`SK…`) for requests instead, with `api_key_secret`.
    pub api_key: Option<String>,
    /// With `api_key`.
    pub api_key_secret: Option<Secret>,
    /// The sender: a number as `+81…`, or a name. Either this or `messaging_service_sid`.
    pub from: Option<String>,
    /// `MG` and 32 hexadecimal digits: the messaging service picks the sender.
    pub messaging_service_sid: Option<String>,
}

impl TwilioConfig {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = vendor::url_problems(self.url.as_ref());
        let mut wrong = |key: &str, mend: &str| problems.push((key.to_owned(), mend.to_owned()));
        for (key, prefix, sid) in [
            ("account_sid", "AC", Some(&self.account_sid)),
            ("api_key", "SK", self.api_key.as_ref()),
            ("messaging_service_sid", "MG", self.messaging_service_sid.as_ref()),
        ] {
            if sid.is_some_and(|sid| !is_sid(sid, prefix)) {
                wrong(
                    key,
                    &format!("is not {prefix} and 32 hexadecimal digits, as Twilio's console shows it"),
                );
            }
        }
        if self.credentials().is_none() {
            wrong("auth_token", "is missing; give it (auth_token_file), or api_key and api_key_secret");
        }
        if self.api_key.is_some() != self.api_key_secret.is_some() {
            wrong("api_key_secret", "belongs to api_key; give both or none");
        }
        if self.sender().is_none() {
            wrong("from", "is the sender; give either from or messaging_service_sid");
        }
        problems
    }

    /// User and password of requests.
    fn credentials(&self) -> Option<(&str, &Secret)> {
        match (&self.api_key, &self.api_key_secret, &self.auth_token) {
            (Some(key), Some(secret), _) => Some((key, secret)),
            (None, None, Some(token)) => Some((&self.account_sid, token)),
            _ => None,
        }
    }

    fn sender(&self) -> Option<(&'static str, String)> {
        match (&self.from, &self.messaging_service_sid) {
            (Some(from), None) if !from.trim().is_empty() => Some(("From", from.clone())),
            (None, Some(service)) => Some(("MessagingServiceSid", service.clone())),
            _ => None,
        }
    }
}

fn is_sid(text: &str, prefix: &str) -> bool {
    let digits = text.strip_prefix(prefix).unwrap_or_default();
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What Twilio's codes mean, in answers and in receipts.
const CODES: &Codes = &[
    // The account and the key.
    ("20003", Meaning::Credentials), // permission denied
    ("20005", Meaning::Credentials), // account not active
    ("20006", Meaning::Credentials), // access denied
    ("20008", Meaning::Credentials), // test credentials
    ("30002", Meaning::Credentials), // account suspended
    ("70051", Meaning::Credentials), // authorization failed: a restricted key
    // Limits.
    ("14107", Meaning::Throttled), // sending rate limit
    ("20429", Meaning::Throttled), // too many requests
    ("21611", Meaning::Throttled), // the sender's queue is full
    ("30001", Meaning::Throttled), // queue overflow
    ("30022", Meaning::Throttled), // carrier's rate limit
    ("30023", Meaning::Throttled), // daily limit
    // The number.
    ("21211", Meaning::Recipient), // invalid number
    ("21214", Meaning::Recipient), // cannot be reached
    ("21217", Meaning::Recipient), // not a valid number
    ("21265", Meaning::Recipient), // a short code
    ("21610", Meaning::Recipient), // opted out
    ("21614", Meaning::Recipient), // not a mobile number
    ("21635", Meaning::Recipient), // a landline
    ("30004", Meaning::Recipient), // the destination blocks messages
    ("30005", Meaning::Recipient), // unknown handset
    ("30006", Meaning::Recipient), // landline, or a carrier out of reach
    ("30003", Meaning::Unreachable),
    // The way and the sender.
    ("21212", Meaning::Route), // invalid sender
    ("21408", Meaning::Route), // region not enabled
    ("21603", Meaning::Route), // no sender
    ("21606", Meaning::Route), // not our sender, or it cannot send SMS
    ("21608", Meaning::Route), // trial account, unverified number
    ("21612", Meaning::Route), // no way from this sender to that number
    ("21659", Meaning::Route), // not a Twilio number
    ("21660", Meaning::Route), // another account's number
    ("21661", Meaning::Route), // the sender cannot send SMS
    ("21703", Meaning::Route), // messaging service without numbers
    ("21705", Meaning::Route), // unknown messaging service
    ("30010", Meaning::Route), // dearer than the configured maximum
    ("30024", Meaning::Route), // sender not provisioned at the carrier
    ("30034", Meaning::Route), // sender not registered
    // The text.
    ("21602", Meaning::Rejected), // no text
    ("21617", Meaning::Rejected), // longer than 1600 characters
    ("30007", Meaning::Filtered),
    ("30036", Meaning::Expired), // validity period over
];

fn meaning(code: &str) -> Option<Meaning> {
    vendor::known(CODES, code)
}

/// The gateway itself.
pub(super) struct Twilio {
    url: Url,
    authorization: (HeaderName, HeaderValue),
    sender: (&'static str, String),
    signing: Option<hmac::Key>,
}

impl Twilio {
    pub fn new(config: &TwilioConfig) -> Result<Self, String> {
        let path = ["2010-04-01", "Accounts", &config.account_sid, "Messages.json"];
        let (user, password) = config.credentials().ok_or("auth_token: is missing")?;
        let key =
            |token: &Secret| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.reveal().as_bytes());
        Ok(Self {
            url: vendor::endpoint(config.url.as_ref(), URL, &path)?,
            authorization: vendor::basic(user, password.reveal())?,
            sender: config.sender().ok_or("from: the sender is missing")?,
            signing: config.auth_token.as_ref().map(key),
        })
    }

    fn post(&self, fields: Vec<(String, String)>) -> Request {
        let headers = vec![self.authorization.clone()];
        Request { method: Method::POST, url: self.url.clone(), headers, body: Body::Form(fields) }
    }

    /// Twilio's own libraries try a URL with and without its port, because Twilio has signed either.
    fn verify(&self, callback: &Callback<'_>, fields: &BTreeSet<(String, String)>) -> bool {
        let signature =
            callback.header("x-twilio-signature").and_then(|text| BASE64_STANDARD.decode(text).ok());
        let (Some(key), Some(signature)) = (&self.signing, signature) else { return false };
        let signed = |url: &str| {
            let fields = fields.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
            let text: String = [url].into_iter().chain(fields).collect();
            hmac::verify(key, text.as_bytes(), &signature).is_ok()
        };
        forms_of(callback.url).iter().any(|url| signed(url))
    }
}

/// The URL as it was called, without its port, and with its scheme's own.
fn forms_of(called: &str) -> Vec<String> {
    let port = |url: &Url| match (url.port(), url.scheme()) {
        (Some(port), _) => Some(port),
        (None, "https") => Some(443),
        (None, "http") => Some(80),
        (None, _) => None,
    };
    let mut forms = vec![called.to_owned()];
    if let Ok(url) = Url::parse(called)
        && let (Some(host), Some(port)) = (url.host_str(), port(&url))
        && let Some(rest) = called.splitn(4, '/').nth(3)
    {
        let scheme = url.scheme();
        forms.push(format!("{scheme}://{host}/{rest}"));
        forms.push(format!("{scheme}://{host}:{port}/{rest}"));
    }
    forms
}

/// What an answer that is no acceptance comes to, by its code or else as given.
fn refused(answer: &Answer, code: Option<&str>, otherwise: Meaning) -> Result<Accepted, Failure> {
    let detail = match code {
        Some(code) => format!("HTTP {}, Twilio {code}", answer.status),
        None => format!("HTTP {}", answer.status),
    };
    code.and_then(meaning).unwrap_or(otherwise).outcome(answer, detail)
}

impl Wire for Twilio {
    fn request(&self, sms: &Sms<'_>) -> Request {
        let (sender, value) = &self.sender;
        let validity = sms.valid_for.as_secs().clamp(1, MAX_VALIDITY);
        let mut fields = vec![
            ("To", sms.phone.e164()),
            (sender, value.clone()),
            ("Body", sms.text.to_owned()),
            ("ValidityPeriod", validity.to_string()),
        ];
        // Receipts that could not be verified are not asked for.
        if let Some(callback) = sms.callback.filter(|_| self.verifies_receipts()) {
            let mut callback = callback.clone();
            callback.query_pairs_mut().append_pair("reference", sms.reference);
            fields.push(("StatusCallback", callback.into()));
        }
        self.post(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        let body = answer.json();
        if !(200..300).contains(&answer.status) {
            let code = vendor::code(&body["code"]);
            return refused(answer, code.as_deref(), vendor::by_status(answer.status));
        }
        let code = vendor::code(&body["error_code"]);
        if code.is_some() || matches!(body["status"].as_str(), Some("failed" | "undelivered" | "canceled")) {
            return refused(answer, code.as_deref(), Meaning::Refused);
        }
        let provider_id = body["sid"].as_str().and_then(vendor::id);
        if answer.status != 201 && provider_id.is_none() {
            return Err(vendor::garbage(answer));
        }
        Ok(Accepted { provider_id, segments: vendor::segments(&body["num_segments"]) })
    }

    /// A message to nobody (400, 21604): a standard API key may not read the account itself, and reading messages would
    /// bring texts along.
    fn probe(&self, _now: Timestamp) -> Request {
        self.post(Vec::new())
    }

    fn read_probe(&self, answer: &Answer) -> Result<(), Failure> {
        vendor::probed(self.read(answer), answer.status)
    }

    fn verifies_receipts(&self) -> bool {
        self.signing.is_some()
    }

    fn signs_the_address(&self) -> bool {
        true
    }

    fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        let fields: BTreeSet<(String, String)> = form_urlencoded::parse(callback.body).into_owned().collect();
        if !self.verify(callback, &fields) {
            return Err(CallbackError::Forged);
        }
        let field = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let code = field("ErrorCode").and_then(|text| vendor::code(&text.into()));
        let status = status(field("MessageStatus").ok_or(CallbackError::Unreadable)?, code.as_deref());
        let url = Url::parse(callback.url).map_err(|_| CallbackError::Unreadable)?;
        let reference = url.query_pairs().find(|(name, _)| name == "reference").map(|(_, value)| value);
        let report = vendor::report(reference.as_deref(), field("MessageSid"), status, code);
        report.map(|report| vec![report]).ok_or(CallbackError::Unreadable)
    }
}

/// A word that Twilio does not document yet is no end.
fn status(word: &str, code: Option<&str>) -> Status {
    match word {
        "delivered" | "read" => Status::Delivered,
        "undelivered" | "failed" | "canceled" => code.and_then(meaning).unwrap_or(Meaning::Refused).lost(),
        _ => Status::Underway,
    }
}

#[cfg(test)]
mod tests;
