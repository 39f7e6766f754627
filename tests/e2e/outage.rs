//! No way out at all: the lanes pause, `/readyz` says why, and when a gateway is back everything arrives once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shirase::sandbox::{MailFault, SmsFault, Stage, StatusCode};

use crate::events::{login, withdrawal_to};
use crate::house::{House, PATIENCE};
use crate::support::{eventually, try_http_get};

const MANY: usize = 300;

/// Critical lane, by mail alone.
fn mail(n: usize) -> Value {
    withdrawal_to(n, json!({"user_id": format!("U{n}"), "email": format!("u{n}@example.jp")}))
}

fn readiness(house: &House) -> Option<(u16, String)> {
    try_http_get(house.http, "/readyz").ok()
}

#[test]
fn with_no_way_out_the_lanes_pause_and_when_one_is_back_all_is_told_once() {
    let (house, sandbox) = House::new("outage").sandbox();
    let house = house
        .breakers(r#"open_for = "1s", open_for_at_most = "2s""#)
        .set("retry", r#"schedule = ["1s", "1s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s"]"#);
    sandbox.misbehave_sms(|_| Some(SmsFault::refuse(StatusCode::UNAUTHORIZED)));
    sandbox.misbehave_mail(|stage, _| (stage == Stage::Mail).then_some(MailFault::Unavailable));
    let worker = house.start();
    house.publish_all(&(0..10).flat_map(|n| [login(n), mail(n)]).collect::<Vec<_>>());
    let said = eventually(PATIENCE, "both channels to be failing", || {
        readiness(&house).filter(|(status, text)| {
            *status == 503 && text.matches(": every gateway is failing (").count() == 2
        })
    });
    assert!(said.1.contains("sms: every gateway is failing (gateway-1: credentials for "), "{said:?}");
    assert!(said.1.contains("email: every gateway is failing (mta: server for "), "{said:?}");
    assert_eq!(house.metric("shirase_gateway_up", &[("gateway", "gateway-1")]), 0.0);

    // A lane goes on with an event now and then, for the probes; the others stay where they are.
    let retried = |house: &House| house.metric("shirase_events_total", &[("result", "retried")]);
    house.publish_all(&(10..MANY).map(login).collect::<Vec<_>>());
    let before = retried(&house);
    house.wait_metric("shirase_events_total", &[("result", "retried")], before + 10.0);
    let waiting = house.amqp.look(&house.queue("standard")).expect("a queue").messages as usize;
    assert!(waiting >= MANY / 2, "{waiting} wait");

    sandbox.behave();
    house.wait_ended(MANY + 10);
    let told: BTreeSet<String> = sandbox.sms().into_iter().map(|sms| sms.to).collect();
    assert_eq!((told.len(), sandbox.sms().len(), sandbox.mail().len()), (MANY, MANY, 10), "each once");
    eventually(PATIENCE, "to be ready again", || readiness(&house).filter(|(status, _)| *status == 200));
    let openings = worker.log().lines().filter(|line| line.contains("circuit opened")).count();
    assert!(openings >= 2, "{}", worker.log());
    let said = |what: &str| worker.log().lines().filter(|line| line.contains(what)).count();
    assert_eq!(said("waits for a gateway"), 0, "no line for each");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
