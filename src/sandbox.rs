//! A sandbox: an SMS gateway and an SMTP server on loopback that keep what they are sent, and a page to see it.
//!
//! Real servers that ship with the product, not mocks: demo, tests and a house trying its configuration use them alike.
//! They can write down durably what they took ([`Journal`]), misbehave on purpose ([`SmsFault`], [`MailFault`]), and call
//! back later ([`Receipts`]).

mod faults;
mod journal;
mod page;
mod receipts;
mod sms;
mod smtp;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::sleep;

use self::faults::Faults;
pub use self::faults::{Asked, MailFault, RandomFaults, SmsFault, Stage, StatusCode};
pub use self::journal::{Entry, Journal};
pub use self::page::{Page, Sample, SendEvent};
use self::receipts::Caller;
pub use self::receipts::Receipts;
pub use self::sms::Sms;
pub use self::smtp::Mail;
use crate::clock::Clock;
use crate::plan::Channel;

/// Older messages are let go beyond this many of a kind.
const KEPT: usize = 10_000;

/// What the sandbox was sent.
#[derive(Clone)]
pub struct Sandbox {
    inbox: Arc<Mutex<Inbox>>,
    news: broadcast::Sender<News>,
    journal: Option<Journal>,
    faults: Arc<Faults>,
    caller: Option<Arc<Caller>>,
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
    /// The number of the next one, from 1.
    fn next(&self) -> u64 {
        self.total + 1
    }

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
        Self {
            inbox: Arc::default(),
            news: broadcast::channel(1024).0,
            journal: None,
            faults: Arc::default(),
            caller: None,
            clock,
        }
    }

    /// Appends what it takes to this file, each message durably before its sender is answered.
    ///
    /// # Errors
    /// When the file cannot be opened, or another sandbox writes to it.
    pub fn with_journal(self, path: &Path) -> io::Result<Self> {
        Ok(Self { journal: Some(Journal::open(path)?), ..self })
    }

    /// Calls back about each SMS that it takes.
    ///
    /// # Errors
    /// When no HTTP client can be built.
    pub fn with_receipts(self, receipts: Receipts) -> reqwest::Result<Self> {
        Ok(Self { caller: Some(Caller::new(receipts)?), ..self })
    }

    /// From now on each SMS is asked about, and meets the fault that the rule gives.
    pub fn misbehave_sms(&self, rule: impl Fn(&Asked<'_>) -> Option<SmsFault> + Send + Sync + 'static) {
        self.faults.set_sms(Some(Arc::new(rule)));
    }

    /// From now on each mail is asked about at every stage, and meets the fault that the rule gives. A fault that
    /// belongs to another stage has no effect, so a rule that cares for one fault need not look at the stage.
    pub fn misbehave_mail(
        &self,
        rule: impl Fn(Stage, &Asked<'_>) -> Option<MailFault> + Send + Sync + 'static,
    ) {
        self.faults.set_mail(Some(Arc::new(rule)));
    }

    /// From now on both servers meet faults at random.
    pub fn misbehave_at_random(&self, faults: RandomFaults) {
        self.misbehave_sms(move |asked| faults.sms(asked));
        self.misbehave_mail(move |_, asked| faults.mail(asked));
    }

    /// From now on no faults.
    pub fn behave(&self) {
        self.faults.set_sms(None);
        self.faults.set_mail(None);
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
    pub async fn start_sms(&self, listen: SocketAddr) -> io::Result<SocketAddr> {
        sms::start(self.clone(), listen).await
    }

    /// Starts the SMTP server and returns where it listens.
    ///
    /// # Errors
    /// When it cannot listen there.
    pub async fn start_smtp(&self, listen: SocketAddr) -> io::Result<SocketAddr> {
        smtp::start(self.clone(), listen).await
    }

    /// Keeps an SMS and gives it its id; durable when it returns.
    async fn take_sms(&self, mut sms: Sms, answered: bool) -> io::Result<Sms> {
        self.locked(|inbox| {
            sms.id = format!("sms-{}", inbox.sms.next());
            inbox.sms.push(sms.clone());
        });
        self.announce(News::Sms(sms.clone()));
        self.write_down(Entry {
            at: sms.received_at,
            channel: Channel::Sms,
            reference: sms.reference.clone(),
            to: sms.to.clone(),
            id: sms.id.clone(),
            answered,
        })
        .await?;
        self.caller.iter().for_each(|caller| caller.call(&sms));
        Ok(sms)
    }

    /// Keeps a mail and gives it its id; durable when it returns.
    async fn take_mail(&self, mut mail: Mail, answered: bool) -> io::Result<()> {
        self.locked(|inbox| {
            mail.id = format!("mail-{}", inbox.mail.next());
            inbox.mail.push(mail.clone());
        });
        self.announce(News::Mail(mail.clone()));
        self.write_down(Entry {
            at: mail.received_at,
            channel: Channel::Email,
            reference: mail.message_id().to_owned(),
            to: mail.to,
            id: mail.id,
            answered,
        })
        .await
    }

    async fn write_down(&self, entry: Entry) -> io::Result<()> {
        match &self.journal {
            Some(journal) => journal.append(&entry).await,
            None => Ok(()),
        }
    }

    fn announce(&self, news: News) {
        // Nobody may be watching.
        let _ = self.news.send(news);
    }

    fn locked<T>(&self, read: impl FnOnce(&mut Inbox) -> T) -> T {
        read(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Accepts for ever, and serves each connection on a task of its own.
async fn listen<F: Future<Output = ()> + Send + 'static>(
    address: SocketAddr,
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors: a later accept may do.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            // Small replies must not wait for company; a stream without the option works all the same.
            let _ = stream.set_nodelay(true);
            tokio::spawn(serve(stream));
        }
    });
    Ok(address)
}
