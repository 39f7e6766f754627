//! Publishing with confirms: on a connection of its own, supervised, each publish awaited until the broker has it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionStatus};
use tokio::sync::{Notify, watch};
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{channel, close, supervise, within};
use super::{BrokerConfig, BrokerError, Names, OPERATION_TIMEOUT, depth, topology};
use crate::telemetry;

/// How often the supervisor looks whether its connection still is one.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often the topology is declared anew (or, in passive mode, checked): what somebody deleted by mistake, an exchange
/// or a binding too, is back before anybody has to know.
const DECLARE_EVERY: Duration = Duration::from_secs(30);

/// A channel that the broker refuses a message on is given up from this age on. After its queue's leader has changed a
/// channel may be refused everything for good, where a new one is not; but a queue may also just be full, and nobody
/// is helped by a connection for each message.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// AMQP's `delivery-mode` of a message that survives a restart.
const PERSISTENT: u8 = 2;

/// A message to publish. Holds an event, hence no `Debug`.
#[derive(Clone)]
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
    offer: watch::Receiver<Option<Offer>>,
    /// Asks the supervisor to declare queues that went missing.
    declare: Arc<Notify>,
}

/// A channel to publish on, and its connection's state.
#[derive(Clone)]
struct Offer {
    channel: Channel,
    connection: ConnectionStatus,
    since: Instant,
    /// Asks the supervisor for another connection. Of this offer alone: what fails late on it says nothing of the next.
    spoilt: CancellationToken,
}

impl Offer {
    async fn on(connection: &Connection) -> Result<Self, BrokerError> {
        Ok(Self {
            channel: confirm_channel(connection).await?,
            connection: connection.status().clone(),
            since: Instant::now(),
            spoilt: CancellationToken::new(),
        })
    }

    fn is_connected(&self) -> bool {
        self.channel.status().connected() && self.connection.connected()
    }

    /// A blocked connection (memory or disk alarm) would keep every message in our memory.
    fn is_open(&self) -> bool {
        self.is_connected() && !self.connection.blocked() && !self.spoilt.is_cancelled()
    }

    async fn publish(&self, message: &Outgoing) -> Result<(), BrokerError> {
        let published = publish_confirmed(&self.channel, message).await;
        let spoilt = match published {
            // What was published and not confirmed is unknown, and must not pile up.
            Err(BrokerError::Timeout(_)) => true,
            Err(BrokerError::Nacked) => self.since.elapsed() > STALE_AFTER,
            _ => false,
        };
        if spoilt {
            self.spoilt.cancel();
        }
        published
    }
}

impl Publisher {
    /// Starts the supervisor on `tasks`; it ends with `stop`.
    pub fn start(config: BrokerConfig, names: Names, stop: CancellationToken, tasks: &TaskTracker) -> Self {
        let (sender, offer) = watch::channel(None);
        let publisher = Self { offer, declare: Arc::default() };
        let declare = Arc::clone(&publisher.declare);
        tasks.spawn(async move {
            let serve = |connection| serve(connection, &names, &sender, &declare, &stop);
            supervise("publish", &config, &stop, serve).await;
        });
        publisher
    }

    /// Whether there is a connection to publish on.
    pub fn is_connected(&self) -> bool {
        self.offer.borrow().as_ref().is_some_and(Offer::is_open)
    }

    /// Publishes once and waits for the broker's confirm.
    ///
    /// # Errors
    /// [`BrokerError`]; after a timeout the message may still have been taken.
    pub async fn publish(&self, message: &Outgoing) -> Result<(), BrokerError> {
        self.open().await?.publish(message).await
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
                self.declare.notify_one();
            }
            tokio::select! {
                () = give_up.cancelled() => return false,
                () = sleep(pauses.next().unwrap_or(Duration::from_secs(5))) => {}
            }
        }
    }

    async fn open(&self) -> Result<Offer, BrokerError> {
        let open = async {
            loop {
                let offer = self.offer.borrow().clone();
                if let Some(offer) = offer.filter(Offer::is_open) {
                    return offer;
                }
                sleep(LOOK_EVERY).await;
            }
        };
        timeout(OPERATION_TIMEOUT, open).await.map_err(|_| BrokerError::Disconnected)
    }
}

/// A channel whose publishes the broker confirms.
pub(super) async fn confirm_channel(connection: &Connection) -> Result<Channel, BrokerError> {
    let channel = channel(connection).await?;
    within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok(channel)
}

/// Publishes on a confirm channel; `Ok` only when a queue has the message.
pub(super) async fn publish_confirmed(channel: &Channel, message: &Outgoing) -> Result<(), BrokerError> {
    let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
    let exchange = ShortString::try_new(message.exchange.clone()).map_err(|_| BrokerError::Unroutable)?;
    let key = ShortString::try_new(message.routing_key.clone()).map_err(|_| BrokerError::Unroutable)?;
    let properties = message.properties.clone();
    let publishing = channel.basic_publish(exchange, key, mandatory, &message.body, properties);
    match within(within(publishing).await?).await? {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(_)) => Err(BrokerError::Unroutable),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err(BrokerError::Nacked),
    }
}

/// Offers a confirm channel on `connection` until it ends, and counts what waits in our queues as long.
async fn serve(
    connection: Connection,
    names: &Names,
    offered: &watch::Sender<Option<Offer>>,
    declare: &Notify,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    topology::prepare(&connection, names).await?;
    let offer = Offer::on(&connection).await?;
    offered.send_replace(Some(offer.clone()));
    let ended = tokio::select! {
        ended = look_after(&connection, names, &offer, declare, stop) => ended,
        never = depth::watch(&connection, names) => match never {},
    };
    offered.send_replace(None);
    depth::forget(names);
    close(&connection, stop).await;
    ended
}

/// Until the connection ends or is to end: its topology is kept as it has to be.
async fn look_after(
    connection: &Connection,
    names: &Names,
    offer: &Offer,
    declare: &Notify,
    stop: &CancellationToken,
) -> Result<(), BrokerError> {
    let mut declare_again = interval(DECLARE_EVERY);
    declare_again.reset();
    loop {
        let declare = async {
            tokio::select! {
                () = declare.notified() => {}
                _ = declare_again.tick() => {}
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = offer.spoilt.cancelled() => return Err(BrokerError::Disconnected),
            () = declare => topology::prepare(connection, names).await?,
            () = sleep(LOOK_EVERY) => {
                if !offer.is_connected() {
                    return Err(BrokerError::Disconnected);
                }
            }
        }
    }
}
