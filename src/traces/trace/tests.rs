use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span as Data;
use serde_json::{Value, json};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::assets::Files;
use crate::clock::Clock;
use crate::event::{Catalog, decode};
use crate::traces::Traces;
use crate::traces::export::Queue;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";

/// Traces that nobody exports, and what would be.
fn traces(sample: f64) -> (Traces, Receiver<Data>) {
    let (queue, spans) = Queue::new();
    let shared = Shared { queue, sample, exporting: TaskTracker::new(), stop: CancellationToken::new() };
    (Traces(Some(shared.into())), spans)
}

fn taken(mut spans: Receiver<Data>) -> Vec<Data> {
    spans.close();
    std::iter::from_fn(|| spans.try_recv().ok()).collect()
}

fn clock() -> Clock {
    Clock::fixed("2026-11-22T06:05:00Z".parse().expect("a time"))
}

fn raw(flags: char) -> RawEvent {
    let event = json!({
        "specversion": "1.0", "id": "01JD", "source": "/auth", "type": "security.login",
        "time": "2026-11-22T06:04:05Z",
        "data": {"recipient": {"user_id": "U1", "phone": "090-1234-5678"}, "device": {"os": "iOS"}}
    });
    let header = ("traceparent".to_owned(), format!("{TRACEPARENT}{flags}"));
    RawEvent { headers: [header].into(), ..RawEvent::structured(event.to_string()) }
}

fn decoded(raw: &RawEvent) -> Result<Event, Rejected> {
    decode(raw, &Catalog::load(&Files::embedded("config")).expect("built-in"), clock().now())
}

fn attribute(span: &Data, key: &str) -> Option<Value> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text.into()),
        Any::IntValue(number) => Some(number.into()),
        Any::BoolValue(flag) => Some(flag.into()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_step_lies_within_its_event_which_goes_on_where_its_message_was_published() {
    let (traces, spans) = traces(0.0);
    let mut trace = traces.begin(&clock());
    let raw = raw('1');
    trace.decoded(&raw, decoded(&raw).as_ref());
    futures_util::FutureExt::now_or_never(trace.during("claim", async {})).expect("ready");
    drop(trace);
    let spans = taken(spans);
    let [decode, claim, event] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!([&decode.name, &claim.name, &event.name], ["decode", "claim", "event"]);
    assert_eq!(event.parent_span_id, [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
    assert_eq!((event.kind, attribute(event, EVENT_ID)), (SpanKind::Consumer.into(), Some(json!("01JD"))));
    // The clock stands still; what passes is counted by another.
    assert_eq!(event.start_time_unix_nano, 1_795_327_500_000_000_000);
    assert_eq!(decode.start_time_unix_nano, event.start_time_unix_nano);
    for step in [decode, claim] {
        assert_eq!((&step.parent_span_id, &step.trace_id), (&event.span_id, &event.trace_id));
        assert!(step.start_time_unix_nano >= event.start_time_unix_nano);
        assert!(step.start_time_unix_nano <= step.end_time_unix_nano);
        assert!(step.end_time_unix_nano <= event.end_time_unix_nano);
    }
}

#[test]
fn what_is_no_good_event_is_a_span_with_the_reason_and_nothing_of_what_it_says() {
    let (traces, spans) = traces(0.0);
    let mut trace = traces.begin(&clock());
    let raw = RawEvent { body: br#"{"secret": "090-9999-8888"}"#.to_vec(), ..raw('1') };
    trace.decoded(&raw, decoded(&raw).as_ref());
    drop(trace);
    let spans = taken(spans);
    assert_eq!(attribute(&spans[0], ERROR_TYPE), Some(json!("missing_attribute")));
    assert!(spans[0].status.as_ref().is_some_and(|status| !status.message.is_empty()));
    assert_eq!(spans[1].trace_id[..2], [0x4b, 0xf9]);
    let said = format!("{spans:?}");
    // Not digits alone, which a time in nanoseconds may hold.
    assert!(!said.contains("secret") && !said.contains("9999-") && !said.contains("-8888"), "{said}");
}

#[test]
fn a_panic_is_seen_on_every_span_that_it_ended() {
    let (traces, spans) = traces(1.0);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut trace = traces.begin(&clock());
        let raw = raw('1');
        trace.decoded(&raw, decoded(&raw).as_ref());
        panic!("a test's");
    }));
    assert!(panicked.is_err());
    let event = taken(spans).pop().expect("the event's");
    assert_eq!(event.status.as_ref().expect("failed").message, "the worker panicked");
    assert_eq!(attribute(&event, EVENT_ID), Some(json!("01JD")));
}

#[test]
fn an_event_that_is_not_traced_costs_no_allocation() {
    let raw = raw('0');
    let decoded = decoded(&raw);
    let ways = [traces(1.0).0, Traces::default()];
    let clock = clock();
    let before = allocations::here();
    for traces in &ways {
        let mut trace = traces.begin(&clock);
        trace.decoded(&raw, decoded.as_ref());
        let step = futures_util::FutureExt::now_or_never(trace.during("claim", async {}));
        assert!(step.is_some());
    }
    assert_eq!(allocations::here() - before, 0);
    let noticed = Box::new(Instant::now());
    assert!(allocations::here() > before, "the count counts: {noticed:?}");
}

/// Counts what a thread asks of the allocator.
mod allocations {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }

    struct Counting;

    #[global_allocator]
    static ALLOCATOR: Counting = Counting;

    // SAFETY: it is the system's allocator; the count is the thread's own and needs no memory of the allocator's.
    #[allow(unsafe_code, reason = "an allocator cannot be written without")]
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let _ = COUNT.try_with(|count| count.set(count.get() + 1));
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
            unsafe { System.dealloc(memory, layout) }
        }
    }

    /// How many there were on this thread.
    pub fn here() -> usize {
        COUNT.with(Cell::get)
    }
}
