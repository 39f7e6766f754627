//! Ports to listen on.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::wait::eventually;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// A loopback port that nobody listens on; never the same twice in a process.
///
/// It lies below the range from which the kernel takes the ports of outgoing connections. A server that is killed and
/// started again must find its port free, and with a port from that range (as `bind` to port 0 gives) some client's
/// connection, even one of a client that keeps trying to reach that very server, may sit on it by then.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    let candidates = 10_000..outgoing_ports_begin();
    // A random start keeps test processes that run side by side out of each other's way.
    let start = RandomState::new().hash_one(()) as usize % candidates.len();
    candidates
        .clone()
        .cycle()
        .skip(start)
        .take(candidates.len())
        .find(|port| !given.contains(port) && is_free(*port) && given.insert(*port))
        .expect("one of thousands of ports is free")
}

/// Waits until a server that was killed has let go of its port: its children may hold it for a moment longer.
#[track_caller]
pub(super) fn wait_until_refused(port: u16) {
    let what = format!("port {port} to close");
    let refused = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err().then_some(());
    eventually(Duration::from_secs(60), &what, refused);
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn outgoing_ports_begin() -> u16 {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let begin = range.split_whitespace().next().and_then(|begin| begin.parse().ok());
    begin.filter(|begin| *begin > 15_000).unwrap_or(32_768)
}
