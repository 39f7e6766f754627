//! Kind `vonage`: Vonage's Messages API, version 1.
//!
//! Wire shape: JSON to `/v1/messages` (<https://developer.vonage.com/en/api/messages>) with a token signed by an
//! application's key or with HTTP Basic (<https://developer.vonage.com/en/getting-started/concepts/authentication>). A 202 is
//! the acceptance. `sms.encoding_type` is left out: without it Vonage picks the alphabet by the text. Codes:
//! <https://developer.vonage.com/en/api-errors/messages>.
//!
//! Receipts: JSON with our reference as `client_ref`, signed with the account's secret ([`jwt`];
//! <https://developer.vonage.com/en/getting-started/concepts/webhooks#decoding-signed-webhooks>).

mod jwt;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderName, HeaderValue};
use ring::hmac;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use self::jwt::Signer;
use super::super::receipt::{Callback, CallbackError, Report, Status};
use super::super::{Accepted, Failure};
use super::url::GatewayUrl;
use super::vendor::{self, Codes, Meaning};
use super::wire::{Answer, Body, Request, Sms, Wire, authorization};
use crate::config::Secret;

pub(super) const URL: &str = "https://api.nexmo.com";

/// `ttl` in seconds: what Vonage's SMS takes (<https://developer.vonage.com/en/api/sms>, there in milliseconds).
const TTL: (u64, u64) = (20, 604_800);

/// What kind `vonage` needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct VonageConfig {
    /// Base URL, where it is not Vonage's own; its regions have others.
    pub url: Option<GatewayUrl>,
    /// The application's id, with `private_key`.
    pub application_id: Option<String>,
    /// The application's private key, PEM.
    pub private_key: Option<Secret>,
    /// The account's API key instead, with `api_secret`.
    pub api_key: Option<String>,
    /// With `api_key`.
    pub api_secret: Option<Secret>,
    /// The sender: a number in digits or a registered name.
    pub from: String,
    /// The account's signature secret: receipts are signed with it; without it none are taken.
    pub signature_secret: Option<Secret>,
}

impl VonageConfig {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = vendor::url_problems(self.url.as_ref());
        let mut wrong = |key: &str, mend: &str| problems.push((key.to_owned(), mend.to_owned()));
        if self.from.trim().is_empty() {
            wrong("from", "is empty; give the sender");
        }
        match self.auth() {
            None => {
                wrong("application_id", "is one of: application_id and private_key; api_key and api_secret")
            }
            Some(Err(problem)) => wrong("private_key", problem),
            Some(Ok(_)) => {}
        }
        problems
    }

    /// How requests are authorized; nothing when the keys do not make exactly one way.
    fn auth(&self) -> Option<Result<Auth, &'static str>> {
        match (&self.application_id, &self.private_key, &self.api_key, &self.api_secret) {
            (Some(application), Some(pem), None, None) => {
                Some(Signer::new(application, pem.reveal()).map(Auth::Token))
            }
            (None, None, Some(key), Some(secret)) => Some(
                vendor::basic(key, secret.reveal())
                    .map(Auth::Basic)
                    .map_err(|_| "holds what no header may hold"),
            ),
            _ => None,
        }
    }
}

enum Auth {
    Token(Signer),
    Basic((HeaderName, HeaderValue)),
}

impl Auth {
    /// Without a header, should the key fail to sign: Vonage then answers 401, and that is what is the matter.
    fn header(&self, about: &str, now: Timestamp) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Token(signer) => authorization(&format!("Bearer {}", signer.token(about, now)?)).ok(),
            Self::Basic(header) => Some(header.clone()),
        }
    }
}

/// What Vonage's codes mean, in answers and in receipts.
const CODES: &Codes = &[
    // The account.
    ("1060", Meaning::Credentials), // account barred
    ("1080", Meaning::Credentials), // account not enabled for REST
    ("1110", Meaning::Credentials), // invalid signature
    ("account-suspended", Meaning::Credentials),
    ("1070", Meaning::Credit), // quota exceeded
    ("low-balance", Meaning::Credit),
    // Limits.
    ("1000", Meaning::Throttled),
    ("1241", Meaning::Throttled), // too many messages to this number
    ("throttled", Meaning::Throttled),
    // The number.
    ("1050", Meaning::Recipient),   // barred
    ("1170", Meaning::Recipient),   // invalid
    ("1190", Meaning::Recipient),   // no longer active
    ("1200", Meaning::Recipient),   // trouble after a change of carrier
    ("1240", Meaning::Recipient),   // opted out
    ("1270", Meaning::Recipient),   // age restriction
    ("1280", Meaning::Recipient),   // blocked by the carrier: no SMS in the plan
    ("1290", Meaning::Recipient),   // the subscriber's prepaid credit
    ("1300", Meaning::Recipient),   // not in the provider's network
    ("1310", Meaning::Recipient),   // device not suitable
    ("1430", Meaning::Recipient),   // invalid recipient
    ("1180", Meaning::Unreachable), // absent for now
    ("1220", Meaning::Unreachable), // busy
    ("1230", Meaning::Unreachable), // network error
    ("1260", Meaning::Unreachable),
    ("1331", Meaning::Unreachable),
    // The way and the sender.
    ("1120", Meaning::Route), // sender not accepted
    ("1140", Meaning::Route), // facility not allowed
    ("1160", Meaning::Route), // trial account, number not listed
    ("1250", Meaning::Route), // unroutable
    ("1420", Meaning::Route), // invalid sender
    // The text.
    ("1040", Meaning::Rejected), // invalid message
    ("1090", Meaning::Rejected), // too long
    ("1210", Meaning::Filtered),
    // The rest.
    ("1030", Meaning::Unknown), // internal error
    ("1100", Meaning::Trouble), // not submitted: communication failed
    ("1320", Meaning::AlreadySent),
    ("1360", Meaning::Expired), // ttl over
];

fn meaning(code: &str) -> Option<Meaning> {
    vendor::known(CODES, code)
}

/// The code of an error (RFC 9457): the end of its `type`, or its `title` in a receipt.
fn code(error: &Value) -> Option<String> {
    let end = error["type"].as_str().and_then(|url| url.rsplit_once('#')).map(|(_, end)| end);
    let word = end.filter(|end| meaning(end).is_some()).map(str::to_owned);
    word.or_else(|| vendor::code(&end?.into())).or_else(|| vendor::code(&error["title"]))
}

/// The gateway itself.
pub(super) struct Vonage {
    url: Url,
    auth: Auth,
    from: String,
    signing: Option<hmac::Key>,
}

impl Vonage {
    pub fn new(config: &VonageConfig) -> Result<Self, String> {
        let auth = config.auth().ok_or("application_id: credentials are missing")?;
        let key = |secret: &Secret| hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
        Ok(Self {
            url: vendor::endpoint(config.url.as_ref(), URL, &["v1", "messages"])?,
            auth: auth.map_err(|problem| format!("private_key: {problem}"))?,
            from: config.from.clone(),
            signing: config.signature_secret.as_ref().map(key),
        })
    }

    fn post(&self, about: &str, now: Timestamp, body: Value) -> Request {
        let headers = self.auth.header(about, now).into_iter().collect();
        Request { method: Method::POST, url: self.url.clone(), headers, body: Body::Json(body) }
    }
}

impl Wire for Vonage {
    fn request(&self, sms: &Sms<'_>) -> Request {
        let mut body = json!({
            "message_type": "text",
            "channel": "sms",
            "to": sms.phone.e164_digits(),
            "from": self.from,
            "text": sms.text,
            "ttl": sms.valid_for.as_secs().clamp(TTL.0, TTL.1),
            "client_ref": sms.reference,
        });
        // Receipts that could not be verified are not asked for. An account may be set to the shape of version 0.1.
        if let Some(callback) = sms.callback.filter(|_| self.verifies_receipts()) {
            body["webhook_url"] = callback.as_str().into();
            body["webhook_version"] = "v1".into();
        }
        self.post(sms.reference, sms.now, body)
    }

    fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        let body = answer.json();
        let code = code(&body);
        let otherwise = if (200..300).contains(&answer.status) {
            let provider_id = body["message_uuid"].as_str().and_then(vendor::id);
            if provider_id.is_some() || (answer.status == 202 && code.is_none()) {
                return Ok(Accepted::with_id(provider_id));
            }
            if code.is_none() {
                return Err(vendor::garbage(answer));
            }
            Meaning::Refused
        } else {
            vendor::by_status(answer.status)
        };
        let detail = match &code {
            Some(code) => format!("HTTP {}, Vonage {code}", answer.status),
            None => format!("HTTP {}", answer.status),
        };
        code.as_deref().and_then(meaning).unwrap_or(otherwise).outcome(answer, detail)
    }

    /// A message to nobody: 422 with good credentials, 401 with bad ones. The balance can be read with Basic alone.
    fn probe(&self, now: Timestamp) -> Request {
        self.post("probe", now, json!({"message_type": "text", "channel": "sms"}))
    }

    fn read_probe(&self, answer: &Answer) -> Result<(), Failure> {
        vendor::probed(self.read(answer), answer.status)
    }

    fn verifies_receipts(&self) -> bool {
        self.signing.is_some()
    }

    fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        let key = self.signing.as_ref().ok_or(CallbackError::Forged)?;
        let authorization = callback.header("authorization").ok_or(CallbackError::Forged)?;
        jwt::verify(authorization, key, callback.body, callback.now)?;
        let body: Value = serde_json::from_slice(callback.body).map_err(|_| CallbackError::Unreadable)?;
        let code = code(&body["error"]);
        let status = status(body["status"].as_str().ok_or(CallbackError::Unreadable)?, code.as_deref());
        let report = vendor::report(body["client_ref"].as_str(), body["message_uuid"].as_str(), status, code);
        report.map(|report| vec![report]).ok_or(CallbackError::Unreadable)
    }
}

/// A word that Vonage does not document yet is no end.
fn status(word: &str, code: Option<&str>) -> Status {
    match word {
        "delivered" | "read" => Status::Delivered,
        "rejected" | "undeliverable" => code.and_then(meaning).unwrap_or(Meaning::Refused).lost(),
        _ => Status::Underway,
    }
}

#[cfg(test)]
mod tests;
