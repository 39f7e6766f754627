//! An event's trace over the broker, and a collector in trouble.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde_json::{Value, json};

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::House;
use crate::reading::names_somebody;
use crate::support::{Collector, Mood, Seen};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Of an event that one gateway is asked about.
const STEPS: [&str; 6] = ["attempt", "claim", "decode", "event", "render", "settle"];

fn traced(name: &str, gateway: &Gateway, collector: &Collector) -> House {
    let endpoint = format!("endpoint = \"{}\"", collector.endpoint());
    House::new(name).gateways(&[gateway.url()]).set("traces", &endpoint)
}

fn traceparent() -> String {
    format!("00-{TRACE}-{PARENT}-01")
}

/// As upstream publishes whose own library adds the header.
fn publish_in_a_trace(house: &House, event: &Value) {
    let header = AMQPValue::LongString(traceparent().into());
    let headers: BTreeMap<ShortString, AMQPValue> = [("traceparent".into(), header)].into();
    let properties = BasicProperties::default().with_headers(FieldTable::from(headers));
    let kind = event["type"].as_str().expect("a type");
    house.amqp.publish_with(&house.exchange(), kind, event.to_string().as_bytes(), properties);
}

/// The deliveries of an event in order, each with its steps, which are all below it.
fn deliveries(spans: &[Seen]) -> Vec<(&Seen, BTreeMap<&str, &Seen>)> {
    let mut events: Vec<_> = spans.iter().filter(|span| span.name == "event").collect();
    events.sort_by_key(|event| event.begun);
    let of = |event: &Seen| {
        let below = spans.iter().filter(|span| span.parent_id == event.span_id);
        below.map(|span| (span.name.as_str(), span)).collect()
    };
    events.into_iter().map(|event| (event, of(event))).collect()
}

#[test]
fn an_event_and_its_retry_are_in_the_trace_that_it_was_published_in() {
    let (collector, gateway) = (
        Collector::start(),
        Gateway::scripted(|_, before| match before {
            0 => Answer::Status(429),
            _ => Answer::Accept,
        }),
    );
    let house = traced("traces", &gateway, &collector);
    let worker = house.start();
    publish_in_a_trace(&house, &withdrawal(1));
    house.wait_metric("shirase_events_total", &[("result", "done")], 1.0);
    house.wait_metric("shirase_spans_total", &[("result", "exported")], 12.0);
    assert_eq!(house.metric("shirase_spans_total", &[("result", "dropped")]), 0.0);

    let spans = collector.spans();
    assert_eq!(spans.len(), 12, "{spans:?}");
    assert!(spans.iter().all(|span| span.trace_id == TRACE && span.service == "shirase"), "{spans:?}");
    let deliveries = deliveries(&spans);
    assert_eq!(deliveries.len(), 2);
    for ((event, steps), (attempt, result)) in deliveries.iter().zip([("1", "retried"), ("2", "done")]) {
        assert_eq!(event.parent_id, PARENT);
        assert_eq!((event.is("shirase.attempt"), event.is("shirase.result")), (attempt, result));
        let names: Vec<_> = steps.keys().copied().collect();
        assert_eq!(names, STEPS.into_iter().filter(|name| *name != "event").collect::<Vec<_>>());
        assert_eq!(steps["attempt"].is("shirase.gateway"), "gateway-1");
        assert_eq!(steps["attempt"].is("shirase.attempt"), attempt);
    }
    assert_eq!(deliveries[0].1["attempt"].is("error.type"), "rate_limit");
    assert_eq!(deliveries[1].1["attempt"].is("shirase.outcome"), "accepted");
    assert!(!names_somebody(&format!("{spans:?}")), "{spans:?}");
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_trace_in_the_extension_goes_on_and_what_is_in_the_queue_at_a_stop_is_handed_over() {
    let (collector, gateway) = (Collector::start(), Gateway::always(Answer::Accept));
    let house = traced("traces-extension", &gateway, &collector);
    let worker = house.start();
    let mut event = login(1);
    event["traceparent"] = json!(traceparent());
    house.publish(&event);
    house.wait_metric("shirase_events_total", &[("result", "done")], 1.0);
    house.stop(&worker);
    let spans = collector.spans();
    assert_eq!((spans.len(), spans.iter().all(|span| span.trace_id == TRACE)), (6, true), "{spans:?}");
}

#[test]
fn a_collector_that_hangs_holds_up_no_event_and_what_it_does_not_take_is_counted_and_told_once() {
    let (collector, gateway) = (Collector::start(), Gateway::always(Answer::Accept));
    collector.mood(Mood::Hangs);
    let house = traced("traces-hang", &gateway, &collector).set("traces", r#"timeout = "500ms""#);
    let worker = house.start();
    house.publish_all(&(0..200).map(login).collect::<Vec<_>>());
    house.wait_metric("shirase_events_total", &[("result", "done")], 200.0);
    assert_eq!(gateway.accepted().len(), 200);
    house.wait_metric("shirase_spans_total", &[("result", "dropped")], 1200.0);
    assert_eq!(house.metric("shirase_spans_total", &[("result", "exported")]), 0.0);
    assert!(collector.asked().len() > 1);

    collector.mood(Mood::Takes);
    house.publish(&withdrawal(1));
    house.wait_metric("shirase_spans_total", &[("result", "exported")], 6.0);
    house.stop_and_assert_empty(&worker);
    let log = worker.log();
    for told in ["traces are incomplete", "traces are complete again"] {
        assert_eq!(log.matches(told).count(), 1, "{told}:\n{log}");
    }
    assert!(log.contains("does not answer in time"), "{log}");
}

#[test]
fn a_collector_that_hangs_holds_up_no_stop() {
    let (collector, gateway) = (Collector::start(), Gateway::always(Answer::Accept));
    collector.mood(Mood::Hangs);
    let house = traced("traces-stop", &gateway, &collector).set("traces", r#"timeout = "1h""#);
    let worker = house.start();
    house.publish(&withdrawal(1));
    collector.wait_asked(1);
    // It waits for an exit within a minute.
    house.stop_and_assert_empty(&worker);
}
