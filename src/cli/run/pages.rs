//! What a worker serves over HTTP: metrics, health and the console, and receipts where they are or on a listener of their own.

use std::io;
use std::sync::Arc;

use axum::Router;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin, Health, Listen};
use crate::cli::Usage;
use crate::config::Config;
use crate::console::Console;
use crate::dispatch::Dispatcher;
use crate::receipts::{self, Desk};

/// Bound before anything is sent: an address that is taken is found out at once.
pub(super) struct Listeners {
    admin: TcpListener,
    receipts: Option<TcpListener>,
}

impl Listeners {
    pub async fn bind(config: &Config) -> Result<Self, Usage> {
        let admin = bind("http.listen", config.http.listen).await?;
        let receipts = match config.receipts.listen {
            Some(listen) => Some(bind("receipts.listen", listen).await?),
            None => None,
        };
        Ok(Self { admin, receipts })
    }
}

async fn bind(key: &str, listen: Listen) -> Result<TcpListener, Usage> {
    TcpListener::bind(listen.0).await.map_err(|error| Usage(format!("{key}: {listen}: {error}")))
}

/// What the pages show and do.
pub(super) struct Pages {
    pub metrics: PrometheusHandle,
    pub health: Health,
    pub dispatcher: Arc<Dispatcher>,
    pub desk: Desk,
}

impl Pages {
    /// Serves them until `stop`.
    pub fn serve(
        self,
        listeners: Listeners,
        config: &Config,
        stop: &CancellationToken,
    ) -> JoinHandle<io::Result<()>> {
        let Self { metrics, health, dispatcher, desk } = self;
        let receipts = receipts::router(Arc::clone(&dispatcher), desk, &config.receipts);
        let beside = match listeners.receipts {
            Some(listener) => {
                let stop = stop.clone().cancelled_owned();
                tokio::spawn(
                    async move { axum::serve(listener, receipts).with_graceful_shutdown(stop).await },
                );
                Router::new()
            }
            None => receipts,
        };
        let wording = Arc::clone(&dispatcher.templates);
        let console = Console::start(config, dispatcher, metrics.clone(), Arc::clone(&health), stop.clone());
        let admin = Admin { metrics, health, wording };
        tokio::spawn(admin::serve(listeners.admin, admin, beside.merge(console.router()), stop.clone()))
    }
}
