//! What waits in the broker's queues is on the page of metrics.

use serde_json::json;

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::eventually;

/// As the lanes' prefetch of these tests.
const PREFETCH: usize = 16;

#[track_caller]
fn wait_for(house: &House, name: &str, labels: &[(&str, &str)], value: usize) {
    eventually(PATIENCE, &format!("{name} {labels:?} to be {value}"), || {
        (house.metric(name, labels) == value as f64).then_some(())
    });
}

#[test]
fn what_waits_in_a_lane_for_a_retry_and_as_a_dead_letter_is_counted_as_the_broker_says() {
    let gateway = Gateway::scripted(|sms, _| match sms.to.as_str() {
        // Logins hang; withdrawals are refused for now.
        to if to >= "09010001000" => Answer::Hang,
        _ => Answer::Status(503),
    });
    let house = House::new("depth")
        .gateways(&[gateway.url()])
        .breakers("enabled = false")
        .set("gateway", r#"timeout = "120s""#)
        .set("retry", r#"schedule = ["1s", "1h"]"#);
    let worker = house.start();
    house.publish_all(&(1000..1020).map(login).collect::<Vec<_>>());
    house.publish_all(&(0..3).map(withdrawal).collect::<Vec<_>>());
    house.publish(&json!({"type": "security.withdrawal.requested", "id": "no event"}));

    wait_for(&house, "shirase_lane_waiting", &[("lane", "standard")], 20 - PREFETCH);
    wait_for(&house, "shirase_retry_waiting", &[("lane", "critical"), ("step", "3600")], 3);
    wait_for(&house, "shirase_dead_waiting", &[], 1);
    assert_eq!(house.metric("shirase_lane_waiting", &[("lane", "critical")]), 0.0);
    assert_eq!(house.metric("shirase_retry_waiting", &[("lane", "standard")]), 0.0);

    gateway.release();
    wait_for(&house, "shirase_lane_waiting", &[("lane", "standard")], 0);
    house.stop(&worker);
}
