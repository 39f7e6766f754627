//! What became of a dead letter, and putting one back into its lane.

use super::{Found, Letter};
use crate::broker::{DeadLetters, PutBackError};

/// What became of a dead letter, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is back in its lane.
    Replayed,
    /// It would be, were this no dry run.
    WouldReplay,
    /// It is gone for good.
    Dropped,
    /// It would be, were this no dry run.
    WouldDrop,
    /// It is where it was, and why.
    Kept(String),
}

impl Outcome {
    /// As `--json` and the console call it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::WouldReplay => "would_replay",
            Self::Dropped => "dropped",
            Self::WouldDrop => "would_drop",
            Self::Kept(_) => "kept",
        }
    }

    /// Why it was kept.
    pub fn why(&self) -> Option<&str> {
        if let Self::Kept(why) = self { Some(why) } else { None }
    }
}

/// What became of one, and whether the next would fare no better.
pub struct Tried {
    /// Which.
    pub letter: Letter,
    /// What became of it.
    pub outcome: Outcome,
    /// The broker does not answer as it should.
    pub fatal: bool,
}

/// Puts a letter back into its lane, where that is known; nothing changes with `dry_run`.
pub async fn put_back(letters: &DeadLetters, found: Found, dry_run: bool) -> Tried {
    let Found { letter, lane, dead } = found;
    let (outcome, fatal) = match lane {
        None => (Outcome::Kept(no_lane(&letter).to_owned()), false),
        Some(_) if dry_run => (Outcome::WouldReplay, false),
        Some(lane) => match letters.put_back(dead, lane).await {
            Ok(()) => (Outcome::Replayed, false),
            Err(error) => {
                let fatal = matches!(error, PutBackError::Unknown(_));
                (Outcome::Kept(format!("the queue of lane {}: {error}", lane.as_str())), fatal)
            }
        },
    };
    Tried { letter, outcome, fatal }
}

/// Why a letter has no lane to go back to.
fn no_lane(letter: &Letter) -> &'static str {
    match letter.event_type {
        Some(_) => "its type is not in the catalog (config/events.toml), so nobody knows its lane",
        None => "its type cannot be read, so nobody knows its lane; upstream has to publish the event anew",
    }
}
