//! A child process that ends when it should.

use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::scratch::Scratch;
use super::wait::eventually;

/// A process started from a [`Scratch`], with all that it started: killed when dropped, or by the scratch's watchdog.
pub struct Guard {
    child: Mutex<Child>,
    pid: u32,
    scratch: Scratch,
}

impl Guard {
    /// Starts a command made by the scratch, which makes it the leader of its own process group.
    pub fn start(scratch: &Scratch, command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let pid = child.id();
        scratch.watch_group(pid);
        Self { child: Mutex::new(child), pid, scratch: scratch.clone() }
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends `KILL`, `TERM`, `STOP`, `CONT`, ... to the process itself.
    pub fn signal(&self, name: &str) {
        self.signal_running(name, &self.pid.to_string());
    }

    /// Sends a signal to the process and those that it started.
    pub fn signal_group(&self, name: &str) {
        self.signal_running(name, &format!("-{}", self.pid));
    }

    /// How it ended, if it has.
    pub fn try_wait(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("a child of ours")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&self, timeout: Duration) -> ExitStatus {
        eventually(timeout, &format!("the end of process {}", self.pid), || self.try_wait())
    }

    fn signal_running(&self, name: &str, target: &str) {
        // Holding the child keeps anyone from reaping it, so that its number can't become another's meanwhile.
        let mut child = self.child();
        let ended = child.try_wait().expect("a child of ours");
        assert!(ended.is_none(), "no {name} to process {}: it has ended with {ended:?}", self.pid);
        assert!(kill(name, target), "no {name} to {target}");
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let group = format!("-{}", self.pid);
        let mut child = self.child();
        // The group first: once the leader is reaped its number may be another's. It may have ended by itself.
        let _ = kill("KILL", &group);
        let _ = child.kill();
        let _ = child.wait();
        self.scratch.forget_group(self.pid);
    }
}

/// Sends a signal to a process, or to a group if the number is negative; whether there was one to send it to.
pub(super) fn kill(signal: &str, target: &str) -> bool {
    // `kill` of the shell, since the program of that name is not everywhere and `std` has only SIGKILL.
    let kill = Command::new("sh").args(["-c", r#"kill -s "$0" -- "$1""#, signal, target]).output();
    kill.is_ok_and(|kill| kill.status.success())
}
