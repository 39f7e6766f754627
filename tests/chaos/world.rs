//! All that takes part, and how it is made whole again.

use std::time::Duration;

use shirase::sandbox::RandomFaults;

use crate::house::House;
use crate::support::{Postgres, RabbitCluster, Worker, eventually};
use crate::trial::Trial;

const START: Duration = Duration::from_secs(120);

/// Twenty steps: an outage of the gateway shorter than this costs no dead letter.
const SCHEDULE: &str = r#"schedule = ["1s", "1s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s"]"#;

pub struct World {
    pub brokers: RabbitCluster,
    pub database: Postgres,
    pub trial: Trial,
    pub twin: House,
    pub workers: [Worker; 2],
    seed: u64,
}

impl World {
    pub fn start(seed: u64) -> Self {
        let (brokers, database) = (RabbitCluster::start(), Postgres::start());
        let ledger = format!("url = \"{}\"", database.url());
        let house = House::on_nodes(&brokers.urls(), "chaos");
        let house = house.set("ledger", &ledger).set("retry", SCHEDULE).timeouts("2s");
        // A round is short: a gateway that was healed is asked again before the next one.
        let house = house.breakers(r#"open_for = "1s", open_for_at_most = "2s""#);
        let mut trial = Trial::new(house, &brokers.urls());
        let twin = trial.house.twin();
        trial.also(twin.http);
        let workers = [trial.house.start(), twin.start()];
        Self { brokers, database, trial, twin, workers, seed }
    }

    pub fn house_of(&self, worker: usize) -> &House {
        [&self.trial.house, &self.twin][worker]
    }

    /// A share of all requests meets a fault, and each of them only once or twice.
    pub fn misbehave(&self, share: f64) {
        self.trial.sandbox.misbehave_at_random(RandomFaults::new(share, self.seed));
    }

    /// Everything runs and behaves; whoever was frozen goes on, whoever was killed starts again.
    pub fn heal(&self) {
        self.trial.sandbox.behave();
        for node in self.brokers.nodes() {
            let _ = node.try_ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]);
        }
        self.brokers.start_again();
        self.brokers.wait_running(self.brokers.nodes().len());
        for (index, worker) in self.workers.iter().enumerate() {
            if worker.try_exit().is_some() {
                worker.start_again();
            }
            worker.wait_ready(self.house_of(index).http, START);
        }
    }

    /// Waits until every event so far was told, or was given up and lies in the dead-letter queue.
    pub fn wait_told(&self, patience: Duration) {
        eventually(patience, "every event of the round", || {
            std::thread::sleep(Duration::from_millis(250));
            (self.trial.untold() <= self.dead_letters()).then_some(())
        });
    }

    pub fn wait_quiet(&self, patience: Duration) {
        self.trial.wait_quiet(patience);
    }

    fn dead_letters(&self) -> usize {
        let queue = self.trial.house.queue("dead");
        self.trial.house.amqp.look(&queue).map_or(0, |look| look.messages as usize)
    }
}
