//! What the service manager hears of a worker: a real socket in its place.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use shirase::admin::{Health, State};
use shirase::clock::Clock;
use shirase::config::Span;
use shirase::ledger::{Ledger, LedgerConfig, LedgerUrl};
use shirase::systemd::ServiceManager;
use shirase::worker::Check;
use tokio_util::sync::CancellationToken;

use crate::house::BINARY;
use crate::support::{Scratch, Worker, free_port};

const PATIENCE: Duration = Duration::from_secs(30);

/// In the manager's place: its socket, under an abstract name.
struct Ear {
    socket: UnixDatagram,
    name: String,
}

impl Ear {
    fn new(label: &str) -> Self {
        let name = format!("shirase-{label}-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        Self { socket, name: format!("@{name}") }
    }

    /// What is said within `patience`.
    fn hears(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).expect("some time");
        let mut words = [0; 4096];
        let length = self.socket.recv(&mut words).ok()?;
        Some(String::from_utf8(words[..length].to_vec()).expect("text"))
    }

    /// All that is said until the first with `word` in it, which is the last.
    #[track_caller]
    fn hears_until(&self, word: &str) -> Vec<String> {
        let begun = Instant::now();
        let mut all = Vec::new();
        while begun.elapsed() < PATIENCE {
            all.extend(self.hears(Duration::from_millis(100)));
            if all.last().is_some_and(|words| words.contains(word)) {
                return all;
            }
        }
        panic!("{word} was not said: {all:?}");
    }

    fn manager(&self, others: &[(&str, &str)]) -> Arc<ServiceManager> {
        Arc::new(manager(&self.name, others).expect("an address").expect("named"))
    }
}

fn manager(socket: &str, others: &[(&str, &str)]) -> std::io::Result<Option<ServiceManager>> {
    let all = [&[("NOTIFY_SOCKET", socket)], others].concat();
    ServiceManager::in_environment(|name| {
        all.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    })
}

/// A worker that is as the test says.
fn worker(problems: &[(&str, Option<&str>)]) -> (Arc<Mutex<State>>, Health) {
    let check = |(name, problem): &(&str, Option<&str>)| Check {
        name: (*name).to_owned(),
        problem: problem.map(str::to_owned),
    };
    let checks = problems.iter().map(check).collect();
    let state = Arc::new(Mutex::new(State { stopping: false, checks, stuck: None }));
    let asked = Arc::clone(&state);
    (state, Arc::new(move || asked.lock().expect("whole").clone()))
}

fn ledger_at(url: LedgerUrl) -> Ledger {
    let config = LedgerConfig {
        url,
        pool: 1,
        retention: Span::seconds(60),
        device_retention: Span::seconds(60),
        recipient_key: None,
    };
    Ledger::open(&config, &Clock::steady()).expect("opens")
}

#[test]
fn a_socket_in_a_folder_is_as_good_and_no_socket_means_that_nobody_listens() {
    let scratch = Scratch::new("notify");
    let path = scratch.join("notify").display().to_string();
    assert!(manager(&path, &[]).expect("an address").is_some());
    assert!(ServiceManager::in_environment(|_| None).expect("no matter").is_none());
    let error = manager("vsock:2:1234", &[]).expect_err("no address of ours");
    assert!(error.to_string().contains("neither a path nor an abstract name"), "{error}");
}

#[tokio::test]
async fn ready_is_said_once_it_consumes_whatever_its_gateways_do_and_before_that_why_not_in_one_line() {
    let ear = Ear::new("ready");
    let problem = "broker: lane critical is not being consumed: refused\nMAINPID=1";
    let (state, health) = worker(&[
        ("broker.critical", Some(problem)),
        ("ledger", None),
        ("gateways.sms", Some("sms: every gateway is failing")),
    ]);
    let stopping = CancellationToken::new();
    let (manager, stop) = (ear.manager(&[]), stopping.clone());
    tokio::spawn(async move { manager.keep_informed(health, stop).await });
    tokio::task::spawn_blocking(move || {
        let first = ear.hears(PATIENCE).expect("why not");
        assert!(first.starts_with("EXTEND_TIMEOUT_USEC=30000000\nSTATUS=broker: lane critical"), "{first}");
        assert_eq!(first.lines().count(), 2, "{first}");
        assert_eq!(ear.hears(PATIENCE).as_deref(), Some("EXTEND_TIMEOUT_USEC=30000000"), "nothing is new");

        state.lock().expect("whole").checks[0].problem = None;
        let ready = ear.hears_until("READY=1");
        assert_eq!(ready.last().expect("said"), "READY=1\nSTATUS=sms: every gateway is failing");
        state.lock().expect("whole").checks[2].problem = None;
        assert_eq!(ear.hears_until("STATUS"), ["STATUS=consuming"], "ready is said once");

        stopping.cancel();
        assert!(ear.hears_until("STOPPING=1").last().expect("said").starts_with("STOPPING=1\nSTATUS="));
    })
    .await
    .expect("the manager heard it all");
}

#[tokio::test]
async fn a_ledger_that_hangs_ends_the_signs_of_life_and_one_that_says_what_is_wrong_does_not() {
    let (scratch, ear) = (Scratch::new("watchdog"), Ear::new("watchdog"));
    let path = scratch.join("l.db");
    let ledger = ledger_at(LedgerUrl::File(path.clone()));
    let manager = ear.manager(&[("WATCHDOG_USEC", "300000")]);
    let (_, health) = worker(&[]);
    tokio::spawn(async move { manager.feed_watchdog(health, ledger).await });
    tokio::task::spawn_blocking(move || {
        assert_eq!(ear.hears(PATIENCE).as_deref(), Some("WATCHDOG=1"));
        // The writer waits five seconds for whoever holds the file, and says nothing meanwhile.
        let other = Connection::open(&path).expect("the file");
        other.execute_batch("BEGIN IMMEDIATE").expect("ours");
        while ear.hears(Duration::from_secs(1)).is_some() {}
        assert_eq!(ear.hears(PATIENCE).as_deref(), Some("WATCHDOG=1"), "now it is known why");
    })
    .await
    .expect("the manager heard it all");
}

#[tokio::test]
async fn a_part_that_has_ended_and_a_watchdog_that_is_not_ours_get_no_sign_of_life() {
    let ear = Ear::new("stuck");
    let (state, health) = worker(&[]);
    state.lock().expect("whole").stuck = Some("the ledger's writer has ended".to_owned());
    let watched = ear.manager(&[("WATCHDOG_USEC", "60000")]);
    let others = ear.manager(&[("WATCHDOG_USEC", "60000"), ("WATCHDOG_PID", "1")]);
    let (of_others, alive) = (ledger_at(LedgerUrl::Memory), worker(&[]).1);
    tokio::spawn(async move { watched.feed_watchdog(health, ledger_at(LedgerUrl::Memory)).await });
    tokio::spawn(async move { others.feed_watchdog(alive, of_others).await });
    tokio::task::spawn_blocking(move || {
        assert_eq!(ear.hears(Duration::from_millis(500)), None);
        state.lock().expect("whole").stuck = None;
        assert_eq!(ear.hears(PATIENCE).as_deref(), Some("WATCHDOG=1"));
    })
    .await
    .expect("the manager heard it all");
}

#[test]
fn a_worker_without_its_broker_says_so_lives_on_and_says_when_it_stops() {
    let ear = Ear::new("worker");
    let config = format!(
        "[broker]\nurls = [\"amqp://127.0.0.1:{}\"]\n[http]\nlisten = \"127.0.0.1:{}\"\n",
        free_port(),
        free_port()
    );
    let environment = [("NOTIFY_SOCKET", ear.name.as_str()), ("WATCHDOG_USEC", "3000000")];
    let worker = Worker::start(BINARY, &config, &["run"], &environment);
    let heard = [ear.hears_until("STATUS=broker: "), ear.hears_until("WATCHDOG=1")].concat();
    assert!(heard.iter().any(|words| words.contains("EXTEND_TIMEOUT_USEC=")), "{heard:?}");
    assert!(!heard.iter().any(|words| words.contains("READY=1")), "{heard:?}");
    assert!(ear.hears_until("WATCHDOG=1").len() < 10, "again, within its patience");
    worker.signal("TERM");
    ear.hears_until("STOPPING=1");
    assert_eq!(worker.wait_exit(PATIENCE).code(), Some(0), "{}", worker.log());
}
