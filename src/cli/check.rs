//! `shirase check`: is everything in order before it goes into production?

use std::process::ExitCode;

use serde_json::json;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, examples};
use crate::broker::{self, Names};
use crate::clock::Clock;
use crate::dispatch::Schedule;
use crate::gateway::Gateways;
use crate::ledger::{Ledger, OpenError};
use crate::plan::Channel;
use crate::template::{Message, segments};

/// Check configuration, catalog, schemas and templates: every template with every example.
///
/// What keeps a file from loading ends with exit code 2 and names file and line; what loads but is not in order, with 1.
#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// Also try broker, ledger, gateways and relays, without sending anything
    #[arg(long)]
    connect: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Check {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let house = House::load(self.config.config.as_deref())?;
        let (mut findings, rendered) = templates(&house)?;
        if self.connect {
            findings.extend(connections(&house).await);
        }
        let types = house.catalog.iter().count();
        if self.json {
            let version = house.templates.version();
            println!(
                "{}",
                json!({"types": types, "messages": rendered, "template_version": version, "findings": findings})
            );
        } else {
            findings.iter().for_each(|finding| println!("{finding}"));
            let connected = if self.connect { ", connections" } else { "" };
            let verdict = if findings.is_empty() {
                "in order".to_owned()
            } else {
                format!("{} finding(s)", findings.len())
            };
            println!("configuration, {types} event types, {rendered} messages{connected}: {verdict}");
        }
        Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }
}

/// Renders every template with every example; findings, and how many messages there were.
fn templates(house: &House) -> anyhow::Result<(Vec<String>, usize)> {
    let now = Clock::system().now();
    let mut findings = Vec::new();
    let mut count = 0;
    for kind in house.catalog.iter() {
        for event in examples::of_type(house, kind, now)? {
            let notifications = examples::on_every_channel(house, &event, now);
            match examples::render(house, &event, &notifications) {
                Err(error) => findings.push(format!("{error} (example {})", event.id)),
                Ok(rendered) => {
                    count += rendered.len();
                    findings.extend(rendered.iter().filter_map(|one| too_long(&event.id, &one.message)));
                }
            }
        }
    }
    Ok((findings, count))
}

/// Carriers stop at 660 characters, and gateways cut what is longer without a word.
fn too_long(id: &str, message: &Message) -> Option<String> {
    const CARRIERS_STOP_AT: usize = 660;
    let Message::Sms { text } = message else { return None };
    let units = segments(text).units;
    (units > CARRIERS_STOP_AT).then(|| {
        format!("sms.hbs: {units} units with example {id}; carriers stop at {CARRIERS_STOP_AT}, shorten it")
    })
}

async fn connections(house: &House) -> Vec<String> {
    let mut findings = Vec::new();
    let config = &house.config;
    let names = Names::new(&config.broker, &house.catalog, Schedule::new(&config.retry).steps());
    if let Err(error) = broker::probe(&config.broker, &names).await {
        findings.push(format!(
            "broker.urls: {error} (a worker that has never run has not declared its queues yet)"
        ));
    }
    match Ledger::open(&config.ledger) {
        // A worker that runs has its ledger: that is as it should be.
        Ok(_) | Err(OpenError::InUse(_)) => {}
        Err(error) => findings.push(format!("ledger.url: {error}")),
    }
    match Gateways::new(&config.sms, &config.email) {
        Err(error) => findings.push(error.to_string()),
        Ok(gateways) => {
            for gateway in gateways.iter() {
                if let Err(failure) = gateway.probe().await {
                    let section =
                        if gateway.channel() == Channel::Sms { "sms.gateways" } else { "email.relays" };
                    findings.push(format!("{section} \"{}\": {failure}", gateway.name()));
                }
            }
        }
    }
    findings
}
