//! Kind `infobip`: Infobip's SMS API, version 3.
//!
//! Wire shape: JSON to `/sms/3/messages` (<https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages>)
//! with `Authorization: App …`. Our reference is the `messageId`: the same again is refused as a duplicate, which says that
//! the message was taken before. `tracking` is never sent, because it would rewrite links. A 200 may carry a refusal, so
//! one that cannot be read is unknown. Codes: <https://www.infobip.com/docs/essentials/response-status-and-error-codes>.
//!
//! Receipts: JSON, several messages a call, not signed: a secret in a header. Infobip documents credentials for the webhooks
//! of subscriptions (<https://www.infobip.com/docs/api/platform/subscriptions-api/create-security-settings>), not for one
//! that a message names. A receipt that is played again says what was said before, and states never go backwards.

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::super::receipt::{Callback, CallbackError, Report, Status};
use super::super::{Accepted, Failure};
use super::receipt_auth::{Expected, ReceiptAuth};
use super::url::GatewayUrl;
use super::vendor::{self, Codes, Meaning};
use super::wire::{Answer, Body, Request, Sms, Wire, authorization};
use crate::config::Secret;

pub(super) const URL: &str = "https://api.infobip.com";

/// `validityPeriod` in seconds: 48 hours at most, by the send endpoint's page.
const MAX_VALIDITY: u64 = 48 * 3600;

/// What kind `infobip` needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct InfobipConfig {
    /// The account's own base URL (`https://….api.infobip.com`), or any other.
    pub url: Option<GatewayUrl>,
    /// API key with the scope `sms:message:send`.
    pub api_key: Secret,
    /// The sender: a registered name or number.
    pub sender: String,
    /// The secret that its delivery reports carry; without it none are taken.
    pub receipts: Option<ReceiptAuth>,
    /// Each message says where it is to be reported to. False: a subscription at Infobip says so.
    #[serde(default = "yes")]
    pub webhook_in_message: bool,
}

fn yes() -> bool {
    true
}

impl InfobipConfig {
    pub(super) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = vendor::url_problems(self.url.as_ref());
        if self.sender.trim().is_empty() {
            problems.push(("sender".to_owned(), "is empty; give the registered sender".to_owned()));
        }
        problems.extend(self.receipts.iter().flat_map(|receipts| receipts.problems("receipts")));
        problems
    }
}

/// What the ids of statuses mean.
const STATUSES: &Codes = &[
    ("6", Meaning::Route),        // REJECTED_NETWORK
    ("8", Meaning::Recipient),    // REJECTED_PREFIX_MISSING
    ("10", Meaning::Recipient),   // REJECTED_DND
    ("11", Meaning::Route),       // REJECTED_SOURCE
    ("12", Meaning::Credit),      // REJECTED_NOT_ENOUGH_CREDITS
    ("13", Meaning::Route),       // REJECTED_SENDER
    ("14", Meaning::Recipient),   // REJECTED_DESTINATION: blocked
    ("17", Meaning::Credit),      // REJECTED_PREPAID_PACKAGE_EXPIRED
    ("18", Meaning::Route),       // REJECTED_DESTINATION_NOT_REGISTERED: a trial account
    ("19", Meaning::Route),       // REJECTED_ROUTE_NOT_AVAILABLE
    ("20", Meaning::Filtered),    // REJECTED_FLOODING_FILTER
    ("21", Meaning::Trouble),     // REJECTED_SYSTEM_ERROR
    ("23", Meaning::AlreadySent), // REJECTED_DUPLICATE_MESSAGE_ID
    ("24", Meaning::Rejected),    // REJECTED_INVALID_UDH
    ("25", Meaning::Rejected),    // REJECTED_MESSAGE_TOO_LONG
    ("51", Meaning::Recipient),   // MISSING_TO
    ("52", Meaning::Recipient),   // REJECTED_DESTINATION: invalid
];

/// What the ids of errors mean, which reports carry beside the status.
const ERRORS: &Codes = &[
    ("1", Meaning::Recipient),     // EC_UNKNOWN_SUBSCRIBER
    ("5", Meaning::Recipient),     // EC_UNIDENTIFIED_SUBSCRIBER
    ("6", Meaning::Unreachable),   // EC_ABSENT_SUBSCRIBER_SM
    ("9", Meaning::Recipient),     // EC_ILLEGAL_SUBSCRIBER
    ("11", Meaning::Recipient),    // EC_TELESERVICE_NOT_PROVISIONED
    ("12", Meaning::Recipient),    // EC_ILLEGAL_EQUIPMENT
    ("13", Meaning::Recipient),    // EC_CALL_BARRED
    ("27", Meaning::Unreachable),  // EC_ABSENT_SUBSCRIBER
    ("31", Meaning::Unreachable),  // EC_SUBSCRIBER_BUSY_FOR_MT_SMS
    ("256", Meaning::Unreachable), // EC_SM_DF_memoryCapacityExceeded
    ("351", Meaning::Recipient),   // EC_INVALID_DESTINATION_ADDRESS
    ("561", Meaning::Filtered),    // EC_CONTENT_BLOCKED_BY_OPERATOR
    ("603", Meaning::Filtered),    // EC_CONTENT_BLOCKED
    ("607", Meaning::Filtered),    // spam
    ("2049", Meaning::Recipient),  // EC_IMSI_BLACKLISTED
    ("2050", Meaning::Recipient),  // EC_DEST_ADDRESS_BLACKLISTED
    ("2053", Meaning::Route),      // EC_BLACKLISTED_SENDERADDRESS
    ("4101", Meaning::Expired),    // EC_ValidityExpired
];

/// The group of a status: what it comes to when its id is not in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Pending,
    Delivered,
    Undeliverable,
    Expired,
    Rejected,
}

impl Group {
    fn of(status: &Value) -> Option<Self> {
        match (status["groupId"].as_u64(), status["groupName"].as_str()) {
            (Some(0 | 1), _) | (None, Some("ACCEPTED" | "PENDING")) => Some(Self::Pending),
            (Some(2), _) | (None, Some("UNDELIVERABLE")) => Some(Self::Undeliverable),
            (Some(3), _) | (None, Some("DELIVERED")) => Some(Self::Delivered),
            (Some(4), _) | (None, Some("EXPIRED")) => Some(Self::Expired),
            (Some(5), _) | (None, Some("REJECTED")) => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// The gateway itself.
pub(super) struct Infobip {
    url: Url,
    authorization: (HeaderName, HeaderValue),
    sender: String,
    receipts: Option<Expected>,
    webhook_in_message: bool,
}

impl Infobip {
    pub fn new(config: &InfobipConfig) -> Result<Self, String> {
        let authorization = authorization(&format!("App {}", config.api_key.reveal()))
            .map_err(|problem| format!("api_key: {problem}"))?;
        Ok(Self {
            url: vendor::endpoint(config.url.as_ref(), URL, &["sms", "3", "messages"])?,
            authorization,
            sender: config.sender.clone(),
            receipts: config.receipts.as_ref().and_then(ReceiptAuth::expected),
            webhook_in_message: config.webhook_in_message,
        })
    }

    fn post(&self, messages: &[Value]) -> Request {
        let headers =
            vec![self.authorization.clone(), (ACCEPT, HeaderValue::from_static("application/json"))];
        let body = Body::Json(json!({"messages": messages}));
        Request { method: Method::POST, url: self.url.clone(), headers, body }
    }
}

/// The outcome of a message that a 2xx answers for.
fn taken(answer: &Answer, message: &Value) -> Result<Accepted, Failure> {
    let status = &message["status"];
    let id = vendor::code(&status["id"]);
    let group = Group::of(status).ok_or_else(|| vendor::garbage(answer))?;
    let provider_id = message["messageId"].as_str().and_then(vendor::id);
    let accepted = Accepted { provider_id, segments: vendor::segments(&message["details"]["messageCount"]) };
    let meaning = match group {
        Group::Pending | Group::Delivered => return Ok(accepted),
        Group::Expired => Meaning::Expired,
        Group::Undeliverable | Group::Rejected => Meaning::Refused,
    };
    let meaning = id.as_deref().and_then(|id| vendor::known(STATUSES, id)).unwrap_or(meaning);
    if meaning == Meaning::AlreadySent {
        return Ok(accepted);
    }
    meaning.outcome(answer, detail(answer, id))
}

fn detail(answer: &Answer, code: Option<String>) -> String {
    match code {
        Some(code) => format!("HTTP {}, Infobip {code}", answer.status),
        None => format!("HTTP {}", answer.status),
    }
}

impl Wire for Infobip {
    fn request(&self, sms: &Sms<'_>) -> Request {
        let mut message = json!({
            "sender": self.sender,
            "destinations": [{"to": sms.phone.e164_digits(), "messageId": sms.reference}],
            "content": {"text": sms.text},
            "options": {
                "validityPeriod": {"amount": sms.valid_for.as_secs().clamp(1, MAX_VALIDITY), "timeUnit": "SECONDS"}
            },
        });
        // Receipts that could not be verified are not asked for.
        if let Some(callback) = sms.callback.filter(|_| self.webhook_in_message && self.verifies_receipts()) {
            message["webhooks"] =
                json!({"delivery": {"url": callback.as_str()}, "contentType": "application/json"});
        }
        self.post(&[message])
    }

    fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        let body = answer.json();
        if (200..300).contains(&answer.status) {
            return taken(answer, &body["messages"][0]);
        }
        vendor::by_status(answer.status).outcome(answer, detail(answer, vendor::code(&body["errorCode"])))
    }

    /// A list of no messages: 400 with a good key, 401 or 403 with a bad one. The balance would need a scope of its own.
    fn probe(&self, _now: Timestamp) -> Request {
        self.post(&[])
    }

    fn read_probe(&self, answer: &Answer) -> Result<(), Failure> {
        match answer.status {
            200..=299 => Ok(()),
            status => vendor::probed(self.read(answer), status),
        }
    }

    fn verifies_receipts(&self) -> bool {
        self.receipts.is_some()
    }

    fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        self.receipts.as_ref().ok_or(CallbackError::Forged)?.verify(callback)?;
        let body: Value = serde_json::from_slice(callback.body).map_err(|_| CallbackError::Unreadable)?;
        let results = body["results"].as_array().ok_or(CallbackError::Unreadable)?;
        let reports: Vec<Report> = results.iter().filter_map(report).collect();
        // One result that cannot be read does not keep the others from counting.
        if reports.is_empty() && !results.is_empty() { Err(CallbackError::Unreadable) } else { Ok(reports) }
    }
}

fn report(result: &Value) -> Option<Report> {
    let id = result["messageId"].as_str();
    let of = |part: &str| vendor::code(&result[part]["id"]).filter(|id| id != "0");
    let (status, error) = (of("status"), of("error"));
    let code = match (&status, &error) {
        (Some(status), Some(error)) => Some(format!("{status}/{error}")),
        _ => status.clone().or_else(|| error.clone()),
    };
    let group = Group::of(result.get("status").filter(|status| status.is_object())?);
    vendor::report(id, id, became(group, status.as_deref(), error.as_deref()), code)
}

/// What a report says; the error tells more than the status. A group that Infobip does not document yet is no end, and
/// `DELIVERED_TO_OPERATOR` (2) is not on the handset.
fn became(group: Option<Group>, status: Option<&str>, error: Option<&str>) -> Status {
    let otherwise = match group {
        None | Some(Group::Pending) => return Status::Underway,
        Some(Group::Delivered) if status == Some("2") => return Status::Underway,
        Some(Group::Delivered) => return Status::Delivered,
        Some(Group::Expired) => Meaning::Expired,
        Some(Group::Undeliverable | Group::Rejected) => Meaning::Refused,
    };
    let known = |codes, code: Option<&str>| code.and_then(|code| vendor::known(codes, code));
    known(ERRORS, error).or_else(|| known(STATUSES, status)).unwrap_or(otherwise).lost()
}

#[cfg(test)]
mod tests;
