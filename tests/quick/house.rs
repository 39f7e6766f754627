//! The built-in house: configuration, catalog, templates and examples, at a time that stands still.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use serde_json::{Value, json};
use shirase::assets::Files;
use shirase::clock::Clock;
use shirase::config::Config;
use shirase::event::{Catalog, Event, EventType, RawEvent, decode};
use shirase::sandbox::Sandbox;
use shirase::template::TemplateSet;

use crate::support::Scratch;

pub const BINARY: &str = env!("CARGO_BIN_EXE_shirase");

/// When every event of these tests happens, unless the real worker is asked.
pub const TIME: &str = "2026-11-22T06:04:05Z";

/// [`TIME`] as an SMS writes it.
pub const SHORT_JST: &str = "11/22 15:04";

pub static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| Catalog::load(&Files::embedded("config")).expect("built in"));

pub fn time() -> Timestamp {
    TIME.parse().expect("a time")
}

pub fn real_time() -> Timestamp {
    Clock::system().now()
}

pub fn templates() -> TemplateSet {
    TemplateSet::load(&Files::embedded("templates"), &CATALOG).expect("built in")
}

/// The built-in configuration with `SHIRASE_`… variables over it.
pub fn config(variables: &[(&str, &str)]) -> Config {
    let variables = variables.iter().map(|(name, value)| (format!("SHIRASE_{name}"), (*value).to_owned()));
    Config::load(None, variables).unwrap_or_else(|error| panic!("{error}"))
}

/// The built-in configuration with a house's file over it.
pub fn config_file(text: &str) -> Config {
    let scratch = Scratch::new("config");
    let file = scratch.write("house.toml", text);
    Config::load(Some(&file), []).unwrap_or_else(|error| panic!("{error}"))
}

/// The example's `data`, counted from 1 as the commands do.
pub fn example(event_type: &str, number: usize) -> Value {
    CATALOG.get(event_type).expect("in the catalog").schema.examples()[number - 1].clone()
}

/// A whole event.
pub fn envelope(event_type: &str, id: &str, time: Timestamp, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/quick", "type": event_type, "time": time.to_string(),
        "datacontenttype": "application/json", "data": data
    })
}

/// Every example of a type, decoded.
pub fn events(kind: &Arc<EventType>) -> Vec<Event> {
    let event = |(index, data): (usize, &Value)| {
        let id = format!("{}-{}", kind.name, index + 1);
        let raw = RawEvent::structured(envelope(&kind.name, &id, time(), data).to_string());
        decode(&raw, &CATALOG, time()).unwrap_or_else(|error| panic!("{id}: {error}"))
    };
    kind.schema.examples().iter().enumerate().map(event).collect()
}

/// TLS needs a provider even where no test speaks it.
pub fn provide_tls() {
    // It fails when another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An empty folder, and the binary run in it to its end.
pub struct Desk {
    pub scratch: Scratch,
    variables: Vec<(String, String)>,
}

/// How a run of the binary ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Desk {
    pub fn new() -> Self {
        Self { scratch: Scratch::new("desk"), variables: Vec::new() }
    }

    /// A variable for all that is run from now on.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// The command, with the caller's own `SHIRASE_`… taken away.
    pub fn command(&self, program: &str) -> std::process::Command {
        let mut command = self.scratch.command(program);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHIRASE_"))
        {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs the binary, at most a minute.
    #[track_caller]
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        let stdin = std::fs::File::open(self.scratch.write("stdin", input)).expect("just written");
        let mut command = self.command("timeout");
        let output = command.arg("60").arg(BINARY).args(arguments).stdin(Stdio::from(stdin)).output();
        Ran::of(output.expect("timeout is on every system"))
    }

    /// Runs a line of shell in which `$shirase` is the binary.
    #[track_caller]
    pub fn shell(&self, line: &str) -> Ran {
        let mut command = self.command("timeout");
        let output = command.args(["60", "bash", "-c", line]).env("shirase", BINARY).output();
        Ran::of(output.expect("bash is on every system"))
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Panics unless it ended with `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- stdout\n{}\n--- stderr\n{}", self.out, self.err);
        self
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let line = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.out.lines().map(line).collect()
    }
}

/// A sandbox with both of its servers, on a runtime of its own, for tests that run the binary.
pub struct RunningSandbox {
    pub sandbox: Sandbox,
    pub sms: String,
    pub smtp: String,
    _runtime: tokio::runtime::Runtime,
}

impl RunningSandbox {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let sandbox = Sandbox::new(Clock::system());
        let (sms, smtp) = runtime.block_on(addresses(&sandbox));
        Self { sandbox, sms, smtp, _runtime: runtime }
    }

    /// A desk whose gateway and relay are this sandbox.
    pub fn desk(&self) -> Desk {
        Desk::new()
            .with("SHIRASE_SMS__GATEWAYS__0__URL", &self.sms)
            .with("SHIRASE_EMAIL__RELAYS__0__URL", &self.smtp)
    }
}

/// Starts both servers of a sandbox; their URLs.
pub async fn addresses(sandbox: &Sandbox) -> (String, String) {
    let loopback = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let sms = sandbox.start_sms(loopback).await.expect("a port");
    let smtp = sandbox.start_smtp(loopback).await.expect("a port");
    (format!("http://{sms}/sms"), format!("smtp://{smtp}"))
}

/// What is wrong with the cases of a table: one failure does not hide the others.
#[derive(Default)]
pub struct Findings(std::sync::Mutex<Vec<String>>);

impl Findings {
    pub fn equal<T: PartialEq + std::fmt::Debug>(&self, case: &str, left: &T, right: &T) {
        self.expect(left == right, || format!("{case}:\n   is {left:?}\n  not {right:?}"));
    }

    pub fn expect(&self, in_order: bool, words: impl FnOnce() -> String) {
        if !in_order {
            self.0.lock().expect("nobody panics with it").push(words());
        }
    }

    #[track_caller]
    pub fn assert_none(&self) {
        let findings = self.0.lock().expect("nobody panics with it");
        assert!(findings.is_empty(), "{} finding(s)\n{}", findings.len(), findings.join("\n"));
    }
}
