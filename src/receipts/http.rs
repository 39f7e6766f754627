//! The listener for receipts: `POST /receipts/<gateway>` for vendors, `POST /bounces` for `shirase bounce`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{any, post};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::{Bounce, Desk, ReceiptsConfig};
use crate::config::Secret;
use crate::dispatch::Dispatcher;
use crate::gateway::callback_url;
use crate::gateway::receipt::{Callback, CallbackError, Report};
use crate::telemetry;

/// Infobip sends several reports at once; nothing that a vendor documents comes near this.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// A body that is not there within this time is not waited for.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Callbacks that wait for the ledger at once. Whoever comes on top of them is asked to come again.
const MAX_WAITING: usize = 1024;

#[derive(Clone)]
struct Listener {
    dispatcher: Arc<Dispatcher>,
    desk: Desk,
    public_url: Option<Url>,
    bounce_secret: Option<Secret>,
    patience: Duration,
    waiting: Arc<Semaphore>,
}

/// The routes, to be served on a listener of their own or beside others.
pub fn router(dispatcher: Arc<Dispatcher>, desk: Desk, config: &ReceiptsConfig) -> Router {
    let listener = Listener {
        dispatcher,
        desk,
        public_url: config.public_url.as_ref().map(|url| url.url().clone()),
        bounce_secret: config.bounce_secret.clone(),
        patience: config.patience.0,
        waiting: Arc::new(Semaphore::new(MAX_WAITING)),
    };
    Router::new()
        .route("/receipts/{gateway}", any(receipts))
        .route("/bounces", post(bounces))
        .with_state(listener)
}

/// Verified first; what is not the vendor's is not read.
async fn receipts(
    State(listener): State<Listener>,
    Path(name): Path<String>,
    request: Request,
) -> StatusCode {
    let gateways = &listener.dispatcher.gateways;
    let gateway = gateways.iter().find(|gateway| gateway.name() == name && gateway.takes_receipts());
    let Some(gateway) = gateway else { return StatusCode::NOT_FOUND };
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return status,
    };
    let url = listener.as_called(&name, &parts.uri, &parts.headers);
    let now = listener.desk.now();
    match gateway.receipts(&Callback { url: &url, headers: &parts.headers, body: &body, now }) {
        Ok(reports) => listener.take(Some(name), reports).await,
        Err(error) => {
            telemetry::receipt_refused(gateway.name(), error);
            match error {
                CallbackError::Forged => StatusCode::UNAUTHORIZED,
                CallbackError::Unreadable => StatusCode::BAD_REQUEST,
            }
        }
    }
}

async fn bounces(State(listener): State<Listener>, headers: HeaderMap, body: Body) -> StatusCode {
    let Some(secret) = &listener.bounce_secret else { return StatusCode::NOT_FOUND };
    let expected = format!("Bearer {}", secret.reveal());
    let given = headers.get("authorization").map(|value| value.as_bytes()).unwrap_or_default();
    if !bool::from(given.ct_eq(expected.as_bytes())) {
        telemetry::receipt_refused(telemetry::BOUNCE, CallbackError::Forged);
        return StatusCode::UNAUTHORIZED;
    }
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return status,
    };
    let report = serde_json::from_slice(&body).ok().and_then(Bounce::report);
    match report {
        Some(report) => listener.take(None, vec![report]).await,
        None => StatusCode::BAD_REQUEST,
    }
}

/// A body of bounded size in bounded time: the listener is open to the world.
async fn read(body: Body) -> Result<Bytes, StatusCode> {
    match timeout(BODY_PATIENCE, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

impl Listener {
    /// The URL as the vendor called it: a proxy in front may have changed the path, but not the query.
    fn as_called(&self, name: &str, uri: &Uri, headers: &HeaderMap) -> String {
        let base = match self.public_url.as_ref().and_then(|base| callback_url(base, name)) {
            Some(url) => url.to_string(),
            None => {
                let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
                format!("http://{host}{}", uri.path())
            }
        };
        match uri.query() {
            Some(query) => format!("{base}?{query}"),
            None => base,
        }
    }

    /// Answers in time. What takes longer goes on all the same.
    async fn take(&self, gateway: Option<String>, reports: Vec<Report>) -> StatusCode {
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else {
            telemetry::receipts_deferred(gateway.as_deref());
            return StatusCode::SERVICE_UNAVAILABLE;
        };
        let (desk, name) = (self.desk.clone(), gateway.clone());
        let taking = tokio::spawn(async move {
            let taken = desk.take(name.as_deref(), reports).await;
            drop(permit);
            taken
        });
        match timeout(self.patience, taking).await {
            Ok(Ok(true)) => StatusCode::NO_CONTENT,
            _ => {
                telemetry::receipts_deferred(gateway.as_deref());
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}
