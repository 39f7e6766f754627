//! What a gateway last failed with, for whoever looks at it.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::{Class, Failure, Reason};

/// The last attempt that failed, unless that was the message's or the recipient's own fault. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastFailure {
    /// When the message was handed over.
    pub at: Timestamp,
    /// What could be done about it.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// Codes and stages.
    pub detail: String,
}

/// Remembers one.
#[derive(Default)]
pub(super) struct Memory(Mutex<Option<LastFailure>>);

impl Memory {
    /// An attempt failed.
    pub fn failed(&self, at: Timestamp, failure: &Failure) {
        let Failure { class, reason, ref detail } = *failure;
        if reason.is_of_the_message() || reason == Reason::Recipient {
            return;
        }
        let last = LastFailure { at, class, reason, detail: detail.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// The last one.
    pub fn last(&self) -> Option<LastFailure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_gateway_s_own_trouble_and_the_last_of_it() {
        let (memory, at) = (Memory::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(memory.last(), None);
        for (class, reason, detail) in [
            (Class::Retryable, Reason::Connect, "refused"),
            (Class::Retryable, Reason::Server, "HTTP 503"),
            (Class::Permanent, Reason::Recipient, "HTTP 400"),
            (Class::Filtered, Reason::TooLong, "700 units"),
        ] {
            memory.failed(at, &Failure::new(class, reason, detail));
        }
        let expected = LastFailure {
            at,
            class: Class::Retryable,
            reason: Reason::Server,
            detail: "HTTP 503".to_owned(),
        };
        assert_eq!(memory.last(), Some(expected));
    }
}
