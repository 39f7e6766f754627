//! Upstream's and the operator's side of the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{
    BasicGetOptions, BasicPublishOptions, BasicRejectOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::house::block_on;

const OPERATION: Duration = Duration::from_secs(10);

/// A connection that publishes with confirms, mandatory and persistent; made when needed, and anew after a failure.
pub struct Amqp {
    url: String,
    connected: Mutex<Option<(Connection, Channel)>>,
}

/// How a queue looks: messages waiting in it, and consumers.
#[derive(Debug)]
pub struct Look {
    pub messages: u32,
    pub consumers: u32,
}

/// A message taken from the dead-letter queue.
#[derive(Debug)]
pub struct Dead {
    pub body: Vec<u8>,
    pub headers: BTreeMap<String, String>,
    pub message_id: String,
    pub delivery_mode: Option<u8>,
    pub expiration: Option<String>,
}

impl Dead {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Amqp {
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned(), connected: Mutex::new(None) }
    }

    /// The broker's port.
    pub fn port(&self) -> u16 {
        let (_, port) = self.url.trim_end_matches("/%2f").rsplit_once(':').expect("a port");
        port.parse().expect("a number")
    }

    /// Publishes and waits for the confirm.
    #[track_caller]
    pub fn publish(&self, exchange: &str, routing_key: &str, body: &[u8]) {
        self.publish_with(exchange, routing_key, body, BasicProperties::default());
    }

    #[track_caller]
    pub fn publish_with(&self, exchange: &str, routing_key: &str, body: &[u8], properties: BasicProperties) {
        let sent = block_on(self.try_publish(exchange, routing_key, body, properties));
        sent.unwrap_or_else(|error| panic!("{routing_key} to {exchange:?}: {error}"));
    }

    /// Publishes all at once and waits for every confirm.
    #[track_caller]
    pub fn publish_all<'a>(&self, messages: impl Iterator<Item = (&'a str, &'a str, Vec<u8>)>) {
        let sends = messages.map(|(exchange, routing_key, body)| async move {
            self.try_publish(exchange, routing_key, &body, BasicProperties::default()).await
        });
        for sent in block_on(join_all(sends)) {
            sent.expect("confirmed");
        }
    }

    /// One try; an error means that nobody knows whether the broker has it.
    pub async fn try_publish(
        &self,
        exchange: &str,
        routing_key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) -> Result<(), String> {
        let channel = self.channel().await?;
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = properties.with_delivery_mode(2);
        let publishing = async {
            channel.basic_publish(exchange.into(), routing_key.into(), options, body, properties).await?.await
        };
        match timeout(OPERATION, publishing).await {
            Ok(Ok(Confirmation::Ack(None))) => Ok(()),
            Ok(Ok(Confirmation::Ack(Some(_)))) => Err("no queue takes it".to_owned()),
            Ok(Ok(other)) => {
                // A channel that a frozen leader has refused once may be refused for minutes.
                *self.connected.lock().await = None;
                Err(format!("{other:?}"))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                *self.connected.lock().await = None;
                Err("no confirm in time".to_owned())
            }
        }
    }

    /// Declares a quorum queue.
    #[track_caller]
    pub fn declare_quorum(&self, queue: &str) {
        let options = QueueDeclareOptions { durable: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        block_on(async {
            let channel = self.channel().await.expect("the broker runs");
            let declared = timeout(OPERATION, channel.queue_declare(queue.into(), options, arguments)).await;
            declared.expect("an answer in time").expect("a new queue");
        });
    }

    /// Connects, if it is not connected.
    pub async fn reach(&self) -> Result<(), String> {
        self.channel().await.map(drop)
    }

    /// A queue as the broker sees it now; `None` when there is none.
    pub fn look(&self, queue: &str) -> Option<Look> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        block_on(async {
            let channel = self.channel().await.expect("the broker runs");
            let declared =
                timeout(OPERATION, channel.queue_declare(queue.into(), options, FieldTable::default()));
            let declared = declared.await.expect("an answer in time").ok()?;
            Some(Look { messages: declared.message_count(), consumers: declared.consumer_count() })
        })
    }

    /// Refuses the first message of a queue, so that the broker itself dead-letters it.
    pub fn reject_one(&self, queue: &str) {
        block_on(async {
            let channel = self.channel().await.expect("the broker runs");
            let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await.expect("the queue");
            let tag = got.expect("a message").delivery.delivery_tag;
            channel.basic_reject(tag, BasicRejectOptions { requeue: false }).await.expect("taken back");
        });
    }

    /// Takes all messages that wait in a queue.
    pub fn take_all(&self, queue: &str) -> Vec<Dead> {
        block_on(async {
            let channel = self.channel().await.expect("the broker runs");
            let mut taken = Vec::new();
            let options = BasicGetOptions { no_ack: true };
            while let Some(got) = channel.basic_get(queue.into(), options).await.expect("the queue is there")
            {
                let properties = &got.delivery.properties;
                taken.push(Dead {
                    headers: text_headers(properties),
                    message_id: properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default(),
                    delivery_mode: *properties.delivery_mode(),
                    expiration: properties.expiration().as_ref().map(ToString::to_string),
                    body: got.delivery.data,
                });
            }
            taken
        })
    }

    async fn channel(&self) -> Result<Channel, String> {
        let mut connected = self.connected.lock().await;
        if let Some((connection, channel)) = connected.as_ref()
            && connection.status().connected()
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        *connected = None;
        let connecting = async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>((connection, channel))
        };
        let made = timeout(OPERATION, connecting).await.map_err(|_| "no connection in time".to_owned())?;
        let (connection, channel) = made.map_err(|error| error.to_string())?;
        *connected = Some((connection, channel.clone()));
        Ok(channel)
    }
}

fn text_headers(properties: &BasicProperties) -> BTreeMap<String, String> {
    let Some(headers) = properties.headers() else { return BTreeMap::new() };
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        other => format!("{other:?}"),
    };
    headers.inner().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}
