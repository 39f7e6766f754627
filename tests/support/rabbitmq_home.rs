//! What the RabbitMQ nodes of one test share, and what each of them is told.

use std::fs::{self, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::guard::Guard;
use super::ports::free_port;
use super::scratch::Scratch;
use super::wait::eventually;

/// Not the wrappers in `/usr/sbin`, which change the user and the environment.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A folder, a cookie by which nodes trust each other, and the name server (epmd) by which they find each other.
pub(super) struct Home {
    _epmd: Guard,
    epmd_port: u16,
    scratch: Scratch,
}

/// How to run the programs of one node.
pub(super) struct Environment(Vec<(&'static str, String)>);

impl Home {
    pub(super) fn new() -> Self {
        let server = fs::metadata(format!("{PROGRAMS}/rabbitmq-server"));
        server.expect("no rabbitmq-server: apt-get install --no-install-recommends rabbitmq-server");
        let scratch = Scratch::new("rabbitmq");
        let secret = format!("{:X}", RandomState::new().hash_one(scratch.path()));
        let cookie = scratch.write(".erlang.cookie", &secret);
        fs::set_permissions(cookie, Permissions::from_mode(0o400)).expect("the cookie is ours");
        let epmd_port = free_port();
        // Ours from the start, or a node would leave one behind that nobody ends.
        let mut epmd = scratch.clean_command("epmd");
        epmd.args(["-port", &epmd_port.to_string(), "-address", "127.0.0.1"]).stderr(Stdio::null());
        let epmd = Guard::start(&scratch, &mut epmd);
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, epmd_port)).ok();
        eventually(Duration::from_secs(60), "epmd", listens);
        Self { _epmd: epmd, epmd_port, scratch }
    }

    pub(super) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Makes the folder of a node that listens on `port`: with these lines of `rabbitmq.conf`, and with what only
    /// `advanced.config` can say.
    pub(super) fn add(&self, node: &str, port: u16, settings: &[&str], advanced: &str) -> Environment {
        fs::create_dir(self.scratch.join(node)).expect("a new folder");
        let basic = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\n\
             loopback_users = none\n\
             disk_free_limit.absolute = 50MB\n\
             vm_memory_high_watermark.absolute = 1GB\n"
        );
        self.scratch.write(&format!("{node}/rabbitmq.conf"), &(basic + &settings.join("\n") + "\n"));
        self.scratch
            .write(&format!("{node}/advanced.config"), if advanced.is_empty() { "[]." } else { advanced });
        self.scratch.write(&format!("{node}/enabled_plugins"), "[].\n");
        self.environment(node, port)
    }

    pub(super) fn command(&self, program: &str, environment: &Environment) -> Command {
        let mut command = self.scratch.clean_command(&format!("{PROGRAMS}/{program}"));
        command.envs(environment.0.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    fn environment(&self, node: &str, port: u16) -> Environment {
        let file = |name: &str| self.scratch.join(node).join(name).display().to_string();
        let erlang = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none";
        Environment(vec![
            ("HOME", self.scratch.path().display().to_string()),
            ("ERL_EPMD_PORT", self.epmd_port.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
            ("RABBITMQ_NODENAME", format!("{node}@localhost")),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".into()),
            ("RABBITMQ_NODE_PORT", port.to_string()),
            ("RABBITMQ_DIST_PORT", free_port().to_string()),
            ("RABBITMQ_MNESIA_BASE", file("mnesia")),
            ("RABBITMQ_LOG_BASE", file("log")),
            ("RABBITMQ_PID_FILE", file("pid")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins")),
            ("RABBITMQ_CONFIG_FILE", file("rabbitmq")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config")),
            ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", format!("{erlang} +S 2:2")),
            ("RABBITMQ_CTL_ERL_ARGS", format!("{erlang} +S 1:1")),
            // rabbitmqctl listens too, by default on one of eleven ports for the whole machine.
            ("RABBITMQ_CTL_DIST_PORT_MIN", "61000".into()),
            ("RABBITMQ_CTL_DIST_PORT_MAX", "65535".into()),
        ])
    }
}
