//! The figures, as a table and as JSON.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::side::Side;

/// What one side did with a full queue.
#[derive(Clone)]
pub struct Throughput {
    pub side: Side,
    pub events_per_second: f64,
    pub cpu_per_thousand: f64,
    pub peak_mib: f64,
}

/// From publish to acceptance, in milliseconds.
#[derive(Clone, Copy)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
}

/// One side at a steady rate.
pub struct Pace {
    pub side: Side,
    pub rate: u32,
    pub latency: Latency,
}

/// Withdrawals on an idle worker, and while logins wait.
pub struct Storm {
    pub waiting: usize,
    pub idle: Latency,
    pub stormy: Latency,
    /// Logins told meanwhile, on both channels.
    pub standard_per_second: f64,
}

/// From a start of the process.
#[derive(Clone, Copy)]
pub struct Started {
    pub told: Duration,
    pub ready: Duration,
}

/// A worker's start on a new ledger, and on the one that it had.
pub struct Start {
    pub side: Side,
    pub new: Started,
    pub again: Started,
}

/// CPU seconds by who used them.
#[derive(Clone, Copy)]
pub struct Cpu {
    pub workers: f64,
    pub postgres: f64,
    pub broker: f64,
    pub sinks: f64,
}

/// What so many workers did together.
#[derive(Clone)]
pub struct Scaled {
    pub processes: usize,
    pub events_per_second: f64,
    pub cpu_per_thousand: Cpu,
    /// The broker's, for taking and confirming the events before that.
    pub publish_cpu_per_thousand: f64,
    pub ledger_kib_per_event: f64,
}

#[derive(Default)]
pub struct Results {
    pub starts: Vec<Start>,
    pub scaled: Vec<Scaled>,
    pub full: Vec<Throughput>,
    pub paced: Vec<Pace>,
    pub storm: Option<Storm>,
}

impl Latency {
    pub fn of(mut times: Vec<Duration>) -> Self {
        assert!(!times.is_empty(), "nothing was measured");
        times.sort_unstable();
        let at = |share: f64| {
            let index = ((times.len() - 1) as f64 * share).round() as usize;
            millis(times[index])
        };
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }

    fn json(self) -> Value {
        json!({"p50_ms": self.p50, "p99_ms": self.p99, "p999_ms": self.p999})
    }
}

impl Started {
    pub fn median(starts: &[Self]) -> Self {
        let of = |time: fn(&Self) -> Duration| {
            let mut times: Vec<_> = starts.iter().map(time).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        Self { told: of(|start| start.told), ready: of(|start| start.ready) }
    }

    fn json(self) -> Value {
        json!({"first_event_ms": millis(self.told), "ready_ms": millis(self.ready)})
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl Cpu {
    /// What was used since.
    pub fn since(self, before: &Self) -> Self {
        Self {
            workers: self.workers - before.workers,
            postgres: self.postgres - before.postgres,
            broker: self.broker - before.broker,
            sinks: self.sinks - before.sinks,
        }
    }

    pub fn times(self, factor: f64) -> Self {
        let Self { workers, postgres, broker, sinks } = self;
        Self {
            workers: workers * factor,
            postgres: postgres * factor,
            broker: broker * factor,
            sinks: sinks * factor,
        }
    }
}

impl Throughput {
    fn ratios(&self, raw: Option<&Self>) -> Option<(f64, f64)> {
        let raw = raw?;
        Some((self.events_per_second / raw.events_per_second, self.cpu_per_thousand / raw.cpu_per_thousand))
    }
}

impl Results {
    /// Each side's round in the middle by throughput.
    fn medians(&self) -> Vec<Throughput> {
        let of = |side| {
            let rounds = self.full.iter().filter(|round| round.side == side);
            in_the_middle(rounds, |round| round.events_per_second)
        };
        [Side::Raw, Side::Sqlite, Side::Postgres].into_iter().filter_map(of).collect()
    }

    /// The round in the middle of each number of workers.
    fn medians_of_scaled(&self) -> Vec<Scaled> {
        let counts: BTreeSet<usize> = self.scaled.iter().map(|scaled| scaled.processes).collect();
        let of = |count| {
            let rounds = self.scaled.iter().filter(|scaled| scaled.processes == count);
            in_the_middle(rounds, |scaled| scaled.events_per_second)
        };
        counts.into_iter().filter_map(of).collect()
    }

    /// What was measured, a table each.
    pub fn print(&self) {
        if !self.starts.is_empty() {
            self.print_starts();
        }
        if !self.full.is_empty() {
            self.print_full();
        }
        if !self.scaled.is_empty() {
            self.print_scaled();
        }
        if !self.paced.is_empty() {
            self.print_paced();
        }
        if let Some(storm) = &self.storm {
            storm.print();
        }
    }

    fn print_starts(&self) {
        println!("\n{:<36}{:>21}{:>12}", "start of the process", "first event told ms", "ready ms");
        for Start { side, new, again } in &self.starts {
            for (what, Started { told, ready }) in [("new ledger", new), ("again", again)] {
                let name = format!("{}, {what}", side.in_words());
                println!("{name:<36}{:>21.0}{:>12.0}", millis(*told), millis(*ready));
            }
        }
    }

    fn print_scaled(&self) {
        println!(
            "\n{:<24}{:>9} | CPU s per 1,000:{:>8}{:>12}{:>8}{:>7}{:>12} | {:>18}",
            "full queue, PostgreSQL",
            "events/s",
            "workers",
            "PostgreSQL",
            "broker",
            "sinks",
            "publishing",
            "ledger KiB/event"
        );
        for scaled in &self.medians_of_scaled() {
            let Cpu { workers, postgres, broker, sinks } = scaled.cpu_per_thousand;
            println!(
                "{:<24}{:>9.0} | {workers:>24.3}{postgres:>12.3}{broker:>8.3}{sinks:>7.3}{:>12.3} | {:>18.2}",
                format!("{} worker(s)", scaled.processes),
                scaled.events_per_second,
                scaled.publish_cpu_per_thousand,
                scaled.ledger_kib_per_event
            );
        }
    }

    fn print_full(&self) {
        let medians = self.medians();
        let raw = medians.iter().find(|median| median.side == Side::Raw);
        println!(
            "\n{:<22}{:>10}{:>9}{:>18}{:>9}{:>11}",
            "full queue", "events/s", "of raw", "CPU s per 1,000", "of raw", "peak MiB"
        );
        for median in &medians {
            let ratios =
                median.ratios(raw).map(|(throughput, cpu)| (format!("{throughput:.2}"), format!("{cpu:.2}")));
            let (throughput, cpu) = ratios.unwrap_or_default();
            println!(
                "{:<22}{:>10.0}{throughput:>9}{:>18.3}{cpu:>9}{:>11.0}",
                median.side.in_words(),
                median.events_per_second,
                median.cpu_per_thousand,
                median.peak_mib
            );
        }
    }

    fn print_paced(&self) {
        println!(
            "\n{:<22}{:>10}{:>10}{:>10}{:>10}",
            "steady, gateways 20 ms", "events/s", "p50 ms", "p99 ms", "p99.9 ms"
        );
        for Pace { side, rate, latency: Latency { p50, p99, p999 } } in &self.paced {
            println!("{:<22}{rate:>10}{p50:>10.1}{p99:>10.1}{p999:>10.1}", side.in_words());
        }
    }

    pub fn json(&self) -> Value {
        let medians = self.medians();
        let raw = medians.iter().find(|median| median.side == Side::Raw);
        let full = medians.iter().map(|median| {
            let ratios = median.ratios(raw);
            json!({
                "side": format!("{:?}", median.side).to_lowercase(),
                "events_per_second": median.events_per_second,
                "cpu_seconds_per_1000": median.cpu_per_thousand,
                "peak_mib": median.peak_mib,
                "throughput_of_raw": ratios.map(|(throughput, _)| throughput),
                "cpu_of_raw": ratios.map(|(_, cpu)| cpu),
            })
        });
        let paced = self.paced.iter().map(|pace| {
            let mut line = pace.latency.json();
            line["side"] = json!(format!("{:?}", pace.side).to_lowercase());
            line["events_per_second"] = json!(pace.rate);
            line
        });
        let starts = self.starts.iter().map(|start| {
            json!({
                "side": format!("{:?}", start.side).to_lowercase(),
                "new_ledger": start.new.json(), "again": start.again.json()
            })
        });
        json!({
            "start": starts.collect::<Vec<_>>(), "full_queue": full.collect::<Vec<_>>(),
            "scaling": self.medians_of_scaled().iter().map(Scaled::json).collect::<Vec<_>>(),
            "steady": paced.collect::<Vec<_>>(), "storm": self.storm.as_ref().map(Storm::json)
        })
    }
}

impl Scaled {
    fn json(&self) -> Value {
        let Cpu { workers, postgres, broker, sinks } = self.cpu_per_thousand;
        json!({
            "processes": self.processes, "events_per_second": self.events_per_second,
            "cpu_seconds_per_1000":
                {"workers": workers, "postgres": postgres, "broker": broker, "sinks": sinks},
            "broker_cpu_seconds_per_1000_published": self.publish_cpu_per_thousand,
            "ledger_kib_per_event": self.ledger_kib_per_event
        })
    }
}

impl Storm {
    fn print(&self) {
        println!("\n{:<46}{:>10}{:>10}{:>10}", "withdrawals, 20 a second", "p50 ms", "p99 ms", "p99.9 ms");
        let stormy = format!("while {} logins wait", self.waiting);
        for (name, latency) in [("on an idle worker", self.idle), (&stormy, self.stormy)] {
            println!("{name:<46}{:>10.1}{:>10.1}{:>10.1}", latency.p50, latency.p99, latency.p999);
        }
        println!(
            "{:.0} logins a second were told meanwhile, 70% of them by an SMS gateway that takes 500",
            self.standard_per_second
        );
    }

    fn json(&self) -> Value {
        json!({
            "waiting": self.waiting, "idle": self.idle.json(), "storm": self.stormy.json(),
            "standard_per_second": self.standard_per_second
        })
    }
}

/// The one in the middle by what it is measured by.
fn in_the_middle<'a, T: Clone + 'a>(rounds: impl Iterator<Item = &'a T>, by: fn(&T) -> f64) -> Option<T> {
    let mut rounds: Vec<&T> = rounds.collect();
    rounds.sort_by(|one, other| by(one).total_cmp(&by(other)));
    rounds.get(rounds.len() / 2).map(|round| (*round).clone())
}
