//! An OpenTelemetry collector that remembers what it was sent: OTLP over HTTP, read with the types of the protocol.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::wait::eventually;

/// For whatever a busy machine may delay; no assertion about speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// 200.
    Takes,
    /// This status; nothing is kept.
    Refuses(u16),
    /// Neither answers nor closes.
    Hangs,
}

/// A span as it came; ids in hexadecimal.
#[derive(Debug, Clone)]
pub struct Seen {
    pub name: String,
    pub kind: SpanKind,
    pub trace_id: String,
    pub span_id: String,
    /// Empty without one.
    pub parent_id: String,
    pub attributes: BTreeMap<String, String>,
    /// What its status says, when it says error.
    pub failed: Option<String>,
    /// Nanoseconds since 1970.
    pub begun: u64,
    pub ended: u64,
    /// Of the resource: who sent it.
    pub service: String,
}

impl Seen {
    pub fn is(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

struct Shared {
    mood: Mutex<Mood>,
    spans: Mutex<Vec<Seen>>,
    asked: Mutex<Vec<HeaderMap>>,
}

/// The collector, on a loopback port.
pub struct Collector {
    port: u16,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

impl Collector {
    pub fn start() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let shared = Arc::new(Shared {
            mood: Mutex::new(Mood::Takes),
            spans: Mutex::default(),
            asked: Mutex::default(),
        });
        let listener =
            std::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&shared));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router).await
        });
        Self { port, shared, runtime: Some(runtime) }
    }

    /// As `traces.endpoint` wants it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn mood(&self, mood: Mood) {
        *locked(&self.shared.mood) = mood;
    }

    /// Every span that it took.
    pub fn spans(&self) -> Vec<Seen> {
        locked(&self.shared.spans).clone()
    }

    /// The headers of every request, whatever became of it.
    pub fn asked(&self) -> Vec<HeaderMap> {
        locked(&self.shared.asked).clone()
    }

    /// Waits until it has been sent `count` requests.
    #[track_caller]
    pub fn wait_asked(&self, count: usize) {
        eventually(PATIENCE, &format!("{count} requests to the collector"), || {
            (self.asked().len() >= count).then_some(())
        });
    }

    /// Waits until it has taken `count` spans.
    #[track_caller]
    pub fn wait_spans(&self, count: usize) -> Vec<Seen> {
        eventually(PATIENCE, &format!("{count} spans"), || {
            Some(self.spans()).filter(|spans| spans.len() >= count)
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Not waited for: a test may be within a runtime of its own.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    locked(&shared.asked).push(headers);
    let mood = *locked(&shared.mood);
    match mood {
        Mood::Takes => {}
        Mood::Refuses(status) => return StatusCode::from_u16(status).expect("a status"),
        Mood::Hangs => std::future::pending().await,
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    locked(&shared.spans).extend(request.resource_spans.into_iter().flat_map(of_one_sender));
    StatusCode::OK
}

fn of_one_sender(sent: ResourceSpans) -> Vec<Seen> {
    let resource = attributes(&sent.resource.unwrap_or_default().attributes);
    let service = resource.get("service.name").cloned().unwrap_or_default();
    let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| seen(span, &service)).collect()
}

fn seen(span: Span, service: &str) -> Seen {
    Seen {
        kind: span.kind(),
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        attributes: attributes(&span.attributes),
        failed: span.status.filter(|status| status.code == 2).map(|status| status.message),
        begun: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
        service: service.to_owned(),
        name: span.name,
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(flag)) => flag.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|one| (one.key.clone(), text(&one.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
