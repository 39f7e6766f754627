//! Several workers as processes of their own, on one broker and one PostgreSQL.

use std::time::Duration;

use crate::events::Publisher;
use crate::report::{Cpu, Scaled};
use crate::side::{Running, Side, ledger};
use crate::usage::{Usage, cpu_of_family};
use crate::{Bench, PATIENCE, SETTLED_WITHIN, wait_until};

/// So many workers on a full queue, until the sinks have everything.
pub fn run(bench: &Bench, processes: usize, round: usize, events: usize) -> Scaled {
    let run = format!("scaling-{processes}-{round}");
    let idle = cpu_of_family(bench.broker.pid());
    bench.runtime.block_on(async { Publisher::connect(&bench.broker.url()).await.fill(&run, events).await });
    let publishing = cpu_of_family(bench.broker.pid()) - idle;
    bench.sinks.reset(Duration::ZERO);
    let ledger = ledger(bench, Side::Postgres);
    let workers = Running::fleet(bench, &ledger, processes);
    // What the starts cost is no part of it.
    let (before, skipped) = (cpu(bench, &workers), bench.sinks.count());
    assert!(skipped < events / 2, "the queue was half empty when all workers were there: more events");
    wait_until(PATIENCE, || bench.sinks.count() >= events, || workers[0].log());
    let accepted = bench.sinks.accepted();
    let took = accepted[events - 1].1 - accepted[skipped].1;
    std::thread::sleep(SETTLED_WITHIN);
    let after = cpu(bench, &workers);
    workers[0].wait_acknowledged(bench);
    assert_eq!(bench.sinks.count(), events, "each event arrives once, whoever works on it");
    let measured = (events - skipped) as f64;
    Scaled {
        processes,
        events_per_second: measured / took.as_secs_f64(),
        cpu_per_thousand: after.since(&before).times(1000.0 / measured),
        publish_cpu_per_thousand: publishing.as_secs_f64() * 1000.0 / events as f64,
        ledger_kib_per_event: ledger_bytes(bench, &ledger) / 1024.0 / events as f64,
    }
}

/// Tables and indices.
fn ledger_bytes(bench: &Bench, ledger: &str) -> f64 {
    let postgres = bench.postgres.as_ref().expect("it was started for this");
    let (_, database) = ledger.rsplit_once('/').expect("the URL ends with the database's name");
    let tables = "pg_total_relation_size('shirase_event') + pg_total_relation_size('shirase_notification')";
    postgres.query(database, &format!("SELECT {tables}")).parse().expect("a number of bytes")
}

/// What everybody has used so far.
fn cpu(bench: &Bench, workers: &[Running]) -> Cpu {
    let postgres = bench.postgres.as_ref().expect("it was started for this");
    let seconds = |time: Duration| time.as_secs_f64();
    Cpu {
        workers: workers.iter().map(|worker| seconds(Usage::of(worker.pid()).cpu)).sum(),
        postgres: seconds(cpu_of_family(postgres.pid())),
        broker: seconds(cpu_of_family(bench.broker.pid())),
        sinks: seconds(Usage::of(std::process::id()).cpu),
    }
}
