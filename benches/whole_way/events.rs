//! The events that both sides work on: 70% reach a mobile number, 30% a mailbox.

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use serde_json::{Value, json};
use shirase::clock::Clock;

pub const TYPE: &str = "security.login.new_device";

fn event(run: &str, number: usize) -> Value {
    let address = if number % 10 < 7 {
        json!({"user_id": "U1", "phone": format!("090-1{:03}-{:04}", number / 10_000, number % 10_000)})
    } else {
        json!({"user_id": "U1", "email": format!("customer{number}@example.jp")})
    };
    json!({
        "specversion": "1.0", "id": format!("{run}-{number}"), "source": "/bench", "type": TYPE,
        "time": Clock::system().now().to_string(), "datacontenttype": "application/json",
        "data": {
            "recipient": address, "ip": "203.0.113.7", "location": "東京都",
            "device": {"name": "iPhone", "os": "iOS", "os_version": "18.1", "browser": "Safari", "browser_version": "18.1"}
        }
    })
}

/// Publishes `count` events with confirms, pipelined.
pub fn publish(url: &str, run: &str, count: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connects");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        let numbers: Vec<usize> = (0..count).collect();
        for chunk in numbers.chunks(500) {
            let mut confirms = Vec::new();
            for number in chunk {
                let body = event(run, *number).to_string();
                let options = BasicPublishOptions { mandatory: true, ..Default::default() };
                let properties = BasicProperties::default().with_delivery_mode(2);
                let publishing = channel.basic_publish(
                    "security.events".into(),
                    TYPE.into(),
                    options,
                    body.as_bytes(),
                    properties,
                );
                confirms.push(publishing.await.expect("publishes"));
            }
            for confirm in join_all(confirms).await {
                assert!(matches!(confirm, Ok(Confirmation::Ack(None))), "every event is confirmed");
            }
        }
        connection.close(200, "done".into()).await.expect("closes");
    });
}
