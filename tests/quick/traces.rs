//! What a collector gets of an event: the dispatcher with a ledger in memory, and a real exporter.

use serde_json::{Value, json};
use shirase::config::{Config, Span};
use shirase::dispatch::{Disposition, Report};
use shirase::event::{Lane, RawEvent};
use shirase::traces::TracesConfig;

use crate::pipeline::{World, echo, login, sms_through, world};
use crate::script::Http;
use crate::support::{Collector, Mood, Seen};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn to(collector: &Collector) -> impl FnOnce(&mut Config) {
    let traces = TracesConfig {
        endpoint: collector.endpoint().parse().expect("a URL"),
        headers: [("authorization".to_owned(), "Bearer t0ken".parse().expect("a secret"))].into(),
        ca: None,
        sample: 1.0,
        service_name: "house".to_owned(),
        timeout: Span::seconds(5),
    };
    move |config| config.traces = Some(traces)
}

fn message(event: &Value, traceparent: Option<String>) -> RawEvent {
    let headers = traceparent.map(|parent| ("traceparent".to_owned(), parent)).into_iter().collect();
    RawEvent { headers, ..RawEvent::structured(event.to_string()) }
}

fn sampled() -> Option<String> {
    Some(format!("00-{TRACE}-{PARENT}-01"))
}

/// Dispatches one event and hands over its spans.
async fn traced(world: &World, raw: RawEvent) -> Report {
    let report = world.take(raw, Lane::Critical, 0).await;
    world.dispatcher.traces.finish().await;
    report
}

/// The spans of a name, in the order of their beginning.
fn named<'s>(spans: &'s [Seen], name: &str) -> Vec<&'s Seen> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    found.sort_by_key(|span| span.begun);
    found
}

#[tokio::test]
async fn every_step_of_an_event_is_below_the_span_that_its_message_was_published_in() {
    let collector = Collector::start();
    let world = world(to(&collector)).await;
    let report = traced(&world, message(&login(true), sampled())).await;
    assert_eq!(report.disposition, Disposition::Done);

    let spans = collector.spans();
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["attempt", "claim", "decode", "event", "render", "settle"]);
    let event = named(&spans, "event")[0];
    assert_eq!((event.trace_id.as_str(), event.parent_id.as_str()), (TRACE, PARENT));
    for step in spans.iter().filter(|span| span.name != "event") {
        assert_eq!((step.trace_id.as_str(), &step.parent_id), (TRACE, &event.span_id), "{step:?}");
        assert!(event.begun <= step.begun && step.begun <= step.ended && step.ended <= event.ended);
    }
    for (key, value) in [
        ("cloudevents.event_id", "01QUICK"),
        ("cloudevents.event_type", "security.login.new_device"),
        ("shirase.lane", "critical"),
        ("shirase.attempt", "1"),
        ("shirase.result", "done"),
    ] {
        assert_eq!(event.is(key), value, "{event:?}");
    }
    let attempt = named(&spans, "attempt")[0];
    let of = ["shirase.channel", "shirase.gateway", "shirase.outcome"].map(|key| attempt.is(key));
    assert_eq!(of, ["sms", "primary", "accepted"]);
    assert_eq!(named(&spans, "render")[0].is("shirase.template_version"), templates(&world));
    assert!(spans.iter().all(|span| span.service == "house" && span.failed.is_none()), "{spans:?}");
    assert_eq!(collector.asked()[0]["authorization"], "Bearer t0ken");
    assert_nobody_is_named(&spans);
}

fn templates(world: &World) -> String {
    world.dispatcher.templates.current().version().to_owned()
}

/// Neither number, address nor name of the example's recipient.
fn assert_nobody_is_named(spans: &[Seen]) {
    let spans = format!("{spans:?}");
    for personal in ["1234-5678", "12345678", "@", "山田", "iPhone", "U1000001"] {
        assert!(!spans.contains(personal), "{personal} is in {spans}");
    }
}

#[tokio::test]
async fn a_fallback_is_in_the_trace_of_what_it_takes_over_from_with_the_reason() {
    let (collector, refuses) = (Collector::start(), Http::always(echo(422)).await);
    let world = world(|config| {
        to(&collector)(config);
        sms_through(config, &[&refuses]);
    })
    .await;
    traced(&world, message(&login(true), sampled())).await;

    let spans = collector.spans();
    let attempts = named(&spans, "attempt");
    let of = |key| attempts.iter().map(|attempt| attempt.is(key)).collect::<Vec<_>>();
    assert_eq!(of("shirase.channel"), ["sms", "email"]);
    assert_eq!(of("shirase.outcome"), ["permanent", "accepted"]);
    assert_eq!(attempts[0].is("error.type"), "recipient");
    assert!(attempts[0].failed.as_deref().is_some_and(|detail| detail.contains("422")), "{attempts:?}");
    assert_eq!((named(&spans, "claim").len(), named(&spans, "settle").len()), (2, 2));
    assert!(spans.iter().all(|span| span.trace_id == TRACE), "{spans:?}");
    assert_nobody_is_named(&spans);
}

#[tokio::test]
async fn a_dead_letter_is_an_event_that_failed_with_its_reason() {
    let collector = Collector::start();
    let world = world(to(&collector)).await;
    let mut event = login(true);
    event["type"] = json!("security.unheard.of");
    traced(&world, message(&event, sampled())).await;
    let spans = collector.spans();
    let event = named(&spans, "event")[0];
    let of = ["shirase.result", "error.type", "cloudevents.event_id", "cloudevents.event_type"];
    assert_eq!(of.map(|key| event.is(key)), ["dead", "unknown_type", "01QUICK", "unknown"]);
    assert!(event.failed.is_some());
    assert_eq!((event.trace_id.as_str(), spans.len()), (TRACE, 2));
}

#[tokio::test]
async fn what_its_sender_does_not_trace_leaves_no_span_and_without_a_trace_the_share_decides() {
    let collector = Collector::start();
    let world = world(|config| {
        to(&collector)(config);
        config.traces.as_mut().expect("set").sample = 0.0;
    })
    .await;
    let not_sampled = Some(format!("00-{TRACE}-{PARENT}-00"));
    for traceparent in [not_sampled, None] {
        world.take(message(&login(true), traceparent), Lane::Critical, 0).await;
    }
    world.dispatcher.traces.finish().await;
    assert!(collector.asked().is_empty(), "{:?}", collector.spans());
}

/// Two threads: one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_collector_does_not_take_for_now_it_gets_again() {
    let collector = Collector::start();
    collector.mood(Mood::Refuses(503));
    let world = world(to(&collector)).await;
    world.take(message(&login(true), sampled()), Lane::Critical, 0).await;
    collector.wait_asked(1);
    assert!(collector.spans().is_empty());
    collector.mood(Mood::Takes);
    assert_eq!(collector.wait_spans(6).len(), 6);
}
