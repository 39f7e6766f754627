//! The whole way, measured against the raw pipeline (see `raw`) in the same run: how much goes through, what it costs, and how
//! long an event takes at a steady rate.
//!
//! `benches/run.sh --help` says what can be chosen. Each side runs as a process of its own, so that CPU time and memory are its
//! alone; broker and sinks share the machine.

#[path = "../../tests/support/mod.rs"]
mod support;

mod events;
mod flat;
mod options;
mod raw;
mod report;
mod scaling;
mod side;
mod sinks;
mod soak;
mod start;
mod storm;
mod usage;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use mimalloc::MiMalloc;
use support::{Postgres, RabbitMq, within};
use tokio::runtime::Runtime;

use crate::events::{Publisher, TYPE};
use crate::options::{Options, Task};
use crate::report::{Latency, Pace, Results, Throughput};
use crate::side::{Running, Side};
use crate::sinks::Sinks;
use crate::usage::Usage;

// As the worker has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Far more than any machine needs; it ends a run that hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// After the last message has arrived.
const SETTLED_WITHIN: Duration = Duration::from_millis(500);

/// What gateways take to answer in the open loop.
const GATEWAY: Duration = Duration::from_millis(20);

/// Servers, sinks and a runtime to publish on.
pub struct Bench {
    broker: RabbitMq,
    postgres: Option<Postgres>,
    sinks: Sinks,
    runtime: Runtime,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, url, queue, http, smtp] = arguments.as_slice()
        && mode == "raw"
    {
        let port = |text: &str| text.parse().expect("a port");
        raw::run(url, queue, port(http), port(smtp));
        return ExitCode::SUCCESS;
    }
    let task = Task::parse(&arguments);
    let bench = Bench {
        broker: RabbitMq::start(),
        postgres: task.needs_postgres().then(Postgres::start),
        sinks: Sinks::start(),
        runtime: Runtime::new().expect("a runtime"),
    };
    bench.declare();
    match task {
        Task::Compare(options) => bench.compare(&options),
        Task::Soak(soak) if !soak::run(&bench, &soak) => return ExitCode::FAILURE,
        Task::Soak(_) => {}
    }
    ExitCode::SUCCESS
}

impl Bench {
    /// Lets a worker declare its queues.
    fn declare(&self) {
        drop(Running::start(self, Side::Sqlite, ""));
    }

    fn compare(&self, options: &Options) {
        let mut results = Results::default();
        let workers = options.sides.iter().filter(|side| **side != Side::Raw);
        if options.starts > 0 {
            results.starts = workers.map(|side| start::run(self, *side, options.starts)).collect();
        }
        for round in options.full_queues() {
            for side in &options.sides {
                results.full.push(self.full_queue(*side, round, options.events));
            }
            for processes in &options.processes {
                results.scaled.push(scaling::run(self, *processes, round, options.events));
            }
        }
        for rate in &options.rates {
            for side in &options.sides {
                results.paced.push(self.open_loop(*side, *rate, options.seconds));
            }
        }
        results.storm = options.storm.map(|waiting| storm::run(self, waiting));
        results.print();
        if let Some(file) = &options.json {
            let json = results.json().to_string();
            std::fs::write(file, json).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
    }

    /// Starts a side on a full queue and waits until the sinks have everything.
    fn full_queue(&self, side: Side, round: usize, events: usize) -> Throughput {
        let run = format!("full-{side:?}-{round}");
        self.runtime
            .block_on(async { Publisher::connect(&self.broker.url()).await.fill(&run, events).await });
        self.sinks.reset(Duration::ZERO);
        let running = Running::launch(self, side, "");
        self.wait_accepted(1, &running);
        // What a start costs is no part of it.
        let before = Usage::of(running.pid());
        let skipped = self.sinks.count();
        self.wait_accepted(events, &running);
        let accepted = self.sinks.accepted();
        let took = accepted[events - 1].1 - accepted[skipped].1;
        // The last settlements and acknowledgements belong to the work.
        std::thread::sleep(SETTLED_WITHIN);
        let usage = Usage::of(running.pid());
        running.wait_acknowledged(self);
        assert_eq!(self.sinks.count(), events, "each event arrives once");
        let events = (events - skipped) as f64;
        Throughput {
            side,
            events_per_second: events / took.as_secs_f64(),
            cpu_per_thousand: (usage.cpu - before.cpu).as_secs_f64() * 1000.0 / events,
            peak_mib: usage.peak_kib as f64 / 1024.0,
        }
    }

    /// Publishes at a steady rate, whatever becomes of it.
    fn open_loop(&self, side: Side, rate: u32, seconds: u32) -> Pace {
        self.sinks.reset(GATEWAY);
        let running = Running::start(self, side, "");
        let latencies = |name: &str, seconds: u32| {
            let count = (rate * seconds) as usize;
            self.sinks.reset(GATEWAY);
            let run = format!("open-{side:?}-{rate}-{name}");
            let published = self.runtime.block_on(async {
                let publisher = Publisher::connect(&self.broker.url()).await;
                publisher.paced(TYPE, &run, 0, count, rate.into()).await
            });
            self.wait_accepted(count, &running);
            self.latencies(0, &published)
        };
        // Connections are made, caches filled.
        latencies("warm", 2);
        let latency = Latency::of(latencies("measured", seconds));
        Pace { side, rate, latency }
    }

    /// From publish to acceptance, of events numbered from `first`.
    fn latencies(&self, first: usize, published: &[Instant]) -> Vec<Duration> {
        let of = |(number, at): (usize, Instant)| {
            let published = published.get(number.checked_sub(first)?)?;
            Some(at - *published)
        };
        self.sinks.accepted().into_iter().filter_map(of).collect()
    }

    fn wait_accepted(&self, count: usize, running: &Running) {
        let log = || format!("{} of {count} arrived\n{}", self.sinks.count(), running.log());
        wait_until(PATIENCE, || running.has_ended() || self.sinks.count() >= count, log);
        assert!(self.sinks.count() >= count, "the process ended: {}", log());
    }
}

/// Panics with the log when it is not so in time.
#[track_caller]
fn wait_until(patience: Duration, is_so: impl Fn() -> bool, log: impl FnOnce() -> String) {
    let so = within(patience, || is_so().then_some(()));
    so.unwrap_or_else(|| panic!("waited {patience:?} in vain\n{}", log()));
}
