//! From the queue to the collector: batches, its answers, and trouble told once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Response, StatusCode, redirect};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{TracesConfig, TracesError, request};
use crate::config::Certificates;
use crate::{telemetry, tls};

/// Spans that may wait for the collector: some megabytes, and seconds of a busy worker.
const QUEUE: usize = 8192;

/// Spans of one request at most.
const BATCH: usize = 512;

/// How long a batch gathers.
const GATHER: Duration = Duration::from_secs(1);

/// How long a batch waits before each further try, when the collector did not take it and may take it then.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// An answer longer than this is not read on: it holds a number.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where finished spans go.
pub(super) struct Queue {
    spans: mpsc::Sender<Span>,
    /// That found no place since the collector last took a batch.
    refused: Arc<AtomicU64>,
}

impl Queue {
    pub fn new() -> (Self, mpsc::Receiver<Span>) {
        let (spans, receiver) = mpsc::channel(QUEUE);
        (Self { spans, refused: Arc::default() }, receiver)
    }

    /// Takes a span if there is a place for it.
    pub fn offer(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            telemetry::spans_dropped(1);
        }
    }
}

/// What empties the queue.
pub(super) struct Export {
    spans: mpsc::Receiver<Span>,
    refused: Arc<AtomicU64>,
    batch: Vec<Span>,
    collector: Collector,
    resource: Resource,
    stop: CancellationToken,
    in_trouble: bool,
}

/// Who is sent spans.
pub(super) struct Collector {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

/// Why the collector has not taken a batch.
struct Refusal {
    detail: String,
    /// It may take the same one later (OTLP specification, "Failures"); not after a time-out, because it may have it.
    for_now: bool,
}

impl Export {
    pub fn new(
        config: &TracesConfig,
        queue: &Queue,
        spans: mpsc::Receiver<Span>,
        stop: CancellationToken,
    ) -> Result<Self, TracesError> {
        Ok(Self {
            spans,
            refused: Arc::clone(&queue.refused),
            batch: Vec::new(),
            collector: Collector::new(config)?,
            resource: request::resource(&config.service_name),
            stop,
            in_trouble: false,
        })
    }

    /// Until the stop; then what is left.
    pub async fn run(mut self) {
        loop {
            self.gather().await;
            if self.batch.is_empty() {
                return;
            }
            self.export().await;
        }
    }

    /// Until a batch is full or its first span has waited long enough. Empty after the stop, when nothing is left.
    async fn gather(&mut self) {
        let Self { spans, batch, stop, .. } = self;
        tokio::select! {
            _ = spans.recv_many(batch, BATCH) => {}
            () = stop.cancelled() => {
                spans.close();
                spans.recv_many(batch, BATCH).await;
                return;
            }
        }
        let enough = Instant::now() + GATHER;
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                more = spans.recv_many(batch, room) => if more == 0 { return },
                () = sleep_until(enough) => return,
                () = stop.cancelled() => return,
            }
        }
    }

    async fn export(&mut self) {
        let spans = std::mem::take(&mut self.batch);
        let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
        let trouble = match self.hand_over(request::encode(&self.resource, spans)).await {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                telemetry::spans_exported(count - rejected);
                telemetry::spans_dropped(rejected);
                let refused = self.refused.swap(0, Ordering::Relaxed);
                let more = || "there are more spans than the collector takes".to_owned();
                (rejected + refused > 0).then(more)
            }
            Err(refusal) => {
                telemetry::spans_dropped(count);
                Some(refusal.detail)
            }
        };
        match &trouble {
            Some(detail) if !self.in_trouble => telemetry::traces_in_trouble(detail),
            None if self.in_trouble => telemetry::traces_recovered(),
            _ => {}
        }
        self.in_trouble = trouble.is_some();
    }

    /// How many of the batch's spans the collector did not want; again and again while it may still take it.
    async fn hand_over(&self, body: Bytes) -> Result<u64, Refusal> {
        for wait in AGAIN {
            match self.collector.post(body.clone()).await {
                Err(refusal) if refusal.for_now && !self.stop.is_cancelled() => {}
                settled => return settled,
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => {}
            }
        }
        self.collector.post(body).await
    }
}

impl Collector {
    pub fn new(config: &TracesConfig) -> Result<Self, TracesError> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(config.timeout.0)
            .user_agent(concat!("shirase/", env!("CARGO_PKG_VERSION")));
        for certificate in config.ca.as_ref().map(Certificates::der).unwrap_or_default() {
            let certificate = Certificate::from_der(certificate).map_err(TracesError::Client)?;
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder.build().map_err(TracesError::Client)?;
        let mut headers = config.header_map();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(Self { client, url: config.endpoint.traces(), headers })
    }

    /// Whether it would take spans of this `resource`, asked with none.
    ///
    /// # Errors
    /// In words, when it would not.
    pub async fn probe(&self, resource: &Resource) -> Result<(), String> {
        let answer = self.post(request::encode(resource, Vec::new())).await;
        answer.map(|_| ()).map_err(|refusal| refusal.detail)
    }

    async fn post(&self, body: Bytes) -> Result<u64, Refusal> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let answer = request.send().await.map_err(|error| self.unreached(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(request::rejected(&read(answer).await));
        }
        let for_now = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Refusal { detail: format!("{} answers HTTP {}", self.place(), status.as_u16()), for_now })
    }

    fn unreached(&self, error: &reqwest::Error) -> Refusal {
        let place = self.place();
        let detail = match tls::explain(error, self.url.host_str().unwrap_or_default()) {
            Some(words) => words,
            None if error.is_timeout() => format!("{place} does not answer in time"),
            None if error.is_connect() => format!("no connection to {place}"),
            None => format!("{place} ended the connection before its answer"),
        };
        Refusal { detail, for_now: error.is_connect() }
    }

    fn place(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

async fn read(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics_builder;

    #[test]
    fn what_finds_no_place_in_the_queue_is_dropped_at_once_and_counted() {
        let recorder = metrics_builder().expect("every histogram has buckets").build_recorder();
        let (queue, mut spans) = Queue::new();
        let offer = |count| (0..count).for_each(|_| queue.offer(Span::default()));
        metrics::with_local_recorder(&recorder, || offer(QUEUE + 3));
        assert_eq!((spans.len(), queue.refused.load(Ordering::Relaxed)), (QUEUE, 3));
        let page = recorder.handle().render();
        assert!(page.contains("shirase_spans_total{result=\"dropped\"} 3"), "{page}");

        // After the stop there is no place either.
        spans.close();
        offer(1);
        assert_eq!(queue.refused.load(Ordering::Relaxed), 4);
    }
}
