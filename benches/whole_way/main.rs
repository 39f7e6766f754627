//! The whole way, measured: events from a real queue to sinks that answer at once, against a raw lapin loop that only
//! consumes and acknowledges the same queue, in the same run.
//!
//! `cargo bench --bench whole_way` prints a table; `-- --events N --rounds N --json` changes it. Both sides run as
//! processes of their own, so that CPU time and memory are theirs alone.

#[path = "../../tests/support/mod.rs"]
mod support;

mod events;
mod raw;
mod sinks;
mod usage;

use std::time::{Duration, Instant};

use serde_json::json;
use support::{RabbitMq, Worker, free_port, within};

use crate::sinks::Sinks;
use crate::usage::Usage;

/// Far more than any machine needs; it ends a run that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// What one side did with one round of events.
struct Round {
    events_per_second: f64,
    cpu_per_thousand: f64,
    peak_mib: f64,
}

struct Options {
    events: usize,
    rounds: usize,
    json: bool,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, url, queue, count] = arguments.as_slice()
        && mode == "raw"
    {
        return raw::consume(url, queue, count.parse().expect("a number of events"));
    }
    let options = options(&arguments);
    let broker = RabbitMq::start();
    let sinks = Sinks::start();
    declare(&broker, &sinks);

    let (mut raw, mut worker) = (Vec::new(), Vec::new());
    for round in 0..options.rounds {
        events::publish(&broker.url(), &format!("raw-{round}"), options.events);
        raw.push(raw::round(&broker.url(), "shirase.standard", options.events));
        events::publish(&broker.url(), &format!("worker-{round}"), options.events);
        worker.push(worker_round(&broker, &sinks, options.events));
    }
    report(&options, &median(raw), &median(worker));
}

fn options(arguments: &[String]) -> Options {
    let value = |name: &str, default: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).map_or(default, |text| text.parse().expect("a number"))
    };
    Options {
        events: value("--events", 20_000),
        rounds: value("--rounds", 3),
        json: arguments.iter().any(|argument| argument == "--json"),
    }
}

fn configuration(broker: &RabbitMq, sinks: &Sinks, http: u16) -> String {
    format!(
        r#"
[broker]
urls = ["{}"]
[ledger]
url = "sqlite:ledger.db"
[[sms.gateways]]
name = "sink"
kind = "http"
url = "http://127.0.0.1:{}/sms"
[[email.relays]]
name = "mta"
url = "smtp://127.0.0.1:{}"
[http]
listen = "127.0.0.1:{http}"
"#,
        broker.url(),
        sinks.http_port,
        sinks.smtp_port
    )
}

/// Lets the worker declare its queues.
fn declare(broker: &RabbitMq, sinks: &Sinks) {
    let http = free_port();
    let worker = start(broker, sinks, http);
    worker.wait_ready(http, Duration::from_secs(60));
    worker.signal("TERM");
    assert!(worker.wait_exit(Duration::from_secs(60)).success(), "{}", worker.log());
}

fn start(broker: &RabbitMq, sinks: &Sinks, http: u16) -> Worker {
    let config = configuration(broker, sinks, http);
    Worker::start(env!("CARGO_BIN_EXE_shirase"), &config, &["--log", "warn", "run"], &[])
}

/// Starts the worker on a full queue and waits until the sinks have everything.
fn worker_round(broker: &RabbitMq, sinks: &Sinks, events: usize) -> Round {
    let http = free_port();
    sinks.reset();
    let worker = start(broker, sinks, http);
    within(PATIENCE, || (sinks.count() >= events).then_some(()))
        .unwrap_or_else(|| panic!("{} of {events} arrived\n{}", sinks.count(), worker.log()));
    let took = sinks.span();
    // The last acknowledgements and settlements belong to the work.
    let done = format!("shirase_events_total{{type=\"{}\",result=\"done\"}} {events}", events::TYPE);
    within(PATIENCE, || worker.http_get(http, "/metrics").1.contains(&done).then_some(()))
        .unwrap_or_else(|| panic!("no {done} in\n{}\n{}", worker.http_get(http, "/metrics").1, worker.log()));
    let usage = Usage::of(worker.pid());
    worker.signal("TERM");
    assert!(worker.wait_exit(Duration::from_secs(60)).success(), "{}", worker.log());
    assert_eq!(sinks.count(), events, "each event arrives once");
    Round::new(events, took, &usage)
}

impl Round {
    fn new(events: usize, took: Duration, usage: &Usage) -> Self {
        let events = events as f64;
        Self {
            events_per_second: events / took.as_secs_f64(),
            cpu_per_thousand: usage.cpu.as_secs_f64() * 1000.0 / events,
            peak_mib: usage.peak_kib as f64 / 1024.0,
        }
    }
}

/// The round in the middle by throughput.
fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|one, other| one.events_per_second.total_cmp(&other.events_per_second));
    let middle = rounds.len() / 2;
    rounds.swap_remove(middle)
}

fn report(options: &Options, raw: &Round, worker: &Round) {
    let throughput = worker.events_per_second / raw.events_per_second;
    let cpu = worker.cpu_per_thousand / raw.cpu_per_thousand;
    if options.json {
        let side = |round: &Round| {
            json!({
                "events_per_second": round.events_per_second,
                "cpu_seconds_per_1000": round.cpu_per_thousand,
                "peak_mib": round.peak_mib
            })
        };
        println!(
            "{}",
            json!({"events": options.events, "rounds": options.rounds, "raw": side(raw), "worker": side(worker),
                   "throughput_ratio": throughput, "cpu_ratio": cpu})
        );
        return;
    }
    println!("{} events, 70% SMS and 30% mail, median of {} rounds\n", options.events, options.rounds);
    println!("{:<34}{:>12}{:>22}{:>12}", "", "events/s", "CPU s per 1,000", "peak MiB");
    for (name, round) in [("raw lapin loop, consume and ack", raw), ("shirase run, durable ledger", worker)] {
        let Round { events_per_second, cpu_per_thousand, peak_mib } = round;
        println!("{name:<34}{events_per_second:>12.0}{cpu_per_thousand:>22.3}{peak_mib:>12.0}");
    }
    println!("{:<34}{throughput:>12.2}{cpu:>22.1}", "worker / raw");
}

/// When something happened first and last.
#[derive(Default, Clone, Copy)]
pub struct Span {
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Span {
    fn mark(&mut self, now: Instant) {
        self.first.get_or_insert(now);
        self.last = Some(now);
    }

    fn length(&self) -> Duration {
        self.first.zip(self.last).map(|(first, last)| last - first).unwrap_or_default()
    }
}
