//! A letter's facts as words.

use jiff::{SignedDuration, Timestamp};

use crate::cli::age;
use crate::dead::{Letter, NOTHING};

/// How long it has been dead.
pub(super) fn age(letter: &Letter) -> String {
    let words = |seconds| age::in_words(SignedDuration::from_secs(seconds));
    letter.age_seconds.map_or_else(|| NOTHING.to_owned(), words)
}

/// A value, or that there is none.
pub(super) fn or_nothing<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string())
}

/// To the second, for tables.
pub(super) fn to_the_second(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
