//! Kind `http`: receipts as configured, in JSON, a form or the query of the URL.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::super::super::receipt::{Callback, CallbackError, Loss, Report, Status, Which};
use super::super::receipt_auth::Expected;
use super::config::HttpGatewayConfig;
use super::path::{code, find, id, text};

/// Where a receipt holds what: names separated by dots, list positions as numbers.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiptFields {
    /// The list of results, where one callback tells of several messages. Without it: the whole body, or each of its items.
    pub items: Option<String>,
    /// Our reference, where the gateway echoes it.
    pub reference: String,
    /// The gateway's id.
    pub message_id: String,
    /// What became of the message.
    pub status: String,
    /// Why, as a code.
    pub code: Option<String>,
}

impl Default for ReceiptFields {
    fn default() -> Self {
        Self {
            items: None,
            reference: "reference".to_owned(),
            message_id: "message_id".to_owned(),
            status: "status".to_owned(),
            code: None,
        }
    }
}

/// What a gateway's word means, in the configuration's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReceiptStatus {
    /// The gateway works on it.
    Underway,
    /// On the handset.
    Delivered,
    /// Handset off or out of reach for too long.
    Unreachable,
    /// No such subscriber, a landline, opted out.
    Recipient,
    /// Taken for spam.
    Filtered,
    /// Its validity was over first.
    Expired,
    /// Refused for another reason: route, sender, account.
    Refused,
    /// Not delivered, and nobody says why.
    Undelivered,
}

impl From<ReceiptStatus> for Status {
    fn from(status: ReceiptStatus) -> Self {
        match status {
            ReceiptStatus::Underway => Self::Underway,
            ReceiptStatus::Delivered => Self::Delivered,
            ReceiptStatus::Unreachable => Self::Undelivered(Loss::Unreachable),
            ReceiptStatus::Recipient => Self::Undelivered(Loss::Recipient),
            ReceiptStatus::Filtered => Self::Undelivered(Loss::Filtered),
            ReceiptStatus::Expired => Self::Undelivered(Loss::Expired),
            ReceiptStatus::Refused => Self::Undelivered(Loss::Refused),
            ReceiptStatus::Undelivered => Self::Undelivered(Loss::Other),
        }
    }
}

/// How receipts are believed and read.
pub(super) struct Receipts {
    expected: Expected,
    fields: ReceiptFields,
    statuses: BTreeMap<String, Status>,
}

impl Receipts {
    /// Nothing where no receipts are configured.
    pub fn new(config: &HttpGatewayConfig) -> Option<Self> {
        let status =
            |(word, status): (&String, &ReceiptStatus)| (word.to_ascii_lowercase(), Status::from(*status));
        Some(Self {
            expected: config.receipts.as_ref()?.expected()?,
            fields: config.receipt_fields.clone(),
            statuses: config.receipt_statuses.iter().map(status).collect(),
        })
    }

    /// Verifies first. A result that cannot be read does not take the others of its callback with it; a callback of which
    /// nothing can be read is unreadable.
    pub fn read(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        self.expected.verify(callback)?;
        let body = body(callback).ok_or(CallbackError::Unreadable)?;
        let results = match &self.fields.items {
            Some(path) => find(&body, path).ok_or(CallbackError::Unreadable)?,
            None => &body,
        };
        let results = results.as_array().map_or(std::slice::from_ref(results), Vec::as_slice);
        let reports: Vec<Report> = results.iter().filter_map(|result| self.report(result)).collect();
        if reports.is_empty() && !results.is_empty() {
            return Err(CallbackError::Unreadable);
        }
        Ok(reports)
    }

    fn report(&self, result: &Value) -> Option<Report> {
        let at = |path: &str| find(result, path);
        let word = at(&self.fields.status).and_then(text)?;
        // A word that nobody explained is never an end: what it would end cannot be taken back.
        let status = self.statuses.get(&word.to_ascii_lowercase()).copied().unwrap_or(Status::Underway);
        let provider_id = at(&self.fields.message_id).and_then(id);
        let reference = at(&self.fields.reference).and_then(id).filter(|text| is_reference(text));
        let (message, provider_id) = match (reference, provider_id) {
            (Some(reference), provider_id) => (Which::Reference(reference), provider_id),
            (None, Some(provider_id)) => (Which::ProviderId(provider_id), None),
            (None, None) => return None,
        };
        let code = self.fields.code.as_deref().and_then(at).and_then(text);
        let code = code.as_deref().and_then(code_for_a_person);
        Some(Report { message, provider_id, status, code })
    }
}

fn code_for_a_person(text: &str) -> Option<String> {
    code(text).map(str::to_owned)
}

/// Ours are 32 hexadecimal digits; anything else in their place is the gateway's own.
fn is_reference(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// JSON, a form, or the URL's query where there is no body.
fn body(callback: &Callback<'_>) -> Option<Value> {
    if callback.body.is_empty() {
        let url: Url = callback.url.parse().ok()?;
        return Some(object(url.query_pairs()));
    }
    let is_form = callback
        .header("content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if is_form {
        return Some(object(form_urlencoded::parse(callback.body)));
    }
    serde_json::from_slice(callback.body).ok()
}

fn object<'a>(pairs: impl Iterator<Item = (std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>) -> Value {
    let fields: Map<String, Value> =
        pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    const REFERENCE: &str = "0123456789abcdef0123456789abcdef";
    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    fn receipts(more: &str) -> Receipts {
        let config = format!(
            "url = 'http://127.0.0.1:1/'\nreceipts = {{ bearer = 's' }}\nreceipt_statuses = {{ DELIVERED = 'delivered', NG = 'recipient' }}\n{more}"
        );
        Receipts::new(&toml::from_str(&config).expect("keys")).expect("configured")
    }

    fn read(receipts: &Receipts, kind: &str, query: &str, body: &str) -> Result<Vec<Report>, CallbackError> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer s"));
        headers.insert(CONTENT_TYPE, kind.parse().expect("a header"));
        let url = format!("https://house.example.jp/receipts/a{query}");
        let now = "2026-11-24T00:00:00Z".parse().expect("a time");
        receipts.read(&Callback { url: &url, headers: &headers, body: body.as_bytes(), now })
    }

    fn report(message: Which, provider_id: Option<&str>, status: Status, code: Option<&str>) -> Report {
        Report { message, provider_id: provider_id.map(str::to_owned), status, code: code.map(str::to_owned) }
    }

    #[test]
    fn json_form_and_query_say_the_same() {
        let receipts = receipts("receipt_fields = { reference = 'ref', message_id = 'id', code = 'why' }");
        let said = report(
            Which::Reference(REFERENCE.to_owned()),
            Some("m-1"),
            Status::Undelivered(Loss::Recipient),
            Some("E17"),
        );
        let pairs = format!("ref={REFERENCE}&id=m-1&status=NG&why=E17");
        let json = format!(r#"{{"ref": "{REFERENCE}", "id": "m-1", "status": "ng", "why": "E17"}}"#);
        for (kind, query, body) in [
            ("application/json", String::new(), json),
            (FORM, String::new(), pairs.clone()),
            ("text/plain", format!("?{pairs}"), String::new()),
        ] {
            assert_eq!(read(&receipts, kind, &query, &body), Ok(vec![said.clone()]), "{kind}");
        }
    }

    #[test]
    fn a_list_gives_each_result_and_one_that_cannot_be_read_does_not_take_the_others_with_it() {
        let receipts = receipts(
            "receipt_fields = { items = 'results', message_id = 'message.id', status = 'status.name' }",
        );
        let body = r#"{"results": [
            {"message": {"id": 1}, "status": {"name": "DELIVERED"}},
            {"message": {"id": 2}},
            {"message": {"id": 3}, "status": {"name": "QUEUED_AGAIN"}}
        ]}"#;
        let one = |id: &str, status| report(Which::ProviderId(id.to_owned()), None, status, None);
        let expected = vec![one("1", Status::Delivered), one("3", Status::Underway)];
        assert_eq!(read(&receipts, "application/json", "", body), Ok(expected));
        assert_eq!(read(&receipts, "application/json", "", r#"{"results": []}"#), Ok(vec![]));
    }

    #[test]
    fn what_is_no_reference_of_ours_is_not_looked_up_as_one() {
        let receipts = receipts("");
        let said = read(&receipts, FORM, "", "reference=09012345678&message_id=m&status=DELIVERED");
        let expected = report(Which::ProviderId("m".to_owned()), None, Status::Delivered, None);
        assert_eq!(said, Ok(vec![expected]));
    }

    #[test]
    fn what_cannot_be_read_is_unreadable_and_what_is_not_signed_is_not_read() {
        let receipts = receipts("");
        for body in ["{}", "garbage", "{\"status\": \"NG\"}", "{\"message_id\": \"m\"}", "[{}]", "7"] {
            let read = read(&receipts, "application/json", "", body);
            assert_eq!(read, Err(CallbackError::Unreadable), "{body}");
        }
        assert_eq!(read(&receipts, FORM, "", "status=NG"), Err(CallbackError::Unreadable));
        let now = "2026-11-24T00:00:00Z".parse().expect("a time");
        let headers = HeaderMap::new();
        let body = br#"{"message_id": "m", "status": "NG"}"#;
        let callback = Callback { url: "https://house.example.jp/receipts/a", headers: &headers, body, now };
        assert_eq!(receipts.read(&callback), Err(CallbackError::Forged));
    }
}
