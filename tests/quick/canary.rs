//! Canaries through the dispatcher: one gateway, one try, no dead letter, and counted where they should be and nowhere else.

use metrics_exporter_prometheus::PrometheusRecorder;
use serde_json::{Value, json};
use shirase::canary::CanaryConfig;
use shirase::config::{Config, Span};
use shirase::dispatch::{Disposition, Report};
use shirase::event::{EmailAddress, PhoneNumber, RawEvent};
use shirase::telemetry::metrics_builder;

use crate::house::Desk;
use crate::pipeline::{World, assert_results, echo, mail_through, sms_through, world};
use crate::script::{Http, Reply, Smtp, Stage};

const PHONE: &str = "090-9999-0001";
const MAILBOX: &str = "canary@bank.example.jp";

/// Through the second of two gateways, or the relay.
fn configured(config: &mut Config, gateway: &str) {
    let by_sms = gateway != "mta";
    config.canary = Some(CanaryConfig {
        every: Span::seconds(60),
        event_type: "security.password.changed".to_owned(),
        gateway: gateway.to_owned(),
        phone: by_sms.then(|| PhoneNumber::parse(PHONE).expect("a number")),
        email: (!by_sms).then(|| EmailAddress::parse(MAILBOX).expect("an address")),
    });
}

async fn by_sms(first: &Http, second: &Http) -> World {
    world(|config| {
        sms_through(config, &[first, second]);
        configured(config, "gateway-2");
    })
    .await
}

/// A canary as the worker sends it.
fn canary(world: &World, id: &str) -> RawEvent {
    world.dispatcher.canary.as_ref().expect("configured").event(id, world.dispatcher.clock.now())
}

async fn fly(world: &World, raw: &RawEvent) -> Report {
    let lane = world.dispatcher.canary.as_ref().expect("configured").lane();
    world.take(raw.clone(), lane, 0).await
}

fn recorder() -> PrometheusRecorder {
    metrics_builder().expect("every histogram has buckets").build_recorder()
}

/// A metric's sum over all its series.
fn sum(recorder: &PrometheusRecorder, name: &str) -> f64 {
    let page = recorder.handle().render();
    let of_it = page.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
    of_it
        .filter(|(labels, _)| labels.is_empty() || labels.starts_with('{'))
        .map(|(_, value)| value.parse::<f64>().expect("a number"))
        .sum()
}

fn results(recorder: &PrometheusRecorder) -> [f64; 2] {
    ["accepted", "failed"]
        .map(|result| sum(recorder, &format!("shirase_canary_total{{result=\"{result}\"}}")))
}

#[track_caller]
fn assert_counts_as_nothing_else(recorder: &PrometheusRecorder) {
    for name in [
        "shirase_events_total",
        "shirase_notifications_total",
        "shirase_notify_seconds_count",
        "shirase_untold_total",
        "shirase_dead_letters_total",
    ] {
        let page = recorder.handle().render();
        assert!(!page.contains(&format!("\n{name}")), "{name} is in\n{page}");
    }
}

/// Nothing of it is left to be told.
async fn assert_ended(world: &World, report: &Report) {
    assert_eq!((&report.disposition, report.burial.is_none()), (&Disposition::Done, true), "{report:?}");
    assert!(world.dispatcher.ledger.oldest().await.expect("open").is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_canary_goes_through_its_gateway_alone_once_and_counts_among_attempts_and_canaries_only() {
    let recorder = recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (first, second) = (Http::always(echo(200)).await, Http::always(echo(200)).await);
    let world = by_sms(&first, &second).await;
    let raw = canary(&world, "c1");
    let report = fly(&world, &raw).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_ended(&world, &report).await;
    let again = fly(&world, &raw).await;
    assert_ended(&world, &again).await;

    assert_eq!((first.requests().len(), second.requests().len()), (0, 1), "a redelivery sends nothing");
    assert_eq!(second.requests()[0].json()["to"], json!(PHONE.replace('-', "")));
    assert_eq!((results(&recorder), sum(&recorder, "shirase_attempts_total")), ([1.0, 0.0], 1.0));
    assert_counts_as_nothing_else(&recorder);
    let last = world.dispatcher.canary.as_ref().and_then(|canary| canary.last_accepted()).expect("seen");
    let at = sum(&recorder, "shirase_canary_last_accepted_timestamp_seconds");
    assert!((at - last.accepted_at.as_duration().as_secs_f64()).abs() < 1e-3, "{at}");
}

#[tokio::test]
async fn a_canary_that_its_gateway_does_not_take_is_no_retry_no_dead_letter_and_nobody_elses_turn() {
    for status in [500, 422, 429, 401] {
        let recorder = recorder();
        let _guard = metrics::set_default_local_recorder(&recorder);
        let (first, second) = (Http::always(echo(200)).await, Http::always(echo(status)).await);
        let world = by_sms(&first, &second).await;
        let raw = canary(&world, "c1");
        let report = fly(&world, &raw).await;
        assert_results(&report, &["current.sms failed"]);
        assert_ended(&world, &report).await;
        assert_ended(&world, &fly(&world, &raw).await).await;
        assert_eq!(
            (first.requests().len(), second.requests().len(), world.sent()),
            (0, 1, (0, 0)),
            "{status}"
        );
        assert_eq!(results(&recorder), [0.0, 1.0], "{status}: a redelivery is no other canary");
        assert_counts_as_nothing_else(&recorder);
    }
}

#[tokio::test]
async fn a_canary_by_mail_falls_back_on_no_sms() {
    let relay = Smtp::at(Stage::Rcpt, Reply::Say("550 5.1.1 unknown\r\n".into())).await;
    let world = world(|config| {
        mail_through(config, &relay);
        configured(config, "mta");
    })
    .await;
    let report = fly(&world, &canary(&world, "c1")).await;
    assert_results(&report, &["current.email failed"]);
    assert_ended(&world, &report).await;
    assert_eq!(world.sent(), (0, 0));
}

#[tokio::test]
async fn a_canary_that_comes_too_late_has_failed_and_is_not_sent() {
    let recorder = recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let gateways = (Http::always(echo(200)).await, Http::always(echo(200)).await);
    let world = by_sms(&gateways.0, &gateways.1).await;
    let raw = canary(&world, "c1");
    world.hands.forward(61);
    let report = fly(&world, &raw).await;
    assert_results(&report, &["current.sms expired"]);
    assert_ended(&world, &report).await;
    assert_ended(&world, &fly(&world, &raw).await).await;
    assert_eq!((gateways.1.requests().len(), results(&recorder)), (0, [0.0, 1.0]));
    assert_counts_as_nothing_else(&recorder);
}

#[tokio::test]
async fn an_event_of_the_canarys_source_for_somebody_else_is_one_as_any_other() {
    let recorder = recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let gateways = (Http::always(echo(200)).await, Http::always(echo(200)).await);
    let world = by_sms(&gateways.0, &gateways.1).await;
    let mut event: Value = serde_json::from_slice(&canary(&world, "c1").body).expect("JSON");
    event["data"]["recipient"] = json!({"user_id": "U1", "phone": "090-1234-5678"});
    let report = world.dispatch(&event, 0).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_eq!(
        (gateways.0.requests().len(), gateways.1.requests().len()),
        (1, 0),
        "the first gateway's turn"
    );
    assert_eq!((results(&recorder), sum(&recorder, "shirase_events_total")), ([0.0, 0.0], 1.0));
}

#[test]
fn check_says_what_canaries_cost_and_which_cannot_be() {
    let desk = Desk::new().with("SHIRASE_CANARY__GATEWAY", "primary").with("SHIRASE_CANARY__PHONE", PHONE);
    let ran = desk.run(&["check"]).expect(0);
    assert!(ran.out.contains("each worker sends 1440 SMS a day through primary"), "{}", ran.out);
    let desk = desk.with("SHIRASE_CANARY__TYPE", "security.contact.changed");
    let ran = desk.run(&["check"]).expect(1);
    assert!(ran.out.contains("canary.type: \"security.contact.changed\" also tells old"), "{}", ran.out);
    let desk = desk.with("SHIRASE_CANARY__PHONE", "0").with("SHIRASE_CANARY__EVRY", "1m");
    let ran = desk.run(&["check"]).expect(2);
    for words in [
        "canary.phone: is no number of the Japanese plan",
        "canary.evry: is not a key; did you mean `every`?",
    ] {
        assert!(ran.err.contains(words), "{words}: {}", ran.err);
    }
}
