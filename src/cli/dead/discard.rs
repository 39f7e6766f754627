//! `shirase dead drop`: dead letters away for good.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::process::ExitCode;

use anyhow::anyhow;

use super::list::by_reason;
use super::outcome::Outcomes;
use super::pass;
use super::selection::Chosen;
use crate::broker::Held;
use crate::cli::{NOT_IN_ORDER, Usage};
use crate::dead::{Letter, Outcome};

/// `dead drop`
#[derive(clap::Args)]
pub(super) struct Discard {
    #[command(flatten)]
    chosen: Chosen,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

impl Discard {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.chosen.check()?;
        let asks = !self.yes && !self.chosen.dry_run;
        if asks && !stdin().is_terminal() {
            return Err(Usage("dropping cannot be undone: say --yes, or --dry-run to see".to_owned()).into());
        }
        let selection = &self.chosen.selection;
        let mut look = pass::open(selection).await?;
        // All of them are held while a person thinks: what is dropped is what was asked about.
        let mut held = look.held().await?;
        held.truncate(selection.at_most());
        if asks && !held.is_empty() && !agreed(&held).await? {
            look.close().await?;
            writeln!(stderr(), "nothing was dropped")?;
            return Ok(ExitCode::from(NOT_IN_ORDER));
        }
        let mut letters = Vec::new();
        for (letter, held) in held {
            if !self.chosen.dry_run {
                let taken = look.letters.take_away(held).await;
                taken.map_err(|error| anyhow!("{error}: `dead list` shows which letters are left"))?;
            }
            letters.push(letter);
        }
        // Only the answer to the close says that the broker has all of it.
        let pass = pass::close(look, selection).await?;
        let mut outcomes = Outcomes::new(selection.json);
        let outcome = if self.chosen.dry_run { Outcome::WouldDrop } else { Outcome::Dropped };
        for letter in &letters {
            outcomes.tell(letter, &outcome)?;
        }
        pass.tell(selection.json)?;
        outcomes.finish()
    }
}

/// Asks, on the terminal.
async fn agreed(held: &[(Letter, Held)]) -> anyhow::Result<bool> {
    let (count, reasons) = (held.len(), by_reason(held.iter().map(|(letter, _)| letter)));
    write!(stderr(), "{reasons}Drop these {count} dead letters for good? Type yes: ")?;
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        stdin().read_line(&mut answer).map(|_| answer)
    });
    Ok(answer.await??.trim() == "yes")
}
