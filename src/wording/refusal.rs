//! Why a set on disk is not used.

use crate::assets::ReadError;
use crate::lint::{Finding, Report};

/// A set on disk that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The version that it would have; none when it could not be read.
    pub version: Option<String>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The folder or a file in it cannot be read: path and what the system says.
    Unreadable(String),
    /// It has mistakes.
    Findings(Vec<Finding>),
    /// The checks themselves failed.
    Panicked,
}

impl Refusal {
    pub(super) fn unreadable(error: &ReadError) -> Self {
        Self { version: None, why: Why::Unreadable(error.to_string()) }
    }

    pub(super) fn report(version: String, report: &Report) -> Self {
        Self { version: Some(version), why: Why::Findings(report.errors().cloned().collect()) }
    }

    pub(super) fn panicked() -> Self {
        Self { version: None, why: Why::Panicked }
    }

    /// In one line, for `/readyz`: the first mistake, and how many there are beside it.
    pub fn in_a_line(&self) -> String {
        match &self.why {
            Why::Unreadable(error) => format!("templates: the set on disk cannot be read: {error}"),
            Why::Panicked => "templates: the checks panicked; the log says where".to_owned(),
            Why::Findings(findings) => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                let more = match findings.len() {
                    0 | 1 => String::new(),
                    count => format!(" (and {} more in the log)", count - 1),
                };
                format!("templates: the set on disk was refused: {first}{more}")
            }
        }
    }
}
