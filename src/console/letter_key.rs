//! By what the page names a dead letter. Pure.

use std::fmt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::dead::Letter;
use crate::hex::hex;

/// 128 bits in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct LetterKey(String);

/// A text that is no [`LetterKey`].
#[derive(Debug, thiserror::Error)]
#[error("is no letter's key")]
pub(super) struct LetterKeyError;

impl TryFrom<String> for LetterKey {
    type Error = LetterKeyError;

    fn try_from(text: String) -> Result<Self, LetterKeyError> {
        let is_key = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_key { Ok(Self(text)) } else { Err(LetterKeyError) }
    }
}

impl fmt::Display for LetterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Of what stays the same however often a letter is looked at: its event and its last death. Two letters that are the same in
/// all of that are the same to everybody.
pub(super) fn letter_key(letter: &Letter, body: &[u8]) -> LetterKey {
    let mut context = Context::new(&SHA256);
    let died_at = letter.died_at.map(|time| time.to_string());
    let (attempts, deaths) = (letter.attempts.unwrap_or_default(), letter.deaths.unwrap_or_default());
    let counts = format!("{attempts} {deaths}");
    let texts =
        [letter.event_id.as_deref(), letter.source.as_deref(), died_at.as_deref(), Some(counts.as_str())];
    let parts = texts.iter().map(|text| text.unwrap_or_default().as_bytes());
    for part in parts.chain([letter.reason.as_bytes(), body]) {
        // The length keeps what ends one part from beginning the next.
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    LetterKey(hex(&context.finish().as_ref()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_keeps_its_key_while_time_passes_and_another_death_is_another_letter() {
        let letter = |reason: &str, deaths, age| Letter {
            event_id: Some("e-1".to_owned()),
            reason: reason.to_owned(),
            deaths: Some(deaths),
            age_seconds: Some(age),
            ..Letter::default()
        };
        let key = letter_key(&letter("schema", 1, 5), b"body");
        assert_eq!(LetterKey::try_from(key.to_string()).ok(), Some(key.clone()));
        assert!(LetterKey::try_from("090-1234-5678".to_owned()).is_err());
        assert_eq!(letter_key(&letter("schema", 1, 500), b"body"), key);
        for other in [
            letter_key(&letter("schema", 2, 5), b"body"),
            letter_key(&letter("schemab", 1, 5), b"ody"),
            letter_key(&letter("schema", 1, 5), b"other"),
        ] {
            assert_ne!(other, key);
        }
    }
}
