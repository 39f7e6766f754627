//! What can't be used ends in the dead-letter queue as it came, says why without giving anybody away, and holds nobody
//! up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use lapin::BasicProperties;
use serde_json::{Value, json};

use crate::amqp::Amqp;
use crate::events::{ago, event, login, mobile};
use crate::gateway::{Answer, Gateway};
use crate::house::House;
use crate::support::{RabbitMq, http_get};

/// What the events below carry and nobody may see.
const SECRETS: [&str; 5] = ["99998888", "9999-8888", "secret.person", "秘密", "U-SECRET"];

struct Bad {
    name: &'static str,
    body: Vec<u8>,
    reason: &'static str,
    content_type: &'static str,
}

/// Each with an id of its own: the same id would be the same event.
fn sample() -> Value {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("bad-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let recipient = json!({
        "user_id": "U-SECRET", "name": "秘密 太郎", "phone": "090-9999-8888", "email": "secret.person@example.jp"
    });
    event("security.login", &id, json!({"recipient": recipient, "device": {"os": "iOS"}}))
}

fn changed(pointer: &str, value: Value) -> Vec<u8> {
    let mut event = sample();
    *event.pointer_mut(pointer).expect("in the sample") = value;
    event.to_string().into_bytes()
}

fn without(name: &str) -> Vec<u8> {
    let mut event = sample();
    event.as_object_mut().expect("an object").remove(name).expect("in the sample");
    event.to_string().into_bytes()
}

fn with(name: &str, value: Value) -> Vec<u8> {
    let mut event = sample();
    event[name] = value;
    event.to_string().into_bytes()
}

fn cases() -> Vec<Bad> {
    let whole = sample().to_string();
    let secret_key = json!({"秘密": {"090-9999-8888": "secret.person@example.jp"}});
    let mut bad_utf8 = whole.clone().into_bytes();
    let middle = whole.find("iOS").expect("in the sample");
    bad_utf8[middle] = 0xff;
    let nested = |depth: usize| format!("{}\"秘密\"{}", "[".repeat(depth), "]".repeat(depth));
    let recipient = |recipient| changed("/data/recipient", recipient);

    [
        ("nothing", vec![], "not_json"),
        ("text", b"hello 090-9999-8888".to_vec(), "not_json"),
        ("ends in the middle", whole.as_bytes()[..whole.len() - 30].to_vec(), "not_json"),
        ("two documents", format!("{whole}{whole}").into_bytes(), "not_json"),
        ("an array", format!("[{whole}]").into_bytes(), "bad_attribute"),
        ("a number", b"09099998888".to_vec(), "not_json"),
        ("invalid UTF-8", bad_utf8, "invalid_utf8"),
        ("deep in data", whole.replace("\"iOS\"", &nested(200)).into_bytes(), "too_deep"),
        ("deep and unclosed", "[".repeat(100_000).into_bytes(), "too_deep"),
        ("257 KiB", with("padding", json!("秘密".repeat(257 * 1024 / 6))), "too_large"),
        ("2 MiB", with("padding", json!("x".repeat(2 * 1024 * 1024))), "too_large"),
        ("no id", without("id"), "missing_attribute"),
        ("no source", without("source"), "missing_attribute"),
        ("no type", without("type"), "missing_attribute"),
        ("no time", without("time"), "missing_attribute"),
        ("no specversion", without("specversion"), "missing_attribute"),
        ("no data", without("data"), "missing_attribute"),
        ("an id of the wrong type", changed("/id", json!(["090-9999-8888"])), "bad_attribute"),
        ("an empty source", changed("/source", json!("")), "bad_attribute"),
        ("CloudEvents 0.3", changed("/specversion", json!("0.3")), "bad_attribute"),
        (
            "data in base64",
            {
                let mut event = sample();
                event.as_object_mut().expect("an object").remove("data");
                event["data_base64"] = json!("e30=");
                event.to_string().into_bytes()
            },
            "bad_attribute",
        ),
        ("an unknown type", changed("/type", json!("security.unheard.of")), "unknown_type"),
        (
            "a type that gives somebody away",
            changed("/type", json!("secret.person@example.jp")),
            "unknown_type",
        ),
        ("a time in words", changed("/time", json!("秘密")), "bad_time"),
        ("a time without a zone", changed("/time", json!("2026-11-22T06:04:05")), "bad_time"),
        ("a time next year", changed("/time", json!("2199-01-01T00:00:00Z")), "bad_time"),
        ("expires in words", with("expires", json!("090-9999-8888")), "bad_time"),
        ("older than max_age", changed("/time", json!(ago(SignedDuration::from_hours(7)))), "expired"),
        ("past expires", with("expires", json!(ago(SignedDuration::from_secs(1)))), "expired"),
        ("data as text", changed("/data", json!("秘密")), "schema"),
        ("a recipient as text", recipient(json!("090-9999-8888")), "schema"),
        ("a recipient without user_id", recipient(json!({"phone": "090-9999-8888"})), "schema"),
        (
            "a phone as a number",
            recipient(json!({"user_id": "U-SECRET", "phone": 9_099_998_888_u64})),
            "schema",
        ),
        (
            "a wish that is none",
            recipient(json!({"user_id": "U", "settings": {"channel": "秘密"}})),
            "schema",
        ),
        (
            "a by_type with secrets as keys",
            recipient(json!({"user_id": "U", "settings": {"by_type": secret_key}})),
            "schema",
        ),
        ("a device as text", changed("/data/device", json!("秘密")), "schema"),
        ("no address at all", recipient(json!({"user_id": "U-SECRET"})), "no_address"),
        (
            "no usable address",
            recipient(json!({"user_id": "U-SECRET", "phone": "03-9999-8888", "email": "secret.person"})),
            "no_address",
        ),
    ]
    .into_iter()
    .map(|(name, body, reason)| Bad { name, body, reason, content_type: "application/cloudevents+json" })
    .chain([Bad {
        name: "a batch",
        body: format!("[{whole}]").into_bytes(),
        reason: "bad_attribute",
        content_type: "application/cloudevents-batch+json",
    }])
    .collect()
}

#[test]
fn bad_input_is_dead_lettered_unchanged_with_its_reason_and_the_next_event_is_delivered() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("bad-input").gateways(&[gateway.url()]);
    let worker = house.start();
    let cases = cases();
    for case in &cases {
        // Straight into the queue: what can't be read can't be routed by its type.
        let properties = BasicProperties::default()
            .with_message_id(case.name.into())
            .with_content_type(case.content_type.into());
        house.amqp.publish_with("", &house.queue("standard"), &case.body, properties);
    }
    house.publish(&as_large_as_may_be(login(1)));
    house.wait_ended(cases.len() + 1);

    let dead = house.dead_letters(cases.len());
    assert_eq!(dead.len(), cases.len());
    let dead: BTreeMap<_, _> = dead.iter().map(|dead| (dead.message_id.as_str(), dead)).collect();
    for Bad { name, body, reason, .. } in &cases {
        let dead = dead.get(name).unwrap_or_else(|| panic!("no dead letter: {name}"));
        assert_eq!(dead.header("x-shirase-reason"), *reason, "{name}: {:?}", dead.headers);
        assert!(!dead.header("x-shirase-detail").is_empty(), "{name}: {:?}", dead.headers);
        assert_eq!(dead.header("x-shirase-attempts"), "1", "{name}: {:?}", dead.headers);
        assert!(dead.body == *body, "{name}: the body has changed");
        assert_eq!(dead.delivery_mode, Some(2), "{name}: lost when the broker restarts");
        assert_tells_nothing(&format!("{:?}", dead.headers), name);
    }
    assert_eq!(gateway.asked().iter().map(|sms| sms.to.clone()).collect::<Vec<_>>(), [mobile(1)]);
    for (reason, count) in counts(&cases) {
        let counted = house.metric("shirase_dead_letters_total", &[("reason", reason)]);
        assert_eq!(counted, count as f64, "{reason}");
    }
    let metrics = http_get(house.http, "/metrics").1;
    assert!(!metrics.contains("unheard"), "an unknown type has become a label");
    assert_tells_nothing(&metrics, "metrics");
    house.stop_and_assert_empty(&worker);
    assert_tells_nothing(&worker.log(), "log");
}

/// Exactly 256 KiB.
fn as_large_as_may_be(mut event: Value) -> Value {
    event["padding"] = json!("");
    event["padding"] = json!("x".repeat(256 * 1024 - event.to_string().len()));
    event
}

/// The dead-letter queue is where events are kept until somebody looks: upstream's own expiration must not empty it. And
/// a user id, which the broker refuses from anybody else, must not keep a message from getting there.
#[test]
fn what_upstream_put_on_a_message_does_not_lose_its_dead_letter_or_its_retry() {
    let broker = RabbitMq::shared();
    broker.ctl(&["add_user", "upstream", "secret"]);
    broker.ctl(&["set_permissions", "upstream", ".*", ".*", ".*"]);
    let gateway =
        Gateway::scripted(|_, before| if before == 0 { Answer::Status(500) } else { Answer::Accept });
    let house = House::new("properties").gateways(&[gateway.url()]);
    let worker = house.start();
    let upstream = Amqp::new(&broker.url().replace("guest:guest", "upstream:secret"));
    let properties =
        BasicProperties::default().with_expiration("600000".into()).with_user_id("upstream".into());
    for body in [b"bad".to_vec(), login(1).to_string().into_bytes()] {
        upstream.publish_with("", &house.queue("standard"), &body, properties.clone());
    }
    house.wait_ended(2);
    let dead = house.dead_letters(1);
    assert_eq!((dead[0].body.as_slice(), dead[0].expiration.as_deref()), (b"bad".as_slice(), None));
    assert_eq!(gateway.accepted().len(), 1);
    house.stop_and_assert_empty(&worker);
}

#[track_caller]
fn assert_tells_nothing(text: &str, place: &str) {
    for secret in SECRETS {
        let found = text.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "{place} holds {secret}: {found:?}");
    }
}

fn counts(cases: &[Bad]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for case in cases {
        *counts.entry(case.reason).or_default() += 1;
    }
    counts
}
