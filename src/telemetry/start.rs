//! Series that are there before anything happens: an alert that asks for a counter's growth sees nothing of one that
//! begins with its first step.

use metrics::{counter, gauge, histogram};

use super::{console, ledger, protection};
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
    console::series();
}

/// A worker begins with these event types. Of the notifications only what alerts ask for: every result of every type
/// would be hundreds of series that stay at 0.
pub fn catalog_loaded(catalog: &Catalog) {
    protection::series(catalog);
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::assets::Files;
    use crate::telemetry::{METRICS, Metric, canary_configured, certificate_seen, metrics_builder};

    fn page() -> String {
        let recorder = metrics_builder().expect("every histogram has buckets").build_recorder();
        let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
        metrics::with_local_recorder(&recorder, || {
            everywhere();
            catalog_loaded(&catalog);
            canary_configured(Timestamp::UNIX_EPOCH);
            certificate_seen("primary", Timestamp::UNIX_EPOCH);
        });
        recorder.handle().render()
    }

    /// The entry of a series, and the labels that it has beside a histogram's own.
    fn of(series: &str) -> Option<(&'static Metric, Vec<&str>)> {
        let (name, labels) = series.split_once('{').unwrap_or((series.split(' ').next()?, ""));
        let entry = METRICS.iter().find(|metric| {
            let part = name.strip_prefix(metric.name);
            part.is_some_and(|part| ["", "_bucket", "_sum", "_count"].contains(&part))
        })?;
        let labels =
            labels.split('"').step_by(2).filter_map(|label| label.trim_start_matches(',').strip_suffix('='));
        Some((entry, labels.filter(|label| *label != "le").collect()))
    }

    #[test]
    fn every_series_of_the_start_is_in_the_list_with_the_labels_that_it_says() {
        let page = page();
        let series: Vec<_> = page.lines().filter(|line| line.starts_with("shirase_")).collect();
        assert!(series.len() > 100, "{page}");
        for series in series {
            let (metric, mut labels) = of(series).unwrap_or_else(|| panic!("{series}: is not in the list"));
            let mut expected = metric.labels.to_vec();
            expected.sort_unstable();
            labels.sort_unstable();
            assert_eq!(labels, expected, "{series}");
        }
    }

    #[test]
    fn what_alerts_ask_for_is_there_before_anything_happens() {
        let page = page();
        for series in [
            "shirase_untold_total{lane=\"critical\",reason=\"exhausted\"} 0",
            "shirase_dead_letters_total{reason=\"schema\"} 0",
            "shirase_events_total{type=\"security.password.changed\",result=\"done\"} 0",
            "shirase_oldest_event_seconds{lane=\"standard\"} 0",
            "shirase_ledger_up 1",
        ] {
            assert!(page.lines().any(|line| line == series), "{series} is not in\n{page}");
        }
    }
}
