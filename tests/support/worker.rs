//! The shipped binary as a process.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::guard::Guard;
use super::http::{http_get, try_http_get};
use super::scratch::Scratch;
use super::wait::within;

/// `shirase` with a configuration file, in a folder of its own, which is its working directory.
pub struct Worker {
    process: Mutex<Guard>,
    binary: String,
    arguments: Vec<String>,
    environment: Mutex<Vec<(String, String)>>,
    scratch: Scratch,
}

impl Worker {
    /// Runs `binary ARGUMENTS --config FILE`, the file holding `config`; `binary` is `env!("CARGO_BIN_EXE_shirase")`.
    pub fn start(binary: &str, config: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("worker");
        scratch.write("shirase.toml", config);
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        let environment: Vec<_> =
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let process = Mutex::new(run(&scratch, binary, &arguments, &environment));
        let environment = Mutex::new(environment);
        Self { process, binary: binary.to_owned(), arguments, environment, scratch }
    }

    /// Starts it once more in the same folder (and so on the same ledger), after its end.
    pub fn start_again(&self) {
        let mut process = self.process();
        assert!(process.try_wait().is_some(), "the worker runs already");
        let environment = self.environment.lock().unwrap_or_else(PoisonError::into_inner);
        *process = run(&self.scratch, &self.binary, &self.arguments, &environment);
    }

    /// The next start is without the variables of the first.
    pub fn forget_environment(&self) {
        self.environment.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Changes the configuration of the next start.
    pub fn configure(&self, config: &str) {
        self.scratch.write("shirase.toml", config);
    }

    /// Its working directory.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub fn config_file(&self) -> PathBuf {
        self.scratch.join("shirase.toml")
    }

    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Sends `TERM`, `KILL`, `STOP`, `CONT`, ...
    #[track_caller]
    pub fn signal(&self, name: &str) {
        self.process().signal(name);
    }

    /// Ends it as a power cut would, and waits until it is gone.
    #[track_caller]
    pub fn kill(&self) {
        self.signal("KILL");
        self.wait_exit(Duration::from_secs(60));
    }

    /// How it ended, if it has.
    pub fn try_exit(&self) -> Option<ExitStatus> {
        self.process().try_wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_exit(&self, timeout: Duration) -> ExitStatus {
        within(timeout, || self.try_exit())
            .unwrap_or_else(|| panic!("the worker runs still after {timeout:?}:\n{}", self.log()))
    }

    /// What it wrote to stderr, over all its starts.
    pub fn log(&self) -> String {
        self.scratch.read("stderr")
    }

    /// What it wrote to stdout, over all its starts.
    pub fn output(&self) -> String {
        self.scratch.read("stdout")
    }

    #[track_caller]
    pub fn http_get(&self, port: u16, path: &str) -> (u16, String) {
        http_get(port, path)
    }

    /// Waits until `/readyz` says 200, and panics with the log when it does not or the worker ends.
    #[track_caller]
    pub fn wait_ready(&self, port: u16, timeout: Duration) {
        let ready = within(timeout, || {
            let ended = self.try_exit();
            let ready = try_http_get(port, "/readyz").is_ok_and(|(status, _)| status == 200);
            (ready || ended.is_some()).then_some(ready)
        });
        assert!(ready == Some(true), "not ready within {timeout:?} ({:?}):\n{}", self.try_exit(), self.log());
    }

    fn process(&self) -> MutexGuard<'_, Guard> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(scratch: &Scratch, binary: &str, arguments: &[String], environment: &[(String, String)]) -> Guard {
    let mut command = scratch.command(binary);
    // The settings of whoever runs the tests are not the test's.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHIRASE_")) {
        command.env_remove(name);
    }
    command.args(arguments).arg("--config").arg(scratch.join("shirase.toml"));
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdout(append(scratch, "stdout")).stderr(append(scratch, "stderr"));
    Guard::start(scratch, &mut command)
}

fn append(scratch: &Scratch, name: &str) -> File {
    File::options().create(true).append(true).open(scratch.join(name)).expect("a file in our folder")
}
