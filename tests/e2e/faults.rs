//! Nothing lost, nothing sent twice: every fault that we can think of, each against real servers, and an account of every
//! event afterwards (see `trial`).

mod crash_points;
mod disk_full;
mod gateways;
mod kills;
mod postgres;
mod rabbitmq;

use std::sync::{Mutex, MutexGuard, OnceLock};

use crate::house::House;
use crate::support::RabbitMq;
use crate::trial::Trial;

/// A trial on the shared broker, for faults that don't hurt it.
fn trial(name: &str) -> Trial {
    let broker = RabbitMq::shared();
    Trial::new(House::new(name), &[broker.url()])
}

/// A broker node to be hurt, by one test at a time.
pub fn own_node() -> MutexGuard<'static, RabbitMq> {
    static NODE: OnceLock<Mutex<RabbitMq>> = OnceLock::new();
    NODE.get_or_init(|| Mutex::new(RabbitMq::start())).lock().unwrap_or_else(|failed| {
        // Whatever the test left behind that failed, an alarm or a frozen node, is not the next one's trouble.
        let mut node = failed.into_inner();
        *node = RabbitMq::start();
        NODE.get().inspect(|node| node.clear_poison());
        node
    })
}
