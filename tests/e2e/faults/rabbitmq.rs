//! What happens to the broker, alone and as a cluster, must not need a person, and costs no event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use shirase::sandbox::{SmsFault, StatusCode};

use super::own_node;
use crate::house::{House, PATIENCE};
use crate::support::{RabbitCluster, RabbitMq, Worker, eventually, http_get};
use crate::trial::Trial;

const EVENTS: usize = 600;

/// Between two batches of fifty: all of them over several seconds, so that a fault falls into the middle.
const PACE: Duration = Duration::from_millis(300);

fn on(broker: &RabbitMq, name: &str) -> Trial {
    Trial::new(House::on(broker, name), &[broker.url()])
}

/// Everything that was published is told, and nothing is left anywhere.
#[track_caller]
fn assert_all_told(trial: &Trial, worker: &Worker) {
    trial.wait_settled(PATIENCE * 3);
    worker.wait_ready(trial.house.http, PATIENCE);
    let account = trial.account(worker);
    account.assert_all_told();
    assert!(account.twice.is_empty(), "nobody's answer was cut: {account}");
    trial.house.stop_and_assert_empty(worker);
}

#[track_caller]
fn wait_unready(house: &House) {
    eventually(PATIENCE, "/readyz to say so", || (http_get(house.http, "/readyz").0 == 503).then_some(()));
}

#[test]
fn a_node_that_is_killed_and_started_again_costs_no_confirmed_event_and_repeats_none() {
    let broker = own_node();
    let trial = on(&broker, "node-killed");
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS, PACE);
    trial.wait_taken(EVENTS / 4);
    broker.kill();
    wait_unready(&trial.house);
    broker.start_again();
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

/// The connections stay open and nothing answers: only heartbeats tell.
#[test]
fn a_node_that_freezes_and_thaws_costs_no_confirmed_event_and_repeats_none() {
    let broker = own_node();
    let trial = on(&broker, "node-frozen");
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS, PACE);
    trial.wait_taken(EVENTS / 4);
    broker.stop();
    wait_unready(&trial.house);
    broker.cont();
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

#[test]
fn connections_that_an_operator_closes_are_made_anew_and_cost_no_event() {
    let broker = own_node();
    let trial = on(&broker, "connections-closed");
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS, PACE);
    for part in [4, 2] {
        trial.wait_taken(EVENTS / part);
        broker.close_all_connections("for a test");
    }
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

/// Retries cannot be published while the alarm lasts: their deliveries wait, unacknowledged.
///
/// A broker tells of its alarm whoever publishes. A part of the events is refused until the alarm is known, so that there
/// are retries to publish however late it comes.
#[test]
fn a_memory_alarm_while_retries_are_published_costs_no_event() {
    let broker = own_node();
    // Nothing is given up meanwhile.
    let schedule = format!("schedule = {:?}", [["1s"; 100].as_slice(), &["2s"]].concat());
    let trial = on(&broker, "memory-alarm").with(|house| house.set("retry", &schedule));
    let refused = SmsFault::refuse(StatusCode::TOO_MANY_REQUESTS);
    let alarm = Arc::new(AtomicBool::new(true));
    let known = Arc::clone(&alarm);
    trial.sandbox.misbehave_sms(move |asked| {
        let again = asked.to.ends_with('0') && known.load(Ordering::Relaxed);
        (asked.before == 0 || again).then_some(refused)
    });
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS, PACE);
    trial.wait_taken(EVENTS / 10);
    broker.ctl(&["set_vm_memory_high_watermark", "0.00001"]);
    eventually(PATIENCE, "/readyz to say that nothing can be published", || {
        http_get(trial.house.http, "/readyz").1.contains("no connection to publish").then_some(())
    });
    alarm.store(false, Ordering::Relaxed);
    thread::sleep(Duration::from_secs(3));
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]);
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

/// What was in a deleted queue is gone by its operator's own hand; what is published from then on is not confirmed until
/// the queue is there again.
#[test]
fn a_lane_s_queue_that_is_deleted_is_made_anew_and_no_confirmed_event_is_missing() {
    let trial = super::trial("queue-deleted");
    let worker = trial.house.start();
    trial.publish(0..EVENTS / 2).join().expect("all confirmed");
    trial.wait_settled(PATIENCE);
    RabbitMq::shared().delete_queue(&trial.house.queue("critical"));
    trial.publish(EVENTS / 2..EVENTS).join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

/// The broker closes the channel and brings everything again while the first is still being sent.
#[test]
fn deliveries_that_the_broker_takes_back_because_they_last_too_long_are_sent_once() {
    let broker = RabbitMq::start_with_ack_timeout(Duration::from_secs(3));
    let trial = on(&broker, "ack-timeout");
    let late = SmsFault::Late(Duration::from_secs(7));
    trial.sandbox.misbehave_sms(move |asked| asked.to.ends_with("00").then_some(late));
    let worker = trial.house.start();
    trial.publish(0..EVENTS / 2).join().expect("all confirmed");
    trial.wait_settled(PATIENCE);
    assert!(broker.log().contains("delivery acknowledgement"), "the timeout fired:\n{}", broker.log());
    assert!(worker.log().contains("broker connection lost"), "{}", worker.log());
    assert_all_told(&trial, &worker);
}

#[test]
fn a_cluster_that_loses_its_leader_and_then_its_majority_and_heals_loses_no_event_and_repeats_none() {
    let cluster = RabbitCluster::in_turn();
    let urls = cluster.urls();
    let trial = Trial::new(House::on_nodes(&urls, "cluster"), &urls);
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS * 2, PACE);
    trial.wait_taken(EVENTS / 4);
    let leader = cluster.leader_of(&trial.house.queue("critical"));
    cluster.node(leader).kill();
    // Two of three are enough.
    let taken = trial.taken().len();
    trial.wait_taken(taken + EVENTS / 4);
    cluster.node((leader + 1) % 3).kill();
    thread::sleep(Duration::from_secs(5));
    cluster.start_again();
    cluster.wait_in_sync();
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}

#[test]
fn a_cluster_whose_leader_freezes_and_thaws_loses_no_event_and_repeats_none() {
    let cluster = RabbitCluster::in_turn();
    let urls = cluster.urls();
    let trial = Trial::new(House::on_nodes(&urls, "cluster-frozen"), &urls);
    let worker = trial.house.start();
    let publishing = trial.publish_paced(0..EVENTS, PACE);
    trial.wait_taken(EVENTS / 4);
    let leader = cluster.leader_of(&trial.house.queue("critical"));
    cluster.node(leader).stop();
    thread::sleep(Duration::from_secs(15));
    cluster.node(leader).cont();
    publishing.join().expect("all confirmed");
    assert_all_told(&trial, &worker);
}
