//! A sandbox: an SMS gateway and an SMTP server on loopback that keep what they are sent, and a page to see it.
//!
//! Real servers that ship with the product, not mocks: demo, tests and a house trying its configuration use them alike.

mod page;
mod sms;
mod smtp;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

pub use self::page::{Page, Sample, SendEvent};
pub use self::sms::Sms;
pub use self::smtp::Mail;
use crate::clock::Clock;

/// Older messages are let go beyond this many of a kind.
const KEPT: usize = 10_000;

/// What the sandbox was sent.
#[derive(Clone)]
pub struct Sandbox {
    inbox: Arc<Mutex<Inbox>>,
    news: broadcast::Sender<News>,
    clock: Clock,
}

#[derive(Default)]
struct Inbox {
    sms: Kept<Sms>,
    mail: Kept<Mail>,
    outcomes: Kept<Value>,
}

/// The last [`KEPT`] of something, and how many there were in all.
struct Kept<T> {
    items: VecDeque<T>,
    total: u64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { items: VecDeque::new(), total: 0 }
    }
}

impl<T: Clone> Kept<T> {
    fn push(&mut self, item: T) {
        self.total += 1;
        self.items.push_back(item);
        if self.items.len() > KEPT {
            self.items.pop_front();
        }
    }

    fn all(&self) -> Vec<T> {
        self.items.iter().cloned().collect()
    }
}

/// Something that arrived, for those who watch.
#[derive(Clone)]
enum News {
    Sms(Sms),
    Mail(Mail),
    Event(Value),
}

impl Sandbox {
    /// An empty sandbox.
    pub fn new(clock: Clock) -> Self {
        Self { inbox: Arc::default(), news: broadcast::channel(1024).0, clock }
    }

    /// Every SMS kept, oldest first.
    pub fn sms(&self) -> Vec<Sms> {
        self.locked(|inbox| inbox.sms.all())
    }

    /// Every mail kept, oldest first.
    pub fn mail(&self) -> Vec<Mail> {
        self.locked(|inbox| inbox.mail.all())
    }

    /// The outcome of an event, for the page's log.
    pub fn record(&self, outcome: &impl Serialize) {
        let outcome = serde_json::to_value(outcome).unwrap_or_default();
        self.locked(|inbox| inbox.outcomes.push(outcome.clone()));
        self.announce(News::Event(outcome));
    }

    /// Starts the SMS gateway (`POST /sms`) and returns where it listens.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start_sms(&self, listen: SocketAddr) -> std::io::Result<SocketAddr> {
        sms::start(self.clone(), listen).await
    }

    /// Starts the SMTP server and returns where it listens.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start_smtp(&self, listen: SocketAddr) -> std::io::Result<SocketAddr> {
        smtp::start(self.clone(), listen).await
    }

    fn keep_sms(&self, make: impl FnOnce(u64) -> Sms) -> Sms {
        let sms = self.locked(|inbox| {
            let sms = make(inbox.sms.total + 1);
            inbox.sms.push(sms.clone());
            sms
        });
        self.announce(News::Sms(sms.clone()));
        sms
    }

    fn keep_mail(&self, make: impl FnOnce(u64) -> Mail) {
        let mail = self.locked(|inbox| {
            let mail = make(inbox.mail.total + 1);
            inbox.mail.push(mail.clone());
            mail
        });
        self.announce(News::Mail(mail));
    }

    fn announce(&self, news: News) {
        // Nobody may be watching.
        let _ = self.news.send(news);
    }

    fn locked<T>(&self, read: impl FnOnce(&mut Inbox) -> T) -> T {
        read(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
