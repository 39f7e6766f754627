//! Why an event cannot be used: a closed list whose names are also dead-letter reasons and metric labels.

/// What is wrong with an event that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BadReason {
    /// Over 256 KiB.
    TooLarge,
    /// Not UTF-8.
    InvalidUtf8,
    /// Not JSON.
    NotJson,
    /// JSON nested deeper than 128 levels.
    TooDeep,
    /// A required CloudEvents attribute is missing.
    MissingAttribute,
    /// A CloudEvents attribute of the wrong type, another specversion, a content type we don't read.
    BadAttribute,
    /// `time` or `expires` is no RFC 3339 time, or `time` lies more than a day ahead.
    BadTime,
    /// Not in the catalog.
    UnknownType,
    /// `data` does not fit the type's schema.
    Schema,
}

impl BadReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::TooLarge,
        Self::InvalidUtf8,
        Self::NotJson,
        Self::TooDeep,
        Self::MissingAttribute,
        Self::BadAttribute,
        Self::BadTime,
        Self::UnknownType,
        Self::Schema,
    ];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::InvalidUtf8 => "invalid_utf8",
            Self::NotJson => "not_json",
            Self::TooDeep => "too_deep",
            Self::MissingAttribute => "missing_attribute",
            Self::BadAttribute => "bad_attribute",
            Self::BadTime => "bad_time",
            Self::UnknownType => "unknown_type",
            Self::Schema => "schema",
        }
    }
}

/// An event that cannot be used. Neither `Debug` nor `Display` holds a value of the event's data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", reason.as_str(), self.in_words())]
pub struct Rejected {
    /// The label.
    pub reason: BadReason,
    /// Where: a JSON pointer into the event in structured mode (RFC 6901), if it is a place in it.
    pub pointer: Option<String>,
    /// What, without personal data.
    pub detail: String,
}

impl Rejected {
    /// Of the event as a whole.
    pub(super) fn new(reason: BadReason, detail: impl Into<String>) -> Self {
        Self { reason, pointer: None, detail: detail.into() }
    }

    /// Of one place in it.
    pub(super) fn at(reason: BadReason, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { reason, pointer: Some(pointer.into()), detail: detail.into() }
    }

    /// Where and what, without the label.
    pub fn in_words(&self) -> String {
        match &self.pointer {
            Some(pointer) => format!("{pointer}: {}", self.detail),
            None => self.detail.clone(),
        }
    }
}
