//! Metrics, health and the wording in use over HTTP; the console comes beside them.

mod health;
mod metrics;
mod templates;

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::health::{Health, State};
use crate::config::text_value;
use crate::wording::Wording;

/// `[http]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where the console, `/metrics`, `/healthz`, `/readyz` and `/templates` are served.
    pub listen: Listen,
}

/// An address and port to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

/// A text that is no [`Listen`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no address to listen on; write \"127.0.0.1:9464\"")]
pub struct ListenError;

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        text.parse().map(Self).map_err(|_| ListenError)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_value!(Listen, "listen");

/// What there is, for programs and terminals; people get the console at `/`.
pub const INDEX: &str = concat!(
    "shirase ",
    env!("CARGO_PKG_VERSION"),
    "\n\n/metrics  /healthz  /readyz  /templates  / (console)\n"
);

/// What the pages show.
#[derive(Clone)]
pub struct Admin {
    /// What was counted and measured.
    pub metrics: PrometheusHandle,
    /// Whether the worker is alive and ready.
    pub health: Health,
    /// The templates in use, and what is wrong with those on disk.
    pub wording: Arc<Wording>,
}

/// Serves until `stop`, with `others` beside its own routes.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    admin: Admin,
    others: Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics::page))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/templates", get(templates::in_use))
        .with_state(admin)
        .merge(others);
    // Who sits at this machine may see more.
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
}
