//! `shirase demo`: the whole way in one process, into a sandbox, with a page to see it.

use std::io::{Write, stdout};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

use super::house::House;
use super::reload::Reloads;
use super::{ConfigArg, NOT_IN_ORDER, signals, workbench};
use crate::clock::Clock;
use crate::dispatch::{Dispatcher, Disposition, Incoming, NotificationResult, Report, Revive};
use crate::event::{Lane, RawEvent, peek};
use crate::example;
use crate::gateway::{HttpGatewayConfig, SmsKindConfig};
use crate::loopback::Loopback;
use crate::sandbox::{Page, Sample, Sandbox};
use crate::workbench::Workbench;
use crate::worker::Stop;

/// The schemas' examples through the real pipeline into a sandbox SMS gateway and SMTP server.
#[derive(clap::Args)]
pub(super) struct Demo {
    /// End when the samples are through; exit 0 only if every one of them arrived
    #[arg(long)]
    once: bool,
    /// Where the page listens; another port when this one is taken
    #[arg(long, default_value = "127.0.0.1:8025", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the workbench listens, on which the texts can be changed; another port when this one is taken
    #[arg(long, default_value = "127.0.0.1:8026", value_name = "ADDRESS")]
    workbench: Loopback,
    #[command(flatten)]
    config: ConfigArg,
}

impl Demo {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Stop::default();
        signals::listen(stop.clone())?;
        let clock = Clock::system();
        let sandbox = Sandbox::new(clock.clone());
        let house = house(self.config.config.as_deref(), &sandbox).await?;
        let samples = samples(&house, clock.now());
        let brand = house.config.brand.clone();
        let reloads = Reloads::of(&house);
        let (config, catalog) = (house.config.clone(), house.catalog.clone());
        let dispatcher = house.dispatcher(clock.clone())?;

        let accepted = send_samples(&dispatcher, &sandbox, &samples).await?;
        let (sms, mail) = (sandbox.sms().len(), sandbox.mail().len());
        println!("\n{} events, {sms} SMS and {mail} mails arrived in the sandbox", samples.len());
        if self.once {
            // What the pipeline says it handed over, and what the sandbox holds, must be the same.
            let in_order = accepted == Some(sms + mail);
            return Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) });
        }

        let listener = match TcpListener::bind(self.listen).await {
            Ok(listener) => listener,
            Err(_taken) => TcpListener::bind((self.listen.ip(), 0)).await.context("--listen")?,
        };
        // A saved text shows in the next sample that is sent.
        let in_use = Arc::clone(&dispatcher.templates);
        let workbench = Workbench::new(&config, catalog, Some(in_use), clock);
        let beside = workbench::listen(self.workbench).await?;
        let texts = format!("http://{}/", beside.local_addr()?);
        println!("See them, and send your own:  http://{}/   (Ctrl-C ends)", listener.local_addr()?);
        let reloads = reloads.run(Arc::clone(&dispatcher.templates), Arc::default());
        println!("Change their texts:           {texts}");
        let page = Page {
            sandbox: sandbox.clone(),
            brand,
            samples,
            send: send(dispatcher, sandbox),
            workbench: Some(texts),
        };
        tokio::select! {
            served = page.serve(listener) => served?,
            served = workbench.serve(beside) => served?,
            () = stop.soft.cancelled() => {}
            () = reloads => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The configured house, with the sandbox in the place of its gateways and a ledger in memory.
async fn house(config: Option<&Path>, sandbox: &Sandbox) -> anyhow::Result<House> {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let sms = sandbox.start_sms(loopback).await.context("the sandbox's SMS gateway")?;
    let smtp = sandbox.start_smtp(loopback).await.context("the sandbox's SMTP server")?;
    let mut house = House::load(config)?;
    for gateway in &mut house.config.sms.gateways {
        let url = format!("http://{sms}/sms/{}", gateway.common.name).parse()?;
        gateway.kind = SmsKindConfig::Http(Box::new(HttpGatewayConfig::at(url)));
        gateway.common.rate_per_second = None;
    }
    for relay in &mut house.config.email.relays {
        relay.url = format!("smtp://{smtp}").parse()?;
    }
    house.config.ledger.url = "sqlite::memory:".parse()?;
    Ok(house)
}

/// Every example of every schema, as an event that happened a moment ago.
fn samples(house: &House, now: Timestamp) -> Vec<Sample> {
    let sample = |(kind, event): (Arc<crate::event::EventType>, Value)| Sample {
        event_type: kind.name.clone(),
        title: kind.schema.title().to_owned(),
        event,
    };
    example::samples(&house.catalog, now).into_iter().map(sample).collect()
}

/// Sends every sample and says where each went and why. The number of messages handed over, or nothing when a sample
/// did not get all of its own through.
async fn send_samples(
    dispatcher: &Dispatcher,
    sandbox: &Sandbox,
    samples: &[Sample],
) -> anyhow::Result<Option<usize>> {
    let mut accepted = Some(0);
    for sample in samples {
        let report = dispatch(dispatcher, sample.event.to_string().into_bytes()).await;
        sandbox.record(&report);
        show(&report)?;
        let told = report.notifications.iter().all(|one| one.result == NotificationResult::Accepted);
        let whole = told && !report.notifications.is_empty() && report.disposition == Disposition::Done;
        accepted = accepted.filter(|_| whole).map(|count| count + report.notifications.len());
    }
    Ok(accepted)
}

async fn dispatch(dispatcher: &Dispatcher, body: Vec<u8>) -> Report {
    let raw = RawEvent::structured(body);
    let kind = peek(&raw).1.and_then(|name| dispatcher.catalog.get(&name).cloned());
    let lane = kind.map_or(Lane::Standard, |kind| kind.policy.lane);
    let incoming = Incoming { raw, lane, attempts: 0, revive: Revive::Always };
    let mut report = dispatcher.dispatch(&incoming).await;
    if let Some(burial) = report.burial.take() {
        // The ledger ends with the demo: that it is closed already changes nothing.
        let _ = dispatcher.bury(burial).await;
    }
    report
}

fn show(report: &Report) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{} ({})", report.event_type, report.lane.as_str())?;
    if let Disposition::Dead { reason, detail } = &report.disposition {
        writeln!(out, "  ✗ dead letter, {}: {detail}", reason.as_str())?;
    }
    for one in &report.notifications {
        let mark = if one.result == NotificationResult::Accepted { "✓" } else { "✗" };
        let segments = one.segments.map(|count| format!(", {count} segment(s)")).unwrap_or_default();
        let gateway = one.gateway.as_deref().unwrap_or("-");
        let result = one.result.as_str();
        writeln!(
            out,
            "  {mark} {:<5} → {:<24} via {gateway}: {result}{segments} ({})",
            one.channel, one.to, one.why
        )?;
    }
    Ok(())
}

/// What the page's button does: the same pipeline, the same answers.
fn send(dispatcher: Arc<Dispatcher>, sandbox: Sandbox) -> crate::sandbox::SendEvent {
    Arc::new(move |body| {
        let (dispatcher, sandbox) = (Arc::clone(&dispatcher), sandbox.clone());
        Box::pin(async move {
            let report = dispatch(&dispatcher, body).await;
            sandbox.record(&report);
            serde_json::to_value(&report).unwrap_or_default()
        })
    })
}
