//! `shirase gateway`: which gateways there are, and leaving one alone for a while, in every worker that shares the ledger.
//!
//! It needs the configuration alone: a broken template or catalog keeps nobody from acting.

mod change;
mod circuits;
mod list;

use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::{ConfigArg, Usage};
use crate::config::{Config, process_environment};
use crate::drain::Way;
use crate::ledger::{ControlError, Controls};
use crate::plan::Channel;

/// Gateways and relays: list them, drain one, resume it.
#[derive(clap::Args)]
pub(super) struct Gateway {
    #[command(subcommand)]
    command: GatewayCommand,
}

// Here rather than on each command: clap shows a variant's words and not those of what it holds.
#[derive(Subcommand)]
enum GatewayCommand {
    /// Every configured gateway and relay with its circuit, and who has drained it, until when, why
    ///
    /// Circuits are each worker's own: they are those of the worker at http.listen.
    List(list::List),
    /// Leave a gateway alone: no worker asks it, what is on its way to it goes on, and it is resumed by itself
    ///
    /// The workers follow within two seconds. Draining one that is drained sets its end and reason anew. A channel's last
    /// gateway that is not drained is refused, with exit code 1.
    Drain(change::DrainCommand),
    /// Ask a drained gateway again, before its drain's end
    Resume(change::Resume),
}

impl Gateway {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            GatewayCommand::List(list) => list.run().await,
            GatewayCommand::Drain(drain) => drain.run().await,
            GatewayCommand::Resume(resume) => resume.run().await,
        }
    }
}

/// The configuration, and the controls of its ledger.
async fn open(config: &ConfigArg) -> anyhow::Result<(Config, Controls)> {
    let config = Config::load(config.config.as_deref(), process_environment())?;
    let controls = Controls::open(&config.ledger).await;
    let controls = controls.map_err(|error| Usage(format!("ledger.url: {error}")))?;
    Ok((config, controls))
}

/// A ledger that cannot be asked or written: not "it is not drained", which a script might take it for.
fn unreachable(error: ControlError) -> Usage {
    Usage(format!("ledger.url: {error}"))
}

/// Every configured gateway and relay, in the order of the configuration.
fn ways(config: &Config) -> Vec<Way> {
    let sms = config.sms.gateways.iter().map(|gateway| (&gateway.common.name, Channel::Sms));
    let email = config.email.relays.iter().map(|relay| (&relay.name, Channel::Email));
    sms.chain(email).map(|(name, channel)| Way { name: name.clone(), channel }).collect()
}

/// `2026-11-22 15:04:05`; Japan has no daylight saving time.
fn jst(time: Timestamp) -> String {
    time.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
