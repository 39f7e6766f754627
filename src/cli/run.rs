//! `shirase run`: the worker, from RabbitMQ or from a file.

mod drains;
mod from_file;
mod upkeep;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use from_file::FileRun;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::house::House;
use super::reload::Reloads;
use super::{ConfigArg, Usage, signals};
use crate::admin::{self, Admin, Health, State};
use crate::broker::BringAgain;
use crate::certificate;
use crate::clock::Clock;
use crate::console::Console;
use crate::dispatch::Dispatcher;
use crate::lint;
use crate::receipts::{self, Bring, Desk, STRANDED_AFTER};
use crate::telemetry;
use crate::worker::{Stop, Worker};

/// Consume events and deliver them.
///
/// SIGTERM stops intake, finishes what is in flight (worker.drain at most) and exits 0; a second signal ends at once. SIGHUP
/// reads the templates anew.
#[derive(clap::Args)]
pub(super) struct Run {
    #[command(flatten)]
    config: ConfigArg,
    /// Take events from a file, or `-` for standard input, instead of the broker: JSON Lines, one document, or an array
    #[arg(long, value_name = "FILE|-")]
    pub events: Option<PathBuf>,
    /// With --events: one JSON report a line on standard output
    #[arg(long, requires = "events")]
    json: bool,
}

impl Run {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Stop::default();
        signals::listen(stop.clone())?;
        let house = House::load(self.config.config.as_deref())?;
        // One misspelt name would make a dead letter of every event of a type: such a set never begins to send.
        let report = lint::check(&house.premises(), &house.templates, Clock::system().now());
        if !report.passes() {
            let findings: Vec<String> = report.errors().map(ToString::to_string).collect();
            return Err(Usage(findings.join("\n")).into());
        }
        let mut beside = JoinSet::new();
        beside.spawn(upkeep::sum_up());
        if let Some(file) = self.events {
            let (limit, drain) =
                (u32::from(house.config.lanes.standard.prefetch), house.config.worker.drain.0);
            let dispatcher = house.dispatcher(Clock::system())?;
            let mut beside = JoinSet::new();
            drains::follow(&mut beside, &dispatcher).await;
            let traces = dispatcher.traces.clone();
            let ended = FileRun { dispatcher, limit, drain, json: self.json, stop }.run(&file).await;
            traces.finish().await;
            telemetry::sum_up_all();
            return ended;
        }
        consume(house, stop).await
    }
}

async fn consume(house: House, stop: Stop) -> anyhow::Result<ExitCode> {
    let metrics = telemetry::start_metrics().context("metrics")?;
    let config = house.config.clone();
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen.0)
        .await
        .map_err(|error| Usage(format!("http.listen: {listen}: {error}")))?;
    let receipts_listener = match config.receipts.listen {
        Some(listen) => {
            let bound = TcpListener::bind(listen.0).await;
            Some(bound.map_err(|error| Usage(format!("receipts.listen: {listen}: {error}")))?)
        }
        None => None,
    };
    let asked = Arc::new(Notify::new());
    signals::on_hangup(Arc::clone(&asked))?;
    let reloads = Reloads::of(&house);
    let dispatcher = house.dispatcher(Clock::system())?;
    info!(version = env!("CARGO_PKG_VERSION"), template_version = dispatcher.templates.current().version(), %listen, "starting");

    // Whatever goes on beside the events, until the worker has finished.
    let mut beside = JoinSet::new();
    drains::follow(&mut beside, &dispatcher).await;
    let (worker, readiness, bring) = Worker::start(
        Arc::clone(&dispatcher),
        &config.broker,
        config.lanes,
        config.retry.jitter,
        config.worker,
        stop.clone(),
    );
    let admin_stop = CancellationToken::new();
    let draining = stop.soft.clone();
    let health: Health = Arc::new(move || State {
        stopping: draining.is_cancelled(),
        checks: readiness.checks(),
        stuck: readiness.stuck(),
    });
    beside.spawn(upkeep::send_canaries(Arc::clone(&dispatcher), bring.clone(), stop.soft.clone()));
    beside.spawn(certificate::watch(certificate::peers(&config)));
    let desk = desk(&dispatcher, bring);
    beside.spawn(desk.clone().look_after_stranded(STRANDED_AFTER));
    let receipts = receipts::router(Arc::clone(&dispatcher), desk, &config.receipts);
    let others = match receipts_listener {
        Some(listener) => {
            let stop = admin_stop.clone().cancelled_owned();
            tokio::spawn(async move { axum::serve(listener, receipts).with_graceful_shutdown(stop).await });
            Router::new()
        }
        None => receipts,
    };
    let console = Console::start(
        &config,
        Arc::clone(&dispatcher),
        metrics.clone(),
        Arc::clone(&health),
        admin_stop.clone(),
    );
    let others = others.merge(console.router());
    let wording = &dispatcher.templates;
    let admin = Admin { metrics, health, wording: Arc::clone(wording) };
    let admin = tokio::spawn(admin::serve(listener, admin, others, admin_stop.clone()));
    beside.spawn(reloads.run(Arc::clone(wording), asked));
    beside.spawn(upkeep::sweep(Arc::clone(&dispatcher), config.ledger.retention.0));
    beside.spawn(upkeep::watch_age(Arc::clone(&dispatcher)));

    let finished = worker.finish().await;
    beside.abort_all();
    dispatcher.ledger.abandon();
    dispatcher.traces.finish().await;
    admin_stop.cancel();
    // A scrape that hangs must not hold the exit.
    let _ = timeout(Duration::from_secs(1), admin).await;
    telemetry::sum_up_all();
    if finished {
        info!("stopped");
    } else {
        warn!(
            "stopped with events in flight: the broker brings them again, and the ledger knows what was sent"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes receipts; what they say did not arrive goes back to its lane through the broker.
fn desk(dispatcher: &Dispatcher, bring: BringAgain) -> Desk {
    let bring: Bring = Arc::new(move |lane, raw, deaths| {
        let bring = bring.clone();
        Box::pin(async move { bring.bring(lane, raw, deaths).await })
    });
    Desk::new(dispatcher.ledger.clone(), bring, dispatcher.clock.clone())
}
