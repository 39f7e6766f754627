//! What a relay's reply, or its absence, means at each stage of the dialogue (RFC 5321, RFC 3463). Pure.

use std::error::Error as _;

use lettre::transport::smtp::Error;

use super::super::{Class, Failure, Reason};
use super::status_code::StatusCode;
use crate::tls;

/// Where in the dialogue something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    FinalDot,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::FinalDot => "end of data",
        }
    }
}

/// A dialogue that did not come to its end.
pub(super) enum Broken {
    /// A refusal, a lost connection, or what lettre could not read.
    Smtp(Error),
    /// A refusal, after which the relay waits for a text all the same or has left: no further command may follow.
    Astray(Error),
    /// A good reply to something that was not asked.
    OutOfStep,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Smtp(error)
    }
}

impl Broken {
    /// The connection is gone, or the relay says goodbye (421, RFC 5321, 3.8).
    pub fn hung_up(&self) -> bool {
        matches!(self, Self::Smtp(error) if error.status().is_none_or(|code| u16::from(code) == 421))
    }

    /// The relay refused in order: it is where it was before.
    pub fn refused(&self) -> bool {
        matches!(self, Self::Smtp(error) if error.status().is_some())
    }

    /// Classifies it for a relay on `host`.
    pub fn at(&self, stage: Stage, host: &str) -> Failure {
        match self {
            Self::Smtp(error) | Self::Astray(error) => failure(stage, error, host),
            Self::OutOfStep => lost(stage, Reason::Garbage),
        }
    }
}

/// A connection lost or silent at this stage.
pub(super) fn lost(stage: Stage, reason: Reason) -> Failure {
    let class = if stage == Stage::FinalDot { Class::Unknown } else { Class::Retryable };
    let reason = if stage == Stage::Connect && reason == Reason::Cut { Reason::Connect } else { reason };
    Failure::new(class, reason, format!("at {}", stage.as_str()))
}

/// Classifies by stage, reply code and enhanced code. The reply's text is not kept: it echoes the address.
pub(super) fn failure(stage: Stage, error: &Error, host: &str) -> Failure {
    let Some(code) = error.status().map(u16::from) else { return without_reply(stage, error, host) };
    let enhanced = error.source().and_then(|text| StatusCode::leading(&text.to_string()));
    let (class, reason) = classify(stage, code, enhanced);
    let enhanced = enhanced.map(|enhanced| format!(" {enhanced}")).unwrap_or_default();
    Failure::new(class, reason, format!("SMTP {code}{enhanced} at {}", stage.as_str()))
}

fn without_reply(stage: Stage, error: &Error, host: &str) -> Failure {
    if let Some(words) = tls::explain(error, host) {
        return Failure { detail: words, ..lost(stage, Reason::Tls) };
    }
    if stage == Stage::Auth && error.is_client() {
        let words = "the relay offers no AUTH PLAIN or LOGIN on this connection";
        return Failure::new(Class::Credentials, Reason::Credentials, words);
    }
    // An ended connection is a response that ends early; what lettre could not parse is one that never began.
    let garbage = error.is_response() && !error.to_string().contains("incomplete");
    lost(stage, if garbage { Reason::Garbage } else { Reason::Cut })
}

fn classify(stage: Stage, code: u16, enhanced: Option<StatusCode>) -> (Class, Reason) {
    let about = enhanced.map(|code| (code.subject, code.detail));
    let about_us = matches!(code, 530 | 534 | 535 | 538) || matches!(about, Some((7, _)));
    match (stage, code, about) {
        // It says goodbye, whatever it was asked.
        (_, 421, Some((7, 28))) => (Class::Throttled { wait: None }, Reason::RateLimit),
        (_, 421, _) => (Class::Retryable, Reason::Server),
        (Stage::Auth, ..) => (Class::Credentials, Reason::Credentials),
        // Mail flood (RFC 7372's registry): it wants fewer, not none.
        (_, 400..=499, Some((7, 28))) => (Class::Throttled { wait: None }, Reason::RateLimit),
        (_, 400..=499, _) => (Class::Retryable, Reason::Server),
        // The sender's address, or that domain's mail system: no fault of the recipient.
        (_, _, Some((1, 7 | 8))) => (Class::Route, Reason::Route),
        _ if about_us => (Class::Credentials, Reason::Credentials),
        (Stage::Connect | Stage::Hello | Stage::StartTls | Stage::Mail, ..) => (Class::Route, Reason::Route),
        // It does not know the command: another relay may.
        (Stage::Rcpt, 500 | 502 | 503 | 504 | 555, None | Some((5, _))) => (Class::Route, Reason::Route),
        (Stage::Rcpt, ..) => (Class::Permanent, Reason::Recipient),
        // Some look for the mailbox, and how full it is, only when the text is there.
        (Stage::Data | Stage::FinalDot, _, Some((1 | 2, _))) => (Class::Permanent, Reason::Recipient),
        (Stage::Data | Stage::FinalDot, ..) => (Class::Permanent, Reason::Rejected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_classified_by_stage_and_code() {
        use Class::{Credentials, Permanent, Retryable, Route, Throttled};
        for (stage, code, enhanced, class) in [
            (Stage::Connect, 421, None, Retryable),
            (Stage::Connect, 554, None, Route),
            (Stage::Connect, 521, None, Route),
            (Stage::Connect, 554, Some("5.7.1"), Credentials),
            (Stage::Hello, 421, None, Retryable),
            (Stage::Hello, 550, None, Route),
            (Stage::StartTls, 454, Some("4.7.0"), Retryable),
            (Stage::StartTls, 502, Some("5.5.1"), Route),
            (Stage::Auth, 535, Some("5.7.8"), Credentials),
            (Stage::Auth, 454, Some("4.7.0"), Credentials),
            (Stage::Auth, 421, Some("4.7.0"), Retryable),
            (Stage::Mail, 421, Some("4.7.28"), Throttled { wait: None }),
            (Stage::Mail, 450, Some("4.7.28"), Throttled { wait: None }),
            (Stage::Mail, 451, Some("4.7.1"), Retryable),
            (Stage::Mail, 452, Some("4.3.1"), Retryable),
            (Stage::Mail, 530, None, Credentials),
            (Stage::Mail, 530, Some("5.7.0"), Credentials),
            (Stage::Mail, 550, Some("5.1.8"), Route),
            (Stage::Mail, 552, Some("5.3.4"), Route),
            (Stage::Mail, 553, None, Route),
            (Stage::Rcpt, 421, None, Retryable),
            (Stage::Rcpt, 450, Some("4.2.0"), Retryable),
            (Stage::Rcpt, 451, Some("4.7.1"), Retryable),
            (Stage::Rcpt, 452, Some("4.2.2"), Retryable),
            (Stage::Rcpt, 550, None, Permanent),
            (Stage::Rcpt, 550, Some("5.1.1"), Permanent),
            (Stage::Rcpt, 550, Some("5.1.8"), Route),
            (Stage::Rcpt, 552, Some("5.2.2"), Permanent),
            (Stage::Rcpt, 556, Some("5.1.10"), Permanent),
            (Stage::Rcpt, 501, Some("5.1.3"), Permanent),
            (Stage::Rcpt, 503, Some("5.5.1"), Route),
            (Stage::Rcpt, 555, Some("5.5.4"), Route),
            (Stage::Rcpt, 554, Some("5.7.1"), Credentials),
            (Stage::Data, 421, None, Retryable),
            (Stage::Data, 554, Some("5.5.1"), Permanent),
            (Stage::FinalDot, 421, Some("4.4.2"), Retryable),
            (Stage::FinalDot, 452, None, Retryable),
            (Stage::FinalDot, 451, Some("4.7.1"), Retryable),
            (Stage::FinalDot, 552, Some("5.2.2"), Permanent),
            (Stage::FinalDot, 554, Some("5.6.0"), Permanent),
            (Stage::FinalDot, 550, Some("5.7.1"), Credentials),
            (Stage::FinalDot, 550, Some("5.7.26"), Credentials),
        ] {
            let enhanced = enhanced.map(|text| StatusCode::parse(text).expect(text));
            assert_eq!(classify(stage, code, enhanced).0, class, "{stage:?} {code} {enhanced:?}");
        }
    }

    #[test]
    fn a_full_mailbox_and_an_unknown_one_are_the_recipients_at_whatever_stage_they_are_noticed() {
        for (stage, code, enhanced) in [
            (Stage::Rcpt, 552, "5.2.2"),
            (Stage::Data, 550, "5.1.1"),
            (Stage::FinalDot, 552, "5.2.2"),
            (Stage::FinalDot, 550, "5.1.1"),
        ] {
            let reason = classify(stage, code, StatusCode::parse(enhanced)).1;
            assert_eq!(reason, Reason::Recipient, "{stage:?} {code} {enhanced}");
        }
    }

    #[test]
    fn a_connection_lost_before_the_final_dot_was_not_accepted_and_after_it_nobody_knows() {
        for stage in [
            Stage::Connect,
            Stage::Hello,
            Stage::StartTls,
            Stage::Auth,
            Stage::Mail,
            Stage::Rcpt,
            Stage::Data,
        ] {
            assert_eq!(lost(stage, Reason::Cut).class, Class::Retryable, "{stage:?}");
        }
        assert_eq!(lost(Stage::FinalDot, Reason::Timeout).class, Class::Unknown);
    }
}
