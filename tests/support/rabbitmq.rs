//! A RabbitMQ node of a test's own.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::guard::{self, Guard};
use super::ports::{free_port, wait_until_refused};
use super::run::try_run;
use super::scratch::Scratch;
use super::wait::{eventually, within};

/// Not the wrapper in `/usr/sbin`, which changes the user and the environment.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A start takes six seconds on an idle machine.
const START: Duration = Duration::from_secs(180);

/// A single broker node on loopback, with its own name server (epmd), data and cookie.
pub struct RabbitMq {
    // In the order of their ends: the broker, then the name server that it talks to.
    node: Mutex<Option<Guard>>,
    _epmd: Guard,
    port: u16,
    environment: Vec<(&'static str, String)>,
    scratch: Scratch,
}

impl RabbitMq {
    /// Starts a node and waits until it takes connections.
    pub fn start() -> Self {
        let server = format!("{PROGRAMS}/rabbitmq-server");
        assert!(
            Path::new(&server).exists(),
            "no {server}: apt-get install --no-install-recommends rabbitmq-server"
        );
        let scratch = Scratch::new("rabbitmq");
        let port = free_port();
        let epmd_port = free_port();
        write_settings(&scratch, port);
        let environment = environment(&scratch, port, epmd_port);
        // Ours from the start, or the node would leave one behind that nobody ends.
        let mut epmd = scratch.clean_command("epmd");
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]).stderr(Stdio::null());
        let epmd = Guard::start(&scratch, &mut epmd);
        eventually(START, "epmd", || TcpStream::connect((Ipv4Addr::LOCALHOST, epmd_port)).ok());
        let node = Self { node: Mutex::new(None), _epmd: epmd, port, environment, scratch };
        node.start_again();
        node
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

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }

    /// Ends the node as a power cut would, and waits until it is gone.
    pub fn kill(&self) {
        self.signal("KILL");
        let node = self.node().take().expect("a signal was sent to it");
        node.wait(START);
        wait_until_refused(self.port);
    }

    /// Starts the node after a [`Self::kill`], with the same ports and data, and waits until it takes connections.
    pub fn start_again(&self) {
        let mut node = self.node();
        assert!(node.is_none(), "the node runs already");
        // The old number must not be taken for the new node's.
        let _ = fs::remove_file(self.scratch.join("pid"));
        let output = self.scratch.join("output");
        let output = fs::File::create(output).expect("a file in our folder");
        let mut command = self.command("rabbitmq-server");
        command.stderr(output.try_clone().expect("a second handle")).stdout(output);
        let started = node.insert(Guard::start(&self.scratch, &mut command));
        let greeted = within(START, || self.greets(started).then_some(()));
        assert!(greeted.is_some(), "no greeting from RabbitMQ:\n{}", self.log());
    }

    /// Freezes the node: connections stay open, and nothing is answered.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets a stopped node go on.
    pub fn cont(&self) {
        self.signal("CONT");
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
        self.scratch.read("log/t@localhost.log")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.scratch.clean_command(&format!("{PROGRAMS}/{program}"));
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Sends a signal to the broker itself; the process that we started is a shell that waits for it.
    fn signal(&self, name: &str) {
        assert!(self.node().is_some(), "no {name}: the node was killed and not started again");
        let pid = self.scratch.read("pid");
        assert!(guard::kill(name, &[pid.trim().to_owned()]), "no {name} to the broker, process {pid:?}");
    }

    /// Whether the node answers a client's first bytes, which it does when all of it is up.
    fn greets(&self, node: &Guard) -> bool {
        if let Some(status) = node.try_wait() {
            panic!("RabbitMQ ended with {status}:\n{}{}", self.scratch.read("output"), self.log());
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let Ok(mut stream) = TcpStream::connect_timeout(&address, START) else { return false };
        let asked = stream.set_read_timeout(Some(START)).and_then(|()| stream.write_all(b"AMQP\0\0\x09\x01"));
        asked.and_then(|()| stream.read_exact(&mut [0])).is_ok()
    }

    fn node(&self) -> MutexGuard<'_, Option<Guard>> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_settings(scratch: &Scratch, port: u16) {
    let settings = format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\n\
         loopback_users = none\n\
         disk_free_limit.absolute = 50MB\n\
         vm_memory_high_watermark.absolute = 1GB\n"
    );
    scratch.write("rabbitmq.conf", &settings);
    scratch.write("enabled_plugins", "[].\n");
    let secret = format!("{:X}", RandomState::new().hash_one(port));
    let cookie = scratch.write(".erlang.cookie", &secret);
    fs::set_permissions(cookie, Permissions::from_mode(0o400)).expect("the cookie is ours");
}

fn environment(scratch: &Scratch, port: u16, epmd_port: u16) -> Vec<(&'static str, String)> {
    let file = |name: &str| scratch.join(name).display().to_string();
    let erlang = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none";
    vec![
        ("HOME", scratch.path().display().to_string()),
        ("ERL_EPMD_PORT", epmd_port.to_string()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("RABBITMQ_NODENAME", "t@localhost".into()),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".into()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        ("RABBITMQ_MNESIA_BASE", file("mnesia")),
        ("RABBITMQ_LOG_BASE", file("log")),
        ("RABBITMQ_PID_FILE", file("pid")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins")),
        ("RABBITMQ_CONFIG_FILE", file("rabbitmq")),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("{erlang} +S 2:2")),
        ("RABBITMQ_CTL_ERL_ARGS", format!("{erlang} +S 1:1")),
        // rabbitmqctl listens too, by default on one of eleven ports for the whole machine.
        ("RABBITMQ_CTL_DIST_PORT_MIN", "61000".into()),
        ("RABBITMQ_CTL_DIST_PORT_MAX", "65535".into()),
    ]
}
