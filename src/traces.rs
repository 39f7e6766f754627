//! Traces: how long each step of an event took, as OpenTelemetry spans that a collector is sent (OTLP over HTTP).
//!
//! | file | |
//! |---|---|
//! | `config` | `[traces]` |
//! | `origin` | which trace an event belongs to, and whether it is kept. Pure |
//! | `trace` | what is told of an event and of each step |
//! | `span` | a step, from its beginning to its end |
//! | `request` | spans as the protocol has them. Pure |
//! | `export` | the queue, and batches on their way |
//! | `collector` | one request, and the collector's answer |
//!
//! Nothing on the way of an event waits for any of it: a span that finds no place in the queue is dropped and counted.

mod collector;
mod config;
mod export;
mod origin;
mod request;
mod span;
mod trace;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::collector::Collector;
pub use self::config::{CollectorUrl, CollectorUrlError, TracesConfig};
use self::export::{Export, Queue};
use self::span::Begun;
pub(crate) use self::trace::Trace;
use crate::clock::Clock;
use crate::telemetry;

/// What is still in the queue when the worker stops has this long to reach the collector.
const FLUSH: Duration = Duration::from_secs(2);

/// Where events' traces begin; without `[traces]` they are nothing. Cheap to clone.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Shared>>);

struct Shared {
    queue: Queue,
    /// Of events that come without a trace, the share that is traced: 0 to 1.
    sample: f64,
    exporting: TaskTracker,
    stop: CancellationToken,
}

/// Traces could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The system's TLS cannot be used, or a header is none.
    #[error("traces: the HTTP client could not be built")]
    Client(#[source] reqwest::Error),
}

/// Tries the collector without a span.
///
/// # Errors
/// In words, with its address, when it would not take one.
pub async fn probe(config: &TracesConfig) -> Result<(), String> {
    let collector = Collector::new(config).map_err(|error| error.to_string())?;
    collector.probe(&request::resource(&config.service_name)).await
}

impl Traces {
    /// Begins to export; within a tokio runtime.
    ///
    /// # Errors
    /// When there can be no HTTP client. That nobody listens at the endpoint is none: it is told when it matters.
    pub fn start(config: &TracesConfig) -> Result<Self, TracesError> {
        telemetry::traces_configured();
        let (queue, spans) = Queue::new();
        let (exporting, stop) = (TaskTracker::new(), CancellationToken::new());
        exporting.spawn(Export::new(config, &queue, spans, stop.clone())?.run());
        exporting.close();
        Ok(Self(Some(Arc::new(Shared { queue, sample: config.sample, exporting, stop }))))
    }

    /// An event was taken; whether it is traced shows when it is decoded.
    pub(crate) fn begin(&self, clock: &Clock) -> Trace<'_> {
        let begun = |shared| (shared, Begun { wall: clock.now(), steady: Instant::now() });
        Trace::new(self.0.as_deref().map(begun))
    }

    /// Hands over what is in the queue, for a short time, and exports nothing after that.
    pub async fn finish(&self) {
        let Some(shared) = &self.0 else { return };
        shared.stop.cancel();
        // A collector that hangs must not hold the exit.
        let _ = timeout(FLUSH, shared.exporting.wait()).await;
    }
}
