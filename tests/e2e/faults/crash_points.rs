//! The process ends at each step of the way of an event, and the next one carries on. Each test says exactly what that
//! comes to.

use std::thread;
use std::time::Duration;

use shirase::ledger::Attempt;
use shirase::sandbox::{SmsFault, StatusCode};

use super::trial;
use crate::house::{BINARY, PATIENCE};
use crate::support::{Worker, eventually};
use crate::trial::Trial;

/// An event by SMS alone.
const EVENT: usize = 0;

/// A worker that ends itself at a point on the way of the first event, and has ended.
fn crashed(trial: &Trial, point: &str) -> Worker {
    let worker = Worker::start(BINARY, &trial.house.config(), &["run"], &[("SHIRASE_CRASH_AT", point)]);
    worker.wait_ready(trial.house.http, PATIENCE);
    publish(trial);
    let status = worker.wait_exit(PATIENCE);
    assert_eq!(status.code(), None, "it ended by a signal of its own: {}", worker.log());
    trial.house.wait_unconsumed();
    worker.forget_environment();
    worker
}

fn publish(trial: &Trial) {
    trial.publish(EVENT..EVENT + 1).join().expect("confirmed");
}

/// Starts the worker again and waits until all is done.
fn carry_on(trial: &Trial, worker: &Worker) {
    trial.house.start_again(worker);
    trial.wait_quiet(PATIENCE);
}

/// Outcome and reason of each attempt that the ledger knows of.
fn attempts(trial: &Trial, worker: &Worker) -> Vec<String> {
    let attempts = trial.story(worker, EVENT).notifications.remove(0).attempts;
    let words = |attempt: &Attempt| {
        let reason = attempt.reason.iter().map(|reason| format!(" {reason}")).collect::<String>();
        format!("{}{reason}", attempt.outcome)
    };
    attempts.iter().map(words).collect()
}

/// After the restart: how many messages were taken, and the attempts as the ledger has them.
#[track_caller]
fn assert_comes_to(trial: &Trial, worker: &Worker, taken: usize, expected: &[&str]) {
    assert_eq!(trial.taken().len(), taken, "messages taken");
    assert_eq!(attempts(trial, worker), expected);
    trial.account(worker).assert_all_told();
    trial.house.stop_and_assert_empty(worker);
}

#[test]
fn after_decode_the_event_comes_again_as_if_for_the_first_time() {
    let trial = trial("crash-decoded");
    let worker = crashed(&trial, "Decoded");
    assert_eq!(trial.taken().len(), 0);
    carry_on(&trial, &worker);
    assert_comes_to(&trial, &worker, 1, &["accepted"]);
}

#[test]
fn after_the_claim_nothing_was_sent_but_nobody_can_know_and_it_is_sent_once() {
    let trial = trial("crash-claimed");
    let worker = crashed(&trial, "Claimed");
    assert_eq!(trial.taken().len(), 0);
    carry_on(&trial, &worker);
    assert_comes_to(&trial, &worker, 1, &["unknown lost", "accepted"]);
}

/// The exception that the promise names.
#[test]
fn after_the_request_is_written_it_is_sent_again_with_the_same_reference_and_known_as_unknown() {
    let trial = trial("crash-written");
    let worker = trial.house.start();
    trial.sandbox.misbehave_sms(|_| Some(SmsFault::Late(PATIENCE)));
    publish(&trial);
    trial.wait_taken(1);
    worker.kill();
    trial.house.wait_unconsumed();
    trial.sandbox.behave();
    carry_on(&trial, &worker);
    let taken = trial.taken();
    assert_eq!(taken[0].reference, taken[1].reference);
    assert!(!taken[0].answered, "the first answer was cut");
    assert_comes_to(&trial, &worker, 2, &["unknown lost", "accepted"]);
}

#[test]
fn after_the_answer_it_is_sent_again_with_the_same_reference_and_known_as_unknown() {
    let trial = trial("crash-answered");
    let worker = crashed(&trial, "Answered");
    assert_eq!(trial.taken().len(), 1);
    carry_on(&trial, &worker);
    let taken = trial.taken();
    assert_eq!(taken[0].reference, taken[1].reference);
    assert_comes_to(&trial, &worker, 2, &["unknown lost", "accepted"]);
}

#[test]
fn after_the_settlement_it_is_not_sent_again() {
    let trial = trial("crash-settled");
    let worker = crashed(&trial, "Settled");
    carry_on(&trial, &worker);
    assert_comes_to(&trial, &worker, 1, &["accepted"]);
}

#[test]
fn before_the_acknowledgement_it_is_not_sent_again() {
    let trial = trial("crash-acknowledging");
    let worker = crashed(&trial, "Acknowledging");
    carry_on(&trial, &worker);
    assert_comes_to(&trial, &worker, 1, &["accepted"]);
}

/// Nobody knows whether the gateway has it; a house that gets receipts would rather wait for one.
#[test]
fn what_a_crash_cut_off_follows_the_policy_of_the_gateway_that_was_asked() {
    let wait = trial("crash-wait");
    let wait = wait.with(|house| house.set("gateway", "on_unknown = \"wait\"\nunknown_wait = \"5s\""));
    let worker = crashed(&wait, "Claimed");
    carry_on(&wait, &worker);
    let attempts = wait.story(&worker, EVENT).notifications.remove(0).attempts;
    let waited = attempts[1].at.duration_since(attempts[0].at);
    assert!(waited.as_secs() >= 5, "sent again after {waited:#}");
    assert_comes_to(&wait, &worker, 1, &["unknown lost", "accepted"]);

    let failover = trial("crash-failover");
    let failover = failover.with(|house| house.two_ways().set("gateway", "on_unknown = \"failover\""));
    let worker = crashed(&failover, "Answered");
    carry_on(&failover, &worker);
    let attempts = failover.story(&worker, EVENT).notifications.remove(0).attempts;
    let gateways: Vec<_> = attempts.iter().map(|attempt| attempt.gateway.as_str()).collect();
    assert_eq!(gateways, ["gateway-1", "gateway-2"]);
    assert_comes_to(&failover, &worker, 2, &["unknown lost", "accepted"]);
}

/// Both the retry and the delivery that it replaces come, and one of them is sent.
#[test]
fn in_the_middle_of_publishing_a_retry_the_event_comes_twice_and_is_sent_once() {
    let trial = trial("crash-retry");
    let refused = SmsFault::refuse(StatusCode::TOO_MANY_REQUESTS);
    trial.sandbox.misbehave_sms(move |asked| (asked.before == 0).then_some(refused));
    let worker = crashed(&trial, "RetryPublished");
    assert_eq!(trial.taken().len(), 0);
    carry_on(&trial, &worker);
    assert_comes_to(&trial, &worker, 1, &["throttled rate_limit", "accepted"]);
}

/// The letter may be there twice; the gateway is not asked again, and putting both back sends once.
#[test]
fn in_the_middle_of_a_dead_letter_it_is_dead_lettered_again_and_not_sent() {
    let trial = trial("crash-dead");
    trial.sandbox.misbehave_sms(|_| Some(SmsFault::refuse(StatusCode::UNPROCESSABLE_ENTITY)));
    let worker = crashed(&trial, "DeadPublished");
    carry_on(&trial, &worker);
    assert_eq!(attempts(&trial, &worker), ["permanent recipient"], "asked again");
    let story = trial.story(&worker, EVENT);
    assert_eq!((story.state, story.deaths), ("dead", 1));
    assert_dead_letters(&trial, 2);

    trial.sandbox.behave();
    for _ in 0..2 {
        let replayed = trial.house.run(&worker, &["dead", "replay", "--all"]);
        assert!(replayed.status.success(), "{replayed:?}");
    }
    trial.wait_quiet(PATIENCE);
    assert_comes_to(&trial, &worker, 1, &["permanent recipient", "accepted"]);
}

#[test]
fn after_a_dead_letter_the_delivery_that_comes_again_is_known_and_ends() {
    let trial = trial("crash-dead-acknowledging");
    trial.sandbox.misbehave_sms(|_| Some(SmsFault::refuse(StatusCode::UNPROCESSABLE_ENTITY)));
    let worker = crashed(&trial, "Acknowledging");
    carry_on(&trial, &worker);
    assert_eq!(attempts(&trial, &worker), ["permanent recipient"], "asked again");
    assert_dead_letters(&trial, 1);
    let account = trial.account(&worker);
    account.assert_kept();
    assert_eq!(account.dead.keys().collect::<Vec<_>>(), [&EVENT]);
    trial.house.stop_and_assert_empty(&worker);
}

#[track_caller]
fn assert_dead_letters(trial: &Trial, count: u32) {
    let queue = trial.house.queue("dead");
    eventually(PATIENCE, &format!("{count} dead letters"), || {
        trial.house.amqp.look(&queue).filter(|look| look.messages == count)
    });
    // No more of them come.
    thread::sleep(Duration::from_secs(1));
    assert_eq!(trial.house.amqp.look(&queue).expect("a queue").messages, count);
}
