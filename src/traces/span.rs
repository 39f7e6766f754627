//! A step of an event, from its beginning to its end. Nothing here waits or fails.

use std::time::Instant;

use jiff::Timestamp;
use opentelemetry_proto::tonic::trace::v1::Span as Data;
use opentelemetry_proto::tonic::trace::v1::Status;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::export::Queue;
use super::origin::Origin;
use super::request::{Value, attribute};

/// When an event was taken: the calendar's time once, everything after it by the clock that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    pub wall: Timestamp,
    pub steady: Instant,
}

impl Begun {
    /// Nanoseconds since 1970.
    fn nanos(self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.steady).as_nanos();
        let wall = u128::try_from(self.wall.as_nanosecond()).unwrap_or_default();
        u64::try_from(wall + passed).unwrap_or(u64::MAX)
    }
}

/// A step until it is dropped, which ends it. Of an event that is not traced it is nothing.
#[must_use = "a span lasts until it is dropped"]
pub(crate) struct Span<'a>(Option<Open<'a>>);

struct Open<'a> {
    queue: &'a Queue,
    begun: Begun,
    data: Data,
}

impl<'a> Span<'a> {
    /// Of an event that is not traced.
    pub(super) const NONE: Self = Self(None);

    /// The first of an event, from the moment that it was taken.
    pub(super) fn first(queue: &'a Queue, begun: Begun, origin: Origin, name: &'static str) -> Self {
        let parent = origin.parent.map(Vec::from).unwrap_or_default();
        let data = data(origin.trace_id.to_vec(), parent, name, SpanKind::Consumer);
        Self::begin(queue, begun, begun.steady, data)
    }

    /// A step within this one, from now on.
    pub(super) fn child(&self, name: &'static str, kind: SpanKind) -> Self {
        let Some(open) = &self.0 else { return Self::NONE };
        let data = data(open.data.trace_id.clone(), open.data.span_id.clone(), name, kind);
        Self::begin(open.queue, open.begun, Instant::now(), data)
    }

    /// A step within this one, as long as it has lasted itself.
    pub(super) fn child_from_the_start(&self, name: &'static str) -> Self {
        let mut child = self.child(name, SpanKind::Internal);
        if let (Some(open), Some(child)) = (&self.0, &mut child.0) {
            child.data.start_time_unix_nano = open.data.start_time_unix_nano;
        }
        child
    }

    fn begin(queue: &'a Queue, begun: Begun, at: Instant, mut data: Data) -> Self {
        data.start_time_unix_nano = begun.nanos(at);
        Self(Some(Open { queue, begun, data }))
    }

    /// What is to be known of it. Never anything personal.
    pub(super) fn set<'v>(&mut self, key: &'static str, value: impl Into<Value<'v>>) {
        if let Some(open) = &mut self.0 {
            open.data.attributes.push(attribute(key, value.into()));
        }
    }

    /// It did not come to what it was for; `detail` is for a person.
    pub(super) fn fail(&mut self, detail: &str) {
        if let Some(open) = &mut self.0 {
            let (message, code) = (detail.to_owned(), StatusCode::Error.into());
            open.data.status = Some(Status { message, code });
        }
    }
}

/// What is given a number of its own, with its beginning still open.
fn data(trace_id: Vec<u8>, parent_span_id: Vec<u8>, name: &'static str, kind: SpanKind) -> Data {
    let span_id = fastrand::u64(1..).to_be_bytes().to_vec();
    Data { trace_id, span_id, parent_span_id, name: name.to_owned(), kind: kind.into(), ..Data::default() }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.data.end_time_unix_nano = self.begun.nanos(Instant::now());
        if std::thread::panicking() {
            let (message, code) = ("the worker panicked".to_owned(), StatusCode::Error.into());
            self.data.status = Some(Status { message, code });
        }
        self.queue.offer(std::mem::take(&mut self.data));
    }
}
