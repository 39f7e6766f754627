//! Why somebody does what they do: for the log.

use serde::Deserialize;

use crate::printable::printable;

/// 1 to 200 characters on one line.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Reason(String);

/// A text that is no [`Reason`].
#[derive(Debug, thiserror::Error)]
#[error("a reason has 1 to 200 characters")]
pub(super) struct ReasonError;

impl Reason {
    const MOST: usize = 200;

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = ReasonError;

    fn try_from(text: String) -> Result<Self, ReasonError> {
        let text = printable(text.trim());
        let fits = !text.is_empty() && text.chars().count() <= Self::MOST;
        if fits { Ok(Self(text)) } else { Err(ReasonError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_something_on_one_line() {
        let reason = |text: &str| Reason::try_from(text.to_owned()).ok().map(|reason| reason.0);
        assert_eq!(reason(" 復旧した\n "), Some("復旧した".to_owned()));
        assert_eq!(reason("a\nb\u{1b}"), Some("ab".to_owned()));
        assert_eq!(reason(&"あ".repeat(200)).map(|text| text.chars().count()), Some(200));
        for none in ["", "  ", "\u{200b}", &"a".repeat(201)] {
            assert_eq!(reason(none), None, "{none:?}");
        }
    }
}
