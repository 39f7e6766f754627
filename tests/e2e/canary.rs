//! The worker sends itself an event through a real broker, the whole pipeline and one gateway.

use crate::events::mobile;
use crate::gateway::{Answer, Gateway};
use crate::house::House;
use crate::support::Worker;

/// Every second, through the first of two gateways.
fn house(name: &str, gateways: &[&Gateway]) -> House {
    let urls: Vec<String> = gateways.iter().map(|gateway| gateway.url()).collect();
    let phone = mobile(1);
    House::new(name)
        .gateways(&urls)
        .breakers(r#"open_for = "1s", open_for_at_most = "1s""#)
        .set("canary", r#"every = "1s""#)
        .set("canary", r#"gateway = "gateway-1""#)
        .set("canary", &format!(r#"phone = "{phone}""#))
}

fn canaries(house: &House, result: &str, at_least: f64) {
    house.wait_metric("shirase_canary_total", &[("result", result)], at_least);
}

#[track_caller]
fn assert_counts_as_nothing_else(house: &House) {
    for name in [
        "shirase_events_total",
        "shirase_notifications_total",
        "shirase_notify_seconds_count",
        "shirase_untold_total",
        "shirase_dead_letters_total",
    ] {
        assert_eq!(house.metric(name, &[]), 0.0, "{name}");
    }
}

/// Stops it: what it sent itself is neither a dead letter nor on its way to be tried again.
#[track_caller]
fn stop(house: &House, worker: &Worker) {
    house.stop(worker);
    house.assert_no_dead_letters();
    for queue in ["critical.retry.1", "critical.retry.2"] {
        let queue = house.queue(queue);
        assert_eq!(house.amqp.look(&queue).expect("declared").messages, 0, "{queue}");
    }
}

#[test]
fn canaries_arrive_again_and_again_and_export_their_round_trip() {
    let gateways = (Gateway::always(Answer::Accept), Gateway::always(Answer::Accept));
    let house = house("canary", &[&gateways.0, &gateways.1]);
    let worker = house.start();
    let started = house.metric("shirase_canary_last_accepted_timestamp_seconds", &[]);
    assert!(started > 1.7e9, "{started}");
    canaries(&house, "accepted", 3.0);

    assert!(gateways.0.accepted().iter().all(|sms| sms.to == mobile(1)), "{:?}", gateways.0.asked());
    assert!(gateways.1.asked().is_empty(), "its gateway alone");
    let seconds = house.metric("shirase_canary_round_trip_seconds", &[]);
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
    assert!(house.metric("shirase_canary_last_accepted_timestamp_seconds", &[]) > started);
    assert!(house.metric("shirase_canary_total", &[("result", "sent")]) >= 3.0);
    assert_counts_as_nothing_else(&house);
    stop(&house, &worker);
}

#[test]
fn a_broken_gateway_fails_every_canary_leaves_nothing_behind_and_is_said_once() {
    let gateways = (Gateway::always(Answer::Status(400)), Gateway::always(Answer::Accept));
    let house = house("canary-fails", &[&gateways.0, &gateways.1]);
    let worker = house.start();
    canaries(&house, "failed", 3.0);
    assert_eq!(house.metric("shirase_canary_total", &[("result", "accepted")]), 0.0);
    assert_counts_as_nothing_else(&house);
    let said = worker.log().lines().filter(|line| line.contains("canary failed")).count();
    assert_eq!(said, 1, "{}", worker.log());

    gateways.0.script(|_, _| Answer::Accept);
    canaries(&house, "accepted", 1.0);
    assert!(worker.log().contains("canary accepted again"), "{}", worker.log());
    assert!(gateways.1.asked().is_empty(), "nobody else's turn");
    stop(&house, &worker);
}
