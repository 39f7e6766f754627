//! A trial: events of all kinds through a worker that is hurt meanwhile, and afterwards an account of every one of them,
//! in the manner of Jepsen's queue tests.
//!
//! The publisher journals what the broker confirmed, the sandbox journals what it took, each durably and before anybody
//! is told; the dead-letter queue is read back. What stands in neither is lost. What was taken twice has to be matched by
//! an attempt that the ledger knows as unknown: an answer that never reached the worker.

#![allow(
    dead_code,
    unused_imports,
    reason = "two test binaries share this folder and each uses a part of it"
)]

mod account;

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lapin::BasicProperties;
use serde_json::{Value, json};
use shirase::clock::Clock;
use shirase::ledger::Story;
use shirase::sandbox::{Entry, Journal, Sandbox};

pub use self::account::{Account, Twice};
use crate::amqp::Amqp;
use crate::events::{event, mobile};
use crate::house::{House, PATIENCE, block_on};
use crate::support::{Scratch, Worker, try_http_get, within};

/// Published at once.
const BATCH: usize = 50;

pub struct Trial {
    pub house: House,
    pub sandbox: Sandbox,
    broker_urls: Vec<String>,
    /// Where other workers of the house serve their metrics.
    others: Vec<u16>,
    scratch: Scratch,
}

impl Trial {
    /// With gateway and relay of a sandbox that keeps a journal.
    pub fn new(house: House, broker_urls: &[String]) -> Self {
        let scratch = Scratch::new("trial");
        let sandbox = Sandbox::new(Clock::system());
        let sandbox = sandbox.with_journal(&scratch.join("accepted")).expect("a journal");
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sms = block_on(sandbox.start_sms(anywhere)).expect("a gateway");
        let smtp = block_on(sandbox.start_smtp(anywhere)).expect("a relay");
        let house = house
            .gateways(&[format!("http://{sms}/sms")])
            .relay(&format!("smtp://{smtp}"))
            .set("retry", r#"fallback_after = "1h""#);
        Self { house, sandbox, broker_urls: broker_urls.to_vec(), others: Vec::new(), scratch }
    }

    /// There is another worker, with its metrics on this port.
    pub fn also(&mut self, http: u16) {
        self.others.push(http);
    }

    /// With another configuration.
    pub fn with(self, change: impl FnOnce(House) -> House) -> Self {
        Self { house: change(self.house), ..self }
    }

    /// Publishes events `from..to` in the background, each until the broker has confirmed it.
    pub fn publish(&self, numbers: std::ops::Range<usize>) -> JoinHandle<()> {
        self.publish_paced(numbers, Duration::ZERO)
    }

    /// As [`Self::publish`], with a pause after each batch.
    pub fn publish_paced(&self, numbers: std::ops::Range<usize>, pause: Duration) -> JoinHandle<()> {
        let publisher = Publisher::new(self);
        thread::spawn(move || {
            let numbers: Vec<usize> = numbers.collect();
            for batch in numbers.chunks(BATCH) {
                publisher.publish(batch);
                thread::sleep(pause);
            }
        })
    }

    /// Everything that the sandbox took.
    pub fn taken(&self) -> Vec<Entry> {
        Journal::read(&self.scratch.join("accepted")).expect("a journal")
    }

    /// Waits until the sandbox has taken so many messages.
    #[track_caller]
    pub fn wait_taken(&self, count: usize) {
        let file = self.scratch.join("accepted");
        let lines = || fs::read(&file).map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count());
        let taken = within(PATIENCE * 5, || (lines() >= count).then_some(()));
        assert!(taken.is_some(), "{} messages taken, not {count}", lines());
    }

    /// Waits until every event that was published is accounted for, and nothing is on its way any more.
    #[track_caller]
    pub fn wait_settled(&self, patience: Duration) {
        let settled = within(patience, || {
            thread::sleep(Duration::from_millis(100));
            self.missing(&BTreeSet::new()).is_empty().then_some(())
        });
        assert!(settled.is_some(), "after {patience:?} still missing: {:?}", self.missing(&BTreeSet::new()));
        // Told is not yet settled, closed and acknowledged.
        self.wait_quiet(patience);
    }

    /// As [`Self::wait_settled`], for trials in which some events are given up: nothing waits and nothing is in flight, and
    /// that for longer than any retry takes.
    #[track_caller]
    pub fn wait_quiet(&self, patience: Duration) {
        let mut quiet_for = 0;
        let quiet = within(patience, || {
            thread::sleep(Duration::from_millis(200));
            quiet_for = if self.is_quiet() { quiet_for + 1 } else { 0 };
            // A retry that the broker hands over is counted nowhere for a moment.
            (quiet_for > 5).then_some(())
        });
        assert!(quiet.is_some(), "not quiet within {patience:?}");
    }

    /// Nothing in any queue but the dead-letter queue, and nothing in flight.
    fn is_quiet(&self) -> bool {
        let waiting = ["critical", "standard"].into_iter().flat_map(|lane| {
            ["", ".retry.1", ".retry.2"].map(|rest| self.house.queue(&format!("{lane}{rest}")))
        });
        let waiting = waiting.map(|queue| self.house.amqp.look(&queue).map_or(1, |look| look.messages));
        waiting.sum::<u32>() == 0 && self.in_flight() == Some(0.0)
    }

    fn in_flight(&self) -> Option<f64> {
        let of = |http: &u16| {
            let (_, text) = try_http_get(*http, "/metrics").ok()?;
            Some(crate::reading::metric(&text, "shirase_in_flight", &[]))
        };
        [self.house.http].iter().chain(&self.others).map(of).sum()
    }

    /// Numbers of the events whose publish was confirmed.
    pub fn published(&self) -> BTreeSet<usize> {
        let text = fs::read_to_string(self.scratch.join("published")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// How many events were not told at each of their addresses.
    pub fn untold(&self) -> usize {
        self.missing(&BTreeSet::new()).len()
    }

    /// Events that were neither told, at each of their addresses, nor dead-lettered.
    fn missing(&self, dead: &BTreeSet<usize>) -> Vec<usize> {
        let told: BTreeSet<String> = self.taken().into_iter().map(|entry| entry.to).collect();
        let is_told = |number: &usize| addresses(*number).iter().all(|address| told.contains(address));
        self.published().into_iter().filter(|number| !dead.contains(number) && !is_told(number)).collect()
    }

    /// What the ledger that a worker uses says of one event.
    pub fn story(&self, worker: &Worker, number: usize) -> Story {
        account::story(worker, number)
    }

    /// The account of everything, with the ledger as a worker's configuration names it.
    pub fn account(&self, worker: &Worker) -> Account {
        Account::of(self, worker)
    }
}

/// What event `number` is: five in ten withdrawals and two logins by SMS, two mails, one to both channels.
pub fn numbered(number: usize) -> Value {
    let user = format!("U{number}");
    let (phone, email) = (mobile(number), email(number));
    let (kind, mut data) = match number % 10 {
        0..=4 => (
            "security.withdrawal.requested",
            json!({"amount": number + 1, "bank": "さくら見本銀行", "account_number": "1234567"}),
        ),
        5 | 6 => ("security.login", json!({"device": {"os": "iOS"}})),
        7 | 8 => ("security.password.changed", json!({"which": "login"})),
        _ => ("security.esim.reissued", json!({"line": phone})),
    };
    data["recipient"] = match number % 10 {
        0..=6 => json!({"user_id": user, "phone": phone}),
        7 | 8 => json!({"user_id": user, "email": email}),
        _ => json!({"user_id": user, "phone": phone, "email": email}),
    };
    event(kind, &format!("trial-{number}"), data)
}

pub fn email(number: usize) -> String {
    format!("u{number}@example.jp")
}

/// Where event `number` has to be told.
fn addresses(number: usize) -> Vec<String> {
    match number % 10 {
        0..=6 => vec![mobile(number)],
        7 | 8 => vec![email(number)],
        _ => vec![mobile(number), email(number)],
    }
}

/// Publishes as upstream does, each until it is confirmed, and writes that down.
struct Publisher {
    nodes: Vec<Arc<Amqp>>,
    exchange: String,
    journal: PathBuf,
}

impl Publisher {
    fn new(trial: &Trial) -> Self {
        Self {
            nodes: trial.broker_urls.iter().map(|url| Arc::new(Amqp::new(url))).collect(),
            exchange: trial.house.exchange(),
            journal: trial.scratch.join("published"),
        }
    }

    /// All of them are confirmed, and in the journal, when this returns.
    fn publish(&self, numbers: &[usize]) {
        let mut left: Vec<usize> = numbers.to_vec();
        for node in self.nodes.iter().cycle() {
            // Asked once, or each message of the batch would wait in turn for a node that is frozen.
            if block_on(node.reach()).is_err() {
                thread::sleep(Duration::from_millis(200));
                continue;
            }
            let sends = left.iter().map(|number| self.try_publish(node, *number));
            let sent = block_on(futures_util::future::join_all(sends));
            let confirmed: Vec<usize> =
                left.iter().zip(&sent).filter(|(_, sent)| sent.is_ok()).map(|(number, _)| *number).collect();
            self.note(&confirmed);
            left.retain(|number| !confirmed.contains(number));
            if left.is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(200));
        }
    }

    async fn try_publish(&self, node: &Amqp, number: usize) -> Result<(), String> {
        let event = numbered(number);
        let kind = event["type"].as_str().expect("a type");
        node.try_publish(&self.exchange, kind, event.to_string().as_bytes(), BasicProperties::default()).await
    }

    fn note(&self, numbers: &[usize]) {
        if numbers.is_empty() {
            return;
        }
        let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
        let file = OpenOptions::new().create(true).append(true).open(&self.journal);
        let mut file = file.expect("a file in our folder");
        file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()).expect("a disk");
    }
}
