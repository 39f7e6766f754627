//! `shirase preview`: the texts that customers would get.

mod bubble;
mod choice;
mod diff;
mod folder;
mod in_use;
mod page;
mod paint;
mod sheet;
mod terminal;

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use self::choice::Choice;
use self::in_use::Against;
use self::paint::Paint;
use self::sheet::{Sheet, sheets};
use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER};
use crate::clock::Clock;
use crate::lint::{self, Finding};

/// Show the texts of an event type's examples, or of the events in a file, as customers would read them.
///
/// With --diff, only what reads otherwise than the set in use; exit code 1 when something does, as of diff.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("which").args(["what", "all", "diff"]).required(true).multiple(true))]
pub(super) struct Preview {
    #[command(flatten)]
    choice: Choice,
    /// As a summary that stands for so many others too, which `collapse` in events.toml held back
    #[arg(long, value_name = "N")]
    others: Option<u32>,
    /// One JSON object a message
    #[arg(long)]
    json: bool,
    /// Write texts, HTML and a page of all of them into a folder: an empty one, or one that this wrote before
    #[arg(long, value_name = "DIR", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// Show what differs from the set that the running worker uses, from a folder of templates, or from the built-in set
    #[arg(
        long, value_name = "DIR|built-in", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["json", "out"]
    )]
    diff: Option<Against>,
    #[command(flatten)]
    config: ConfigArg,
}

impl Preview {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let house = House::load(self.config.config.as_deref())?;
        let now = Clock::system().now();
        let (mut shown, mut in_order) = (Vec::new(), true);
        for (place, event) in self.choice.events(&house, now).await? {
            let found = event.map_err(|rejected| rejected.to_string()).and_then(|mut event| {
                event.others = self.others;
                sheets(&house, event, self.choice.channel, now).map_err(|error| error.to_string())
            });
            match found {
                Ok(found) => shown.extend(found),
                Err(problem) => {
                    in_order = false;
                    eprintln!("{place}: {problem}");
                }
            }
        }
        if let Some(against) = &self.diff {
            let old = against.load(&house).await?;
            in_order &= diff::show(&house, &old, &shown, Paint::of_stdout())? == 0;
        } else if self.json {
            let mut out = stdout().lock();
            shown.iter().try_for_each(|sheet| writeln!(out, "{}", sheet.in_json()))?;
        } else {
            let findings = lint::check(&house.premises(), &house.templates, now).findings;
            self.show(&house, &shown, &findings)?;
        }
        Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }

    fn show(&self, house: &House, shown: &[Sheet], findings: &[Finding]) -> anyhow::Result<()> {
        match &self.out {
            Some(dir) => {
                let count = folder::write(dir, house, shown, findings)?;
                let page = dir.join(folder::PAGE);
                writeln!(stdout(), "{count} files in {}; open {}", dir.display(), page.display())?;
            }
            None => terminal::show(&mut stdout().lock(), house, shown, findings, Paint::of_stdout())?,
        }
        Ok(())
    }
}
