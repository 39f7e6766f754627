//! A child process that ends when it should.

use std::fs;
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
        self.signal_running(name, &[self.pid.to_string()]);
    }

    /// Sends a signal to the process and those that it started.
    pub fn signal_group(&self, name: &str) {
        self.signal_running(name, &[format!("-{}", self.pid)]);
    }

    /// As [`Self::signal_group`], and to children that lead groups of their own, as PostgreSQL's do: `STOP`, `CONT`
    /// or `KILL`.
    pub fn signal_family(&self, name: &str) {
        // Stopped, it starts no child while we list them.
        self.signal("STOP");
        // One may end by itself meanwhile.
        let _ = kill(name, &children(self.pid));
        self.signal_group(name);
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

    fn signal_running(&self, name: &str, targets: &[String]) {
        // Holding the child keeps anyone from reaping it, so that its number can't become another's meanwhile.
        let mut child = self.child();
        let ended = child.try_wait().expect("a child of ours");
        assert!(ended.is_none(), "no {name} to process {}: it has ended with {ended:?}", self.pid);
        assert!(kill(name, targets), "no {name} to {targets:?}");
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut child = self.child();
        // All before the leader is reaped: its number may be another's then. It may have ended by itself.
        let _ = kill("STOP", &[self.pid.to_string()]);
        let _ = kill("KILL", &children(self.pid));
        let _ = kill("KILL", &[format!("-{}", self.pid)]);
        let _ = child.kill();
        let _ = child.wait();
        self.scratch.forget_group(self.pid);
    }
}

/// Sends a signal to processes, or to groups where the number is negative; whether each was there.
pub(super) fn kill(signal: &str, targets: &[String]) -> bool {
    // `kill` of the shell, since the program of that name is not everywhere and `std` has only SIGKILL.
    let kill = Command::new("sh").args(["-c", r#"kill -s "$0" -- "$@""#, signal]).args(targets).output();
    kill.is_ok_and(|kill| kill.status.success())
}

/// The processes that a process started and that run still.
fn children(parent: u32) -> Vec<String> {
    let line = format!("PPid:\t{parent}");
    let is_child = |pid: &String| {
        let status = fs::read_to_string(format!("/proc/{pid}/status"));
        status.is_ok_and(|status| status.lines().any(|other| other == line))
    };
    let processes = fs::read_dir("/proc").into_iter().flatten();
    processes.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(is_child).collect()
}
