//! The events that both sides work on: 70% reach a mobile number, 30% a mailbox. The address holds the event's number, so that
//! the sinks know it again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};
use shirase::clock::Clock;
use tokio::time::sleep_until;

pub const TYPE: &str = "security.login.new_device";

/// Published at once by the open loop.
const STEP: Duration = Duration::from_millis(2);

fn event(kind: &str, run: &str, number: usize) -> Value {
    assert!(number < 10_000_000, "seven digits");
    let address = if number % 10 < 7 {
        json!({"user_id": format!("U{number}"), "phone": format!("090-1{:03}-{:04}", number / 10_000, number % 10_000)})
    } else {
        json!({"user_id": format!("U{number}"), "email": format!("customer{number:07}@example.jp")})
    };
    let mut data = match kind {
        TYPE => json!({
            "ip": "203.0.113.7", "location": "東京都",
            "device": {"name": "iPhone", "os": "iOS", "os_version": "18.1", "browser": "Safari", "browser_version": "18.1"}
        }),
        _ => json!({"amount": 50_000, "bank": "さくら見本銀行", "account_number": "1234567"}),
    };
    data["recipient"] = address;
    json!({
        "specversion": "1.0", "id": format!("{run}-{number}"), "source": "/bench", "type": kind,
        "time": Clock::system().now().to_string(), "datacontenttype": "application/json", "data": data
    })
}

/// A channel to publish on.
pub struct Publisher {
    _connection: Connection,
    channel: Channel,
}

impl Publisher {
    pub async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connects");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { _connection: connection, channel }
    }

    /// Publishes one; its confirm is awaited later.
    async fn publish(&self, kind: &str, run: &str, number: usize) -> lapin::PublisherConfirm {
        let body = event(kind, run, number).to_string();
        let options = BasicPublishOptions { mandatory: true, ..Default::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let publishing = self.channel.basic_publish(
            "security.events".into(),
            kind.into(),
            options,
            body.as_bytes(),
            properties,
        );
        publishing.await.expect("publishes")
    }

    /// Publishes `count` events, each confirmed.
    pub async fn fill(&self, run: &str, count: usize) {
        let numbers: Vec<usize> = (0..count).collect();
        for chunk in numbers.chunks(500) {
            let mut confirms = Vec::new();
            for number in chunk {
                confirms.push(self.publish(TYPE, run, *number).await);
            }
            for confirm in join_all(confirms).await {
                assert!(matches!(confirm, Ok(Confirmation::Ack(None))), "every event is confirmed");
            }
        }
    }

    /// Publishes `count` events numbered from `first`, `rate` a second whatever becomes of them; when each was published.
    pub async fn paced(&self, kind: &str, run: &str, first: usize, count: usize, rate: f64) -> Vec<Instant> {
        let (begin, mut published) = (Instant::now(), Vec::with_capacity(count));
        let mut confirms = Vec::new();
        while published.len() < count {
            let due = (begin.elapsed().as_secs_f64() * rate) as usize + 1;
            while published.len() < due.min(count) {
                let number = first + published.len();
                published.push(Instant::now());
                confirms.push(self.publish(kind, run, number).await);
            }
            sleep_until((Instant::now() + STEP).into()).await;
        }
        for confirm in join_all(confirms).await {
            assert!(matches!(confirm, Ok(Confirmation::Ack(None))), "every event is confirmed");
        }
        published
    }
}
