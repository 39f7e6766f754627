//! How much waits in the broker's queues.

use metrics::gauge;

use crate::broker::Queue;

/// The broker counted a queue, or cannot be asked: then the value is NaN. Rules compare nothing with it, dashboards show a gap,
/// and `max` over several workers passes it over.
pub fn waiting(queue: Queue, count: Option<u32>) {
    let gauge = match queue {
        Queue::Lane(lane) => gauge!("shirase_lane_waiting", "lane" => lane.as_str()),
        Queue::Retry(lane, step) => {
            let step = step.as_secs().to_string();
            gauge!("shirase_retry_waiting", "lane" => lane.as_str(), "step" => step)
        }
        Queue::Dead => gauge!("shirase_dead_waiting"),
    };
    gauge.set(count.map_or(f64::NAN, f64::from));
}
