//! `shirase run`: the worker, from RabbitMQ or from a file.

mod drains;
mod from_file;
mod pages;
mod summaries;
mod upkeep;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use from_file::FileRun;
use pages::{Listeners, Pages};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::house::House;
use super::reload::Reloads;
use super::{ConfigArg, Usage, signals};
use crate::admin::{Health, State};
use crate::broker::BringAgain;
use crate::certificate;
use crate::clock::Clock;
use crate::dispatch::Dispatcher;
use crate::ledger::Ledger;
use crate::lint;
use crate::receipts::{Bring, Desk, STRANDED_AFTER};
use crate::systemd::ServiceManager;
use crate::telemetry;
use crate::worker::{Readiness, Stop, Worker};

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
        // Whatever goes on beside the events, until the last of them has ended.
        let mut beside = JoinSet::new();
        beside.spawn(upkeep::sum_up());
        match self.events {
            Some(file) => take_from(&file, house, self.json, stop, beside).await,
            None => consume(house, stop, beside).await,
        }
    }
}

async fn take_from(
    file: &Path,
    house: House,
    json: bool,
    stop: Stop,
    mut beside: JoinSet<()>,
) -> anyhow::Result<ExitCode> {
    let (limit, drain) = (u32::from(house.config.lanes.standard.prefetch), house.config.worker.drain.0);
    let dispatcher = house.dispatcher(Clock::system())?;
    drains::follow(&mut beside, &dispatcher).await;
    let traces = dispatcher.traces.clone();
    let ended = FileRun { dispatcher, limit, drain, json, stop }.run(file).await;
    traces.finish().await;
    telemetry::sum_up_all();
    ended
}

async fn consume(house: House, stop: Stop, mut beside: JoinSet<()>) -> anyhow::Result<ExitCode> {
    let metrics = telemetry::start_metrics().context("metrics")?;
    let config = house.config.clone();
    let listeners = Listeners::bind(&config).await?;
    let asked = Arc::new(Notify::new());
    signals::on_hangup(Arc::clone(&asked))?;
    let reloads = Reloads::of(&house);
    let dispatcher = house.dispatcher(Clock::system())?;
    let (wording, listen) = (Arc::clone(&dispatcher.templates), config.http.listen);
    info!(version = env!("CARGO_PKG_VERSION"), template_version = wording.current().version(), %listen, "starting");

    drains::follow(&mut beside, &dispatcher).await;
    let (worker, readiness, bring) = Worker::start(
        Arc::clone(&dispatcher),
        &config.broker,
        config.lanes,
        config.retry.jitter,
        config.worker,
        stop.clone(),
    );
    let desk = desk(&dispatcher, bring.clone());
    beside.spawn(desk.clone().look_after_stranded(STRANDED_AFTER));
    beside.spawn(summaries::bring(Arc::clone(&dispatcher), bring.clone()));
    beside.spawn(upkeep::send_canaries(Arc::clone(&dispatcher), bring, stop.soft.clone()));
    beside.spawn(certificate::watch(certificate::peers(&config)));
    beside.spawn(reloads.run(wording, asked));
    beside.spawn(upkeep::sweep(Arc::clone(&dispatcher), config.ledger.retention.0));
    beside.spawn(upkeep::watch_age(Arc::clone(&dispatcher)));
    let (health, stop_pages) = (health(readiness, stop.soft.clone()), CancellationToken::new());
    inform_service_manager(&mut beside, &health, &dispatcher.ledger, &stop);
    let pages = Pages { metrics, health, dispatcher: Arc::clone(&dispatcher), desk };
    let pages = pages.serve(listeners, &config, &stop_pages);

    let finished = worker.finish().await;
    beside.abort_all();
    dispatcher.ledger.abandon();
    dispatcher.traces.finish().await;
    stop_pages.cancel();
    // A scrape that hangs must not hold the exit.
    let _ = timeout(Duration::from_secs(1), pages).await;
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

/// What the probes are told.
fn health(readiness: Readiness, stopping: CancellationToken) -> Health {
    Arc::new(move || State {
        stopping: stopping.is_cancelled(),
        checks: readiness.checks(),
        stuck: readiness.stuck(),
    })
}

/// Tells the service manager, where one started us, how the worker is.
fn inform_service_manager(beside: &mut JoinSet<()>, health: &Health, ledger: &Ledger, stop: &Stop) {
    let manager = match ServiceManager::in_environment(|name| std::env::var_os(name)) {
        Ok(Some(manager)) => Arc::new(manager),
        Ok(None) => return,
        Err(error) => return warn!("NOTIFY_SOCKET: the service manager is told nothing: {error}"),
    };
    let (informant, stopping) = (Arc::clone(&manager), stop.soft.clone());
    let state = Arc::clone(health);
    // Not beside the events: its last words come when they end, and then it ends by itself.
    tokio::spawn(async move { informant.keep_informed(state, stopping).await });
    let (health, ledger) = (Arc::clone(health), ledger.clone());
    beside.spawn(async move { manager.feed_watchdog(health, ledger).await });
}

/// Takes receipts; what they say did not arrive goes back to its lane through the broker.
fn desk(dispatcher: &Dispatcher, bring: BringAgain) -> Desk {
    let bring: Bring = Arc::new(move |lane, raw, deaths| {
        let bring = bring.clone();
        Box::pin(async move { bring.bring(lane, raw, deaths).await })
    });
    Desk::new(dispatcher.ledger.clone(), bring, dispatcher.clock.clone())
}
