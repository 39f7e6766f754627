//! A PostgreSQL cluster of a test's own.

use std::env;
use std::fs::{self, File, Permissions};
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::guard::Guard;
use super::ports::{free_port, wait_until_refused};
use super::run::{is_root, run, try_run};
use super::scratch::Scratch;
use super::wait::within;

/// A start takes a second or two on an idle machine.
const START: Duration = Duration::from_secs(120);

/// The name of the user whom the product connects as, and of his database.
const USER: &str = "shirase";

/// A database server on loopback with its own data: user and database `shirase`, with a password (scram).
pub struct Postgres {
    server: Mutex<Option<Guard>>,
    port: u16,
    password: String,
    programs: PathBuf,
    scratch: Scratch,
}

impl Postgres {
    /// Makes a cluster, starts its server and waits until it takes connections.
    pub fn start() -> Self {
        let postgres = Self::prepare();
        postgres.configure("host", "");
        postgres.finish()
    }

    /// As [`Self::start`], with a certificate and its key (PEM), and no way in but TLS.
    pub fn start_tls(certificate: &str, key: &str) -> Self {
        let postgres = Self::prepare();
        postgres.give("server.crt", certificate);
        postgres.give("server.key", key);
        let dir = postgres.scratch.path().display();
        let tls =
            format!("ssl = on\nssl_cert_file = '{dir}/server.crt'\nssl_key_file = '{dir}/server.key'\n");
        postgres.configure("hostssl", &tls);
        postgres.finish()
    }

    /// The server that all tests of this process may use who don't hurt it, each with a database of its own
    /// ([`Self::create_database`]); it ends with the process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// The process that started all others of the server.
    pub fn pid(&self) -> u32 {
        self.server().as_ref().expect("the server runs").pid()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// Where the database `shirase` is.
    pub fn url(&self) -> String {
        self.url_of(USER)
    }

    /// A new empty database that belongs to `shirase`, and where it is.
    #[track_caller]
    pub fn create_database(&self, name: &str) -> String {
        self.query("postgres", &format!("CREATE DATABASE \"{name}\" OWNER {USER}"));
        self.url_of(name)
    }

    /// Asks as the superuser: columns are separated by `|`, rows by line ends.
    #[track_caller]
    pub fn query(&self, database: &str, sql: &str) -> String {
        self.try_query(database, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// As [`Self::query`], where a failure is part of the test; the error is what `psql` printed.
    pub fn try_query(&self, database: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.client("psql");
        let asked = try_run(psql.args(["-AtX", "-d", database, "-c", sql]));
        asked.map(|answer| answer.trim_end().to_owned())
    }

    /// Ends the server as an administrator does who does not wait for its clients, and starts it again.
    pub fn restart(&self) {
        let server = self.server().take().expect("the server runs");
        server.signal("INT");
        let status = server.wait(START);
        assert!(status.success(), "PostgreSQL ended with {status}:\n{}", self.log());
        drop(server);
        self.start_again();
    }

    /// Ends the server with all its processes as a power cut would, and waits until nobody listens.
    pub fn kill(&self) {
        let server = self.server().take().expect("the server runs");
        server.signal_family("KILL");
        server.wait(START);
        wait_until_refused(self.port);
    }

    /// Starts the server after a [`Self::kill`], with the same port and data, and waits until it takes connections.
    pub fn start_again(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "the server runs already");
        let output = File::options().create(true).append(true).open(self.scratch.join("log"));
        let output = output.expect("a file in our folder");
        let mut command = self.as_owner("postgres");
        command.arg("-D").arg(self.scratch.join("data"));
        command.arg(format!("--config-file={}", self.scratch.join("postgresql.conf").display()));
        command.stderr(output.try_clone().expect("a second handle")).stdout(output);
        let started = server.insert(Guard::start(&self.scratch, &mut command));
        let ready = within(START, || self.is_ready(started).then_some(()));
        assert!(ready.is_some(), "PostgreSQL is not ready:\n{}", self.log());
    }

    /// Freezes the server and everybody's session: connections are taken by the kernel, and nothing is answered.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets a stopped server go on.
    pub fn cont(&self) {
        self.signal("CONT");
    }

    /// What the server wrote into its log, over all its starts.
    pub fn log(&self) -> String {
        self.scratch.read("log")
    }

    /// A cluster without a server.
    fn prepare() -> Self {
        let scratch = Scratch::new("postgres");
        let password = format!("{:016x}", RandomState::new().hash_one(scratch.path()));
        let server = Mutex::new(None);
        let postgres = Self { server, port: free_port(), password, programs: programs(), scratch };
        let data = postgres.scratch.join("data");
        fs::create_dir(&data).expect("a new folder");
        fs::set_permissions(&data, Permissions::from_mode(0o700)).expect("the folder is ours");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&data));
        }
        let password = postgres.give("password", &postgres.password);
        let mut initdb = postgres.as_owner("initdb");
        // No sync of files that only a crash of the machine could lose. The server itself syncs as always.
        initdb.args(["--no-sync", "--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8"]);
        initdb.arg("--locale=C.UTF-8").arg("--pwfile").arg(password).arg("--pgdata").arg(data);
        run(&mut initdb);
        postgres
    }

    fn configure(&self, connections: &str, more: &str) {
        let dir = self.scratch.path().display();
        let access = format!("{connections} all all 127.0.0.1/32 scram-sha-256\n");
        self.scratch.write("pg_hba.conf", &access);
        self.scratch.write("postgresql.conf", &format!("{}{more}", settings(&dir.to_string(), self.port)));
    }

    /// Starts the server and makes its user and database.
    fn finish(self) -> Self {
        self.start_again();
        self.query("postgres", &format!("CREATE ROLE {USER} LOGIN PASSWORD '{}'", self.password));
        self.create_database(USER);
        self
    }

    /// Writes a file for the server's eyes only, as it wants its key to be.
    fn give(&self, name: &str, text: &str) -> PathBuf {
        let file = self.scratch.write(name, text);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("the file is ours");
        let owner = fs::metadata(self.scratch.join("data")).expect("it is there").uid();
        chown(&file, Some(owner), None).expect("we are the owner or root");
        file
    }

    /// A program of the server; it refuses to run as root.
    fn as_owner(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        if !is_root() {
            return self.scratch.clean_command(&program.display().to_string());
        }
        // Unlike `runuser`, it becomes the program instead of waiting for it.
        let mut command = self.scratch.clean_command("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
        command
    }

    /// A client as the superuser. Not the one in `/usr/bin`, which asks Debian's configuration first.
    fn client(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = self.scratch.clean_command(&program.display().to_string());
        command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()]);
        command.env("PGPASSWORD", &self.password);
        command
    }

    fn is_ready(&self, server: &Guard) -> bool {
        if let Some(status) = server.try_wait() {
            panic!("PostgreSQL ended with {status}:\n{}", self.log());
        }
        try_run(self.client("pg_isready").args(["-d", "postgres"])).is_ok()
    }

    fn signal(&self, name: &str) {
        self.server().as_ref().expect("the server runs").signal_family(name);
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    fn server(&self) -> MutexGuard<'_, Option<Guard>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where `postgres` and `initdb` are: the newest of Debian's, else the first on the `PATH`.
fn programs() -> PathBuf {
    let version = |programs: &PathBuf| programs.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|entry| entry.path().join("bin")).filter(has_server).max_by_key(version);
    let path = env::var_os("PATH").unwrap_or_default();
    newest
        .or_else(|| env::split_paths(&path).find(has_server))
        .expect("no postgres: apt-get install --no-install-recommends postgresql")
}

fn has_server(programs: &PathBuf) -> bool {
    ["postgres", "initdb"].iter().all(|program| Path::new(programs).join(program).exists())
}

/// As a house would have it, but for its size and for what must not lie outside of the folder.
fn settings(dir: &str, port: u16) -> String {
    format!(
        "hba_file = '{dir}/pg_hba.conf'
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
max_connections = 100
shared_buffers = 16MB
log_line_prefix = '%m [%p] '
"
    )
}
