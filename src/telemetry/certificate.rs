//! When the certificates of peers end.

use jiff::Timestamp;
use metrics::gauge;
use tracing::{debug, warn};

/// A peer showed a certificate that ends at this time. `peer` is a gateway's name, `broker` or `ledger`.
pub fn certificate_seen(peer: &str, not_after: Timestamp) {
    gauge!("shirase_certificate_not_after_seconds", "peer" => peer.to_owned())
        .set(not_after.as_duration().as_secs_f64());
    debug!(peer, %not_after, "certificate seen");
}

/// A look saw none; `news` when the one before did. What was seen before stays.
pub fn certificate_unseen(peer: &str, host: &str, detail: &str, news: bool) {
    if news {
        warn!(peer, host, detail, "no look at its certificate; trying again in an hour");
    } else {
        debug!(peer, host, detail, "no look at its certificate");
    }
}
