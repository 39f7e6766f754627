//! Whether a worker's memory stays as it is, at a steady rate for long.

use std::fs;
use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::events::{Publisher, TYPE};
use crate::options::Soak;
use crate::side::{Running, SQLITE_FILE};
use crate::usage::Usage;
use crate::{Bench, GATEWAY, PATIENCE, wait_until};

const SAMPLE_EVERY: Duration = Duration::from_secs(10);
const SAMPLES_PER_MINUTE: usize = 6;

/// Connections are made, caches and pools are filled: three minutes, or a third of a run that is shorter than nine.
const WARM_UP: usize = 3 * SAMPLES_PER_MINUTE;

/// Of the memory at the end of the warm-up.
const MOST_GROWTH: f64 = 0.1;

struct Sample {
    seconds: usize,
    resident_mib: f64,
    told: usize,
    cpu: f64,
    ledger_mib: f64,
}

/// The medians at the begin and at the end of what comes after the warm-up.
struct Verdict {
    begin_mib: f64,
    end_mib: f64,
    growth: f64,
}

/// Events at a steady rate; whether memory stayed as it was.
pub fn run(bench: &Bench, soak: &Soak) -> bool {
    bench.sinks.reset(GATEWAY);
    if soak.refuse {
        bench.sinks.refuse();
    }
    let running = Running::start(bench, soak.side, "");
    let publishing = bench.runtime.spawn(publish(bench.broker.url(), soak.rate, soak.minutes));
    println!("{:>8}{:>12}{:>12}{:>10}{:>13}", "seconds", "RSS MiB", "told", "CPU s", "ledger MiB");
    let (begin, mut samples) = (Instant::now(), Vec::new());
    for number in 1..=soak.minutes * SAMPLES_PER_MINUTE {
        let due = SAMPLE_EVERY * u32::try_from(number).expect("hours, not years");
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        assert!(!running.has_ended(), "the worker ended\n{}", running.log());
        let sample = Sample::of(bench, &running, number * SAMPLE_EVERY.as_secs() as usize);
        sample.print();
        samples.push(sample);
    }
    bench.runtime.block_on(publishing).expect("everything was published");
    if !soak.refuse {
        let events = soak.rate * 60 * soak.minutes;
        wait_until(PATIENCE, || bench.sinks.count() >= events, || running.log());
        assert_eq!(bench.sinks.count(), events, "each event arrives once");
    }
    let verdict = Verdict::of(&samples);
    println!(
        "\nafter the warm-up {:.1} MiB, at the end {:.1} MiB: {:+.1}%, at most {:+.0}% is allowed; the peak was {:.1} MiB",
        verdict.begin_mib,
        verdict.end_mib,
        verdict.growth * 100.0,
        MOST_GROWTH * 100.0,
        Usage::of(running.pid()).peak_kib as f64 / 1024.0
    );
    if let Some(file) = &soak.json {
        let json = json(soak, &samples, &verdict).to_string();
        fs::write(file, json).unwrap_or_else(|error| panic!("{file}: {error}"));
    }
    verdict.growth <= MOST_GROWTH
}

/// Distinct recipients, whatever becomes of them; in pieces, so that nothing has to be remembered of all.
async fn publish(url: String, rate: usize, minutes: usize) {
    let (publisher, piece) = (Publisher::connect(&url).await, rate * SAMPLE_EVERY.as_secs() as usize);
    for number in 0..minutes * SAMPLES_PER_MINUTE {
        publisher.paced(TYPE, "soak", number * piece, piece, rate as f64).await;
    }
}

impl Sample {
    fn of(bench: &Bench, running: &Running, seconds: usize) -> Self {
        let usage = Usage::of(running.pid());
        let length =
            |name: String| running.file(&name).and_then(|file| fs::metadata(file).ok()?.len().into());
        let ledger: u64 = ["", "-wal"].iter().filter_map(|end| length(format!("{SQLITE_FILE}{end}"))).sum();
        Self {
            seconds,
            resident_mib: usage.resident_kib as f64 / 1024.0,
            told: bench.sinks.count(),
            cpu: usage.cpu.as_secs_f64(),
            ledger_mib: ledger as f64 / f64::from(1 << 20),
        }
    }

    fn print(&self) {
        let Self { seconds, resident_mib, told, cpu, ledger_mib } = self;
        println!("{seconds:>8}{resident_mib:>12.1}{told:>12}{cpu:>10.1}{ledger_mib:>13.1}");
        // Somebody may be watching a file grow.
        let _ = std::io::stdout().flush();
    }
}

impl Verdict {
    fn of(samples: &[Sample]) -> Self {
        let warm = &samples[WARM_UP.min(samples.len() / 3)..];
        let some = (warm.len() / 10).max(1);
        let (begin_mib, end_mib) = (median(&warm[..some]), median(&warm[warm.len() - some..]));
        Self { begin_mib, end_mib, growth: end_mib / begin_mib - 1.0 }
    }
}

fn median(samples: &[Sample]) -> f64 {
    let mut sizes: Vec<f64> = samples.iter().map(|sample| sample.resident_mib).collect();
    sizes.sort_by(f64::total_cmp);
    sizes[sizes.len() / 2]
}

fn json(soak: &Soak, samples: &[Sample], verdict: &Verdict) -> Value {
    let sample = |sample: &Sample| {
        json!({
            "seconds": sample.seconds, "rss_mib": sample.resident_mib, "told": sample.told,
            "cpu_seconds": sample.cpu, "ledger_mib": sample.ledger_mib
        })
    };
    json!({
        "minutes": soak.minutes, "events_per_second": soak.rate, "sms_refused": soak.refuse,
        "samples": samples.iter().map(sample).collect::<Vec<_>>(),
        "after_warm_up_mib": verdict.begin_mib, "end_mib": verdict.end_mib, "growth": verdict.growth
    })
}
