//! From the queue to the collector: batches, handed over again where that helps, and trouble told once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::collector::{Collector, Refusal};
use super::{TracesConfig, TracesError, request};
use crate::telemetry;

/// Spans that may wait for the collector: some megabytes, and seconds of a busy worker.
const QUEUE: usize = 8192;

/// Spans of one request at most.
const BATCH: usize = 512;

/// How long a batch gathers.
const GATHER: Duration = Duration::from_secs(1);

/// How long a batch waits before each further try, when the collector did not take it and may take it then.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

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
