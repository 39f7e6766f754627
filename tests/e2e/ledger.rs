//! The SQLite ledger: nothing is sent without it, and it belongs to one process.

use std::time::Duration;

use rusqlite::Connection;

use crate::events::withdrawal;
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{eventually, http_get};

#[test]
fn a_second_worker_on_the_same_ledger_ends_with_a_message() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("one-ledger").gateways(&[gateway.url()]);
    let worker = house.start();
    let ledger = format!("url = \"sqlite:{}/shirase.db\"", worker.path().display());
    let other = House::new("one-ledger-too").set("ledger", &ledger);
    let second = other.start_unready();
    let status = second.wait_exit(Duration::from_secs(60));
    assert_eq!(status.code(), Some(2), "{}", second.log());
    let log = second.log();
    assert!(log.contains("ledger.url") && log.contains("in use by another worker"), "{log}");

    house.publish(&withdrawal(1));
    house.wait_ended(1);
    assert_eq!(gateway.accepted().len(), 1, "the first one is not disturbed");
    house.stop_and_assert_empty(&worker);
}

#[test]
fn while_the_ledger_cannot_be_written_nothing_is_sent_and_the_worker_is_not_ready() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("ledger-locked").gateways(&[gateway.url()]);
    let worker = house.start();
    let other = Connection::open(worker.path().join("shirase.db")).expect("the ledger");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    house.publish_all(&(0..20).map(withdrawal).collect::<Vec<_>>());
    let body = eventually(PATIENCE, "/readyz to say so", || {
        let (status, body) = http_get(house.http, "/readyz");
        (status == 503).then_some(body)
    });
    assert!(body.contains("ledger"), "{body}");
    assert!(gateway.asked().is_empty(), "sent without a durable claim: {:?}", gateway.asked());

    other.execute_batch("ROLLBACK").expect("unlocked");
    house.wait_ended(20);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (20, 20));
    worker.wait_ready(house.http, PATIENCE);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
