//! What the service manager hears of the worker, in systemd's words (sd_notify(3)): ready, stopping, alive, and why not.
//!
//! It listens at the socket that `NOTIFY_SOCKET` names. Without one there is nobody to tell.

use std::ffi::{OsStr, OsString};
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::admin::{Health, State};
use crate::ledger::Ledger;
use crate::printable::printable;

/// Between two looks at how the worker is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A worker that waits for its broker or ledger asks for so much more time to start, again at each look. One that hangs
/// asks for none.
const STILL_STARTING: Duration = Duration::from_secs(30);

/// Signs of life within the watchdog's patience.
const SIGNS: u32 = 3;

/// Whoever started this process and wants to hear of it.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// Without a sign of life for so long it ends us and starts us again.
    watchdog: Option<Duration>,
    /// The last words did not reach it.
    is_deaf: AtomicBool,
}

/// What it has heard.
#[derive(Default)]
struct Told {
    ready: bool,
    status: String,
}

impl ServiceManager {
    /// The one that this environment names, if any.
    ///
    /// # Errors
    /// When the address is none, or no socket can be made.
    pub fn in_environment(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Option<Self>> {
        let Some(name) = variable("NOTIFY_SOCKET") else { return Ok(None) };
        let address = address(name.as_bytes())?;
        let socket = UnixDatagram::unbound()?;
        // What it has no room for is lost: a worker waits for nobody who only listens.
        socket.set_nonblocking(true)?;
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let is_for_us = text("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let patience =
            text("WATCHDOG_USEC").and_then(|micros| micros.parse().ok()).map(Duration::from_micros);
        let watchdog = patience.filter(|patience| is_for_us && !patience.is_zero());
        Ok(Some(Self { socket, address, watchdog, is_deaf: AtomicBool::new(false) }))
    }

    /// Tells it how the worker is, whenever that changes, until the worker stops.
    pub async fn keep_informed(&self, health: Health, stopping: CancellationToken) {
        let mut told = Told::default();
        loop {
            if let Some(news) = told.news(&health()) {
                self.tell(&news);
            }
            tokio::select! {
                () = stopping.cancelled() => break,
                () = sleep(LOOK_EVERY) => {}
            }
        }
        self.tell("STOPPING=1\nSTATUS=stopping: no more intake, finishing what is in flight");
    }

    /// Gives it signs of life, if it waits for them. One shows that the runtime is alive, and that the ledger's writers answer or
    /// at least say what they cannot do: a disk that is full, or a database or broker that is away, is mended by no restart. None is
    /// given for a part of the worker that has ended, or a writer that hangs.
    pub async fn feed_watchdog(&self, health: Health, ledger: Ledger) {
        let Some(patience) = self.watchdog else { return };
        let every = patience / SIGNS;
        loop {
            // One question at a time: those that nobody waits for any more would fill a stuck ledger's queue.
            let mut asked = pin!(ledger.oldest());
            loop {
                match timeout(every, &mut asked).await {
                    Ok(Ok(_)) => break,
                    Ok(Err(_closed)) => return,
                    Err(_) if ledger.trouble().is_some() => self.sign_of_life(&health),
                    Err(_) => {}
                }
            }
            self.sign_of_life(&health);
            sleep(every).await;
        }
    }

    fn sign_of_life(&self, health: &Health) {
        if health().stuck.is_none() {
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, words: &str) {
        let sent = self.socket.send_to_addr(words.as_bytes(), &self.address);
        let was_deaf = self.is_deaf.swap(sent.is_err(), Ordering::Relaxed);
        if let (Err(error), false) = (sent, was_deaf) {
            warn!("NOTIFY_SOCKET: the service manager does not hear how the worker is: {error}");
        }
    }
}

impl Told {
    /// What it has not heard yet.
    fn news(&mut self, state: &State) -> Option<String> {
        let mut lines = Vec::new();
        if !self.ready && works(state) {
            self.ready = true;
            lines.push("READY=1".to_owned());
        } else if !self.ready && state.stuck.is_none() {
            lines.push(format!("EXTEND_TIMEOUT_USEC={}", STILL_STARTING.as_micros()));
        }
        let status = status(state);
        if status != self.status {
            lines.push(format!("STATUS={status}"));
            self.status = status;
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

/// It consumes, and the ledger can be written. A gateway that is away does not make a worker's start fail.
fn works(state: &State) -> bool {
    let mut needed = state.checks.iter().filter(|check| !check.name.starts_with("gateways."));
    !state.stopping && state.stuck.is_none() && needed.all(|check| check.problem.is_none())
}

/// In one line, because each line is a word of its own to the manager.
fn status(state: &State) -> String {
    let problems: Vec<&str> = state.stuck.as_deref().into_iter().chain(state.problems()).collect();
    if problems.is_empty() { "consuming".to_owned() } else { printable(&problems.join("; ")) }
}

fn address(name: &[u8]) -> io::Result<SocketAddr> {
    match name {
        [b'/', ..] => SocketAddr::from_pathname(OsStr::from_bytes(name)),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a path nor an abstract name")),
    }
}
