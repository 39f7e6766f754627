//! `shirase trace`: was this customer told, when, how, and if not, why; beside a worker and after it. What it finds, and
//! what it says when it finds nothing, is in `look_up.rs`.

use std::process::Output;

use serde_json::{Value, json};
use shirase::sandbox::Sandbox;

use crate::events::{mobile, now, reachable, withdrawal, withdrawal_to};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE, printed};
use crate::reading::names_somebody;
use crate::support::{Postgres, Worker, eventually};

/// `shirase trace ARGUMENTS`, which names nobody.
#[track_caller]
pub fn trace(house: &House, worker: &Worker, arguments: &[&str]) -> Output {
    let ended = house.run(worker, &[&["trace"], arguments].concat());
    let text = printed(&ended);
    assert!(!names_somebody(&text) && !text.contains("1234-5678"), "somebody is named in\n{text}");
    ended
}

/// What it says to a person about what it found.
#[track_caller]
pub fn words(house: &House, worker: &Worker, arguments: &[&str]) -> String {
    let ended = trace(house, worker, arguments);
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", printed(&ended));
    printed(&ended)
}

/// What it says to a program.
#[track_caller]
pub fn lines(house: &House, worker: &Worker, arguments: &[&str]) -> Vec<Value> {
    let text = words(house, worker, &[arguments, &["--json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
}

/// Each part stands in the text, behind the one before.
#[track_caller]
pub fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            panic!("no {part:?} where it should be in\n{text}")
        };
        rest = behind;
    }
}

/// Its own domain, which message ids hold, is none of the customers'.
pub fn with_mail(name: &str) -> (House, Sandbox) {
    House::new(name).set("email", r#"from = "no-reply@house.test""#).sandbox()
}

/// 503 at first, then accepted.
fn at_the_second_try() -> Gateway {
    Gateway::scripted(|_, before| if before == 0 { Answer::Status(503) } else { Answer::Accept })
}

#[test]
fn a_customer_told_at_the_second_try_shows_both_tries_while_the_worker_runs_and_after_it() {
    let gateway = at_the_second_try();
    told_at_the_second_try(House::new("trace-retry").gateways(&[gateway.url()]), &gateway);
}

#[test]
fn a_ledger_on_postgresql_tells_the_same() {
    let gateway = at_the_second_try();
    let url = format!("url = \"{}\"", Postgres::shared().create_database("trace"));
    told_at_the_second_try(House::new("trace-pg").gateways(&[gateway.url()]).set("ledger", &url), &gateway);
}

#[track_caller]
fn told_at_the_second_try(house: House, gateway: &Gateway) {
    let worker = house.start();
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    let running = words(&house, &worker, &["withdrawal-1"]);
    assert_in_order(
        &running,
        &[
            "withdrawal-1: told\n",
            "security.withdrawal.requested from /e2e, lane critical",
            "happened",
            " JST",
            "after the event",
            "current.sms: accepted by gateway-1, ",
            "may have arrived twice: 1 attempt without a clear answer",
            "mobile number with prefix 090",
            "its id m-1",
            &gateway.asked()[0].reference,
            "gateway-1  unknown",
            "server: HTTP 503",
            "gateway-1  accepted",
            "its id m-1",
        ],
    );
    let json = lines(&house, &worker, &["withdrawal-1"]);
    let mut later = withdrawal(1);
    later["id"] = json!("later");
    house.publish(&later);
    house.wait_ended(2);
    house.stop(&worker);
    let told = lines(&house, &worker, &["--recipient", &mobile(1)]);
    assert_eq!(told.iter().map(|one| &one["event_id"]).collect::<Vec<_>>(), ["later", "withdrawal-1"]);
    assert_eq!(words(&house, &worker, &["withdrawal-1"]), running);
    assert_eq!(lines(&house, &worker, &["withdrawal-1"]), json);
}

#[test]
fn a_program_reads_a_whole_story_a_line() {
    let gateway = at_the_second_try();
    let house = House::new("trace-json").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    let found = lines(&house, &worker, &["withdrawal-1"]);
    assert_eq!(found.len(), 1);
    let story = &found[0];
    for (field, value) in [
        ("event_id", json!("withdrawal-1")),
        ("source", json!("/e2e")),
        ("type", json!("security.withdrawal.requested")),
        ("lane", json!("critical")),
        ("state", json!("done")),
        ("reason", Value::Null),
        ("deaths", json!(0)),
    ] {
        assert_eq!(story[field], value, "{field}");
    }
    let notification = &story["notifications"][0];
    for (field, value) in [
        ("target", json!("current.sms")),
        ("state", json!("accepted")),
        ("why", json!("mobile number with prefix 090")),
        ("gateway", json!("gateway-1")),
        ("provider_id", json!("m-1")),
        ("reference", json!(gateway.asked()[0].reference)),
        ("unknowns", json!(1)),
        ("not_before", Value::Null),
    ] {
        assert_eq!(notification[field], value, "{field}");
    }
    assert_eq!(notification["recipient"].as_str().map(str::len), Some(32), "whole");
    assert!(notification["template_version"].as_str().is_some_and(|version| !version.is_empty()));
    let attempts = notification["attempts"].as_array().expect("a list");
    let of = |field: &str| attempts.iter().map(|one| one[field].clone()).collect::<Vec<_>>();
    assert_eq!(of("outcome"), ["unknown", "accepted"]);
    assert_eq!(of("reason"), [json!("server"), Value::Null]);
    assert!(attempts.iter().all(|one| one["ms"].is_u64() && one["gateway"] == "gateway-1"));
    let times = [&story["time"], &story["first_seen"], &story["updated_at"], &attempts[0]["at"]];
    for time in times {
        let text = time.as_str().expect("a time");
        assert!(
            text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok_and(|time| time <= now()),
            "{text}"
        );
    }
}

#[test]
fn a_fallback_says_why_it_was_taken() {
    let gateway = Gateway::always(Answer::Status(422));
    let (house, _sandbox) = with_mail("trace-fallback");
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    assert_in_order(
        &words(&house, &worker, &["withdrawal-1"]),
        &[
            "withdrawal-1: told\n",
            "current.sms: given up: ",
            "(HTTP 422",
            "gateway-1  permanent",
            "current.email: accepted by mta, ",
            "sms failed for good",
            "mta  accepted",
        ],
    );
}

#[test]
fn a_dead_letter_names_the_command_that_replays_it_and_the_command_works() {
    let gateway = Gateway::always(Answer::Status(422));
    let house = House::new("trace-dead").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    eventually(PATIENCE, "the ledger to know of the dead letter", || {
        let text = words(&house, &worker, &["withdrawal-1"]);
        text.contains("withdrawal-1: given up: refused (refused for good)\n").then_some(())
    });
    let text = words(&house, &worker, &["withdrawal-1"]);
    let config = worker.config_file();
    let command = format!("shirase dead replay --id withdrawal-1 --config {}\n", config.display());
    assert_in_order(&text, &["given up", "once; ", &command, "current.sms: given up: ", "permanent"]);

    gateway.script(|_, _| Answer::Accept);
    let replayed = house.run(&worker, &["dead", "replay", "--id", "withdrawal-1"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", printed(&replayed));
    house.wait_metric("shirase_events_total", &[("result", "done")], 1.0);
    let text = words(&house, &worker, &["withdrawal-1"]);
    assert_in_order(&text, &["withdrawal-1: told\n", "once, and put back", "permanent", "accepted"]);
}

#[test]
fn what_is_being_sent_says_until_when_its_claim_lasts() {
    let gateway = Gateway::always(Answer::Hang);
    let house = House::new("trace-open").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal(1));
    gateway.wait_asked(1);
    let text = words(&house, &worker, &["withdrawal-1"]);
    assert_in_order(
        &text,
        &["withdrawal-1: not finished\n", "being sent through gateway-1; its claim lasts until"],
    );
    worker.kill();
    house.wait_unconsumed();
    gateway.script(|_, _| Answer::Accept);
    house.start_again(&worker);
    house.wait_ended(1);
    let text = words(&house, &worker, &["withdrawal-1"]);
    assert_in_order(
        &text,
        &[
            "accepted by gateway-1",
            "may have arrived twice: 1 attempt without a clear answer",
            "lost: the worker ended or stalled before the answer",
            "accepted",
        ],
    );
}
