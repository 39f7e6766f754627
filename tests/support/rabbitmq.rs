//! A RabbitMQ node of a test's own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::guard::{self, Guard};
use super::ports::{free_port, wait_until_refused};
use super::rabbitmq_home::{Environment, Home};
use super::run::try_run;
use super::wait::within;

/// A start takes six seconds on an idle machine.
const START: Duration = Duration::from_secs(180);

/// A broker node on loopback with its own data: one alone, or a member of a [`RabbitCluster`](super::RabbitCluster).
pub struct RabbitMq {
    // In the order of their ends: the broker, then the name server that it talks to.
    server: Mutex<Option<Guard>>,
    home: Arc<Home>,
    environment: Environment,
    stopped: AtomicBool,
    name: String,
    port: u16,
}

impl RabbitMq {
    /// Starts a node and waits until it takes connections.
    pub fn start() -> Self {
        Self::start_with(&[], "")
    }

    /// As [`Self::start`], with more lines of `rabbitmq.conf`, and an `advanced.config` if it is not empty.
    pub fn start_with(settings: &[&str], advanced: &str) -> Self {
        let node = Self::prepare(&Arc::new(Home::new()), "t", settings, advanced);
        node.start_again();
        node
    }

    /// As [`Self::start`]; it closes a channel that holds a delivery without an acknowledgement for this long. Within
    /// a second or so: it does not measure, it looks now and then.
    pub fn start_with_ack_timeout(timeout: Duration) -> Self {
        let timeout = format!("consumer_timeout = {}", timeout.as_millis());
        // Channels look once a minute otherwise. `rabbitmq.conf` does not know this setting.
        Self::start_with(&[&timeout], "[{rabbit, [{channel_tick_interval, 1000}]}].")
    }

    /// As [`Self::start`], with one more port that speaks TLS with this certificate and key (PEM).
    pub fn start_tls(certificate: &str, key: &str) -> (Self, u16) {
        let home = Arc::new(Home::new());
        let (certificate, key) =
            (home.scratch().write("tls.crt", certificate), home.scratch().write("tls.key", key));
        let port = free_port();
        let settings = [
            format!("listeners.ssl.1 = 127.0.0.1:{port}"),
            format!("ssl_options.certfile = {}", certificate.display()),
            format!("ssl_options.keyfile = {}", key.display()),
            "ssl_options.verify = verify_none".to_owned(),
            "ssl_options.fail_if_no_peer_cert = false".to_owned(),
        ];
        let node = Self::prepare(&home, "t", &settings.each_ref().map(String::as_str), "");
        node.start_again();
        (node, port)
    }

    /// A node that was not started yet.
    pub(super) fn prepare(home: &Arc<Home>, name: &str, settings: &[&str], advanced: &str) -> Self {
        let port = free_port();
        let environment = home.add(name, port, settings, advanced);
        let (server, stopped) = (Mutex::new(None), AtomicBool::new(false));
        Self { server, home: Arc::clone(home), environment, stopped, name: name.to_owned(), port }
    }

    /// The node that all tests of this process may use who don't hurt it; it ends with the process.
    ///
    /// Tests that kill or stop a node, or close all its connections, start one of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker's own process number; the process that we started is a shell that waits for it.
    pub fn pid(&self) -> u32 {
        self.read("pid").trim().parse().expect("it was started and wrote its number")
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Ends the node as a power cut would, and waits until it is gone.
    pub fn kill(&self) {
        self.signal("KILL");
        let server = self.server().take().expect("a signal was sent to it");
        server.wait(START);
        self.stopped.store(false, Ordering::Relaxed);
        wait_until_refused(self.port);
    }

    /// Starts the node after a [`Self::kill`], with the same ports and data, and waits until it takes connections.
    pub fn start_again(&self) {
        self.launch();
        self.wait_started();
    }

    /// Starts the node and does not wait: one of a cluster may need the others before it takes connections.
    pub(super) fn launch(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "the node runs already");
        // The old number must not be taken for the new node's.
        let _ = fs::remove_file(self.home.scratch().join(&self.file("pid")));
        let output =
            File::create(self.home.scratch().join(&self.file("output"))).expect("a file in our folder");
        let mut command = self.command("rabbitmq-server");
        command.stderr(output.try_clone().expect("a second handle")).stdout(output);
        *server = Some(Guard::start(self.home.scratch(), &mut command));
    }

    pub(super) fn wait_started(&self) {
        let server = self.server();
        let server = server.as_ref().expect("it was launched");
        let greeted = within(START, || self.greets(server).then_some(()));
        assert!(greeted.is_some(), "no greeting from RabbitMQ:\n{}", self.log());
    }

    /// Whether it was started and not killed; it may be stopped.
    pub(super) fn is_started(&self) -> bool {
        self.server().is_some()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Whether it was neither killed nor stopped.
    pub(super) fn answers(&self) -> bool {
        self.is_started() && !self.is_stopped()
    }

    /// Its name in a cluster.
    pub fn name(&self) -> String {
        format!("{}@localhost", self.name)
    }

    /// Freezes the node: connections stay open, and nothing is answered.
    pub fn stop(&self) {
        self.signal("STOP");
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Lets a stopped node go on.
    pub fn cont(&self) {
        self.signal("CONT");
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// `rabbitmqctl` with these arguments; what it printed. Half a second each.
    #[track_caller]
    pub fn ctl(&self, arguments: &[&str]) -> String {
        self.try_ctl(arguments).unwrap_or_else(|error| panic!("rabbitmqctl {}: {error}", arguments.join(" ")))
    }

    /// As [`Self::ctl`], where a failure is part of the test; the error is what it printed.
    pub fn try_ctl(&self, arguments: &[&str]) -> Result<String, String> {
        try_run(self.command("rabbitmqctl").arg("--quiet").args(arguments))
    }

    /// The queues with their messages, delivered but unacknowledged ones included.
    ///
    /// A quorum queue counts 0 for about five seconds after a start, though its messages are there.
    #[track_caller]
    pub fn queues(&self) -> BTreeMap<String, u64> {
        let listed = self.ctl(&["list_queues", "--no-table-headers", "name", "messages"]);
        let queues = listed.lines().filter_map(|line| line.rsplit_once('\t'));
        // A queue without a leader has no count.
        queues.map(|(name, messages)| (name.to_owned(), messages.parse().unwrap_or(0))).collect()
    }

    #[track_caller]
    pub fn delete_queue(&self, name: &str) {
        self.ctl(&["delete_queue", name]);
    }

    /// Closes every connection from the broker's side, as an operator would.
    #[track_caller]
    pub fn close_all_connections(&self, reason: &str) {
        self.ctl(&["close_all_connections", reason]);
    }

    /// What the node wrote into its log.
    pub fn log(&self) -> String {
        self.read(&format!("log/{}.log", self.name()))
    }

    fn command(&self, program: &str) -> Command {
        self.home.command(program, &self.environment)
    }

    fn read(&self, file: &str) -> String {
        self.home.scratch().read(&self.file(file))
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.name)
    }

    /// Sends a signal to the broker itself.
    fn signal(&self, name: &str) {
        assert!(self.is_started(), "no {name}: the node was killed and not started again");
        let pid = self.pid();
        assert!(guard::kill(name, &[pid.to_string()]), "no {name} to the broker, process {pid}");
    }

    /// Whether the node answers a client's first bytes, which it does when all of it is up.
    fn greets(&self, server: &Guard) -> bool {
        if let Some(status) = server.try_wait() {
            panic!("RabbitMQ ended with {status}:\n{}{}", self.read("output"), self.log());
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, START) else { return false };
        let asked = stream.set_read_timeout(Some(START)).and_then(|()| stream.write_all(b"AMQP\0\0\x09\x01"));
        asked.and_then(|()| stream.read_exact(&mut [0])).is_ok()
    }

    fn server(&self) -> MutexGuard<'_, Option<Guard>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
