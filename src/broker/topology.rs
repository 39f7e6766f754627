//! Exchanges, queues and bindings: the contract of design section 4, in one place.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind};

use super::connection::{channel, within};
use super::{BrokerConfig, BrokerError, Topology};
use crate::event::{Catalog, Lane};

/// How often the broker may bring one message back before it gives it to the dead-letter queue itself. High: a killed
/// worker counts one for every message it had prefetched, and poison is judged by our own count of attempts.
const DELIVERY_LIMIT: i64 = 100;

/// Every name that the worker uses on the broker.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
    /// Where upstream publishes.
    pub exchange: String,
    topology: Topology,
    /// Lane and the event types bound to it.
    bindings: Vec<(Lane, String)>,
    delays: Vec<Duration>,
}

impl Names {
    /// From the configuration, the catalog's types and the delays of the retry schedule.
    pub fn new(config: &BrokerConfig, catalog: &Catalog, delays: Vec<Duration>) -> Self {
        Self {
            prefix: config.prefix.clone(),
            exchange: config.exchange.clone(),
            topology: config.topology,
            bindings: catalog.iter().map(|kind| (kind.policy.lane, kind.name.clone())).collect(),
            delays,
        }
    }

    /// A lane's queue.
    pub fn lane(&self, lane: Lane) -> String {
        format!("{}.{}", self.prefix, lane.as_str())
    }

    /// The exchange that retries are published to; its routing keys are the delay queues' names.
    pub fn retry_exchange(&self) -> String {
        format!("{}.retry", self.prefix)
    }

    /// A lane's delay queue for one step of the schedule.
    pub fn retry(&self, lane: Lane, delay: Duration) -> String {
        format!("{}.{}.retry.{}", self.prefix, lane.as_str(), delay.as_secs())
    }

    /// The dead-letter queue.
    pub fn dead(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    /// Every queue of ours, with its name.
    pub(super) fn queues(&self) -> Vec<(Queue, String)> {
        let retries = |lane| self.delays.iter().map(move |delay| Queue::Retry(lane, *delay));
        let lanes =
            Lane::ALL.into_iter().flat_map(|lane| std::iter::once(Queue::Lane(lane)).chain(retries(lane)));
        lanes.chain([Queue::Dead]).map(|queue| (queue, self.of(queue))).collect()
    }

    fn of(&self, queue: Queue) -> String {
        match queue {
            Queue::Lane(lane) => self.lane(lane),
            Queue::Retry(lane, delay) => self.retry(lane, delay),
            Queue::Dead => self.dead(),
        }
    }
}

/// One of our queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// A lane's.
    Lane(Lane),
    /// A lane's delay queue for one step of the schedule.
    Retry(Lane, Duration),
    /// The dead letters'.
    Dead,
}

/// Declares everything, or in passive mode sees that it is there.
pub(super) async fn prepare(connection: &Connection, names: &Names) -> Result<(), BrokerError> {
    match names.topology {
        Topology::Declare => declare(connection, names).await,
        Topology::Passive => check(connection, names).await,
    }
}

/// Sees that every exchange and queue is there, without changing anything.
pub(super) async fn check(connection: &Connection, names: &Names) -> Result<(), BrokerError> {
    let channel = channel(connection).await?;
    let passive = ExchangeDeclareOptions { passive: true, ..Default::default() };
    for exchange in [names.exchange.clone(), names.retry_exchange()] {
        within(channel.exchange_declare(
            exchange.into(),
            ExchangeKind::Topic,
            passive,
            FieldTable::default(),
        ))
        .await?;
    }
    for (_, queue) in names.queues() {
        look(&channel, &queue).await?;
    }
    close(&channel).await
}

/// A queue with its counts. When it is not there, that is an error and the channel's end.
pub(super) async fn look(channel: &Channel, queue: &str) -> Result<lapin::Queue, BrokerError> {
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    within(channel.queue_declare(queue.into(), passive, FieldTable::default())).await
}

async fn declare(connection: &Connection, names: &Names) -> Result<(), BrokerError> {
    let channel = channel(connection).await?;
    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    for (exchange, kind) in
        [(names.exchange.clone(), ExchangeKind::Topic), (names.retry_exchange(), ExchangeKind::Direct)]
    {
        within(channel.exchange_declare(exchange.into(), kind, durable, FieldTable::default())).await?;
    }
    queue(&channel, &names.dead(), dead_arguments()).await?;
    for lane in Lane::ALL {
        queue(&channel, &names.lane(lane), lane_arguments(names)).await?;
        for delay in &names.delays {
            let name = names.retry(lane, *delay);
            queue(&channel, &name, arguments(Some(&names.lane(lane)), Some(*delay))).await?;
            bind(&channel, &name, &names.retry_exchange(), &name).await?;
        }
    }
    for (lane, event_type) in &names.bindings {
        bind(&channel, &names.lane(*lane), &names.exchange, event_type).await?;
    }
    close(&channel).await
}

async fn queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), BrokerError> {
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    within(channel.queue_declare(name.into(), durable, arguments)).await.map(drop)
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, routing_key: &str) -> Result<(), BrokerError> {
    let options = QueueBindOptions::default();
    within(channel.queue_bind(
        queue.into(),
        exchange.into(),
        routing_key.into(),
        options,
        FieldTable::default(),
    ))
    .await
}

pub(super) async fn close(channel: &Channel) -> Result<(), BrokerError> {
    within(channel.close(200, "done".into())).await
}

/// A lane gives what the broker itself gives up to the dead-letter queue.
fn lane_arguments(names: &Names) -> FieldTable {
    let mut table = arguments(Some(&names.dead()), None);
    table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(DELIVERY_LIMIT));
    table
}

/// Dead letters are looked at and put back any number of times. Without a limit RabbitMQ 4 takes twenty, and then drops
/// the message.
fn dead_arguments() -> FieldTable {
    let mut table = arguments(None, None);
    table.insert("x-delivery-limit".into(), AMQPValue::LongLongInt(1_000_000_000));
    table
}

/// A quorum queue that dead-letters to the queue `to`, at least once, after `delay`.
fn arguments(to: Option<&str>, delay: Option<Duration>) -> FieldTable {
    let text = |text: &str| AMQPValue::LongString(text.into());
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), text("quorum"));
    if let Some(to) = to {
        table.insert("x-dead-letter-exchange".into(), text(""));
        table.insert("x-dead-letter-routing-key".into(), text(to));
        table.insert("x-dead-letter-strategy".into(), text("at-least-once"));
        table.insert("x-overflow".into(), text("reject-publish"));
    }
    if let Some(delay) = delay {
        let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        table.insert(ShortString::from("x-message-ttl"), AMQPValue::LongLongInt(millis));
    }
    table
}
