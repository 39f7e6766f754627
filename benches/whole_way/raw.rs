//! The raw pipeline: what somebody writes in an afternoon who needs the least that sends. It decodes, renders, sends and
//! acknowledges, on the worker's own libraries and as fast as they go, and has neither schemas nor a ledger, neither metrics
//! nor retries: what it is given twice it sends twice, and what fails is lost.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio::time::interval;

use crate::flat::{Facts, Flat};

/// As the worker's standard lane.
const PREFETCH: u16 = 256;

/// As the worker's connections to a relay.
const POOL: usize = 32;

/// As the worker waits for company.
const ACK_EVERY: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
struct Event {
    id: String,
    time: jiff::Timestamp,
    data: Body,
}

#[derive(Deserialize)]
struct Body {
    recipient: Recipient,
    #[serde(flatten)]
    facts: Facts,
}

#[derive(Deserialize)]
struct Recipient {
    phone: Option<String>,
    email: Option<String>,
}

struct Pipeline {
    flat: Flat,
    http: reqwest::Client,
    gateway: String,
    relay: u16,
    mails: Semaphore,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

/// Works on a queue until it is killed.
pub fn run(url: &str, queue: &str, http_port: u16, smtp_port: u16) {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    let pipeline = Arc::new(Pipeline {
        flat: Flat::new(),
        http: reqwest::Client::new(),
        gateway: format!("http://127.0.0.1:{http_port}/sms"),
        relay: smtp_port,
        mails: Semaphore::new(POOL),
        idle: Mutex::default(),
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(consume(pipeline, url, queue));
}

async fn consume(pipeline: Arc<Pipeline>, url: &str, queue: &str) {
    let connection = Connection::connect(url, ConnectionProperties::default()).await.expect("connects");
    let channel = connection.create_channel().await.expect("a channel");
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("prefetch");
    let consuming = channel.basic_consume(
        queue.into(),
        "raw".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let mut deliveries = consuming.await.expect("consumes");
    let (done, finished) = mpsc::unbounded_channel();
    tokio::spawn(acknowledge(channel, finished));
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery.expect("a whole one");
        let (pipeline, done) = (Arc::clone(&pipeline), done.clone());
        tokio::spawn(async move {
            pipeline.work(&delivery.data).await;
            let _ = done.send(delivery.delivery_tag);
        });
    }
}

/// What is done without a gap goes in one acknowledgement.
async fn acknowledge(channel: Channel, mut finished: mpsc::UnboundedReceiver<u64>) {
    let (mut low, mut done, mut tick) = (0, BTreeSet::new(), interval(ACK_EVERY));
    loop {
        tokio::select! {
            tag = finished.recv() => match tag {
                Some(tag) => drop(done.insert(tag)),
                None => return,
            },
            _ = tick.tick(), if !done.is_empty() => {
                let before = low;
                while done.remove(&(low + 1)) {
                    low += 1;
                }
                if low > before {
                    channel.basic_ack(low, BasicAckOptions { multiple: true }).await.expect("acknowledges");
                }
            }
        }
    }
}

impl Pipeline {
    async fn work(&self, body: &[u8]) {
        let event: Event = serde_json::from_slice(body).expect("an event");
        match &event.data.recipient {
            Recipient { phone: Some(phone), .. } => self.sms(&event, phone).await,
            Recipient { email: Some(email), .. } => self.mail(&event, email).await,
            Recipient { .. } => panic!("every recipient has an address"),
        }
    }

    async fn sms(&self, event: &Event, phone: &str) {
        let digits: String = phone.chars().filter(char::is_ascii_digit).skip(1).collect();
        let text = self.flat.sms(&event.data.facts, event.time);
        let body = json!({"to": format!("+81{digits}"), "text": text, "reference": event.id});
        let answer = self.http.post(&self.gateway).json(&body).send().await.expect("an answer");
        assert!(answer.status().is_success());
        answer.bytes().await.expect("a whole answer");
    }

    async fn mail(&self, event: &Event, email: &str) {
        let (subject, text, html) = self.flat.mail(&event.data.facts, &event.id, event.time);
        let (from, to): (Mailbox, Mailbox) =
            ("お知らせ <no-reply@example.jp>".parse().expect("valid"), email.parse().expect("valid"));
        let header =
            |name, value: &str| HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned());
        let part = |kind, body| SinglePart::builder().header(kind).body(body);
        let parts = MultiPart::alternative()
            .singlepart(part(ContentType::TEXT_PLAIN, text))
            .singlepart(part(ContentType::TEXT_HTML, html));
        let mail = lettre::Message::builder()
            .from(from.clone())
            .to(to.clone())
            .subject(subject)
            .date(event.time.into())
            .message_id(Some(format!("<{}@example.jp>", event.id)))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("Content-Language", "ja"))
            .multipart(parts)
            .expect("a mail");
        let _place = self.mails.acquire().await.expect("never closed");
        let mut connection = self.connection().await;
        connection.command(Mail::new(Some(from.email), vec![])).await.expect("MAIL");
        connection.command(Rcpt::new(to.email, vec![])).await.expect("RCPT");
        connection.command(Data).await.expect("DATA");
        connection.message(&mail.formatted()).await.expect("taken");
        self.idle.lock().await.push(connection);
    }

    async fn connection(&self) -> AsyncSmtpConnection {
        if let Some(connection) = self.idle.lock().await.pop() {
            return connection;
        }
        let stream = TcpStream::connect(("127.0.0.1", self.relay)).await.expect("a relay");
        stream.set_nodelay(true).expect("an option");
        let hello = ClientId::Domain("localhost".to_owned());
        AsyncSmtpConnection::connect_with_transport(Box::new(stream), &hello).await.expect("EHLO")
    }
}
