//! `shirase dead`: the dead-letter queue, for whoever is on call.
//!
//! None of it prints an event's data: what a letter is, why it is there and since when, but not whom it is about.

mod discard;
mod list;
mod outcome;
mod pass;
mod replay;
mod selection;
mod show;
mod words;

use std::process::ExitCode;

use clap::Subcommand;

/// The dead-letter queue: what could not be told, why, and what becomes of it.
#[derive(clap::Args)]
pub(super) struct Dead {
    #[command(subcommand)]
    command: DeadCommand,
}

// Here rather than on each command: clap shows a variant's words and not those of what it holds.
#[derive(Subcommand)]
enum DeadCommand {
    /// A table of dead letters, oldest first, and how many there are by reason
    ///
    /// The event's data is not shown. A type that is not in the catalog shows as `unknown`, what cannot be read as `-`.
    List(list::List),
    /// Everything about each but the event's data, which is personal
    ///
    /// With --json the same objects as `dead list --json`.
    Show(show::Show),
    /// Put dead letters back into their lane: they are tried anew, for what was not accepted before
    ///
    /// Each is taken out of the dead-letter queue only when the broker has confirmed its copy in the lane's queue. It is
    /// safe to run this twice, or to interrupt it: what a customer was told is in the ledger and is not told again. A
    /// letter whose type is unknown or cannot be read stays, and the exit code is 1.
    Replay(replay::Replay),
    /// Take dead letters away for good: nobody is told, and nothing brings them back
    ///
    /// Asks on a terminal; anywhere else --yes is needed.
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
