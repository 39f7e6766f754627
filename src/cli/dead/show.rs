//! `shirase dead show`: everything about each dead letter but the event's data.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::pass;
use super::selection::Selection;
use super::words::{age, or_nothing, to_the_second};
use crate::dead::Letter;

/// `dead show`
#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    selection: Selection,
}

impl Show {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut look = pass::open(&self.selection).await?;
        let held = look.held().await?;
        let pass = pass::close(look, &self.selection).await?;
        let mut out = stdout().lock();
        for (index, (letter, _)) in held.iter().take(self.selection.at_most()).enumerate() {
            if self.selection.json {
                writeln!(out, "{}", serde_json::to_string(letter)?)?;
            } else {
                writeln!(out, "{}", in_words(index + 1, letter))?;
            }
        }
        drop(out);
        pass.tell(self.selection.json)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn in_words(number: usize, letter: &Letter) -> String {
    let died_at = letter.died_at.map(|time| format!("{} ({} ago)", to_the_second(time), age(letter)));
    let facts = [
        ("type", letter.event_type().to_owned()),
        ("source", or_nothing(letter.source.as_deref())),
        ("time", or_nothing(letter.time)),
        ("lane", or_nothing(letter.lane)),
        ("reason", letter.reason.clone()),
        ("detail", or_nothing(letter.detail.as_deref())),
        ("attempts", or_nothing(letter.attempts)),
        ("deaths", or_nothing(letter.deaths)),
        ("died at", or_nothing(died_at)),
        ("bytes", letter.bytes.to_string()),
    ];
    let mut words = format!("{number}. {}\n", letter.event_id());
    for (name, value) in facts {
        words.push_str(&format!("   {name:<9} {value}\n"));
    }
    if let Some(queue) = &letter.given_up_in {
        words.push_str(&format!("   given up  by the broker itself, in {queue}\n"));
    }
    words
}
