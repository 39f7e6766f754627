//! `shirase dead replay`: dead letters back into their lane.

use std::process::ExitCode;

use anyhow::bail;
use futures_util::future::join_all;

use super::outcome::Outcomes;
use super::pass;
use super::selection::Chosen;
use crate::dead::put_back;

/// How many are on their way to the broker at once; without a limit also how many bodies are held.
const PAGE: usize = 64;

/// `dead replay`
#[derive(clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    chosen: Chosen,
}

impl Replay {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.chosen.check()?;
        let selection = &self.chosen.selection;
        let mut look = pass::open(selection).await?;
        let mut outcomes = Outcomes::new(selection.json);
        let mut oldest = match selection.limit {
            Some(limit) => Some(look.oldest(limit).await?),
            None => None,
        };
        loop {
            let page = match &mut oldest {
                Some(oldest) => oldest.drain(..oldest.len().min(PAGE)).collect(),
                None => look.page(PAGE).await?,
            };
            if page.is_empty() {
                break;
            }
            let tries = page.into_iter().map(|found| put_back(&look.letters, found, self.chosen.dry_run));
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
        pass::close(look, selection).await?.tell(selection.json)?;
        outcomes.finish()
    }
}
