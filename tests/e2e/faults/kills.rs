//! Workers killed over and over in the middle of twenty thousand events, and one that stands still for longer than its
//! claims last.

use std::thread;
use std::time::{Duration, Instant};

use super::trial;
use crate::house::{House, PATIENCE};
use crate::support::{Postgres, Worker, eventually};
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

#[track_caller]
fn assert_survives_kills(trial: &Trial, workers: &[(&House, &Worker)]) {
    let publishing = trial.publish(0..EVENTS);
    let kills = kill_over_and_over(trial, workers);
    publishing.join().expect("all confirmed");
    trial.wait_settled(PATIENCE * 3);
    let account = trial.account(workers[0].1);
    println!("{kills} kills: {account}");
    assert!(kills >= 3, "killed {kills} times only");
    account.assert_all_told();
}

#[test]
fn one_worker_on_sqlite_killed_over_and_over_loses_nothing_and_repeats_only_what_was_cut() {
    let trial = trial("killed-sqlite").with(wide);
    let worker = trial.house.start();
    assert_survives_kills(&trial, &[(&trial.house, &worker)]);
    trial.house.stop_and_assert_empty(&worker);
}

#[test]
fn one_of_two_workers_on_postgresql_killed_over_and_over_loses_nothing_and_repeats_only_what_was_cut() {
    let ledger = format!("url = \"{}\"", Postgres::shared().create_database("killed"));
    // What a dead worker had claimed is free when its lease is over: the timeout and fifteen seconds.
    let mut trial = trial("killed-postgres").with(|house| wide(house).set("ledger", &ledger).timeouts("2s"));
    let (worker, twin) = (trial.house.start(), trial.house.twin());
    let second = twin.start();
    trial.also(twin.http);
    assert_survives_kills(&trial, &[(&trial.house, &worker), (&twin, &second)]);
    twin.stop_twin(&second);
    trial.house.stop_and_assert_empty(&worker);
}

/// What it had claimed was taken over meanwhile: it finds out before it sends, not after.
#[test]
fn a_worker_that_stood_still_for_longer_than_its_lease_does_not_send_what_another_has_sent() {
    const WAITING: usize = 5;
    let ledger = format!("url = \"{}\"", Postgres::shared().create_database("stood_still"));
    let slow =
        |house: House| house.set("ledger", &ledger).timeouts("4s").set("gateway", "rate_per_second = 1");
    let mut trial = trial("stood-still").with(slow);
    let worker = trial.house.start();
    // One goes out at once; the others are claimed and wait for their turns.
    trial.publish(0..WAITING).join().expect("all confirmed");
    trial.wait_taken(1);
    worker.signal("STOP");
    let before = trial.taken().len();
    assert!(before < WAITING, "stopped too late");
    let twin = trial.house.twin();
    let second = twin.start();
    trial.also(twin.http);
    // The broker gives up on the first one after two heartbeats, and the ledger when its lease is over.
    trial.wait_taken(WAITING);
    worker.signal("CONT");
    eventually(PATIENCE, "the first worker to find out", || {
        worker.log().contains("fenced out").then_some(())
    });
    trial.wait_settled(PATIENCE);
    let account = trial.account(&worker);
    account.assert_all_told();
    assert!(account.twice.is_empty(), "{account}");
    twin.stop_twin(&second);
    trial.house.stop_and_assert_empty(&worker);
}
