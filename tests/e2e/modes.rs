//! CloudEvents in binary mode: attributes in headers, data as the body.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde_json::Value;

use crate::events::{login, mobile};
use crate::gateway::{Answer, Gateway};
use crate::house::House;

#[test]
fn events_in_binary_mode_are_delivered_and_stay_whole_on_a_retry() {
    let gateway =
        Gateway::scripted(|_, before| if before == 0 { Answer::Status(500) } else { Answer::Accept });
    let house = House::new("binary").gateways(&[gateway.url()]);
    let worker = house.start();
    for (n, prefix) in ["ce-", "cloudEvents_", "cloudEvents:"].into_iter().enumerate() {
        publish(&house, &login(n), prefix, "application/json");
    }
    house.wait_ended(3);
    let mut numbers: Vec<String> = gateway.accepted().into_iter().map(|sms| sms.to).collect();
    numbers.sort();
    assert_eq!(numbers, [mobile(0), mobile(1), mobile(2)]);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_dead_letter_keeps_the_headers_that_hold_its_attributes() {
    let house = House::new("binary-dead");
    let worker = house.start();
    let mut event = login(1);
    event["data"]["device"] = Value::Null;
    publish(&house, &event, "ce-", "application/json; charset=utf-8");
    let dead = house.dead_letters(1);
    assert_eq!(dead[0].header("x-shirase-reason"), "schema");
    assert_eq!(dead[0].header("ce-id"), "login-1");
    assert_eq!(dead[0].body, event["data"].to_string().into_bytes());
    house.stop_and_assert_empty(&worker);
}

fn publish(house: &House, event: &Value, prefix: &str, content_type: &str) {
    let mut headers = FieldTable::default();
    for name in ["specversion", "id", "source", "type", "time"] {
        let value = event[name].as_str().expect("text");
        headers.insert(format!("{prefix}{name}").into(), AMQPValue::LongString(LongString::from(value)));
    }
    let properties = BasicProperties::default().with_headers(headers).with_content_type(content_type.into());
    let kind = event["type"].as_str().expect("a type");
    house.amqp.publish_with(&house.exchange(), kind, event["data"].to_string().as_bytes(), properties);
}
