//! One lane: take deliveries as fast as they can be worked on, and carry out what becomes of each.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ack::acknowledge;
use super::connection::{channel, close, supervise, within};
use super::properties::{carried, text_headers};
use super::publish::{Outgoing, Publisher};
use super::{BrokerConfig, BrokerError, Names, OPERATION_TIMEOUT, header, topology};
use crate::event::{Lane, RawEvent};

/// A deleted queue is usually announced, but not always: after this long without a delivery the consumer looks.
const IDLE_CHECK: Duration = Duration::from_secs(30);

/// Longest header value that is written; AMQP frames are bounded.
const MAX_DETAIL: usize = 1000;

const CONSUMER_TAG: &str = "shirase";

/// An event as it was taken from a lane's queue.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The message.
    pub raw: RawEvent,
    /// The lane.
    pub lane: Lane,
    /// From our own header: how often it was tried before.
    pub attempts: u32,
}

/// What to do with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handled {
    /// Acknowledge.
    Ack,
    /// Bring it again later, then acknowledge.
    Retry {
        /// One of the schedule's steps.
        delay: Duration,
        /// Takes its place in the queue this much earlier, so that what failed together doesn't come back together.
        earlier: Duration,
        /// How often it was tried by then.
        attempts: u32,
    },
    /// To the dead-letter queue, then acknowledge.
    Dead {
        /// The label.
        reason: &'static str,
        /// For a person.
        detail: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Nothing: the program stops, and the broker brings it again.
    Abandon,
}

/// Whoever works on deliveries.
pub trait Handle: Send + Sync + 'static {
    /// Works on one; everything about it is durable when this returns.
    fn handle(&self, delivered: Delivered) -> impl Future<Output = Handled> + Send;
}

/// Consumes one lane.
pub struct Consumer<H> {
    /// Where.
    pub config: BrokerConfig,
    /// What.
    pub names: Names,
    /// Which lane.
    pub lane: Lane,
    /// Deliveries worked on at once.
    pub prefetch: u16,
    /// For retries and dead letters.
    pub publisher: Publisher,
    /// Who works on them.
    pub handler: Arc<H>,
    /// Told why the lane is not being consumed; nothing while it is.
    pub consuming: watch::Sender<Option<String>>,
    /// Stops intake.
    pub soft: CancellationToken,
    /// Gives up what is in flight.
    pub hard: CancellationToken,
}

impl<H: Handle> Consumer<H> {
    /// Consumes until `soft`, then waits for what is in flight, until `hard`.
    pub async fn run(self) {
        // Shared by one connection after another: what the last one left in flight still counts.
        let permits = Arc::new(Semaphore::new(usize::from(self.prefetch)));
        let in_flight = TaskTracker::new();
        let lane = Arc::new(self);
        supervise(lane.lane.as_str(), &lane.config, &lane.soft, |connection| {
            let (lane, permits, in_flight) = (Arc::clone(&lane), Arc::clone(&permits), in_flight.clone());
            async move {
                let ended = lane.consume(&connection, &permits, &in_flight).await;
                let why = ended.as_ref().err().map_or_else(|| "stopped".to_owned(), ToString::to_string);
                lane.consuming.send_replace(Some(why));
                close(&connection, &lane.hard).await;
                ended
            }
        })
        .await;
        // Without a connection nothing can be acknowledged any more, but what is being sent can still be settled.
        in_flight.close();
        tokio::select! {
            () = lane.hard.cancelled() => {}
            () = in_flight.wait() => {}
        }
    }

    async fn consume(
        self: &Arc<Self>,
        connection: &Connection,
        permits: &Arc<Semaphore>,
        in_flight: &TaskTracker,
    ) -> Result<(), BrokerError> {
        let (channel, mut deliveries) = self.subscribe(connection).await?;
        self.consuming.send_replace(None);

        let (done, finished) = mpsc::unbounded_channel();
        let mut acker = tokio::spawn(acknowledge(channel.clone(), finished));
        let ended = loop {
            // The permit comes first: lapin's buffer is unbounded, and what is taken must be worked on.
            let next = async {
                let permit = Arc::clone(permits).acquire_owned().await;
                (permit, timeout(IDLE_CHECK, deliveries.next()).await)
            };
            let (permit, delivery) = tokio::select! {
                biased;
                () = self.soft.cancelled() => break Ok(()),
                // Without acknowledgements the broker would fall silent when the prefetch is used up.
                ended = &mut acker => break Err(ended.ok().and_then(Result::err).unwrap_or(BrokerError::Disconnected)),
                next = next => next,
            };
            let delivery = match delivery {
                Ok(Some(Ok(delivery))) => delivery,
                Ok(Some(Err(error))) => break Err(error.into()),
                Ok(None) => break Err(BrokerError::Cancelled),
                Err(_idle) => match self.look(connection).await {
                    Ok(()) => continue,
                    Err(error) => break Err(error),
                },
            };
            let (lane, done) = (Arc::clone(self), done.clone());
            in_flight.spawn(async move {
                if let Some(tag) = lane.work(delivery).await {
                    // The channel may be gone; then the broker brings the event again, and the ledger knows it.
                    let _ = done.send(tag);
                }
                drop(permit);
            });
        };
        drop(done);
        if ended.is_ok() {
            self.drain(&channel, in_flight, acker).await;
        } else {
            // Nothing can be acknowledged on a broken channel; the next connection must not wait for what is in flight.
            acker.abort();
        }
        ended
    }

    /// Declares the topology and begins to consume.
    async fn subscribe(&self, connection: &Connection) -> Result<(Channel, lapin::Consumer), BrokerError> {
        topology::prepare(connection, &self.names).await?;
        let channel = channel(connection).await?;
        within(channel.basic_qos(self.prefetch, BasicQosOptions::default())).await?;
        let queue = self.names.lane(self.lane).into();
        let options = BasicConsumeOptions::default();
        let consuming = channel.basic_consume(queue, CONSUMER_TAG.into(), options, FieldTable::default());
        let deliveries = within(consuming).await?;
        Ok((channel, deliveries))
    }

    /// After a soft stop: no more deliveries; what is in flight may finish, and be acknowledged, until the hard stop.
    async fn drain(
        &self,
        channel: &Channel,
        in_flight: &TaskTracker,
        acker: JoinHandle<Result<(), BrokerError>>,
    ) {
        let finished = async {
            // Without the cancel the broker goes on filling the buffer; it changes nothing else.
            let _ = within(channel.basic_cancel(CONSUMER_TAG.into(), BasicCancelOptions::default())).await;
            in_flight.close();
            in_flight.wait().await;
            // An acknowledgement that fails now means a redelivery that the ledger knows. Closing the channel first
            // keeps the end of the connection from overtaking the last ones.
            let _ = timeout(OPERATION_TIMEOUT, acker).await;
            let _ = within(channel.close(200, "done".into())).await;
        };
        tokio::select! {
            () = self.hard.cancelled() => {}
            () = finished => {}
        }
    }

    /// Whether the queue is still there and has a consumer, asked on a channel of its own because a "no" closes it.
    async fn look(&self, connection: &Connection) -> Result<(), BrokerError> {
        let channel = channel(connection).await?;
        let consumers = topology::consumers(&channel, &self.names.lane(self.lane)).await?;
        within(channel.close(200, "done".into())).await?;
        // Deleted and declared again by somebody, and our cancel was lost on the way.
        if consumers == 0 { Err(BrokerError::Cancelled) } else { Ok(()) }
    }

    /// Works on one delivery; the tag to acknowledge, or nothing when the broker shall bring it again.
    async fn work(&self, delivery: Delivery) -> Option<u64> {
        let tag = delivery.delivery_tag;
        let properties = delivery.properties;
        let headers = text_headers(&properties);
        let attempts = headers.get(header::ATTEMPTS).and_then(|text| text.parse().ok()).unwrap_or_default();
        let content_type = properties.content_type().as_ref().map(ToString::to_string);
        let raw = RawEvent { body: delivery.data, content_type, headers };
        // The body is needed again for a retry or a dead letter, unchanged; a copy of some hundred bytes is cheap.
        let body = raw.body.clone();
        let message = match self.handler.handle(Delivered { raw, lane: self.lane, attempts }).await {
            Handled::Ack => return Some(tag),
            Handled::Abandon => return None,
            Handled::Retry { delay, earlier, attempts } => {
                self.retry(body, &properties, delay, earlier, attempts)
            }
            Handled::Dead { reason, detail, attempts } => {
                self.dead(body, &properties, reason, &detail, attempts)
            }
        };
        self.publisher.deliver(&message, &self.hard).await.then_some(tag)
    }

    fn retry(
        &self,
        body: Vec<u8>,
        properties: &BasicProperties,
        delay: Duration,
        earlier: Duration,
        attempts: u32,
    ) -> Outgoing {
        let expiration = delay.saturating_sub(earlier).as_millis().to_string();
        let ours = [(header::ATTEMPTS, attempts.to_string())];
        let properties = carried(properties, ours).with_expiration(expiration.into());
        let queue = self.names.retry(self.lane, delay);
        Outgoing::with_properties(&self.names.retry_exchange(), &queue, body, properties)
    }

    fn dead(
        &self,
        body: Vec<u8>,
        properties: &BasicProperties,
        reason: &str,
        detail: &str,
        attempts: u32,
    ) -> Outgoing {
        let detail: String = detail.chars().take(MAX_DETAIL).collect();
        let attempts = attempts.to_string();
        let ours =
            [(header::REASON, reason.to_owned()), (header::DETAIL, detail), (header::ATTEMPTS, attempts)];
        Outgoing::with_properties("", &self.names.dead(), body, carried(properties, ours))
    }
}
