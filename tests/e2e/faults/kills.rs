//! Workers killed over and over in the middle of twenty thousand events.

use std::thread;
use std::time::{Duration, Instant};

use super::trial;
use crate::house::{House, PATIENCE};
use crate::support::{Postgres, Worker};
use crate::trial::Trial;

const EVENTS: usize = 20_000;

/// Between two kills: long enough for a worker to start and to be in the middle of something.
const LIFE: Duration = Duration::from_millis(2500);

fn wide(house: House) -> House {
    house.set("lanes.critical", "prefetch = 64").set("lanes.standard", "prefetch = 64")
}

/// Kills one worker after the other, and starts it again, until the sandbox has taken almost everything.
fn kill_over_and_over(trial: &Trial, workers: &[(&House, &Worker)]) -> usize {
    let mut kills = 0;
    let deadline = Instant::now() + PATIENCE * 8;
    while trial.taken().len() < EVENTS * 9 / 10 && Instant::now() < deadline {
        thread::sleep(LIFE);
        let (house, worker) = workers[kills % workers.len()];
        worker.kill();
        kills += 1;
        house.start_again(worker);
    }
    kills
}

#[test]
fn one_worker_on_sqlite_killed_over_and_over_loses_nothing_and_repeats_only_what_was_cut() {
    let trial = trial("killed-sqlite").with(wide);
    let worker = trial.house.start();
    let publishing = trial.publish(0..EVENTS);
    let kills = kill_over_and_over(&trial, &[(&trial.house, &worker)]);
    publishing.join().expect("all confirmed");
    trial.wait_settled(PATIENCE * 3);
    let account = trial.account(&worker);
    println!("{kills} kills: {account}");
    assert!(kills >= 3, "killed {kills} times only");
    account.assert_all_told();
    trial.house.stop_and_assert_empty(&worker);
}

#[test]
fn one_of_two_workers_on_postgresql_killed_over_and_over_loses_nothing_and_repeats_only_what_was_cut() {
    let ledger = format!("url = \"{}\"", Postgres::shared().create_database("killed"));
    // What a dead worker had claimed is free when its lease is over: the timeout and fifteen seconds.
    let trial = trial("killed-postgres").with(|house| wide(house).set("ledger", &ledger).timeouts("2s"));
    let (worker, twin) = (trial.house.start(), trial.house.twin());
    let second = twin.start();
    let publishing = trial.publish(0..EVENTS);
    let kills = kill_over_and_over(&trial, &[(&trial.house, &worker), (&twin, &second)]);
    publishing.join().expect("all confirmed");
    trial.wait_settled(PATIENCE * 3);
    let account = trial.account(&worker);
    println!("{kills} kills: {account}");
    assert!(kills >= 3, "killed {kills} times only");
    account.assert_all_told();
    twin.stop_twin(&second);
    trial.house.stop_and_assert_empty(&worker);
}
