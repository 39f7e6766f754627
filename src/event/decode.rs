//! From bytes to an [`Event`]: the first step of an event's way. Pure, never panics, never loses: what it cannot use
//! it names.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::envelope::{Attributes, RawEvent};
use super::{BadReason, Catalog, Event, OTHERS_HEADER, Recipient, Rejected, TraceContext};

/// Largest body that is read: 256 KiB.
pub const MAX_EVENT_BYTES: usize = 256 * 1024;

/// serde_json's own limit.
const MAX_DEPTH: usize = 128;

/// How far ahead of our clock an event's `time` may lie. Wide, so that a worker whose clock is hours slow still tells
/// customers; a day ahead is a broken sender, and would defeat `max_age`.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Decodes one event.
///
/// # Errors
/// [`Rejected`]: the reason and where, without any of the event's values.
pub fn decode(raw: &RawEvent, catalog: &Catalog, now: Timestamp) -> Result<Event, Rejected> {
    let attributes = open(raw)?;
    let version = attributes.required("specversion")?;
    if version != "1.0" {
        return Err(Rejected::at(BadReason::BadAttribute, "/specversion", "is not \"1.0\""));
    }
    let id = attributes.required("id")?.to_owned();
    let source = attributes.required("source")?.to_owned();
    let type_name = attributes.required("type")?;
    let time = rfc3339("time", attributes.required("time")?)?;
    if time > now.saturating_add(MAX_AHEAD).unwrap_or(Timestamp::MAX) {
        return Err(Rejected::at(BadReason::BadTime, "/time", "lies more than a day ahead"));
    }
    let kind = catalog.get(type_name).cloned().ok_or_else(|| {
        Rejected::at(BadReason::UnknownType, "/type", "is not in the catalog (config/events.toml)")
    })?;
    let others = raw.headers.get(OTHERS_HEADER).and_then(|text| text.parse().ok());
    let max_age = kind.policy.max_age_of(others.is_some()).signed();
    let deadline = match attributes.optional("expires")? {
        Some(text) => rfc3339("expires", text)?,
        None => time.saturating_add(max_age).unwrap_or(Timestamp::MAX),
    };
    let trace = TraceContext::of(raw, &attributes);
    let data = data(attributes)?;
    if let Some(violation) = kind.schema.violation(&data) {
        return Err(Rejected::at(BadReason::Schema, violation.pointer, violation.detail));
    }
    let recipient = Recipient::from_data(&data);
    Ok(Event { id, source, kind, time, deadline, recipient, data, trace, others })
}

/// What of an event's envelope could be read. None of it is the event's data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// CloudEvents `id`.
    pub id: Option<String>,
    /// CloudEvents `source`.
    pub source: Option<String>,
    /// CloudEvents `type`; may be in no catalog.
    pub event_type: Option<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
}

/// The envelope of an event that need not be a good one, as far as it can be read.
pub fn envelope(raw: &RawEvent) -> Envelope {
    let Ok(attributes) = open(raw) else { return Envelope::default() };
    let text = |name| attributes.optional(name).ok().flatten().map(str::to_owned);
    let time = text("time").and_then(|time| time.parse().ok());
    Envelope { id: text("id"), source: text("source"), event_type: text("type"), time }
}

/// The `id` and `type` of an event as far as they can be read, for logs and messages about one that was rejected.
pub fn peek(raw: &RawEvent) -> (Option<String>, Option<String>) {
    let Envelope { id, event_type, .. } = envelope(raw);
    (id, event_type)
}

fn open(raw: &RawEvent) -> Result<Attributes, Rejected> {
    if raw.body.len() > MAX_EVENT_BYTES {
        let detail = format!("{} bytes; the limit is {MAX_EVENT_BYTES}", raw.body.len());
        return Err(Rejected::new(BadReason::TooLarge, detail));
    }
    let text = str::from_utf8(&raw.body)
        .map_err(|error| Rejected::new(BadReason::InvalidUtf8, format!("at byte {}", error.valid_up_to())))?;
    let body: Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| not_json(text, &error))?;
    Attributes::open(&raw.headers, raw.content_type.as_deref(), body)
}

fn not_json(text: &str, error: &serde_json::Error) -> Rejected {
    if depth(text) > MAX_DEPTH {
        return Rejected::new(BadReason::TooDeep, format!("nested deeper than {MAX_DEPTH} levels"));
    }
    let what = if error.is_eof() { "ends in the middle" } else { "is not JSON" };
    let place = format!("at line {}, column {} of the event", error.line(), error.column());
    Rejected::new(BadReason::NotJson, format!("{what} {place}"))
}

/// How deep brackets nest outside strings, whether or not they balance.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn rfc3339(name: &str, text: &str) -> Result<Timestamp, Rejected> {
    text.parse().map_err(|_| Rejected::at(BadReason::BadTime, format!("/{name}"), "is not an RFC 3339 time"))
}

fn data(attributes: Attributes) -> Result<Value, Rejected> {
    match attributes.data {
        Value::Null if attributes.has("data_base64") => {
            Err(Rejected::at(BadReason::BadAttribute, "/data_base64", "is not read; send JSON in data"))
        }
        Value::Null => Err(Rejected::at(BadReason::MissingAttribute, "/data", "is missing")),
        data => Ok(data),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::assets::Files;

    fn catalog() -> Catalog {
        Catalog::load(&Files::embedded("config")).expect("built-in")
    }

    fn now() -> Timestamp {
        "2026-11-22T06:05:00Z".parse().expect("a time")
    }

    fn sample() -> Value {
        json!({
            "specversion": "1.0", "id": "01JD", "source": "/auth", "type": "security.login.new_device",
            "time": "2026-11-22T06:04:05Z",
            "data": {"recipient": {"user_id": "U1", "phone": "090-1234-5678"}, "device": {"os": "iOS"}}
        })
    }

    fn reason(body: impl Into<Vec<u8>>) -> BadReason {
        decode(&RawEvent::structured(body), &catalog(), now()).expect_err("rejected").reason
    }

    fn changed(pointer: &str, value: Value) -> String {
        let mut event = sample();
        *event.pointer_mut(pointer).expect("in the sample") = value;
        event.to_string()
    }

    #[test]
    fn a_structured_event_is_read_and_its_deadline_comes_from_max_age() {
        let event = decode(&RawEvent::structured(sample().to_string()), &catalog(), now()).expect("good");
        assert_eq!((event.id.as_str(), event.source.as_str()), ("01JD", "/auth"));
        assert_eq!(event.deadline.to_string(), "2026-11-22T12:04:05Z");
    }

    #[test]
    fn expires_overrides_max_age() {
        let mut sample = sample();
        sample["expires"] = json!("2026-11-22T15:10:00+09:00");
        let event = decode(&RawEvent::structured(sample.to_string()), &catalog(), now()).expect("good");
        assert_eq!(event.deadline.to_string(), "2026-11-22T06:10:00Z");
    }

    #[test]
    fn binary_mode_is_read_in_all_three_spellings() {
        for prefix in HEADER_SPELLINGS {
            let sample = sample();
            let headers = ["specversion", "id", "source", "type", "time"]
                .map(|name| (format!("{prefix}{name}"), sample[name].as_str().expect("text").to_owned()));
            let raw = RawEvent {
                body: sample["data"].to_string().into_bytes(),
                content_type: Some("application/json; charset=utf-8".into()),
                headers: headers.into_iter().collect(),
            };
            let event = decode(&raw, &catalog(), now()).unwrap_or_else(|error| panic!("{prefix}: {error}"));
            assert_eq!(event.id, "01JD");
        }
    }

    #[test]
    fn a_trace_comes_from_the_message_s_header_or_the_extension_and_a_bad_one_is_no_reason_to_refuse() {
        let parent = |digit: &str| format!("00-{}-00f067aa0ba902b7-01", digit.repeat(32));
        let trace_id = |extension: Value, header: Option<String>| {
            let mut sample = sample();
            sample["traceparent"] = extension;
            let headers = header.map(|header| ("traceparent".to_owned(), header)).into_iter().collect();
            let raw = RawEvent { headers, ..RawEvent::structured(sample.to_string()) };
            decode(&raw, &catalog(), now()).expect("good").trace_id()
        };
        assert_eq!(trace_id(json!(parent("a")), None), "a".repeat(32));
        assert_eq!(trace_id(json!(parent("a")), Some(parent("b"))), "b".repeat(32));
        assert_eq!(trace_id(json!(parent("a")), Some("bad".to_owned())), "a".repeat(32));
        for bad in [json!(7), json!("bad"), json!(""), Value::Null] {
            assert_eq!(trace_id(bad, None), "");
        }
    }

    const HEADER_SPELLINGS: [&str; 3] = ["ce-", "cloudEvents_", "cloudEvents:"];

    #[test]
    fn each_kind_of_bad_input_has_its_reason() {
        use BadReason::*;
        for (body, expected) in [
            ("".into(), NotJson),
            ("{\"specversion\":".into(), NotJson),
            ("hello".into(), NotJson),
            ("[]".into(), BadAttribute),
            (format!("{}{}", "[".repeat(200), "]".repeat(200)), TooDeep),
            ("[".repeat(100_000), TooDeep),
            ("{}".into(), MissingAttribute),
            (changed("/id", json!(17)), BadAttribute),
            (changed("/id", json!("")), BadAttribute),
            (changed("/id", json!("a\u{1f}b")), BadAttribute),
            (changed("/id", json!(null)), MissingAttribute),
            (changed("/specversion", json!("0.3")), BadAttribute),
            (changed("/time", json!("yesterday")), BadTime),
            (changed("/time", json!("2026-11-22T06:04:05")), BadTime),
            (changed("/time", json!("2027-11-22T06:04:05Z")), BadTime),
            (changed("/type", json!("security.unheard.of")), UnknownType),
            (changed("/data", json!(null)), MissingAttribute),
            (changed("/data", json!("text")), Schema),
            (changed("/data/recipient", json!({})), Schema),
            (changed("/data/device", json!(["x"])), Schema),
        ] {
            assert_eq!(reason(body.clone()), expected, "{}", body.chars().take(80).collect::<String>());
        }
        assert_eq!(reason(vec![b'{', 0xff, b'}']), InvalidUtf8);
        assert_eq!(reason(vec![b' '; MAX_EVENT_BYTES + 1]), TooLarge);
    }

    #[test]
    fn a_rejection_holds_nothing_personal() {
        let secret = "090-9999-8888";
        for body in [
            changed("/data/recipient/user_id", json!([secret])),
            changed("/time", json!(secret)),
            changed("/type", json!(secret)),
            changed("/specversion", json!(secret)),
            format!("{{\"x\": {secret}}}"),
        ] {
            let rejected = decode(&RawEvent::structured(body), &catalog(), now()).expect_err("rejected");
            assert!(!format!("{rejected} {rejected:?}").contains("9999"), "{rejected}");
        }
    }

    proptest! {
        #[test]
        fn decode_never_panics_whatever_the_bytes(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&RawEvent::structured(body), &catalog_once(), now());
        }

        #[test]
        fn decode_never_panics_on_a_damaged_event_and_names_what_it_rejects(
            position in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut body = sample().to_string().into_bytes();
            let position = position.index(body.len());
            body[position] = byte;
            if let Err(rejected) = decode(&RawEvent::structured(body), &catalog_once(), now()) {
                prop_assert!(!rejected.detail.is_empty());
            }
        }
    }

    fn catalog_once() -> Catalog {
        static CATALOG: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(catalog);
        CATALOG.clone()
    }
}
