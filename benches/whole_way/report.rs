//! The figures, as a table and as JSON.

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

#[derive(Default)]
pub struct Results {
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
            times[index].as_secs_f64() * 1000.0
        };
        Self { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }

    fn json(self) -> Value {
        json!({"p50_ms": self.p50, "p99_ms": self.p99, "p999_ms": self.p999})
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
            let mut rounds: Vec<_> = self.full.iter().filter(|round| round.side == side).cloned().collect();
            rounds.sort_by(|one, other| one.events_per_second.total_cmp(&other.events_per_second));
            rounds.get(rounds.len() / 2).cloned()
        };
        [Side::Raw, Side::Sqlite, Side::Postgres].into_iter().filter_map(of).collect()
    }

    pub fn print(&self) {
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
        println!(
            "\n{:<22}{:>10}{:>10}{:>10}{:>10}",
            "steady, gateways 20 ms", "events/s", "p50 ms", "p99 ms", "p99.9 ms"
        );
        for Pace { side, rate, latency: Latency { p50, p99, p999 } } in &self.paced {
            println!("{:<22}{rate:>10}{p50:>10.1}{p99:>10.1}{p999:>10.1}", side.in_words());
        }
        if let Some(Storm { waiting, idle, stormy, standard_per_second }) = &self.storm {
            println!(
                "\n{:<46}{:>10}{:>10}{:>10}",
                "withdrawals, 20 a second", "p50 ms", "p99 ms", "p99.9 ms"
            );
            for (name, latency) in
                [("on an idle worker".to_owned(), idle), (format!("while {waiting} logins wait"), stormy)]
            {
                println!("{name:<46}{:>10.1}{:>10.1}{:>10.1}", latency.p50, latency.p99, latency.p999);
            }
            println!(
                "{standard_per_second:.0} logins a second were told meanwhile, 70% of them by an SMS gateway that takes 500"
            );
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
        let storm = self.storm.as_ref().map(|storm| {
            json!({
                "waiting": storm.waiting, "idle": storm.idle.json(), "storm": storm.stormy.json(),
                "standard_per_second": storm.standard_per_second
            })
        });
        json!({"full_queue": full.collect::<Vec<_>>(), "steady": paced.collect::<Vec<_>>(), "storm": storm})
    }
}
