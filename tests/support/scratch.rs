//! A folder that takes everything with it when it goes.

use std::fs::{self, Permissions};
use std::io::{PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, io};

/// The environment variable by which the watchdog knows what was started from a scratch folder.
///
/// Not `SHIRASE_...`: the worker would take it for configuration.
const MARK: &str = "TEST_SCRATCH";

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A temporary folder and the processes started from it. Both end with the value, or with the test process.
///
/// `Drop` alone can't promise that: it doesn't run for statics, nor when the test process is killed. So a watchdog
/// holds the other end of a pipe that this process alone holds open, and does the work when the pipe closes, for
/// whatever reason. `Drop` closes the pipe and waits, so that there is one way to end and every test proves it.
///
/// Clones are the same folder; it goes with the last of them.
#[derive(Clone)]
pub struct Scratch(Arc<Folder>);

struct Folder {
    path: PathBuf,
    watchdog: Child,
    alive: Mutex<Option<PipeWriter>>,
}

impl Scratch {
    pub fn new(label: &str) -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("shirase-test-{}-{count}-{label}", process::id()));
        let (watched, alive) = io::pipe().expect("a pipe to the watchdog");
        let watchdog = Command::new("setsid")
            .args(["sh", "-c", include_str!("watchdog.sh"), "watchdog"])
            .arg(&path)
            .arg(mark(&path))
            // A test process may itself have been started from a scratch folder; its watchdog outlives it.
            .env_remove(MARK)
            .stdin(watched)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setsid and sh are on every Debian");
        fs::create_dir(&path).expect("a new folder below the temporary one");
        // Postfix gives up its rights and still has to get in.
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("the folder is ours");
        Self(Arc::new(Folder { path, watchdog, alive: Mutex::new(Some(alive)) }))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.join(name);
        fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        file
    }

    /// A file's text, as far as it is UTF-8; empty while there is no such file.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.join(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A command that leads a session of its own, takes no input, and ends with this folder at the latest.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setsid");
        command.arg(program).env(MARK, &self.0.path).current_dir(&self.0.path).stdin(Stdio::null());
        command
    }

    /// As [`Self::command`], but with nothing of the caller's environment: a server's settings are the test's alone.
    pub fn clean_command(&self, program: &str) -> Command {
        let mut command = self.command(program);
        let path = env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
        command.env_clear().env(MARK, &self.0.path).env("PATH", path).env("LANG", "C.UTF-8");
        command
    }

    /// The name of the mark, for servers that pass on chosen variables only.
    pub fn mark_name() -> &'static str {
        MARK
    }

    /// Has the watchdog kill a process group too: it may not see the marks of processes that changed their user.
    pub(super) fn watch_group(&self, group: u32) {
        self.tell(&format!("+ {group}\n"));
    }

    /// The group has ended and its number may be another's by now.
    pub(super) fn forget_group(&self, group: u32) {
        self.tell(&format!("- {group}\n"));
    }

    fn tell(&self, line: &str) {
        let mut alive = self.0.alive.lock().unwrap_or_else(PoisonError::into_inner);
        let alive = alive.as_mut().expect("open until the drop");
        alive.write_all(line.as_bytes()).expect("the watchdog reads until we end");
    }
}

fn mark(path: &Path) -> String {
    format!("{MARK}={}", path.display())
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.alive.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        // An error here would mean that there is no watchdog to wait for.
        let _ = self.watchdog.wait();
    }
}
