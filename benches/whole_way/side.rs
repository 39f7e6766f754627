//! What is compared, as processes.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Bench;
use crate::support::{Guard, Scratch, Worker, free_port, within};

/// More than a start or an end takes.
pub const A_MINUTE: Duration = Duration::from_secs(60);

/// In the worker's folder.
pub const SQLITE_FILE: &str = "ledger.db";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Raw,
    Sqlite,
    Postgres,
}

impl Side {
    pub fn named(name: &str) -> Result<Self, String> {
        let named = |side: &Self| format!("{side:?}").eq_ignore_ascii_case(name);
        let sides = [Self::Raw, Self::Sqlite, Self::Postgres];
        sides.into_iter().find(named).ok_or_else(|| format!("there is no side {name}"))
    }

    pub fn in_words(self) -> &'static str {
        match self {
            Self::Raw => "raw pipeline",
            Self::Sqlite => "worker, SQLite",
            Self::Postgres => "worker, PostgreSQL",
        }
    }
}

/// A side at work. It ends when this is dropped.
pub enum Running {
    Raw(Guard),
    Worker(Box<Worker>),
}

impl Running {
    /// So many workers on one ledger, all of which consume when this returns.
    pub fn fleet(bench: &Bench, ledger: &str, count: usize) -> Vec<Self> {
        let workers: Vec<_> = (0..count).map(|_| worker(bench, ledger, "")).collect();
        for (worker, http) in &workers {
            worker.wait_ready(*http, A_MINUTE);
        }
        workers.into_iter().map(|(worker, _)| Self::Worker(Box::new(worker))).collect()
    }

    /// A process that begins with whatever is in the queue.
    pub fn launch(bench: &Bench, side: Side, more: &str) -> Self {
        match side {
            Side::Raw => Self::Raw(raw(bench)),
            side => Self::Worker(Box::new(worker(bench, &ledger(bench, side), more).0)),
        }
    }

    /// As [`Self::launch`], and it consumes when this returns.
    pub fn start(bench: &Bench, side: Side, more: &str) -> Self {
        if side == Side::Raw {
            return Self::Raw(raw(bench));
        }
        let (worker, http) = worker(bench, &ledger(bench, side), more);
        worker.wait_ready(http, A_MINUTE);
        Self::Worker(Box::new(worker))
    }

    pub fn pid(&self) -> u32 {
        match self {
            Self::Raw(raw) => raw.pid(),
            Self::Worker(worker) => worker.pid(),
        }
    }

    /// A file in the worker's folder.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Raw(_) => None,
            Self::Worker(worker) => Some(worker.path().join(name)),
        }
    }

    pub fn has_ended(&self) -> bool {
        match self {
            Self::Raw(raw) => raw.try_wait().is_some(),
            Self::Worker(worker) => worker.try_exit().is_some(),
        }
    }

    pub fn log(&self) -> String {
        match self {
            Self::Raw(_) => String::new(),
            Self::Worker(worker) => worker.log(),
        }
    }

    /// Ends it as it is.
    pub fn kill(self) {
        if let Self::Worker(worker) = &self {
            worker.kill();
        }
    }

    /// Waits until the broker says that nothing is in the queue or in flight. It counts every five seconds.
    pub fn wait_acknowledged(&self, bench: &Bench) {
        let left = || bench.broker.queues().get("shirase.standard").copied();
        let none = within(A_MINUTE, || {
            std::thread::sleep(Duration::from_secs(1));
            (left() == Some(0)).then_some(())
        });
        assert!(none.is_some(), "{:?} not acknowledged\n{}", left(), self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Worker(worker) = self
            && worker.try_exit().is_none()
        {
            worker.signal("TERM");
            worker.wait_exit(A_MINUTE);
        }
    }
}

fn raw(bench: &Bench) -> Guard {
    let scratch = Scratch::new("raw");
    let program = std::env::current_exe().expect("this program's path");
    let ports = [bench.sinks.http_port, bench.sinks.smtp_port].map(|port| port.to_string());
    let mut command = scratch.command(program.to_str().expect("a path in UTF-8"));
    command.args(["raw", &bench.broker.url(), "shirase.standard"]).args(ports);
    Guard::start(&scratch, &mut command)
}

/// A worker's new ledger.
pub fn ledger(bench: &Bench, side: Side) -> String {
    match side {
        Side::Raw => panic!("the raw pipeline has no ledger"),
        Side::Sqlite => format!("sqlite:{SQLITE_FILE}"),
        Side::Postgres => database(bench),
    }
}

/// A database that nothing was written to.
fn database(bench: &Bench) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let postgres = bench.postgres.as_ref().expect("it was started for this side");
    postgres.create_database(&format!("ledger{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A worker, and where its pages are.
pub fn worker(bench: &Bench, ledger: &str, more: &str) -> (Worker, u16) {
    let http = free_port();
    let config = format!(
        r#"
[broker]
urls = ["{}"]
[ledger]
url = "{ledger}"
[[sms.gateways]]
name = "sink"
kind = "http"
url = "http://127.0.0.1:{}/sms"
{more}
[[email.relays]]
name = "mta"
url = "smtp://127.0.0.1:{}"
# At 2,000 events a second 600 mails are on their way for 20 ms each: 12 at once, and room for chance.
pool = 32
[http]
listen = "127.0.0.1:{http}"
"#,
        bench.broker.url(),
        bench.sinks.http_port,
        bench.sinks.smtp_port
    );
    (Worker::start(env!("CARGO_BIN_EXE_shirase"), &config, &["--log", "warn", "run"], &[]), http)
}
