//! What people do on the console: who, from where, what and why.

use std::net::IpAddr;

use metrics::counter;
use tracing::{info, warn};

/// What can be done on the console: a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleAction {
    /// A session begins.
    SignIn,
    /// A dead letter goes back to its lane.
    Replay,
    /// A dead letter is taken away.
    Drop,
    /// A gateway is left alone.
    Drain,
    /// A gateway is asked again.
    Resume,
}

/// How it ended: a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleResult {
    /// As asked.
    Done,
    /// Not allowed, or not as things are.
    Refused,
    /// It should have been done and could not.
    Failed,
}

impl ConsoleAction {
    const ALL: [Self; 5] = [Self::SignIn, Self::Replay, Self::Drop, Self::Drain, Self::Resume];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::Replay => "replay",
            Self::Drop => "drop",
            Self::Drain => "drain",
            Self::Resume => "resume",
        }
    }
}

impl ConsoleResult {
    const ALL: [Self; 3] = [Self::Done, Self::Refused, Self::Failed];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// Somebody who acts.
#[derive(Debug, Clone, Copy)]
pub struct ConsoleActor<'a> {
    /// The token's name.
    pub by: &'a str,
    /// The other end of the connection.
    pub from: IpAddr,
    /// What they gave as their reason, where they were asked.
    pub reason: Option<&'a str>,
}

/// What somebody acts on.
#[derive(Debug, Clone, Copy)]
pub enum ConsoleObject<'a> {
    /// A dead letter by the id of its event, where that can be read.
    Letter(Option<&'a str>),
    /// A gateway by its configured name; nothing where nobody configured it.
    Gateway(Option<&'a str>),
}

/// Something was done, or was not.
pub fn console_acted(
    actor: ConsoleActor<'_>,
    action: ConsoleAction,
    object: ConsoleObject<'_>,
    result: ConsoleResult,
    detail: Option<&str>,
) {
    count(action, result);
    let ConsoleActor { by, from, reason } = actor;
    let (event_id, gateway) = match object {
        ConsoleObject::Letter(event_id) => (event_id, None),
        ConsoleObject::Gateway(gateway) => (None, gateway),
    };
    let (action, result) = (action.as_str(), result.as_str());
    info!(by, %from, action, event_id, gateway, result, reason, detail, "console: acted");
}

/// What somebody asked the story of.
#[derive(Debug, Clone, Copy)]
pub enum LookedUp<'a> {
    /// An event, by the id that the ledger has.
    Event(&'a str),
    /// A customer, by the pseudonym that the ledger has.
    Recipient(&'a str),
}

/// Somebody asked what became of an event, or what a customer was told.
pub fn console_looked_up(by: &str, from: IpAddr, what: LookedUp<'_>) {
    let (event_id, recipient) = match what {
        LookedUp::Event(id) => (Some(id), None),
        LookedUp::Recipient(pseudonym) => (None, Some(pseudonym)),
    };
    info!(by, %from, event_id, recipient, "console: looked up");
}

/// Somebody signed in.
pub fn console_signed_in(by: &str, from: IpAddr) {
    count(ConsoleAction::SignIn, ConsoleResult::Done);
    info!(by, %from, "console: signed in");
}

/// A token that is none.
pub fn console_refused(from: IpAddr) {
    count(ConsoleAction::SignIn, ConsoleResult::Refused);
    warn!(%from, "console: a wrong token");
}

/// Somebody who may not act tried to.
pub fn console_forbidden(by: &str, from: IpAddr) {
    warn!(by, %from, "console: an action without the right to act");
}

fn count(action: ConsoleAction, result: ConsoleResult) {
    let labels = [("action", action.as_str()), ("result", result.as_str())];
    counter!("shirase_console_actions_total", &labels).increment(1);
}

/// Before anything is done.
pub(super) fn series() {
    for action in ConsoleAction::ALL {
        for result in ConsoleResult::ALL {
            let labels = [("action", action.as_str()), ("result", result.as_str())];
            counter!("shirase_console_actions_total", &labels).absolute(0);
        }
    }
}
