//! `shirase dead`: the dead-letter queue, for whoever is on call.
//!
//! None of it prints an event's data: what a letter is, why it is there and since when, but not whom it is about.

mod age;
mod browse;
mod discard;
mod letter;
mod list;
mod outcome;
mod replay;
mod selection;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

/// The dead-letter queue: what could not be told, why, and what becomes of it.
///
/// Looking changes nothing: every letter goes back to the queue. While one of these commands runs, another one does not
/// see the letters that it is looking at.
#[derive(clap::Args)]
pub(super) struct Dead {
    #[command(subcommand)]
    command: DeadCommand,
}

#[derive(Subcommand)]
enum DeadCommand {
    /// A table of dead letters, and how many there are by reason
    List(list::List),
    /// Everything about each but the event's data
    Show(show::Show),
    /// Put dead letters back into their lane: they are tried anew, for what was not accepted before
    Replay(replay::Replay),
    /// Take dead letters away for good
    Drop(discard::Discard),
}

impl Dead {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            DeadCommand::List(list) => list.run().await,
            DeadCommand::Show(show) => show.run().await,
            DeadCommand::Replay(replay) => replay.run().await,
            DeadCommand::Drop(discard) => discard.run().await,
        }
    }
}
