//! What becomes of spans.

use metrics::counter;
use tracing::{info, warn};

/// Traces are exported from now on.
pub fn traces_configured() {
    for result in ["exported", "dropped"] {
        counter!("shirase_spans_total", "result" => result).absolute(0);
    }
}

/// The collector took spans.
pub fn spans_exported(count: u64) {
    counter!("shirase_spans_total", "result" => "exported").increment(count);
}

/// Spans are lost: no place in the queue, or the collector did not take them. No line for each: trouble is told once.
pub fn spans_dropped(count: u64) {
    counter!("shirase_spans_total", "result" => "dropped").increment(count);
}

/// The collector takes no more spans, or not all of them. Events are told as before.
pub fn traces_in_trouble(detail: &str) {
    warn!(detail, "traces are incomplete: spans are dropped; sending is not affected");
}

/// The collector takes every span again.
pub fn traces_recovered() {
    info!("traces are complete again");
}
