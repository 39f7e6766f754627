//! A storm: logins by the hundred thousand wait, and withdrawals come as on any day.

use std::time::{Duration, Instant};

use crate::events::Publisher;
use crate::report::{Latency, Storm};
use crate::side::{Running, Side};
use crate::{Bench, GATEWAY};

const WITHDRAWAL: &str = "security.withdrawal.requested";

/// Withdrawals a second, and for how many seconds.
const RATE: u32 = 20;
const SECONDS: u32 = 30;

/// Withdrawals have numbers that no login has.
const FIRST: usize = 5_000_000;

/// What the gateway takes a second.
const LIMIT: &str = "rate_per_second = 500\n";

/// Withdrawals on an idle worker, and then with `waiting` logins in the other lane.
pub fn run(bench: &Bench, waiting: usize) -> Storm {
    bench.sinks.reset(GATEWAY);
    let running = Running::start(bench, Side::Sqlite, LIMIT);
    let idle = withdrawals(bench, &running, "idle");
    bench.runtime.block_on(async {
        Publisher::connect(&bench.broker.url()).await.fill("storm", waiting).await;
    });
    let (before, since) = (bench.sinks.count(), Instant::now());
    let stormy = withdrawals(bench, &running, "stormy");
    let logins = bench.sinks.count() - before;
    let standard_per_second = logins as f64 / since.elapsed().as_secs_f64();
    let left = bench.broker.queues().get("shirase.standard").copied().unwrap_or_default();
    assert!(left > 0, "the storm was over before the withdrawals were");
    running.kill();
    bench.broker.ctl(&["purge_queue", "shirase.standard"]);
    Storm { waiting, idle, stormy, standard_per_second }
}

fn withdrawals(bench: &Bench, running: &Running, name: &str) -> Latency {
    let count = (RATE * SECONDS) as usize;
    let (first, run) = (FIRST + if name == "idle" { 0 } else { count }, format!("withdrawal-{name}"));
    let published = bench.runtime.block_on(async {
        let publisher = Publisher::connect(&bench.broker.url()).await;
        publisher.paced(WITHDRAWAL, &run, first, count, RATE.into()).await
    });
    // The last ones are still on their way.
    let arrived = || bench.latencies(first, &published);
    crate::support::within(Duration::from_secs(60), || (arrived().len() >= count).then_some(()))
        .unwrap_or_else(|| panic!("{} of {count} withdrawals arrived\n{}", arrived().len(), running.log()));
    Latency::of(arrived())
}
