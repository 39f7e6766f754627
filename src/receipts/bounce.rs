//! A bounce as `shirase bounce` hands it to the worker.

use serde::{Deserialize, Serialize};

use crate::gateway::receipt::{Loss, Report, Status, Which};

/// What became of a mail, by the mail system's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounce {
    /// The notification's idempotency key.
    pub reference: String,
    /// `underway`, `delivered` or `undelivered`.
    pub status: String,
    /// Why it was not delivered.
    pub loss: Option<String>,
    /// The enhanced status code.
    pub code: Option<String>,
}

impl Bounce {
    /// Nothing for a report that does not name our reference.
    pub fn of(report: &Report) -> Option<Self> {
        let Which::Reference(reference) = &report.message else { return None };
        let loss = match report.status {
            Status::Undelivered(loss) => Some(loss.as_str().to_owned()),
            Status::Underway | Status::Delivered => None,
        };
        let (status, code) = (report.status.as_str().to_owned(), report.code.clone());
        Some(Self { reference: reference.clone(), status, loss, code })
    }

    /// Nothing when its words are none of ours.
    pub fn report(self) -> Option<Report> {
        let status = match (self.status.as_str(), self.loss.as_deref()) {
            ("underway", None) => Status::Underway,
            ("delivered", None) => Status::Delivered,
            ("undelivered", Some(loss)) => Status::Undelivered(Loss::from_word(loss)?),
            _ => return None,
        };
        let is_reference =
            self.reference.len() == 32 && self.reference.bytes().all(|byte| byte.is_ascii_hexdigit());
        let code =
            self.code.filter(|code| code.len() <= 20 && code.bytes().all(|byte| byte.is_ascii_graphic()));
        is_reference.then_some(Report {
            message: Which::Reference(self.reference),
            provider_id: None,
            status,
            code,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounce_says_to_the_worker_what_the_mail_said() {
        let losses = Loss::ALL.map(Status::Undelivered);
        for status in [Status::Underway, Status::Delivered].into_iter().chain(losses) {
            let report = Report {
                message: Which::Reference("0123456789abcdef0123456789abcdef".to_owned()),
                provider_id: None,
                status,
                code: Some("5.1.1".to_owned()),
            };
            let bounce = Bounce::of(&report).expect("by reference");
            let sent = serde_json::to_string(&bounce).expect("JSON");
            let read: Bounce = serde_json::from_str(&sent).expect("JSON");
            assert_eq!(read.report(), Some(report));
        }
    }

    #[test]
    fn words_that_are_none_of_ours_are_no_report() {
        for (reference, status, loss) in [
            ("short", "delivered", None),
            ("0123456789abcdef0123456789abcdef", "undelivered", None),
            ("0123456789abcdef0123456789abcdef", "undelivered", Some("sulking")),
            ("0123456789abcdef0123456789abcdef", "delivered", Some("recipient")),
        ] {
            let (status, loss) = (status.to_owned(), loss.map(str::to_owned));
            let bounce = Bounce { reference: reference.to_owned(), status, loss, code: None };
            assert_eq!(bounce.clone().report(), None, "{bounce:?}");
        }
    }
}
