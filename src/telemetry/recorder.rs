//! The recorder behind `/metrics`.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

use super::registry::{Kind, METRICS};
use super::start;

/// Starts collecting metrics; the handle renders them for Prometheus.
///
/// # Errors
/// When the process has a recorder already.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = metrics_builder()?.install_recorder()?;
    describe();
    start::everywhere();
    Ok(handle)
}

/// A recorder with every histogram's buckets, not yet in use: of the whole process, or of one thread in a test.
///
/// # Errors
/// When a histogram of the list has no buckets.
pub fn metrics_builder() -> Result<PrometheusBuilder, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder.set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)?;
        }
    }
    Ok(builder)
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => describe_histogram!(metric.name, metric.help),
            Kind::AtScrape => {}
        }
    }
}
