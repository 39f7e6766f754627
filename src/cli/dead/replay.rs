//! `shirase dead replay`: dead letters back into their lane.

use std::process::ExitCode;

use anyhow::bail;
use futures_util::future::join_all;

use super::browse::{Browse, Found};
use super::letter::Letter;
use super::outcome::{Outcome, Outcomes};
use super::selection::Chosen;
use crate::broker::{DeadLetters, PutBackError};

/// How many are on their way to the broker at once; without a limit also how many bodies are held.
const PAGE: usize = 64;

/// `dead replay`
#[derive(clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    chosen: Chosen,
}

/// What became of one, and whether the next would fare no better.
struct Tried {
    letter: Letter,
    outcome: Outcome,
    fatal: bool,
}

impl Replay {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.chosen.check()?;
        let selection = &self.chosen.selection;
        let mut browse = Browse::open(selection).await?;
        let mut outcomes = Outcomes::new(selection.json);
        let mut oldest = match selection.limit {
            Some(limit) => Some(browse.oldest(limit).await?),
            None => None,
        };
        loop {
            let page = match &mut oldest {
                Some(oldest) => oldest.drain(..oldest.len().min(PAGE)).collect(),
                None => browse.page(PAGE).await?,
            };
            if page.is_empty() {
                break;
            }
            let tries = page.into_iter().map(|found| self.try_one(&browse.letters, found));
            let mut lost = false;
            for tried in join_all(tries).await {
                outcomes.tell(&tried.letter, &tried.outcome)?;
                lost |= tried.fatal;
            }
            if lost {
                outcomes.finish()?;
                bail!("stopped: the broker does not answer as it should; what is not listed was not touched");
            }
        }
        browse.close().await?.tell(selection.json)?;
        outcomes.finish()
    }

    async fn try_one(&self, letters: &DeadLetters, found: Found) -> Tried {
        let Found { letter, lane, dead } = found;
        let (outcome, fatal) = match lane {
            None => (Outcome::Kept(no_lane(&letter).to_owned()), false),
            Some(_) if self.chosen.dry_run => (Outcome::WouldReplay, false),
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
}

/// Why a letter has no lane to go back to.
fn no_lane(letter: &Letter) -> &'static str {
    match letter.event_type {
        Some(_) => "its type is not in the catalog (config/events.toml), so nobody knows its lane",
        None => "its type cannot be read, so nobody knows its lane; upstream has to publish the event anew",
    }
}
