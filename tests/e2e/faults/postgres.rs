//! The shared ledger goes away in the middle, and comes back.

use std::thread;
use std::time::Duration;

use crate::house::{House, PATIENCE};
use crate::support::{Postgres, RabbitMq, eventually, http_get};
use crate::trial::Trial;

const EVENTS: usize = 2000;

fn assert_survives(name: &str, hurt: impl Fn(&Postgres, &House)) {
    let database = Postgres::start();
    let broker = RabbitMq::shared();
    let house = House::new(name).set("ledger", &format!("url = \"{}\"", database.url())).timeouts("5s");
    let mut trial = Trial::new(house, &[broker.url()]);
    let (worker, twin) = (trial.house.start(), trial.house.twin());
    let second = twin.start();
    trial.also(twin.http);
    let publishing = trial.publish_paced(0..EVENTS, Duration::from_millis(50));
    trial.wait_taken(EVENTS / 4);
    hurt(&database, &trial.house);
    publishing.join().expect("all confirmed");
    trial.wait_settled(PATIENCE * 2);
    let account = trial.account(&worker);
    account.assert_all_told();
    assert!(account.twice.is_empty(), "nobody's answer was cut: {account}");
    worker.wait_ready(trial.house.http, PATIENCE);
    twin.stop_twin(&second);
    trial.house.stop_and_assert_empty(&worker);
}

#[test]
fn a_database_that_restarts_in_the_middle_costs_no_event_and_repeats_none() {
    assert_survives("postgres-restart", |database, _| database.restart());
}

/// Nothing is sent while it is away, and `/readyz` says why.
#[test]
fn a_database_that_is_killed_in_the_middle_costs_no_event_and_repeats_none() {
    assert_survives("postgres-kill", |database, house| {
        database.kill();
        let body = eventually(PATIENCE, "/readyz to say so", || {
            let (status, body) = http_get(house.http, "/readyz");
            (status == 503).then_some(body)
        });
        assert!(body.contains("ledger") && !body.contains(database.password()), "{body}");
        thread::sleep(Duration::from_secs(2));
        database.start_again();
    });
}
