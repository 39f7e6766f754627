//! One supervised connection: connect, use, and after whatever ended it, again.

use std::future::Future;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use lapin::tcp::OwnedTLSConfig;
use lapin::{Channel, Connection, ConnectionProperties, runtime};
use tokio::time::{error::Elapsed, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{AmqpUrl, BrokerConfig, Names, OPERATION_TIMEOUT, topology};
use crate::{telemetry, tls};

/// The handshake has no timeout of its own in lapin.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection that lived this long was a good one: after it the pauses start over.
const WORKED: Duration = Duration::from_secs(5);

/// Something with the broker went wrong. Holds no message and no credentials.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The broker or the connection to it.
    #[error("{0}")]
    Lapin(#[from] lapin::Error),
    /// A node that could not be connected to.
    #[error("{node}: {error}")]
    Node {
        /// Host and port.
        node: String,
        /// Why not.
        error: Box<BrokerError>,
    },
    /// Its certificate, or TLS at all.
    #[error("{0}")]
    Tls(String),
    /// No answer in time.
    #[error("no answer within {} s", OPERATION_TIMEOUT.as_secs())]
    Timeout(#[from] Elapsed),
    /// The broker took our consumer away: its queue was deleted, or its node is going.
    #[error("the broker cancelled the consumer (queue deleted?)")]
    Cancelled,
    /// A publish that no queue takes.
    #[error("no queue takes the message")]
    Unroutable,
    /// The broker refused a publish.
    #[error("the broker refused the message")]
    Nacked,
    /// There is no connection at the moment.
    #[error("not connected")]
    Disconnected,
}

/// Runs `use_it` with one connection after another until `stop`, whatever ends them. Nodes are tried in turn, with
/// endless jittered pauses between 100 ms and 10 s that start over after a connection that worked.
pub(super) async fn supervise<F, Fut>(
    role: &'static str,
    config: &BrokerConfig,
    stop: &CancellationToken,
    mut use_it: F,
) where
    F: FnMut(Connection) -> Fut,
    Fut: Future<Output = Result<(), BrokerError>>,
{
    let mut pauses = pauses();
    for url in config.urls.iter().cycle() {
        let mut worked = false;
        let connected = tokio::select! {
            () = stop.cancelled() => return,
            connected = connect(role, url, config) => connected,
        };
        let ended = match connected {
            Ok(connection) => {
                telemetry::broker_connected(role, &url.to_string());
                let since = Instant::now();
                let ended = use_it(connection).await;
                worked = since.elapsed() > WORKED;
                if worked {
                    pauses = self::pauses();
                }
                ended
            }
            Err(error) => Err(error),
        };
        let Err(error) = ended else { return };
        let pause = pauses.next().unwrap_or(Duration::from_secs(10));
        telemetry::broker_lost(role, &url.to_string(), &error.to_string(), pause, worked);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(10))
        .with_jitter()
        .without_max_times()
        .build()
}

async fn connect(role: &str, url: &AmqpUrl, config: &BrokerConfig) -> Result<Connection, BrokerError> {
    let properties = ConnectionProperties::default().with_connection_name(format!("shirase {role}").into());
    let trusted = config.ca.as_ref().map(|certificates| certificates.pem().to_owned());
    let trusted = OwnedTLSConfig { cert_chain: trusted, ..OwnedTLSConfig::default() };
    let runtime = runtime::default_runtime()?;
    let connecting = Connection::connect_uri_with_config(url.uri.clone(), properties, trusted, runtime);
    timeout(CONNECT_TIMEOUT, connecting).await?.map_err(|error| {
        match tls::explain(&error, &url.uri.authority.host) {
            Some(words) => BrokerError::Tls(words),
            None => BrokerError::Lapin(error),
        }
    })
}

/// A channel on `connection`.
pub(super) async fn channel(connection: &Connection) -> Result<Channel, BrokerError> {
    within(connection.create_channel()).await
}

/// Closes a connection in order, within a second after a hard stop. One that is already gone cannot be closed; nothing
/// depends on it.
pub(super) async fn close(connection: &Connection, hard: &CancellationToken) {
    let late = async {
        hard.cancelled().await;
        sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        _ = within(connection.close(200, "done".into())) => {}
        () = late => {}
    }
}

/// An operation under the common timeout.
pub(super) async fn within<T>(operation: impl Future<Output = lapin::Result<T>>) -> Result<T, BrokerError> {
    Ok(timeout(OPERATION_TIMEOUT, operation).await??)
}

/// Connects to the first node that answers, each tried once.
///
/// # Errors
/// What the last node said.
pub(super) async fn connect_once(role: &str, config: &BrokerConfig) -> Result<Connection, BrokerError> {
    let mut last = BrokerError::Disconnected;
    for url in &config.urls {
        match connect(role, url, config).await {
            Ok(connection) => return Ok(connection),
            Err(error) => last = BrokerError::Node { node: url.to_string(), error: Box::new(error) },
        }
    }
    Err(last)
}

/// Connects once to the first node that answers and checks the topology without changing it.
///
/// # Errors
/// What the last node said.
pub async fn probe(config: &BrokerConfig, names: &Names) -> Result<(), BrokerError> {
    let connection = connect_once("check", config).await?;
    let checked = topology::check(&connection, names).await;
    let _ = within(connection.close(200, "done".into())).await;
    checked
}
