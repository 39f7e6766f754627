//! How an attempt ended: a closed list, so that nobody but the gateway reads answers.

use std::time::Duration;

/// The gateway took the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The gateway's own id of the message, for receipts and questions to the vendor.
    pub provider_id: Option<String>,
    /// SMS segments as the gateway will bill them: as its answer says, or counted in the text that was sent.
    pub segments: Option<u32>,
}

impl Accepted {
    /// With the gateway's id of the message.
    pub fn with_id(provider_id: Option<String>) -> Self {
        Self { provider_id, segments: None }
    }
}

/// What can be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Surely not accepted; another gateway or a later attempt may do.
    Retryable,
    /// Surely not accepted, and not before this wait.
    Throttled {
        /// From `Retry-After`, where given.
        wait: Option<Duration>,
    },
    /// Our account is refused or out of credit: another gateway, and a person.
    Credentials,
    /// This gateway has no way to that number or refuses our sender: another gateway.
    Route,
    /// This recipient or text is refused for good on this channel.
    Permanent,
    /// Never this text by this route, which took it for spam or cannot carry it: another route, or the other channel.
    Filtered,
    /// It may have been accepted: the answer never came.
    Unknown,
}

impl Class {
    /// The outcome as metrics and logs call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retryable => "retryable",
            Self::Throttled { .. } => "throttled",
            Self::Credentials => "credentials",
            Self::Route => "route",
            Self::Permanent => "permanent",
            Self::Filtered => "filtered",
            Self::Unknown => "unknown",
        }
    }
}

/// Why an attempt failed: a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No connection: DNS, refused, unreachable.
    Connect,
    /// TLS failed.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection ended in the middle.
    Cut,
    /// The answer is none that we know.
    Garbage,
    /// The gateway's own trouble: HTTP 5xx, SMTP 4xx.
    Server,
    /// The gateway asks us to slow down.
    RateLimit,
    /// Our own `rate_per_second`, `concurrency` or `pool`: no turn in time.
    OwnLimit,
    /// The gateway is failing, and was not asked.
    CircuitOpen,
    /// Somebody has drained the gateway, and it was not asked.
    Drained,
    /// Refused credentials.
    Credentials,
    /// Out of credit.
    Credit,
    /// No route, refused sender, wrong URL.
    Route,
    /// The recipient is refused.
    Recipient,
    /// The message is refused.
    Rejected,
    /// Configured answer class `filtered`.
    Filtered,
    /// Longer than this route carries.
    TooLong,
    /// Characters that this route does not have.
    Repertoire,
    /// The message could not be put together.
    Build,
}

impl Reason {
    /// What a person can do, where the failure's own words do not say it.
    pub fn mend(self) -> Option<&'static str> {
        match self {
            Self::Connect => Some("is it running, is the address right, and may this machine reach it?"),
            Self::Timeout => Some("is it overloaded, or does something on the way swallow packets?"),
            Self::Credentials => {
                Some("check user, password, token or key, and whether this machine's address is allowed")
            }
            Self::Credit => Some("the account is out of credit"),
            Self::Route => Some("check the url and the sender"),
            _ => None,
        }
    }

    /// The message cannot go this way, which was clear before the gateway was asked.
    pub fn is_of_the_message(self) -> bool {
        matches!(self, Self::TooLong | Self::Repertoire | Self::Build)
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::Garbage => "garbage",
            Self::Server => "server",
            Self::RateLimit => "rate_limit",
            Self::OwnLimit => "own_limit",
            Self::CircuitOpen => "circuit_open",
            Self::Drained => "drained",
            Self::Credentials => "credentials",
            Self::Credit => "credit",
            Self::Route => "route",
            Self::Recipient => "recipient",
            Self::Rejected => "rejected",
            Self::Filtered => "filtered",
            Self::TooLong => "too_long",
            Self::Repertoire => "repertoire",
            Self::Build => "build",
        }
    }
}

/// An attempt that was not accepted, or of which nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({detail})", reason.as_str())]
pub struct Failure {
    /// What can be done.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Codes and stages for a person, never an echo of the answer's text: that may hold the address.
    pub detail: String,
}

impl Failure {
    /// With what a person can do about it.
    pub fn with_mend(&self) -> String {
        match self.reason.mend() {
            Some(mend) => format!("{self}; {mend}"),
            None => self.to_string(),
        }
    }

    /// A failure; `detail` must hold nothing personal.
    pub fn new(class: Class, reason: Reason, detail: impl Into<String>) -> Self {
        Self { class, reason, detail: detail.into() }
    }
}
