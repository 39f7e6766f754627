//! `shirase gateway drain` and `resume`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::super::{ConfigArg, NOT_IN_ORDER, Usage};
use super::{jst, open, unreachable, ways};
use crate::clock::Clock;
use crate::config::{Span, process_environment};
use crate::drain::{DrainRefusal, DrainRequest};
use crate::printable::printable;

/// `gateway drain`
#[derive(clap::Args)]
pub(super) struct DrainCommand {
    /// The gateway's or relay's name in the configuration
    name: String,
    /// For how long: 15m, 2h; from a second to seven days
    #[arg(long = "for", value_name = "SPAN")]
    length: Span,
    /// Why, for whoever sees it: it is logged and shown, so nothing personal
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who wants it; USER@HOST of whoever calls, before sudo, without this
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Also when the channel has no other gateway that is not drained: then nothing goes out by it
    #[arg(long)]
    even_the_last: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// `gateway resume`
#[derive(clap::Args)]
pub(super) struct Resume {
    /// The gateway's or relay's name in the configuration
    name: String,
    #[command(flatten)]
    config: ConfigArg,
}

impl DrainCommand {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (config, controls) = open(&self.config).await?;
        let request = DrainRequest {
            gateway: self.name,
            length: self.length.0,
            reason: self.reason,
            by: self.by.unwrap_or_else(caller),
            even_the_last: self.even_the_last,
        };
        let drained = controls.drain(request, ways(&config), Clock::system().now()).await;
        let drain = match drained.map_err(unreachable)? {
            Ok(drain) => drain,
            Err(refusal @ DrainRefusal::LastWayOut { .. }) => {
                eprintln!("{refusal}; --even-the-last drains it all the same");
                return Ok(ExitCode::from(NOT_IN_ORDER));
            }
            Err(refusal) => return Err(Usage(refusal.to_string()).into()),
        };
        let told = format!("{}: drained until {} (Japan) by {}", drain.gateway, jst(drain.until), drain.by);
        writeln!(stdout(), "{told}")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Resume {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (config, controls) = open(&self.config).await?;
        let resumed = controls.resume(&self.name).await.map_err(unreachable)?;
        let known: Vec<String> = ways(&config).into_iter().map(|way| way.name).collect();
        // One that was taken out of the configuration while it was drained may be resumed all the same.
        if !resumed && !known.contains(&self.name) {
            let name = printable(&self.name);
            return Err(Usage(DrainRefusal::Unknown { name, known }.to_string()).into());
        }
        let what = if resumed { "resumed" } else { "was not drained" };
        writeln!(stdout(), "{}: {what}", printable(&self.name))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// `USER@HOST`: of whoever called sudo, because "root" says nothing.
fn caller() -> String {
    let variables: Vec<(String, String)> = process_environment().collect();
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| {
        let of = |(other, value): &&(String, String)| other == name && !value.is_empty();
        variables.iter().find(of).map(|(_, value)| value.clone())
    });
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let user = user.unwrap_or_else(|| "unknown".to_owned());
    let caller = match host.trim() {
        "" => user,
        host => format!("{user}@{host}"),
    };
    caller.chars().take(DrainRequest::LONGEST_NAME).collect()
}
