//! Series that are there before anything happens: an alert that asks for a counter's growth sees nothing of one that
//! begins with its first step.

use metrics::{counter, gauge, histogram};

use super::ledger;
use crate::dispatch::DeadReason;
use crate::event::{Catalog, Lane};
use crate::plan::Channel;

/// Broker connections: each lane has one, and what is published another.
const ROLES: [&str; 3] = [Lane::Critical.as_str(), Lane::Standard.as_str(), "publish"];

/// The series that need no configuration.
pub(super) fn everywhere() {
    for reason in DeadReason::all() {
        counter!("shirase_dead_letters_total", "reason" => reason.as_str()).absolute(0);
        for lane in Lane::ALL {
            counter!("shirase_untold_total", "lane" => lane.as_str(), "reason" => reason.as_str())
                .absolute(0);
        }
    }
    for lane in Lane::ALL {
        gauge!("shirase_in_flight", "lane" => lane.as_str()).set(0.0);
        gauge!("shirase_oldest_event_seconds", "lane" => lane.as_str()).set(0.0);
        for channel in Channel::ALL {
            // To name a histogram is enough for an empty one.
            let _ =
                histogram!("shirase_notify_seconds", "lane" => lane.as_str(), "channel" => channel.as_str());
        }
    }
    for role in ROLES {
        for result in ["connected", "lost"] {
            counter!("shirase_broker_connections_total", "role" => role, "result" => result).absolute(0);
        }
    }
    counter!("shirase_claims_taken_over_total").absolute(0);
    ledger::series();
}

/// A worker begins with these event types. Of the notifications only what alerts ask for: every result of every type
/// would be hundreds of series that stay at 0.
pub fn catalog_loaded(catalog: &Catalog) {
    for kind in catalog.iter() {
        for result in ["done", "retried", "dead"] {
            counter!("shirase_events_total", "type" => kind.name.clone(), "result" => result).absolute(0);
        }
        for channel in Channel::ALL {
            for result in ["accepted", "failed"] {
                let labels = [
                    ("type", kind.name.clone()),
                    ("channel", channel.as_str().to_owned()),
                    ("result", result.to_owned()),
                ];
                counter!("shirase_notifications_total", &labels).absolute(0);
            }
        }
    }
}
