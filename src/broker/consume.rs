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
use crate::crash::{self, Point};
use crate::event::{Lane, RawEvent};
use crate::telemetry;

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
    /// From our own header: how often it had been given up when it was put back or brought again.
    pub deaths: Option<u32>,
    /// The broker brings it again: its acknowledgement, or the connection, was lost.
    pub redelivered: bool,
}

/// What to do with a delivery.
#[derive(Debug)]
pub enum Handled<B> {
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
        /// How often it was given up.
        deaths: u32,
    },
    /// To the dead-letter queue, then acknowledge.
    Dead {
        /// The label.
        reason: &'static str,
        /// For a person.
        detail: String,
        /// How often it was tried.
        attempts: u32,
        /// How often it was given up, this time included.
        deaths: u32,
        /// When, RFC 3339.
        at: String,
        /// What the handler does when the dead letter is there.
        burial: Option<B>,
    },
    /// Nothing: the program stops, and the broker brings it again.
    Abandon,
}

/// Whoever works on deliveries.
pub trait Handle: Send + Sync + 'static {
    /// What is left to do once a dead letter is in its queue.
    type Burial: Send;

    /// Resolves when one more may be taken from the queue. What is not taken costs nobody anything.
    fn intake(&self) -> impl Future<Output = ()> + Send;

    /// Works on one; everything about it is durable when this returns.
    fn handle(&self, delivered: Delivered) -> impl Future<Output = Handled<Self::Burial>> + Send;

    /// A dead letter is in its queue. False: it could not be noted, and the delivery must not be acknowledged.
    fn bury(&self, burial: Self::Burial) -> impl Future<Output = bool> + Send;
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
        let mut acker = tokio::spawn(acknowledge(channel.clone(), self.prefetch, finished));
        let ended = loop {
            // The permit comes first: lapin's buffer is unbounded, and what is taken must be worked on.
            let next = async {
                let permit = Arc::clone(permits).acquire_owned().await;
                self.handler.intake().await;
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
        let queue = topology::look(&channel, &self.names.lane(self.lane)).await?;
        within(channel.close(200, "done".into())).await?;
        // Deleted and declared again by somebody, and our cancel was lost on the way.
        if queue.consumer_count() == 0 { Err(BrokerError::Cancelled) } else { Ok(()) }
    }

    /// Works on one delivery; the tag to acknowledge, or nothing when the broker shall bring it again.
    async fn work(&self, delivery: Delivery) -> Option<u64> {
        let _in_flight = InFlight::one(self.lane);
        let (tag, redelivered) = (delivery.delivery_tag, delivery.redelivered);
        let properties = delivery.properties;
        let headers = text_headers(&properties);
        let count = |name| headers.get(name).and_then(|text: &String| text.parse().ok());
        let (attempts, deaths) = (count(header::ATTEMPTS).unwrap_or_default(), count(header::DEATHS));
        let content_type = properties.content_type().as_ref().map(ToString::to_string);
        let raw = RawEvent { body: delivery.data, content_type, headers };
        // The body is needed again for a retry or a dead letter, unchanged; a copy of some hundred bytes is cheap.
        let body = raw.body.clone();
        let delivered = Delivered { raw, lane: self.lane, attempts, deaths, redelivered };
        let acknowledge = match self.handler.handle(delivered).await {
            Handled::Ack => true,
            Handled::Abandon => false,
            Handled::Retry { delay, earlier, attempts, deaths } => {
                let retry = self.retry(body, &properties, delay, earlier, attempts, deaths);
                let published = self.publisher.deliver(&retry, &self.hard).await;
                crash::point(Point::RetryPublished);
                published
            }
            Handled::Dead { reason, detail, attempts, deaths, at, burial } => {
                let letter = Letter { reason, detail, attempts, deaths, at };
                let published =
                    self.publisher.deliver(&self.dead(body, &properties, letter), &self.hard).await;
                crash::point(Point::DeadPublished);
                published && self.buried(burial).await
            }
        };
        crash::point(Point::Acknowledging);
        acknowledge.then_some(tag)
    }

    async fn buried(&self, burial: Option<H::Burial>) -> bool {
        match burial {
            Some(burial) => self.handler.bury(burial).await,
            None => true,
        }
    }

    fn retry(
        &self,
        body: Vec<u8>,
        properties: &BasicProperties,
        delay: Duration,
        earlier: Duration,
        attempts: u32,
        deaths: u32,
    ) -> Outgoing {
        let expiration = delay.saturating_sub(earlier).as_millis().to_string();
        let ours = [(header::ATTEMPTS, attempts.to_string()), (header::DEATHS, deaths.to_string())];
        let properties = carried(properties, ours).with_expiration(expiration.into());
        let queue = self.names.retry(self.lane, delay);
        Outgoing::with_properties(&self.names.retry_exchange(), &queue, body, properties)
    }

    fn dead(&self, body: Vec<u8>, properties: &BasicProperties, letter: Letter) -> Outgoing {
        let detail: String = letter.detail.chars().take(MAX_DETAIL).collect();
        let ours = [
            (header::REASON, letter.reason.to_owned()),
            (header::DETAIL, detail),
            (header::ATTEMPTS, letter.attempts.to_string()),
            (header::DEATHS, letter.deaths.to_string()),
            (header::DIED_AT, letter.at),
        ];
        Outgoing::with_properties("", &self.names.dead(), body, carried(properties, ours))
    }
}

/// An event from its delivery until it is told, or its copy is durably elsewhere, for the gauge, however that ends.
struct InFlight(Lane);

impl InFlight {
    fn one(lane: Lane) -> Self {
        telemetry::in_flight(lane, 1.0);
        Self(lane)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        telemetry::in_flight(self.0, -1.0);
    }
}

/// What a dead letter says of itself.
struct Letter {
    reason: &'static str,
    detail: String,
    attempts: u32,
    deaths: u32,
    at: String,
}
