//! How long after its start a worker tells the first customer of an event that waited for it.

use std::time::{Duration, Instant};

use crate::events::Publisher;
use crate::report::{Start, Started};
use crate::side::{A_MINUTE, Side, ledger, worker};
use crate::support::{Worker, try_http_get};
use crate::{Bench, wait_until};

/// Shorter than what is measured by far.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Medians of so many starts of a worker, on a new ledger and on the one that it had.
pub fn run(bench: &Bench, side: Side, starts: usize) -> Start {
    let (mut new, mut again) = (Vec::new(), Vec::new());
    for round in 0..starts {
        let ledger = ledger(bench, side);
        one_event(bench, &format!("start-{side:?}-{round}-new"));
        let begin = Instant::now();
        let (worker, http) = worker(bench, &ledger, "");
        new.push(watch(bench, &worker, http, begin));
        stop(&worker);
        one_event(bench, &format!("start-{side:?}-{round}-again"));
        let begin = Instant::now();
        worker.start_again();
        again.push(watch(bench, &worker, http, begin));
        stop(&worker);
    }
    Start { side, new: Started::median(&new), again: Started::median(&again) }
}

/// An event in the queue, and sinks that know of none.
fn one_event(bench: &Bench, run: &str) {
    bench.runtime.block_on(async { Publisher::connect(&bench.broker.url()).await.fill(run, 1).await });
    bench.sinks.reset(Duration::ZERO);
}

fn watch(bench: &Bench, worker: &Worker, http: u16, begin: Instant) -> Started {
    let is_ready = || try_http_get(http, "/readyz").is_ok_and(|(status, _)| status == 200);
    let ready = loop {
        if is_ready() {
            break begin.elapsed();
        }
        assert!(begin.elapsed() < A_MINUTE && worker.try_exit().is_none(), "not ready:\n{}", worker.log());
        std::thread::sleep(LOOK_EVERY);
    };
    wait_until(A_MINUTE, || bench.sinks.count() > 0, || worker.log());
    let told = bench.sinks.accepted()[0].1 - begin;
    Started { told, ready }
}

fn stop(worker: &Worker) {
    worker.signal("TERM");
    worker.wait_exit(A_MINUTE);
}
