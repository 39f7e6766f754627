//! The dead-letter queue, for people: look at its letters, put one back into its lane, take one away.
//!
//! Letters are taken one by one without acknowledging them, so that the broker brings back whatever was not acted upon
//! when the channel closes, however it closes. Nothing is held but delivery tags and what the caller keeps. A letter is
//! acknowledged only when its copy in the lane is confirmed: a crash in between leaves both, and the ledger tells nobody
//! twice.

use std::time::Duration;

use jiff::Timestamp;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection};
use tokio::time::sleep;

use super::connection::{connect_once, within};
use super::properties::{revived, text, text_headers};
use super::publish::{Outgoing, confirm_channel, publish_confirmed};
use super::{BrokerConfig, BrokerError, Names, header, topology};
use crate::event::{Lane, RawEvent};

/// After a broker's restart the count of a quorum queue reads 0 for about five seconds.
const COUNT_TRIES: u32 = 20;
const COUNT_EVERY: Duration = Duration::from_millis(500);

/// A dead letter, held without being acknowledged. Holds an event, hence no `Debug`.
pub struct DeadLetter {
    /// The event as it came.
    pub raw: RawEvent,
    /// Why the worker gave it up; nothing when the broker did.
    pub reason: Option<String>,
    /// Where and what.
    pub detail: Option<String>,
    /// How often it was tried.
    pub attempts: Option<u32>,
    /// How often it was dead-lettered.
    pub deaths: Option<u32>,
    /// When it was dead-lettered, as far as anybody noted it.
    pub died_at: Option<Timestamp>,
    /// What the broker noted when it was the one who gave it up.
    pub by_broker: Option<BrokerDeath>,
    properties: BasicProperties,
    held: Held,
}

/// The broker's own note on a letter that it gave up (`x-death`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerDeath {
    /// `delivery_limit`, `expired`, ...
    pub reason: String,
    /// In which queue.
    pub queue: String,
    /// When.
    pub time: Option<Timestamp>,
}

/// A letter that can be taken away, without what it holds. Taking it away uses it up.
#[must_use]
pub struct Held(u64);

/// A dead letter that was not put back, or not only.
#[derive(Debug, thiserror::Error)]
pub enum PutBackError {
    /// It is where it was, and nowhere else.
    #[error("{0}")]
    Refused(BrokerError),
    /// It is where it was; nobody knows whether its copy is in the lane.
    #[error("{0}; it may be in its lane already, and replaying it again tells nobody twice")]
    Unknown(BrokerError),
}

impl DeadLetter {
    /// Lets go of what it holds; the letter stays held.
    pub fn into_held(self) -> Held {
        self.held
    }

    fn read(delivery: Delivery) -> Self {
        let Delivery { delivery_tag, properties, data, .. } = delivery;
        let headers = text_headers(&properties);
        let by_broker = broker_death(&properties);
        let ours = |name: &str| headers.get(name).cloned();
        let number = |name: &str| headers.get(name).and_then(|text| text.parse().ok());
        let died_at = headers.get(header::DIED_AT).and_then(|text| text.parse().ok());
        Self {
            reason: ours(header::REASON),
            detail: ours(header::DETAIL),
            attempts: number(header::ATTEMPTS),
            deaths: number(header::DEATHS),
            died_at: died_at.or(by_broker.as_ref().and_then(|death| death.time)),
            by_broker,
            raw: RawEvent {
                body: data,
                content_type: properties.content_type().as_ref().map(ToString::to_string),
                headers,
            },
            properties,
            held: Held(delivery_tag),
        }
    }
}

/// A look at the dead-letter queue.
pub struct DeadLetters {
    connection: Connection,
    channel: Channel,
    names: Names,
    /// How many of the letters that were there at the start are still to be looked at; nothing while that is not known.
    /// What dies meanwhile comes behind them: without the bound, a letter that is put back and dies again would go round.
    left: Option<u32>,
}

impl DeadLetters {
    /// Connects to the first node that answers. Declares nothing: a look changes nothing.
    ///
    /// # Errors
    /// When no node answers, or there is no such queue.
    pub async fn open(config: &BrokerConfig, names: Names) -> Result<Self, BrokerError> {
        let connection = connect_once("dead", config).await?;
        let channel = confirm_channel(&connection).await?;
        let count = count(&channel, &names.dead()).await?;
        Ok(Self { connection, channel, names, left: (count > 0).then_some(count) })
    }

    /// How many of those that were there at the start are still to be looked at, as far as that is known.
    pub fn left(&self) -> usize {
        self.left.map_or(0, |left| left as usize)
    }

    /// The next letter of those that were there at the start, in the queue's order: the oldest first, as a rule.
    ///
    /// # Errors
    /// [`BrokerError`]; every letter that was not taken away is in the queue again then.
    pub async fn next(&mut self) -> Result<Option<DeadLetter>, BrokerError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        let queue = self.names.dead();
        let got = within(self.channel.basic_get(queue.into(), BasicGetOptions::default())).await?;
        let Some(got) = got else { return Ok(None) };
        self.left = Some(match self.left {
            Some(left) => left - 1,
            None => self.count_again().await?,
        });
        Ok(Some(DeadLetter::read(got.delivery)))
    }

    /// The queue holds letters although its count was 0: soon it will say how many.
    async fn count_again(&self) -> Result<u32, BrokerError> {
        for _ in 0..COUNT_TRIES {
            let count = count(&self.channel, &self.names.dead()).await?;
            if count > 0 {
                return Ok(count);
            }
            sleep(COUNT_EVERY).await;
        }
        // It was the only one.
        Ok(0)
    }

    /// Publishes a copy into the lane's queue, and takes the letter away when the broker has confirmed that.
    ///
    /// # Errors
    /// [`PutBackError`]: the letter stays.
    pub async fn put_back(&self, letter: DeadLetter, lane: Lane) -> Result<(), PutBackError> {
        let DeadLetter { raw, properties, held, .. } = letter;
        let message = Outgoing::with_properties("", &self.names.lane(lane), raw.body, revived(&properties));
        match publish_confirmed(&self.channel, &message).await {
            Ok(()) => self.take_away(held).await.map_err(PutBackError::Unknown),
            Err(error @ (BrokerError::Unroutable | BrokerError::Nacked)) => Err(PutBackError::Refused(error)),
            Err(error) => Err(PutBackError::Unknown(error)),
        }
    }

    /// Takes a letter away for good.
    ///
    /// # Errors
    /// [`BrokerError`]: the letter stays.
    pub async fn take_away(&self, held: Held) -> Result<(), BrokerError> {
        within(self.channel.basic_ack(held.0, BasicAckOptions::default())).await
    }

    /// Gives back whatever was not taken away.
    ///
    /// # Errors
    /// When the broker did not say that it has all of it; then what was taken away may be in the queue still.
    pub async fn close(self) -> Result<(), BrokerError> {
        let closed = within(self.channel.close(200, "done".into())).await;
        // The answer to the channel's close is behind every acknowledgement; the connection's end changes nothing.
        let _ = within(self.connection.close(200, "done".into())).await;
        closed
    }
}

/// How many letters wait; those that somebody else is looking at are not among them.
async fn count(channel: &Channel, queue: &str) -> Result<u32, BrokerError> {
    Ok(topology::look(channel, queue).await?.message_count())
}

/// The newest entry of `x-death`.
fn broker_death(properties: &BasicProperties) -> Option<BrokerDeath> {
    let headers = properties.headers().as_ref()?.inner();
    let AMQPValue::FieldArray(deaths) = headers.get("x-death")? else { return None };
    let AMQPValue::FieldTable(newest) = deaths.as_slice().first()? else { return None };
    let field = |name: &str| newest.inner().get(name).and_then(text);
    let time = field("time").and_then(|time| time.parse().ok());
    Some(BrokerDeath { reason: field("reason")?, queue: field("queue")?, time })
}
