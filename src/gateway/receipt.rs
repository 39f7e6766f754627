//! Receipts: what a gateway says later of a message that it took. Each kind verifies and reads its own callbacks; the rest of
//! the program reads these closed types.

use jiff::Timestamp;
use reqwest::header::HeaderMap;

/// A vendor's call, not yet believed.
pub struct Callback<'a> {
    /// The whole URL as the vendor called it: public base, path and query.
    pub url: &'a str,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// As it came.
    pub body: &'a [u8],
    /// For signatures that age.
    pub now: Timestamp,
}

impl Callback<'_> {
    /// A header's text; nothing when it is missing, there twice, or not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let only = values.next().filter(|_| values.next().is_none())?;
        only.to_str().ok()
    }
}

/// A callback that is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not signed, or not by the vendor.
    #[error("the signature or secret is missing or wrong")]
    Forged,
    /// Signed, but of no known shape.
    #[error("of no shape that this kind of gateway documents")]
    Unreadable,
}

impl CallbackError {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What a callback says of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which message.
    pub message: Which,
    /// The vendor's id, where it stands beside our reference.
    pub provider_id: Option<String>,
    /// What became of it.
    pub status: Status,
    /// The vendor's code for a person: digits and the like, never its text.
    pub code: Option<String>,
}

/// What a receipt names its message by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Our reference, which the vendor echoes: finds an attempt whose answer was cut, too.
    Reference(String),
    /// The vendor's id.
    ProviderId(String),
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The vendor has it and works on it.
    Underway,
    /// On the handset, in the mailbox.
    Delivered,
    /// It never will be.
    Undelivered(Loss),
}

impl Status {
    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Underway => "underway",
            Self::Delivered => "delivered",
            Self::Undelivered(_) => "undelivered",
        }
    }
}

/// Why a message was never delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Handset off or out of reach for too long; mailbox full.
    Unreachable,
    /// No such subscriber or mailbox, a landline, opted out.
    Recipient,
    /// Taken for spam.
    Filtered,
    /// Its validity was over first.
    Expired,
    /// The vendor or carrier refused it for another reason: route, sender, account.
    Refused,
    /// The vendor does not say.
    Other,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Unreachable, Self::Recipient, Self::Filtered, Self::Expired, Self::Refused, Self::Other];

    /// What [`Self::as_str`] says; nothing for another word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|loss| loss.as_str() == word)
    }

    /// The label, and the reason in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Recipient => "recipient",
            Self::Filtered => "filtered",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Other => "undelivered",
        }
    }
}
