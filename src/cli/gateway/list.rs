//! `shirase gateway list`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;

use super::super::ConfigArg;
use super::super::table::table;
use super::circuits::{self, Circuits};
use super::{jst, open, unreachable, ways};
use crate::clock::Clock;
use crate::drain::{Drain, Way};
use crate::printable::printable;

const HEADINGS: [&str; 7] =
    ["channel", "order", "gateway", "circuit", "drained until (Japan)", "by", "reason"];
const RIGHT: [usize; 1] = [1];
const NOTHING: &str = "-";

/// `gateway list`
#[derive(clap::Args)]
pub(super) struct List {
    /// One JSON object a gateway, each on a line of its own
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// One gateway.
#[derive(Serialize)]
struct Listed {
    name: String,
    channel: &'static str,
    /// Its place among the channel's in the configuration, from 1.
    order: usize,
    circuit: Option<&'static str>,
    drained: Option<Drain>,
}

impl List {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (config, controls) = open(&self.config).await?;
        let drains = controls.drains().await.map_err(unreachable)?;
        let circuits = circuits::ask(config.http.listen).await;
        let now = Clock::system().now();
        let known = circuits.as_ref().ok();
        let listed = listed(&ways(&config), &drains, known.unwrap_or(&Circuits::new()), now);
        let mut out = stdout().lock();
        if self.json {
            listed.iter().try_for_each(|one| writeln!(out, "{}", serde_json::to_string(one)?))?;
        } else {
            write!(out, "{}", shown(&listed))?;
        }
        if let Err(why) = circuits {
            eprintln!("{why}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn listed(ways: &[Way], drains: &[Drain], circuits: &Circuits, now: Timestamp) -> Vec<Listed> {
    let listed = |(index, way): (usize, &Way)| Listed {
        name: way.name.clone(),
        channel: way.channel.as_str(),
        order: 1 + ways[..index].iter().filter(|other| other.channel == way.channel).count(),
        circuit: circuits.get(&way.name).copied(),
        drained: drains.iter().find(|drain| drain.gateway == way.name && drain.is_in_force(now)).cloned(),
    };
    ways.iter().enumerate().map(listed).collect()
}

fn shown(listed: &[Listed]) -> String {
    let nothing = || NOTHING.to_owned();
    let row = |one: &Listed| {
        let [until, by, reason] = one.drained.as_ref().map_or_else(
            || [nothing(), nothing(), nothing()],
            |drain| [jst(drain.until), printable(&drain.by), printable(&drain.reason)],
        );
        let circuit = one.circuit.map_or_else(nothing, str::to_owned);
        [one.channel.to_owned(), one.order.to_string(), one.name.clone(), circuit, until, by, reason]
    };
    let rows: Vec<_> = [HEADINGS.map(str::to_owned)].into_iter().chain(listed.iter().map(row)).collect();
    table(&rows, &RIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Channel;

    #[test]
    fn each_gateway_has_a_line_and_a_drain_that_is_over_is_not_shown() {
        let way = |name: &str, channel| Way { name: name.to_owned(), channel };
        let ways = [way("primary", Channel::Sms), way("backup", Channel::Sms), way("mta", Channel::Email)];
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let drain = |gateway: &str, until| Drain {
            gateway: gateway.to_owned(),
            since: at("2026-11-22T06:00:00Z"),
            until: at(until),
            reason: "保守".to_owned(),
            by: "kato@ops".to_owned(),
        };
        let drains = [drain("backup", "2026-11-22T06:20:00Z"), drain("mta", "2026-11-22T06:04:00Z")];
        let circuits = Circuits::from([("primary".to_owned(), "open"), ("backup".to_owned(), "closed")]);
        let shown = shown(&listed(&ways, &drains, &circuits, at("2026-11-22T06:05:00Z")));
        let expected = "\
channel  order  gateway  circuit  drained until (Japan)  by        reason
sms          1  primary  open     -                      -         -
sms          2  backup   closed   2026-11-22 15:20:00    kato@ops  保守
email        1  mta      -        -                      -         -
";
        assert_eq!(shown, expected);
    }
}
