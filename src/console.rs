//! The console: one page for whoever is on call, and what it asks. It shows this worker live, finds what became of an event or
//! a customer, and puts dead letters back.
//!
//! | file | |
//! |---|---|
//! | `config` | `[console]` |
//! | `access`, `sessions`, `brake` | who asks and what they may, pure; `door` is the three behind their locks |
//! | `entry` | what a request has to bring before it is heard |
//! | `exposition`, `histogram`, `counts` | the worker's own metrics read back, and the last quarter of an hour of them. Pure |
//! | `history`, `state` | what the page is sent, made of these. Pure |
//! | `sampler`, `live` | one look a second for all who watch, and the stream to each |
//! | `dead`, `gateways`, `search`, `session` | a question each |
//! | `assets` | the page itself |

mod access;
mod assets;
mod brake;
mod config;
mod counts;
mod dead;
mod door;
mod entry;
mod exposition;
mod gateways;
mod histogram;
mod history;
mod letter_key;
mod live;
mod reason;
mod refusal;
mod sampler;
mod search;
mod session;
mod sessions;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{from_fn, map_response};
use axum::response::Response;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use self::config::{ConsoleConfig, Scope, TokenConfig};
use self::counts::Ring;
use self::door::Door;
use self::live::Live;
use self::sampler::Sampler;
use crate::admin::Health;
use crate::broker::{BrokerConfig, Names};
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::ledger::LedgerConfig;

/// Hundreds of letters' keys and a reason.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Nothing is loaded from anywhere else, nothing in the page itself is a script or a style, and nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page and what it asks. Cheap to clone.
#[derive(Clone)]
pub struct Console(Arc<Room>);

struct Room {
    door: Door,
    live: Live,
    dispatcher: Arc<Dispatcher>,
    broker: BrokerConfig,
    names: Names,
    ledger: LedgerConfig,
    /// Held by whoever looks at the dead letters.
    looking: Arc<Mutex<()>>,
    stop: CancellationToken,
}

impl Console {
    /// Begins to watch the worker. Streams end at `stop`.
    pub fn start(
        config: &Config,
        dispatcher: Arc<Dispatcher>,
        metrics: PrometheusHandle,
        health: Health,
        stop: CancellationToken,
    ) -> Self {
        let names = Names::new(&config.broker, &dispatcher.catalog, dispatcher.schedule.steps());
        let sampler = Sampler {
            metrics,
            dispatcher: Arc::clone(&dispatcher),
            health,
            started_at: dispatcher.clock.now(),
            ring: Ring::default(),
            step: 0,
        };
        Self(Arc::new(Room {
            door: Door::new(&config.console),
            live: Live::start(sampler),
            dispatcher,
            broker: config.broker.clone(),
            names,
            ledger: config.ledger.clone(),
            looking: Arc::default(),
            stop,
        }))
    }

    /// `/`, `/console` and everything below it.
    pub fn router(self) -> Router {
        let questions = Router::new()
            .route("/console/session", get(session::show).post(session::sign_in).delete(session::sign_out))
            .route("/console/live", get(live::watch))
            .route("/console/dead", get(dead::list))
            .route("/console/dead/replay", post(dead::replay))
            .route("/console/dead/drop", post(dead::discard))
            .route("/console/gateways/{name}/drain", post(gateways::drain))
            .route("/console/gateways/{name}/resume", post(gateways::resume))
            .route("/console/search", get(search::by_event).post(search::by_recipient))
            .route_layer(from_fn(entry::own_origin_and_json))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES));
        assets::routes().merge(questions).layer(map_response(guarded)).with_state(self)
    }
}

/// What every answer carries, whatever it is.
async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
