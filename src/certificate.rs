//! When the certificates end that peers show: HTTPS gateways, relays, broker, the ledger's database. A look alone: each is
//! asked for its certificate on a connection of its own, on which nothing is ever sent.

mod look;
mod peers;

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::interval;

pub use self::look::{LookError, not_after};
pub use self::peers::{Opening, Peer, Place, peers};
use crate::telemetry;

/// Between two looks. Certificates are renewed days before their end.
const EVERY: Duration = Duration::from_secs(3600);

/// Looks at once and every hour, as long as it is let.
pub async fn watch(peers: Vec<Peer>) {
    let mut watched: Vec<Watched> = peers.into_iter().map(Watched::new).collect();
    let mut every = interval(EVERY);
    loop {
        every.tick().await;
        join_all(watched.iter_mut().map(Watched::look)).await;
    }
}

/// A peer, and what was seen of it.
struct Watched {
    name: String,
    places: Vec<Seen>,
}

/// A place, and what was seen there.
struct Seen {
    place: Place,
    /// As of the last look that saw one: a node that is away for an hour keeps its end.
    not_after: Option<Timestamp>,
    failing: bool,
}

impl Watched {
    fn new(peer: Peer) -> Self {
        let seen = |place| Seen { place, not_after: None, failing: false };
        Self { name: peer.name, places: peer.places.into_iter().map(seen).collect() }
    }

    /// Of several places the certificate counts that ends first.
    async fn look(&mut self) {
        join_all(self.places.iter_mut().map(|seen| seen.look(&self.name))).await;
        if let Some(first) = self.places.iter().filter_map(|seen| seen.not_after).min() {
            telemetry::certificate_seen(&self.name, first);
        }
    }
}

impl Seen {
    async fn look(&mut self, peer: &str) {
        let Place { host, port, .. } = &self.place;
        match not_after(&self.place).await {
            Ok(end) => self.not_after = Some(end),
            Err(error) => {
                let (place, detail) = (format!("{host}:{port}"), error.to_string());
                telemetry::certificate_unseen(peer, &place, &detail, !self.failing);
                self.failing = true;
                return;
            }
        }
        self.failing = false;
    }
}
