//! Faults: what the sandbox does wrong on purpose. A rule decides request by request; none is set at the beginning.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
pub use hyper::StatusCode;

/// A fault that hangs ends by itself after this, so that nothing waits for ever.
pub(super) const LONGEST_HANG: Duration = Duration::from_secs(600);

/// What was asked how often is forgotten beyond this many.
const REMEMBERED: usize = 100_000;

/// What goes wrong with an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmsFault {
    /// Takes it and ends the connection without an answer.
    Cut,
    /// Takes it; the connection ends in the middle of the answer's first line.
    HalfHead,
    /// Takes it; the connection ends in the middle of the answer's body.
    HalfBody,
    /// Takes it and answers after this.
    Late(Duration),
    /// Takes nothing and answers so.
    Refuse {
        /// The status.
        status: StatusCode,
        /// The header `Retry-After`, in whole seconds.
        retry_after: Option<Duration>,
    },
    /// Takes nothing and never answers.
    Hang,
}

impl SmsFault {
    /// Refuses with this status and nothing more.
    pub fn refuse(status: StatusCode) -> Self {
        Self::Refuse { status, retry_after: None }
    }
}

/// Where in the dialogue an SMTP client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `MAIL FROM`
    Mail,
    /// `RCPT TO`
    Rcpt,
    /// `DATA`
    Data,
    /// The final dot was read.
    EndOfData,
}

/// What goes wrong with a mail. Each belongs to one [`Stage`] and has no effect at another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFault {
    /// `421` to MAIL, and the connection ends.
    Unavailable,
    /// `451 4.7.1` to RCPT. A greylisting server says so when [`Asked::before`] is 0.
    Greylisted,
    /// `550 5.1.1` to RCPT.
    UnknownUser,
    /// The connection ends at DATA.
    CutAtData,
    /// `451 4.3.0` at the end of data; not kept.
    Deferred,
    /// `554 5.7.1` at the end of data; not kept.
    Rejected,
    /// Keeps it and ends the connection without a reply.
    Cut,
    /// Keeps it and never replies.
    Hang,
    /// Keeps it and replies after this.
    Late(Duration),
}

impl MailFault {
    /// Where it belongs.
    pub fn stage(self) -> Stage {
        match self {
            Self::Unavailable => Stage::Mail,
            Self::Greylisted | Self::UnknownUser => Stage::Rcpt,
            Self::CutAtData => Stage::Data,
            Self::Deferred | Self::Rejected | Self::Cut | Self::Hang | Self::Late(_) => Stage::EndOfData,
        }
    }

    /// The refusal, of those that are one.
    pub(super) fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Unavailable => Some("421 4.3.2 Not available, closing"),
            Self::Greylisted => Some("451 4.7.1 Greylisted, try again later"),
            Self::UnknownUser => Some("550 5.1.1 No such user"),
            Self::Deferred => Some("451 4.3.0 Trouble here, try again later"),
            Self::Rejected => Some("554 5.7.1 Message refused"),
            Self::CutAtData | Self::Cut | Self::Hang | Self::Late(_) => None,
        }
    }
}

/// What a rule is told of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The sender's idempotency key: an SMS's `reference`, a mail's `Message-ID` (known at the end of data only).
    pub reference: &'a str,
    /// The number or address; of a mail to several, the first. Empty at MAIL.
    pub to: &'a str,
    /// How often the same was asked before: an SMS's reference (its number, where it has none), a mail's recipient; at
    /// MAIL, the sender.
    pub before: u64,
}

type SmsRule = Arc<dyn Fn(&Asked<'_>) -> Option<SmsFault> + Send + Sync>;
type MailRule = Arc<dyn Fn(Stage, &Asked<'_>) -> Option<MailFault> + Send + Sync>;

/// The rules in force, and what they count.
#[derive(Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    sms: Option<SmsRule>,
    mail: Option<MailRule>,
    times: Times,
}

impl Faults {
    pub fn set_sms(&self, rule: Option<SmsRule>) {
        self.locked(|state| state.sms = rule);
    }

    pub fn set_mail(&self, rule: Option<MailRule>) {
        self.locked(|state| state.mail = rule);
    }

    pub fn of_sms(&self, reference: &str, to: &str) -> Option<SmsFault> {
        let key = if reference.is_empty() { format!("sms to {to}") } else { format!("sms {reference}") };
        let before = self.ask(key);
        // Outside the lock: a rule may take its time, or set another.
        let rule = self.locked(|state| state.sms.clone())?;
        rule(&Asked { reference, to, before })
    }

    pub fn of_mail(&self, stage: Stage, asked: &Asked<'_>) -> Option<MailFault> {
        let rule = self.locked(|state| state.mail.clone())?;
        rule(stage, asked).filter(|fault| fault.stage() == stage)
    }

    /// How often this was asked before.
    pub fn ask(&self, key: String) -> u64 {
        self.locked(|state| state.times.ask(key))
    }

    fn locked<T>(&self, read: impl FnOnce(&mut State) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How often something was asked.
#[derive(Default)]
struct Times {
    times: HashMap<String, u64>,
    /// The same keys, oldest first.
    order: VecDeque<String>,
}

impl Times {
    fn ask(&mut self, key: String) -> u64 {
        if let Some(times) = self.times.get_mut(&key) {
            *times += 1;
            return *times - 1;
        }
        self.order.push_back(key.clone());
        self.times.insert(key, 1);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.times.remove(&oldest);
        }
        0
    }
}

/// Faults for a share of the requests. The seed, what is asked and how often it was asked before decide, so the same
/// requests meet the same faults in whatever order they come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomFaults {
    share: f64,
    seed: u64,
}

impl RandomFaults {
    /// `share` of the requests, from 0 to 1.
    pub fn new(share: f64, seed: u64) -> Self {
        Self { share, seed }
    }

    /// The fault of this SMS.
    pub fn sms(&self, asked: &Asked<'_>) -> Option<SmsFault> {
        let mut random = self.random(asked.reference, asked)?;
        let wait = seconds(random.u64(1..=5));
        Some(match random.u8(0..7) {
            0 => SmsFault::Cut,
            1 => SmsFault::HalfHead,
            2 => SmsFault::HalfBody,
            3 => SmsFault::Late(late(&mut random)),
            4 => SmsFault::Refuse { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(wait) },
            5 => SmsFault::refuse(StatusCode::SERVICE_UNAVAILABLE),
            _ => SmsFault::Hang,
        })
    }

    /// The fault of this mail, whatever its stage.
    pub fn mail(&self, asked: &Asked<'_>) -> Option<MailFault> {
        // Without the Message-ID, which is not known from the beginning: one fault for the whole dialogue.
        let mut random = self.random("", asked)?;
        Some(match random.u8(0..9) {
            0 => MailFault::Unavailable,
            1 => MailFault::Greylisted,
            2 => MailFault::UnknownUser,
            3 => MailFault::CutAtData,
            4 => MailFault::Deferred,
            5 => MailFault::Rejected,
            6 => MailFault::Cut,
            7 => MailFault::Hang,
            _ => MailFault::Late(late(&mut random)),
        })
    }

    /// What draws the fault, for the share that gets one.
    fn random(&self, reference: &str, asked: &Asked<'_>) -> Option<Rng> {
        let mut hasher = DefaultHasher::new();
        (self.seed, reference, asked.to, asked.before).hash(&mut hasher);
        let mut random = Rng::with_seed(hasher.finish());
        (random.f64() < self.share).then_some(random)
    }
}

/// Within the usual patience of a client, or beyond it.
fn late(random: &mut Rng) -> Duration {
    seconds(random.u64(1..=40))
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
