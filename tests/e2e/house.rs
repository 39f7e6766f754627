//! A worker's surroundings: configuration, broker names, and the small questions that every test asks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use shirase::clock::Clock;
use shirase::sandbox::Sandbox;
use tokio::runtime::{Builder, Runtime};

use crate::amqp::{Amqp, Dead};
use crate::reading::{metric, names_somebody};
use crate::support::{RabbitMq, Worker, eventually, free_port, http_get, try_http_get};

pub const BINARY: &str = env!("CARGO_BIN_EXE_shirase");

/// For whatever a busy machine may delay; no assertion about speed.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs to the end on the runtime of all tests, where gateways and publishers live.
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

pub fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    })
}

/// What one test's worker is given.
pub struct House {
    pub name: String,
    pub http: u16,
    pub amqp: Amqp,
    broker_urls: Vec<String>,
    gateways: Vec<String>,
    relays: Vec<String>,
    relay_lines: String,
    sections: BTreeMap<&'static str, Vec<String>>,
}

impl House {
    /// On the shared node. Nobody listens at its gateway and relay until one is given.
    pub fn new(name: &str) -> Self {
        Self::on(RabbitMq::shared(), name)
    }

    pub fn on(broker: &RabbitMq, name: &str) -> Self {
        Self::on_nodes(&[broker.url()], name)
    }

    /// On the nodes of a cluster; the tests' own questions go to the first.
    pub fn on_nodes(urls: &[String], name: &str) -> Self {
        let nobody = free_port();
        Self {
            name: format!("e2e-{name}"),
            http: free_port(),
            amqp: Amqp::new(&urls[0]),
            broker_urls: urls.to_vec(),
            gateways: vec![format!("http://127.0.0.1:{nobody}/sms")],
            relays: vec![format!("smtp://127.0.0.1:{nobody}")],
            relay_lines: String::new(),
            sections: BTreeMap::new(),
        }
        .set("lanes.critical", "prefetch = 16")
        .set("lanes.standard", "prefetch = 16")
        .set("retry", r#"schedule = ["1s", "1s", "2s"]"#)
        .set("ledger", r#"url = "sqlite:shirase.db""#)
    }

    /// SMS gateways, tried in order, named `gateway-1`, `gateway-2`, ...
    pub fn gateways(mut self, urls: &[String]) -> Self {
        self.gateways = urls.to_vec();
        self
    }

    pub fn relay(self, url: &str) -> Self {
        self.relays(&[url.to_owned()])
    }

    /// SMTP relays, tried in order: `mta`, `mta-2`, ...
    pub fn relays(mut self, urls: &[String]) -> Self {
        self.relays = urls.to_vec();
        self
    }

    /// Gateway and relay of a sandbox.
    pub fn sandbox(self) -> (Self, Sandbox) {
        let sandbox = Sandbox::new(Clock::system());
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sms = block_on(sandbox.start_sms(anywhere)).expect("a gateway");
        let smtp = block_on(sandbox.start_smtp(anywhere)).expect("a relay");
        (self.gateways(&[format!("http://{sms}/sms")]).relay(&format!("smtp://{smtp}")), sandbox)
    }

    /// The same SMS gateway under two names.
    pub fn two_ways(mut self) -> Self {
        self.gateways.push(self.gateways[0].clone());
        self
    }

    /// Of every gateway and relay.
    pub fn timeouts(mut self, timeout: &str) -> Self {
        self.relay_lines = format!("timeout = \"{timeout}\"\n");
        self.set("gateway", &format!("timeout = \"{timeout}\""))
    }

    /// Keys of the breaker of every gateway and relay.
    pub fn breakers(mut self, keys: &str) -> Self {
        let line = format!("breaker = {{ {keys} }}");
        self.relay_lines.push_str(&format!("{line}\n"));
        self.set("gateway", &line)
    }

    /// Another worker for the same queues, gateways and ledger; for a shared ledger only.
    pub fn twin(&self) -> Self {
        Self {
            name: self.name.clone(),
            http: free_port(),
            amqp: Amqp::new(&self.broker_urls[0]),
            broker_urls: self.broker_urls.clone(),
            gateways: self.gateways.clone(),
            relays: self.relays.clone(),
            relay_lines: self.relay_lines.clone(),
            sections: self.sections.clone(),
        }
    }

    /// A line of configuration below a section; it takes the place of an earlier one with the same key.
    pub fn set(mut self, section: &'static str, line: &str) -> Self {
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let lines = self.sections.entry(section).or_default();
        lines.retain(|other| key(other) != key(line));
        lines.push(line.to_owned());
        self
    }

    pub fn exchange(&self) -> String {
        format!("{}.events", self.name)
    }

    pub fn queue(&self, rest: &str) -> String {
        format!("{}.{rest}", self.name)
    }

    pub fn config(&self) -> String {
        let Self { name, http, broker_urls, relays, relay_lines, .. } = self;
        let mut config = String::new();
        let mut sections = self.sections.clone();
        let broker = sections.entry("broker").or_default();
        broker.push(format!("urls = {broker_urls:?}\nprefix = \"{name}\"\nexchange = \"{name}.events\""));
        sections.entry("http").or_default().push(format!("listen = \"127.0.0.1:{http}\""));
        let gateway = sections.remove("gateway").unwrap_or_default().join("\n");
        for (section, lines) in sections {
            write!(config, "[{section}]\n{}\n", lines.join("\n")).expect("a string");
        }
        for (index, url) in self.gateways.iter().enumerate() {
            let number = index + 1;
            write!(
                config,
                "[[sms.gateways]]\nname = \"gateway-{number}\"\nkind = \"http\"\nurl = \"{url}\"\n{gateway}\n"
            )
            .expect("a string");
        }
        for (index, url) in relays.iter().enumerate() {
            let name = if index == 0 { "mta".to_owned() } else { format!("mta-{}", index + 1) };
            write!(config, "[[email.relays]]\nname = \"{name}\"\nurl = \"{url}\"\n{relay_lines}")
                .expect("a string");
        }
        config
    }

    /// A worker that is ready.
    pub fn start(&self) -> Worker {
        let worker = self.start_unready();
        worker.wait_ready(self.http, PATIENCE);
        worker
    }

    pub fn start_unready(&self) -> Worker {
        Worker::start(BINARY, &self.config(), &["run"], &[])
    }

    /// The worker once more, on the same ledger.
    pub fn start_again(&self, worker: &Worker) {
        worker.configure(&self.config());
        worker.start_again();
        worker.wait_ready(self.http, PATIENCE);
    }

    /// `shirase ARGUMENTS --config FILE` beside a worker, to its end.
    pub fn run(&self, worker: &Worker, arguments: &[&str]) -> Output {
        run_in(worker.path(), &worker.config_file(), arguments)
    }

    /// Publishes an event as upstream does: to the exchange, routing key = its type, confirmed.
    #[track_caller]
    pub fn publish(&self, event: &Value) {
        let kind = event["type"].as_str().expect("a type");
        self.amqp.publish(&self.exchange(), kind, event.to_string().as_bytes());
    }

    /// As [`Self::publish`], all at once.
    #[track_caller]
    pub fn publish_all(&self, events: &[Value]) {
        let exchange = self.exchange();
        self.amqp.publish_all(events.iter().map(|event| {
            (exchange.as_str(), event["type"].as_str().expect("a type"), event.to_string().into_bytes())
        }));
    }

    /// A metric's sum over all its series that hold these labels.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        metric(&http_get(self.http, "/metrics").1, name, labels)
    }

    /// Waits until a metric has reached a value, and says with which it did.
    #[track_caller]
    pub fn wait_metric(&self, name: &str, labels: &[(&str, &str)], at_least: f64) -> f64 {
        eventually(PATIENCE, &format!("{name} {labels:?} to reach {at_least}"), || {
            let text = try_http_get(self.http, "/metrics").ok()?.1;
            Some(metric(&text, name, labels)).filter(|value| *value >= at_least)
        })
    }

    /// Waits until this many events have ended for good: done or dead.
    #[track_caller]
    pub fn wait_ended(&self, count: usize) {
        eventually(PATIENCE, &format!("{count} events to end"), || {
            let text = try_http_get(self.http, "/metrics").ok()?.1;
            let ended = |result| metric(&text, "shirase_events_total", &[("result", result)]);
            (ended("done") + ended("dead") >= count as f64).then_some(())
        });
    }

    /// Ends the worker as a supervisor does, and waits until the broker has noticed.
    #[track_caller]
    pub fn stop(&self, worker: &Worker) {
        worker.signal("TERM");
        let status = worker.wait_exit(PATIENCE);
        let log = worker.log();
        assert_eq!(status.code(), Some(0), "after SIGTERM:\n{log}");
        // A delivery that the broker takes back in the middle is no fault of the worker's.
        let refused = |line: &&str| line.contains("PRECONDITION_FAILED") && !line.contains("acknowledgement");
        assert!(log.lines().find(refused).is_none(), "it broke the protocol:\n{log}");
        let personal = log.lines().find(|line| names_somebody(line));
        assert!(personal.is_none(), "personal data in the log: {personal:?}");
        self.wait_unconsumed();
    }

    /// Ends one of two workers in order; the other goes on.
    #[track_caller]
    pub fn stop_twin(&self, worker: &Worker) {
        worker.signal("TERM");
        assert_eq!(worker.wait_exit(PATIENCE).code(), Some(0), "{}", worker.log());
    }

    /// Waits until nobody consumes: then everything that was not acknowledged is back in its queue.
    #[track_caller]
    pub fn wait_unconsumed(&self) {
        for lane in ["critical", "standard"] {
            let queue = self.queue(lane);
            eventually(PATIENCE, &format!("{queue} to lose its consumer"), || {
                self.amqp.look(&queue).filter(|look| look.consumers == 0)
            });
        }
    }

    /// Stops the worker and sees that it left nothing behind in any queue but the dead-letter queue.
    #[track_caller]
    pub fn stop_and_assert_empty(&self, worker: &Worker) {
        self.stop(worker);
        for lane in ["critical", "standard"] {
            for queue in [lane.to_owned(), format!("{lane}.retry.1"), format!("{lane}.retry.2")] {
                let queue = self.queue(&queue);
                let look = self.amqp.look(&queue).unwrap_or_else(|| panic!("no queue {queue}"));
                assert_eq!(look.messages, 0, "messages left in {queue}");
            }
        }
    }

    /// Takes every dead letter, as soon as there are `count`.
    #[track_caller]
    pub fn dead_letters(&self, count: usize) -> Vec<Dead> {
        let queue = self.queue("dead");
        eventually(PATIENCE, &format!("{count} messages in {queue}"), || {
            self.amqp.look(&queue).filter(|look| look.messages as usize >= count)
        });
        self.amqp.take_all(&queue)
    }

    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        let dead = self.amqp.take_all(&self.queue("dead"));
        assert!(dead.is_empty(), "dead letters: {dead:?}");
    }
}

/// `shirase ARGUMENTS --config FILE` to its end.
pub fn run_in(dir: &Path, config: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).arg("--config").arg(config).current_dir(dir);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHIRASE_")) {
        command.env_remove(name);
    }
    command.output().expect("the binary runs")
}

/// What a process printed, stdout and stderr.
pub fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}
