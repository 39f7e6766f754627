//! A Prometheus that scrapes one worker and evaluates the shipped rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::guard::Guard;
use super::http::try_http_get;
use super::ports::free_port;
use super::scratch::Scratch;
use super::wait::within;

/// A start takes a second on an idle machine.
const START: Duration = Duration::from_secs(60);

/// The shipped configuration names this worker.
const SHIPPED_TARGET: &str = "127.0.0.1:9464";

/// How many times faster time passes for the rules.
const FASTER: u64 = 20;

/// An alert that fires, by its labels.
pub type Firing = BTreeMap<String, String>;

pub struct Prometheus {
    port: u16,
    _server: Guard,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts it with `config/prometheus` as it is shipped, but for the address of the worker, and for every length of time, which
    /// is a twentieth: nobody waits for an hour here.
    pub fn watching(worker: u16) -> Self {
        let (scratch, port) = (Scratch::new("prometheus"), free_port());
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/prometheus");
        for file in ["prometheus.yml", "recording.yml", "alerts.yml"] {
            let text = fs::read_to_string(shipped.join(file)).expect("it is shipped");
            scratch.write(file, &faster(&text).replace(SHIPPED_TARGET, &format!("127.0.0.1:{worker}")));
        }
        let log = fs::File::create(scratch.join("log")).expect("a file in our folder");
        let mut command = scratch.clean_command("prometheus");
        command.arg("--config.file=prometheus.yml").arg("--storage.tsdb.path=data");
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.stderr(log.try_clone().expect("a second handle")).stdout(log);
        let server = Guard::start(&scratch, &mut command);
        let ready =
            within(START, || try_http_get(port, "/-/ready").ok().filter(|(status, _)| *status == 200));
        assert!(ready.is_some(), "Prometheus is not ready:\n{}", scratch.read("log"));
        Self { port, _server: server, _scratch: scratch }
    }

    /// What a question is answered now, each with its labels; the error is Prometheus' own.
    pub fn query(&self, promql: &str) -> Result<Vec<Value>, String> {
        let query = utf8_percent_encode(promql, NON_ALPHANUMERIC);
        let (_, body) = try_http_get(self.port, &format!("/api/v1/query?query={query}"))
            .map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| format!("{error}: {body}"))?;
        if answer["status"] != "success" {
            return Err(answer["error"].to_string());
        }
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// The alerts that fire now.
    pub fn firing(&self) -> BTreeSet<Firing> {
        self.alerts(r#"ALERTS{alertstate="firing"}"#)
    }

    /// The alerts that fired at any time.
    pub fn ever_fired(&self) -> BTreeSet<Firing> {
        self.alerts(r#"max_over_time(ALERTS{alertstate="firing"}[1h])"#)
    }

    fn alerts(&self, promql: &str) -> BTreeSet<Firing> {
        let found = self.query(promql).unwrap_or_else(|error| panic!("{promql}: {error}"));
        let labels = |series: &Value| {
            let labels = series["metric"].as_object().into_iter().flatten();
            labels
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect()
        };
        found.iter().map(labels).collect()
    }
}

/// Every length of time in seconds, minutes, hours or days as its twentieth in milliseconds; names that hold one
/// (`increase5m`) stay.
fn faster(text: &str) -> String {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut fast = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(in_word) {
        let (between, tail) = rest.split_at(start);
        let (word, tail) = tail.split_at(tail.find(|c| !in_word(c)).unwrap_or(tail.len()));
        fast.push_str(between);
        match milliseconds(word) {
            Some(length) => fast.push_str(&format!("{}ms", length / FASTER)),
            None => fast.push_str(word),
        }
        rest = tail;
    }
    fast + rest
}

fn milliseconds(word: &str) -> Option<u64> {
    let unit = match word.chars().last()? {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    word[..word.len() - 1].parse::<u64>().ok().map(|number| number * unit)
}

#[test]
fn lengths_of_time_are_shortened_and_nothing_else() {
    let text = "for: 5m\nexpr: shirase:x:increase5m > 14.4 * sum(rate(a{le=\"5\"}[1h])) and up offset 1w";
    let fast =
        "for: 15000ms\nexpr: shirase:x:increase5m > 14.4 * sum(rate(a{le=\"5\"}[180000ms])) and up offset 1w";
    assert_eq!(faster(text), fast);
}
