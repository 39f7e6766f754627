//! What upstream has to test itself against: `shirase validate` and `shirase asyncapi`.

use serde_json::{Value, json};

use crate::house::{self, CATALOG, Desk};

fn event(id: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut event =
        house::envelope("security.login", id, house::real_time(), &house::example("security.login", 1));
    change(&mut event);
    event
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

#[test]
fn validate_says_reason_and_json_pointer_as_the_worker_would_and_shows_no_value() {
    let input = lines(&[
        event("good", |_| {}),
        event("os", |event| event["data"]["device"] = json!({"os": ["090-1234-5678"]})),
        event("nobody", |event| event["data"]["recipient"] = json!({"phone": "090-1234-5678"})),
        event("when", |event| event["time"] = json!("090-1234-5678")),
        event("what", |event| event["type"] = json!("security.unheard")),
        event("anonymous", |event| event["id"] = Value::Null),
    ]) + "{\"broken\": 090-1234-5678\n";
    let desk = Desk::new();
    let ran = desk.run_with_input(&["validate", "-", "--json"], &input).expect(1);
    let found: Vec<_> = ran.json_lines();
    let expected = [
        (None, None),
        (Some("schema"), Some("/data/device/os")),
        (Some("schema"), Some("/data/recipient")),
        (Some("bad_time"), Some("/time")),
        (Some("unknown_type"), Some("/type")),
        (Some("missing_attribute"), Some("/id")),
        (Some("not_json"), None),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (index, (judged, (reason, pointer))) in found.iter().zip(expected).enumerate() {
        assert_eq!(judged["line"], index + 1);
        assert_eq!(judged["ok"], reason.is_none(), "{judged}");
        assert_eq!((judged["reason"].as_str(), judged["pointer"].as_str()), (reason, pointer), "{judged}");
        if let Some(pointer) = pointer {
            let event: Value = serde_json::from_str(input.lines().nth(index).expect("a line")).expect("JSON");
            assert!(event.pointer(pointer).is_some(), "{pointer} is a place in the event itself");
        }
    }
    assert!(!ran.out.contains("1234"), "{}", ran.out);
    let words = desk.run_with_input(&["validate", "-"], &input).expect(1);
    assert!(words.out.contains("-:2: schema: /data/device/os: "), "{}", words.out);
    assert!(words.out.ends_with("1 of 7 events would be taken\n"), "{}", words.out);
    assert!(!words.out.contains("1234"), "{}", words.out);
    desk.run_with_input(&["validate", "-"], &event("good", |_| {}).to_string()).expect(0);
}

#[test]
fn validate_takes_binary_mode_with_its_attributes_in_headers() {
    let data = house::example("security.login", 1).to_string();
    let time = format!("ce-time={}", house::real_time());
    let mut arguments = vec!["validate", "-", "--content-type", "application/json"];
    for header in ["ce-specversion=1.0", "ce-id=1", "ce-source=/upstream", "ce-type=security.login", &time] {
        arguments.extend(["--header", header]);
    }
    let desk = Desk::new();
    desk.run_with_input(&arguments, &data).expect(0);
    let without_time = &arguments[..arguments.len() - 2];
    let ran = desk.run_with_input(without_time, &data).expect(1);
    assert!(ran.out.contains("-:1: missing_attribute: /time: is missing"), "{}", ran.out);
    assert!(
        desk.run_with_input(&["validate", "-", "--header", "ce-id"], &data)
            .expect(2)
            .err
            .contains("NAME=VALUE")
    );
}

#[test]
fn the_contract_is_made_of_the_house_s_own_catalog_and_broker_and_shows_no_credentials() {
    let desk = Desk::new()
        .with("SHIRASE_BROKER__URLS__0", "amqps://shirase:geheim@mq.example.jp:5671/notify")
        .with("SHIRASE_BROKER__EXCHANGE", "house.events");
    let ran = desk.run(&["asyncapi"]).expect(0);
    assert!(!ran.out.contains("geheim"), "{}", ran.out);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(document["servers"]["node-1"]["host"], "mq.example.jp:5671");
    assert_eq!(document["servers"]["node-1"]["pathname"], "/notify");
    for kind in CATALOG.iter() {
        let exchange = &document["channels"][&kind.name]["bindings"]["amqp"]["exchange"];
        assert_eq!((&exchange["name"], &exchange["vhost"]), (&json!("house.events"), &json!("notify")));
    }
}
