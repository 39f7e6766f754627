//! What of a message's properties is read, and what is kept when we publish it again.

use std::collections::BTreeMap;

use jiff::Timestamp;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::header;

/// Headers that are not carried on. `CC` and `BCC` would send copies to the sender's other queues; what the broker
/// noted about earlier dead-lettering (`x-death` and the like) could make it see a cycle and drop the message.
const LEFT_BEHIND: [&str; 5] = ["CC", "BCC", "x-death", "x-delivery-count", "x-opt-deaths"];
const LEFT_BEHIND_PREFIXES: [&str; 2] = ["x-first-death-", "x-last-death-"];

/// The message's headers as text; times as RFC 3339, as CloudEvents wants them.
pub(super) fn text_headers(properties: &BasicProperties) -> BTreeMap<String, String> {
    let headers = properties.headers().iter().flat_map(FieldTable::inner);
    headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

pub(super) fn text(value: &AMQPValue) -> Option<String> {
    Some(match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::ShortString(text) => text.to_string(),
        AMQPValue::Timestamp(seconds) => {
            Timestamp::from_second(i64::try_from(*seconds).ok()?).ok()?.to_string()
        }
        AMQPValue::ShortShortInt(number) => number.to_string(),
        AMQPValue::ShortShortUInt(number) => number.to_string(),
        AMQPValue::ShortInt(number) => number.to_string(),
        AMQPValue::ShortUInt(number) => number.to_string(),
        AMQPValue::LongInt(number) => number.to_string(),
        AMQPValue::LongUInt(number) => number.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        _ => return None,
    })
}

/// What a message keeps of its properties when we publish it again, with headers of ours.
///
/// Also left out: `user_id`, which the broker refuses unless it is our own, and `expiration`, which would let a dead
/// letter vanish.
pub(super) fn carried<const N: usize>(
    properties: &BasicProperties,
    ours: [(&str, String); N],
) -> BasicProperties {
    let theirs = properties.headers().iter().flat_map(FieldTable::inner);
    let mut headers: BTreeMap<ShortString, AMQPValue> = theirs
        .filter(|(name, _)| !is_left_behind(name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, value) in ours {
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
    }
    let mut carried = BasicProperties::default().with_headers(headers.into());
    if let Some(content_type) = properties.content_type() {
        carried = carried.with_content_type(content_type.clone());
    }
    if let Some(message_id) = properties.message_id() {
        carried = carried.with_message_id(message_id.clone());
    }
    if let Some(correlation_id) = properties.correlation_id() {
        carried = carried.with_correlation_id(correlation_id.clone());
    }
    if let Some(timestamp) = properties.timestamp() {
        carried = carried.with_timestamp(*timestamp);
    }
    carried
}

/// What a dead letter keeps of its properties on the way back to its lane. Why and when it died stays behind, and its
/// attempts start over; how often it died goes along.
pub(super) fn revived(properties: &BasicProperties) -> BasicProperties {
    let carried = carried(properties, []);
    let mut headers = carried.headers().as_ref().map(|table| table.inner().clone()).unwrap_or_default();
    for name in [header::REASON, header::DETAIL, header::ATTEMPTS, header::DIED_AT] {
        headers.remove(name);
    }
    carried.with_headers(headers.into())
}

pub(super) fn is_left_behind(name: &str) -> bool {
    LEFT_BEHIND.contains(&name) || LEFT_BEHIND_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(headers: &[(&str, AMQPValue)]) -> BasicProperties {
        let headers: BTreeMap<ShortString, AMQPValue> =
            headers.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        BasicProperties::default().with_headers(headers.into())
    }

    #[test]
    fn what_belongs_to_the_sender_or_the_broker_is_not_carried_on() {
        let long = |text: &str| AMQPValue::LongString(text.into());
        let sent = properties(&[
            ("ce-id", long("1")),
            ("CC", long("other")),
            ("x-death", long("x")),
            ("x-first-death-queue", long("x")),
        ])
        .with_user_id("upstream".into())
        .with_expiration("1000".into())
        .with_content_type("application/json".into());
        let carried = carried(&sent, [("x-shirase-attempts", "3".to_owned())]);
        let names: Vec<String> = text_headers(&carried).into_keys().collect();
        assert_eq!(names, ["ce-id", "x-shirase-attempts"]);
        assert_eq!((carried.user_id(), carried.expiration()), (&None, &None));
        assert!(carried.content_type().is_some());
    }

    #[test]
    fn a_dead_letter_goes_back_with_its_deaths_and_without_its_attempts() {
        let long = |text: &str| AMQPValue::LongString(text.into());
        let dead = properties(&[
            ("ce-id", long("1")),
            ("x-death", long("x")),
            (header::REASON, long("exhausted")),
            (header::DETAIL, long("x")),
            (header::ATTEMPTS, long("7")),
            (header::DIED_AT, long("2026-11-22T06:04:05Z")),
            (header::DEATHS, long("2")),
        ])
        .with_message_id("m-1".into());
        let revived = revived(&dead);
        let left = [("ce-id", "1"), (header::DEATHS, "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(text_headers(&revived), BTreeMap::from(left));
        assert_eq!(revived.message_id(), dead.message_id());
    }

    #[test]
    fn a_native_time_reads_as_rfc_3339() {
        let headers = text_headers(&properties(&[("cloudEvents:time", AMQPValue::Timestamp(1_795_327_445))]));
        assert_eq!(headers["cloudEvents:time"], "2026-11-22T06:04:05Z");
    }
}
