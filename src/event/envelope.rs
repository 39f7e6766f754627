//! CloudEvents 1.0 over AMQP 0-9-1: which attributes stand where.
//!
//! Sources: CloudEvents core 1.0.2, AMQP protocol binding 1.0.2 (`cloudEvents_` and `cloudEvents:`), Knative's
//! RabbitMQ source (`ce-`). There is no binding for AMQP 0-9-1 of its own; all three spellings are seen in the wild.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{BadReason, Rejected};

/// An event as it lies in a queue or a file. Its `Debug` shows sizes, not contents.
#[derive(Clone, Default)]
pub struct RawEvent {
    /// The message's body.
    pub body: Vec<u8>,
    /// The message's content type.
    pub content_type: Option<String>,
    /// The message's text headers.
    pub headers: BTreeMap<String, String>,
}

impl fmt::Debug for RawEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawEvent({} bytes, {} headers)", self.body.len(), self.headers.len())
    }
}

impl RawEvent {
    /// An event in structured mode, as files hold it.
    pub fn structured(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// All of it in one row of bytes: a line of JSON, then the body as it is.
    pub fn pack(&self) -> Vec<u8> {
        let around = serde_json::json!({"content_type": self.content_type, "headers": self.headers});
        [around.to_string().as_bytes(), b"\n", &self.body].concat()
    }

    /// What [`Self::pack`] packed.
    pub fn unpack(packed: &[u8]) -> Option<Self> {
        let line = packed.iter().position(|byte| *byte == b'\n')?;
        let around: Around = serde_json::from_slice(&packed[..line]).ok()?;
        let body = packed[line + 1..].to_vec();
        Some(Self { body, content_type: around.content_type, headers: around.headers })
    }
}

/// What stands around a message's body.
#[derive(Deserialize)]
struct Around {
    content_type: Option<String>,
    headers: BTreeMap<String, String>,
}

/// The CloudEvents attributes and the data, wherever they stood.
pub(super) struct Attributes {
    attributes: Map<String, Value>,
    pub data: Value,
}

const HEADER_PREFIXES: [&str; 3] = ["ce-", "cloudEvents_", "cloudEvents:"];

impl Attributes {
    /// Takes the envelope apart: attributes in headers (binary mode) or in the body (structured mode).
    pub(super) fn open(
        headers: &BTreeMap<String, String>,
        content_type: Option<&str>,
        body: Value,
    ) -> Result<Self, Rejected> {
        let media_type = content_type.map(media_type).unwrap_or_default();
        if media_type == "application/cloudevents-batch+json" {
            let detail = "content-type: batches are not read; publish one event a message";
            return Err(Rejected::new(BadReason::BadAttribute, detail));
        }
        let from_headers = header_attributes(headers);
        if media_type != "application/cloudevents+json" && from_headers.contains_key("specversion") {
            return Ok(Self { attributes: from_headers, data: body });
        }
        let Value::Object(mut attributes) = body else {
            return Err(Rejected::new(BadReason::BadAttribute, "the body is not a JSON object"));
        };
        let data = attributes.remove("data").unwrap_or(Value::Null);
        Ok(Self { attributes, data })
    }

    /// A required attribute: non-empty text without control characters, at most 1024 bytes.
    pub(super) fn required(&self, name: &str) -> Result<&str, Rejected> {
        self.optional(name)?
            .ok_or_else(|| Rejected::at(BadReason::MissingAttribute, format!("/{name}"), "is missing"))
    }

    /// An attribute that may be absent or null.
    pub(super) fn optional(&self, name: &str) -> Result<Option<&str>, Rejected> {
        let bad = |what: &str| Err(Rejected::at(BadReason::BadAttribute, format!("/{name}"), what));
        match self.attributes.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => bad("is empty"),
            // The type is also the routing key, which AMQP bounds.
            Some(Value::String(text)) if name == "type" && text.len() > 255 => {
                bad("is longer than 255 bytes")
            }
            Some(Value::String(text)) if text.len() > 1024 => bad("is longer than 1024 bytes"),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                bad("holds a control character")
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => bad("is not a string"),
        }
    }

    /// An attribute that is present in any form.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }
}

/// `type/subtype` in lower case, without parameters.
fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn header_attributes(headers: &BTreeMap<String, String>) -> Map<String, Value> {
    let attribute =
        |name: &str| HEADER_PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).map(str::to_owned);
    headers
        .iter()
        .filter_map(|(name, value)| Some((attribute(name)?, Value::String(value.clone()))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_byte_by_byte() {
        let headers = [("ce-id".to_owned(), "行\n1".to_owned())].into();
        let raw = RawEvent {
            body: b"{\n\x00\xff}".to_vec(),
            content_type: Some("application/json".to_owned()),
            headers,
        };
        let again = RawEvent::unpack(&raw.pack()).expect("packed");
        assert_eq!(
            (again.body, again.content_type, again.headers),
            (raw.body, raw.content_type, raw.headers)
        );
        assert!(RawEvent::unpack(b"no line").is_none() && RawEvent::unpack(b"{}\n").is_none());
    }
}
