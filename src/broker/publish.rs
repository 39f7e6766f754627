//! Publishing with confirms: on a connection of its own, supervised, each publish awaited until the broker has it.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{channel, supervise, within};
use super::{BrokerConfig, BrokerError, Names, OPERATION_TIMEOUT, topology};
use crate::telemetry;

/// How often the supervisor looks whether its connection still is one.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How often the topology is declared anew (or, in passive mode, checked): what somebody deleted by mistake, an exchange
/// or a binding too, is back before anybody has to know.
const DECLARE_EVERY: Duration = Duration::from_secs(30);

/// AMQP's `delivery-mode` of a message that survives a restart.
const PERSISTENT: u8 = 2;

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Empty for the default exchange.
    pub exchange: String,
    /// A queue's name for the default exchange.
    pub routing_key: String,
    /// The body as it is.
    pub body: Vec<u8>,
    pub(super) properties: BasicProperties,
}

impl Outgoing {
    /// A persistent message.
    pub fn new(exchange: &str, routing_key: &str, body: Vec<u8>, content_type: &str) -> Self {
        let properties = BasicProperties::default().with_content_type(content_type.into());
        Self::with_properties(exchange, routing_key, body, properties)
    }

    pub(super) fn with_properties(
        exchange: &str,
        routing_key: &str,
        body: Vec<u8>,
        properties: BasicProperties,
    ) -> Self {
        let properties = properties.with_delivery_mode(PERSISTENT);
        Self { exchange: exchange.to_owned(), routing_key: routing_key.to_owned(), body, properties }
    }
}

/// Publishes, whatever happens to the connection. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    channel: watch::Receiver<Option<Channel>>,
    /// Asks the supervisor to declare queues that went missing.
    missing: Arc<Notify>,
}

impl Publisher {
    /// Starts the supervisor on `tasks`; it ends with `stop`.
    pub fn start(config: BrokerConfig, names: Names, stop: CancellationToken, tasks: &TaskTracker) -> Self {
        let (sender, channel) = watch::channel(None);
        let missing = Arc::new(Notify::new());
        let publisher = Self { channel, missing: Arc::clone(&missing) };
        tasks.spawn(async move {
            supervise("publish", &config, &stop, |connection| {
                serve(connection, &names, &sender, &missing, &stop)
            })
            .await;
        });
        publisher
    }

    /// Whether there is a connection to publish on.
    pub fn is_connected(&self) -> bool {
        self.channel.borrow().as_ref().is_some_and(|channel| channel.status().connected())
    }

    /// Publishes once and waits for the broker's confirm.
    ///
    /// # Errors
    /// [`BrokerError`]; after a timeout the message may still have been taken.
    pub async fn publish(&self, message: &Outgoing) -> Result<(), BrokerError> {
        let channel = self.channel().await?;
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let (exchange, routing_key) = (message.exchange.as_str().into(), message.routing_key.as_str().into());
        let confirm = within(channel.basic_publish(
            exchange,
            routing_key,
            mandatory,
            &message.body,
            message.properties.clone(),
        ))
        .await?;
        match within(confirm).await? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) => Err(BrokerError::Unroutable),
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(BrokerError::Nacked),
        }
    }

    /// Publishes until the broker has it. Returns false when `give_up` came first: then the message may or may not be
    /// there, and what it stands for must not be acknowledged.
    pub async fn deliver(&self, message: &Outgoing, give_up: &CancellationToken) -> bool {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            let published = tokio::select! {
                () = give_up.cancelled() => return false,
                published = self.publish(message) => published,
            };
            let Err(error) = published else { return true };
            telemetry::publish_failed(&message.routing_key, &error.to_string());
            if matches!(error, BrokerError::Unroutable) {
                // One of our own queues is gone: somebody deleted it.
                self.missing.notify_one();
            }
            tokio::select! {
                () = give_up.cancelled() => return false,
                () = sleep(pauses.next().unwrap_or(Duration::from_secs(5))) => {}
            }
        }
    }

    async fn channel(&self) -> Result<Channel, BrokerError> {
        let mut channel = self.channel.clone();
        let connected =
            |channel: &Option<Channel>| channel.as_ref().is_some_and(|channel| channel.status().connected());
        let found = timeout(OPERATION_TIMEOUT, channel.wait_for(connected)).await?;
        found.ok().and_then(|found| found.clone()).ok_or(BrokerError::Disconnected)
    }
}

/// Offers a confirm channel on `connection` until it ends.
async fn serve(
    connection: Connection,
    names: &Names,
    offered: &watch::Sender<Option<Channel>>,
    missing: &Notify,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    topology::prepare(&connection, names).await?;
    let channel = channel(&connection).await?;
    within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    offered.send_replace(Some(channel.clone()));
    let mut declare = interval(DECLARE_EVERY);
    declare.reset();
    let ended = loop {
        let ask = async {
            tokio::select! {
                () = missing.notified() => {}
                _ = declare.tick() => {}
            }
        };
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            () = ask => {
                if let Err(error) = topology::prepare(&connection, names).await {
                    break Err(error);
                }
            }
            () = sleep(LOOK_EVERY) => {
                if !connection.status().connected() || !channel.status().connected() {
                    break Err(BrokerError::Disconnected);
                }
            }
        }
    };
    offered.send_replace(None);
    // A connection that is already gone cannot be closed; nothing depends on it.
    let _ = timeout(OPERATION_TIMEOUT, connection.close(200, "done".into())).await;
    ended
}
