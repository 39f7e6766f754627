//! `shirase check`: is everything in order before it goes into production?

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER};
use crate::broker::{self, Names};
use crate::clock::Clock;
use crate::dispatch::Schedule;
use crate::gateway::{Gateway, Gateways, OnUnknown};
use crate::ledger::{Ledger, LedgerConfig, OpenError};
use crate::lint::{self, RULES, Report, Rule};
use crate::plan::Channel;
use crate::template::DEFAULT_LOCALE;
use crate::traces;

/// How long a ledger may take to answer.
const LEDGER_PATIENCE: Duration = Duration::from_secs(10);

/// Check configuration, catalog, schemas and templates: every template with every example.
///
/// What keeps a file from loading ends with exit code 2 and names file and line; what loads but is not in order, with 1.
#[derive(clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigArg,
    /// Also try broker, ledger, gateways, relays and the collector of traces, without sending anything
    #[arg(long)]
    connect: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// List the rules for templates, with what each wants and why
    #[arg(long, conflicts_with_all = ["connect", "json"])]
    rules: bool,
}

impl Check {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if self.rules {
            list_rules()?;
            return Ok(ExitCode::SUCCESS);
        }
        let house = House::load(self.config.config.as_deref())?;
        let checked = lint::check(&house.premises(), &house.templates, Clock::system().now());
        let (mut notes, mut troubles) = (Vec::new(), Vec::new());
        troubles.extend(house.canary().err().map(|error| error.to_string()));
        match house.gateways() {
            Err(error) => troubles.push(error.to_string()),
            Ok(gateways) => {
                notes.extend(unnamed(&house));
                notes.extend(divided(&gateways));
                notes.extend(unheard(&gateways));
                notes.extend(canaries(&house));
                notes.extend(key_beside_the_data(&house, &gateways));
                if self.connect {
                    troubles.extend(connections(&house, &gateways).await);
                }
            }
        }
        self.report(&house, &checked, &troubles, &notes)?;
        Ok(if checked.passes() && troubles.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(NOT_IN_ORDER)
        })
    }

    fn report(
        &self,
        house: &House,
        checked: &Report,
        troubles: &[String],
        notes: &[String],
    ) -> std::io::Result<()> {
        let mut out = stdout().lock();
        let (types, Report { findings, messages, sms, long_sms }) = (house.catalog.iter().count(), checked);
        if self.json {
            let report = json!({
                "types": types, "messages": messages, "template_version": house.templates.version(),
                "sms": sms, "sms_of_several_segments": long_sms, "notes": notes, "findings": findings, "troubles": troubles
            });
            return writeln!(out, "{report}");
        }
        for finding in findings {
            writeln!(out, "{finding}")?;
        }
        for trouble in troubles {
            writeln!(out, "{trouble}")?;
        }
        if !long_sms.is_empty() {
            // Not wrong, but billed: a long company name does this to every text.
            let count = long_sms.len();
            writeln!(out, "note: {count} of {sms} SMS take more than one segment: {}", long_sms.join(", "))?;
        }
        for note in notes {
            writeln!(out, "note: {note}")?;
        }
        let connected = if self.connect { ", connections" } else { "" };
        let verdict = match findings.len() + troubles.len() {
            0 => "in order".to_owned(),
            count => format!("{count} finding(s)"),
        };
        writeln!(out, "configuration, {types} event types, {messages} messages{connected}: {verdict}")
    }
}

fn list_rules() -> std::io::Result<()> {
    let mut out = stdout().lock();
    for Rule { name, severity, about, .. } in RULES {
        writeln!(out, "{name} ({severity})\n  {about}")?;
    }
    Ok(())
}

/// Locales whose texts call the company by its name in another language.
fn unnamed(house: &House) -> Vec<String> {
    let brand = &house.config.brand;
    let unnamed = |locale: &str| brand.locales.get(locale).is_none_or(|own| own.company.is_none());
    let locales = house.templates.locales().filter(|locale| *locale != DEFAULT_LOCALE && unnamed(locale));
    let note = |locale: &str| {
        format!(
            "texts in {locale} say {}: set brand.locales.{locale}.company, and hours and phone with it",
            brand.company
        )
    };
    locales.map(note).collect()
}

/// What is left of each rate for one worker, where several share it.
fn divided(gateways: &Gateways) -> Vec<String> {
    let shared = gateways.iter().filter_map(|it| Some((it.name(), it.rate()?)));
    shared
        .filter(|(_, rate)| rate.replicas.get() > 1)
        .map(|(name, rate)| format!("rate_per_second of {name}: {rate}"))
        .collect()
}

/// What canaries by SMS come to on a bill.
fn canaries(house: &House) -> Option<String> {
    let canary = house.config.canary.as_ref().filter(|canary| canary.phone.is_some())?;
    let a_day = 86_400 / canary.every.0.as_secs().max(1);
    let gateway = &canary.gateway;
    Some(format!("canary: each worker sends {a_day} SMS a day through {gateway}, which are billed"))
}

/// Gateways that are to be waited for, and never say anything.
fn unheard(gateways: &Gateways) -> Vec<String> {
    let waits = |gateway: &&Gateway| gateway.on_unknown() == OnUnknown::Wait && !gateway.takes_receipts();
    let note = |gateway: &Gateway| {
        let mend = "configure them (docs/receipts.md), or use on_unknown = \"resend\" or \"failover\"";
        format!("{} waits for receipts (on_unknown = \"wait\"), and none can come: {mend}", gateway.name())
    };
    gateways.iter().filter(waits).map(note).collect()
}

/// Events that wait for a receipt are encrypted with a key that whoever reads them can read, too.
fn key_beside_the_data(house: &House, gateways: &Gateways) -> Option<String> {
    let beside = house.config.ledger.recipient_key.is_none() && gateways.iter().any(Gateway::takes_receipts);
    beside.then(|| {
        "events that wait for receipts are encrypted with a key that lies in the ledger beside them: set \
         ledger.recipient_key_file"
            .to_owned()
    })
}

async fn connections(house: &House, gateways: &Gateways) -> Vec<String> {
    let mut findings = Vec::new();
    let config = &house.config;
    let names = Names::new(&config.broker, &house.catalog, Schedule::new(&config.retry).steps());
    if let Err(error) = broker::probe(&config.broker, &names).await {
        findings.push(format!(
            "broker.urls: {error} (a worker that has never run has not declared its queues yet)"
        ));
    }
    findings.extend(ledger(&config.ledger).await.map(|trouble| format!("ledger.url: {trouble}")));
    for gateway in gateways.iter() {
        if let Err(failure) = gateway.probe(Clock::system().now()).await {
            let section = if gateway.channel() == Channel::Sms { "sms.gateways" } else { "email.relays" };
            findings.push(format!("{section} \"{}\": {}", gateway.name(), failure.with_mend()));
        }
    }
    if let Some(config) = &config.traces {
        findings
            .extend(traces::probe(config).await.err().map(|trouble| format!("traces.endpoint: {trouble}")));
    }
    findings
}

/// Opens the ledger and asks it something.
async fn ledger(config: &LedgerConfig) -> Option<String> {
    let ledger = match Ledger::open(config, &Clock::steady()) {
        Ok(ledger) => ledger,
        // A worker that runs has its ledger: that is as it should be.
        Err(OpenError::InUse(_)) => return None,
        Err(error) => return Some(error.to_string()),
    };
    let asked = tokio::time::timeout(LEDGER_PATIENCE, ledger.oldest()).await;
    ledger.abandon();
    asked.is_err().then(|| ledger.trouble().unwrap_or_else(|| "does not answer".to_owned()))
}
