//! Was this customer told, when, how, and if not why: from the ledger, beside the worker that writes it.

use serde_json::{Value, json};

use crate::events::{event, mobile, reachable, withdrawal, withdrawal_to};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, printed};
use crate::reading::names_somebody;
use crate::support::{Postgres, Worker};

const EMAIL: &str = "taro@example.jp";

/// What `trace` prints, after it ended with `code`.
#[track_caller]
fn trace(house: &House, worker: &Worker, code: i32, arguments: &[&str]) -> String {
    let output = house.run(worker, &[&["trace"], arguments].concat());
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(!names_somebody(&text), "personal data: {text}");
    text
}

#[track_caller]
fn stories(house: &House, worker: &Worker, arguments: &[&str]) -> Vec<Value> {
    let text = trace(house, worker, 0, &[arguments, &["--json"]].concat());
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[track_caller]
fn assert_contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
}

/// The same for both engines.
fn assert_tells_each_attempt_and_finds_a_recipient_again(house: House) {
    let gateway =
        Gateway::scripted(|_, before| if before == 0 { Answer::Status(429) } else { Answer::Accept });
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, EMAIL)));
    house.publish(&withdrawal(2));
    house.wait_ended(2);

    let words = trace(&house, &worker, 0, &["withdrawal-1"]);
    assert_contains(
        &words,
        &[
            "security.withdrawal.requested from /e2e (critical)",
            "told, ",
            "current.sms: accepted by gateway-1",
            "mobile number with prefix 090",
            "throttled (rate_limit, HTTP 429)",
            "accepted as m-",
        ],
    );
    let [story] = stories(&house, &worker, &["withdrawal-1"]).try_into().expect("one");
    assert_eq!((&story["state"], &story["deaths"]), (&json!("done"), &json!(0)));
    let told = &story["notifications"][0];
    assert_eq!((&told["state"], &told["gateway"]), (&json!("accepted"), &json!("gateway-1")));
    let outcomes: Vec<_> =
        told["attempts"].as_array().expect("attempts").iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["throttled", "accepted"]);
    assert_eq!(told["attempts"][1]["provider_id"], told["provider_id"]);
    let asked = gateway.asked().into_iter().find(|sms| sms.to == mobile(1)).expect("asked");
    assert_eq!(told["reference"], asked.reference);

    // However it is written, and whatever runs.
    let number = mobile(1);
    let written = format!("+81 {}-{}-{}", &number[1..3], &number[3..7], &number[7..]);
    for recipient in [&number, &written] {
        let found = stories(&house, &worker, &["--recipient", recipient]);
        assert_eq!(found.iter().map(|story| &story["event_id"]).collect::<Vec<_>>(), ["withdrawal-1"]);
    }
    assert_contains(&trace(&house, &worker, 0, &["--recipient", &number]), &["→ current.sms"]);
    house.stop_and_assert_empty(&worker);
    assert_eq!(stories(&house, &worker, &["withdrawal-2"]).len(), 1, "after the worker has ended, too");
}

#[test]
fn each_attempt_is_told_and_a_recipient_is_found_again_on_sqlite() {
    assert_tells_each_attempt_and_finds_a_recipient_again(House::new("trace-sqlite"));
}

#[test]
fn each_attempt_is_told_and_a_recipient_is_found_again_on_postgresql() {
    let ledger = format!("url = \"{}\"", Postgres::shared().create_database("trace"));
    assert_tells_each_attempt_and_finds_a_recipient_again(
        House::new("trace-postgres").set("ledger", &ledger),
    );
}

#[test]
fn a_fallback_tells_why_and_a_dead_event_how_to_put_it_back() {
    let gateway = Gateway::always(Answer::Status(422));
    let (house, _sandbox) = House::new("trace-fallback").sandbox();
    // Message-IDs hold the sender's domain, which must not look like a customer's here.
    let house = house.gateways(&[gateway.url()]).set("email", r#"from = "見本 <no-reply@bank.test>""#);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, EMAIL)));
    house.publish(&withdrawal(2));
    house.wait_ended(2);
    let told = trace(&house, &worker, 0, &["withdrawal-1"]);
    assert_contains(
        &told,
        &[
            "current.sms: given up: recipient",
            "permanent (recipient, HTTP 422)",
            "current.email: accepted by mta",
            "sms failed for good",
        ],
    );
    let found = stories(&house, &worker, &["--recipient", &EMAIL.to_uppercase()]);
    assert_eq!(found.len(), 1, "addresses in any case");
    house.dead_letters(1);
    let dead = trace(&house, &worker, 0, &["withdrawal-2"]);
    assert_contains(&dead, &["given up 1 time(s), refused", "dead replay --id withdrawal-2"]);
    house.stop_and_assert_empty(&worker);
}

#[test]
fn what_nobody_knows_of_says_what_that_may_mean_and_what_is_no_recipient_is_wrong_usage() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("trace-nothing").gateways(&[gateway.url()]);
    let worker = house.start();
    for source in ["/a", "/b"] {
        let mut one =
            event("security.login", "same-id", json!({"recipient": {"user_id": "U", "phone": mobile(3)}}));
        one["data"]["device"] = json!({"os": "iOS"});
        one["source"] = json!(source);
        house.publish(&one);
    }
    house.wait_ended(2);
    assert_eq!(stories(&house, &worker, &["same-id"]).len(), 2);
    assert_eq!(stories(&house, &worker, &["same-id", "--source", "/b"]).len(), 1);
    let nothing = trace(&house, &worker, 1, &["no-such-event"]);
    assert_contains(&nothing, &["no-such-event", "ledger.retention", "dead list --id no-such-event"]);
    trace(&house, &worker, 1, &["--recipient", "090-7777-7777"]);
    trace(&house, &worker, 2, &["--recipient", "nobody"]);
    house.stop_and_assert_empty(&worker);
}
