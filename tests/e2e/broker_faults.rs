//! What happens to the broker must not need a person, and costs no event.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use lapin::BasicProperties;
use serde_json::Value;

use crate::amqp::Amqp;
use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE, block_on};
use crate::support::{RabbitMq, Worker, eventually, http_get, try_http_get};

const EVENTS: usize = 300;

/// A node to be hurt, by one test at a time.
fn own_node() -> MutexGuard<'static, RabbitMq> {
    static NODE: OnceLock<Mutex<RabbitMq>> = OnceLock::new();
    NODE.get_or_init(|| Mutex::new(RabbitMq::start())).lock().unwrap_or_else(PoisonError::into_inner)
}

fn numbered(n: usize) -> Value {
    if n.is_multiple_of(2) { withdrawal(n) } else { login(n) }
}

/// Publishes as upstream does, each until it is confirmed, in a thread of its own.
fn publish_steadily(broker: &RabbitMq, house: &House) -> thread::JoinHandle<()> {
    let (amqp, exchange) = (Amqp::new(&broker.url()), house.exchange());
    thread::spawn(move || {
        for event in (0..EVENTS).map(numbered) {
            let kind = event["type"].as_str().expect("a type");
            let body = event.to_string();
            eventually(PATIENCE * 3, "a confirm", || {
                block_on(amqp.try_publish(&exchange, kind, body.as_bytes(), BasicProperties::default())).ok()
            });
        }
    })
}

/// Waits until nothing waits and nothing is in flight.
fn wait_quiet(house: &House) {
    eventually(PATIENCE, "quiet", || {
        let queues = ["critical", "standard", "critical.retry.1", "standard.retry.1"];
        let waiting: u32 = queues
            .iter()
            .map(|queue| house.amqp.look(&house.queue(queue)).map_or(1, |look| look.messages))
            .sum();
        (waiting == 0 && house.metric("shirase_in_flight", &[]) == 0.0).then_some(())
    });
}

#[track_caller]
fn assert_each_once(gateway: &Gateway) {
    let mut numbers = BTreeMap::<_, usize>::new();
    for sms in gateway.asked() {
        *numbers.entry(sms.to).or_default() += 1;
    }
    numbers.retain(|_, count| *count > 1);
    assert!(numbers.is_empty(), "sent more than once: {numbers:?}");
    assert_eq!(gateway.by_number().len(), EVENTS);
}

/// Every event arrives, each once, and nothing is left anywhere.
#[track_caller]
fn assert_all_arrive_once(house: &House, worker: &Worker, gateway: &Gateway) {
    eventually(PATIENCE, "every event at the gateway", || {
        (gateway.by_number().len() == EVENTS).then_some(())
    });
    wait_quiet(house);
    assert_each_once(gateway);
    house.stop(worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_broker_that_is_killed_and_started_again_under_load_costs_no_confirmed_event_and_repeats_none() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_millis(100)));
    let house = House::on(&broker, "broker-killed").gateways(&[gateway.url()]);
    let worker = house.start();
    let publishing = publish_steadily(&broker, &house);
    gateway.wait_asked(EVENTS / 3);
    broker.kill();
    eventually(PATIENCE, "/readyz to say so", || (http_get(house.http, "/readyz").0 == 503).then_some(()));
    broker.start_again();
    publishing.join().expect("all confirmed");
    worker.wait_ready(house.http, PATIENCE);
    assert_all_arrive_once(&house, &worker, &gateway);
}

#[test]
fn closed_connections_are_made_anew() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_millis(20)));
    let house = House::on(&broker, "closed").gateways(&[gateway.url()]);
    let worker = house.start();
    let publishing = publish_steadily(&broker, &house);
    for asked in [EVENTS / 4, EVENTS / 2] {
        gateway.wait_asked(asked);
        broker.close_all_connections("for a test");
    }
    publishing.join().expect("all confirmed");
    eventually(PATIENCE, "every event at the gateway", || {
        (gateway.by_number().len() == EVENTS).then_some(())
    });
    worker.wait_ready(house.http, PATIENCE);
    wait_quiet(&house);
    assert_each_once(&gateway);
    house.stop(&worker);
    house.assert_no_dead_letters();
}

/// What is in flight may belong to a connection that is gone already; an orderly stop waits for it all the same.
#[test]
fn a_stop_after_a_lost_connection_still_finishes_what_is_in_flight() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_secs(4)));
    let house = House::on(&broker, "closed-stop").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&(0..5).map(withdrawal).collect::<Vec<_>>());
    gateway.wait_asked(5);
    broker.close_all_connections("for a test");
    eventually(PATIENCE, "new connections", || {
        (house.metric("shirase_broker_connections_total", &[("result", "connected")]) >= 6.0).then_some(())
    });
    worker.wait_ready(house.http, PATIENCE);
    house.stop(&worker);
    assert_eq!(gateway.accepted().len(), 5, "cut off by the stop");

    house.start_again(&worker);
    wait_quiet(&house);
    house.stop_and_assert_empty(&worker);
    assert_eq!(gateway.asked().len(), 5, "sent twice");
    house.assert_no_dead_letters();
}

#[test]
fn a_stop_while_the_broker_is_away_finishes_what_is_in_flight_and_the_next_start_repeats_nothing() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_secs(4)));
    let house = House::on(&broker, "away-stop").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&(0..5).map(withdrawal).collect::<Vec<_>>());
    gateway.wait_asked(5);
    broker.kill();
    worker.signal("TERM");
    let status = worker.wait_exit(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", worker.log());
    assert_eq!(gateway.accepted().len(), 5, "cut off by the stop");

    broker.start_again();
    house.start_again(&worker);
    // Nothing could be acknowledged, so all of them come again, and are known.
    house.wait_ended(5);
    assert_eq!(gateway.asked().len(), 5, "sent twice");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// The connections stay open and nothing answers: only heartbeats tell.
#[test]
fn a_broker_that_freezes_and_thaws_costs_no_event_and_repeats_none() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_millis(300)));
    let house = House::on(&broker, "frozen").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&(0..EVENTS).map(numbered).collect::<Vec<_>>());
    gateway.wait_asked(EVENTS / 4);
    broker.stop();
    eventually(PATIENCE, "/readyz to say so", || (http_get(house.http, "/readyz").0 == 503).then_some(()));
    broker.cont();
    worker.wait_ready(house.http, PATIENCE);
    assert_all_arrive_once(&house, &worker, &gateway);
}

#[test]
fn a_worker_that_starts_before_its_broker_waits_for_it() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::Accept);
    let house = House::on(&broker, "early").gateways(&[gateway.url()]);
    broker.kill();
    let worker = house.start_unready();
    let unready = eventually(PATIENCE, "/readyz", || try_http_get(house.http, "/readyz").ok());
    assert_eq!(unready.0, 503, "{}", unready.1);
    broker.start_again();
    worker.wait_ready(house.http, PATIENCE);
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    assert_eq!(gateway.accepted().len(), 1);
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_broker_that_takes_no_more_publishes_still_gets_its_acknowledgements() {
    let broker = own_node();
    let gateway = Gateway::always(Answer::Hang);
    let house = House::on(&broker, "alarm").gateways(&[gateway.url()]).set("gateway", r#"timeout = "120s""#);
    let worker = house.start();
    house.publish_all(&(0..10).map(withdrawal).collect::<Vec<_>>());
    gateway.wait_asked(10);
    broker.ctl(&["set_vm_memory_high_watermark", "0.00001"]);
    // One that has to be published again waits; it must not hold up the others' acknowledgements.
    gateway.script(|_, before| if before == 0 { Answer::Status(500) } else { Answer::Accept });
    gateway.release();
    house.wait_metric("shirase_events_total", &[("result", "done")], 10.0);
    house.stop(&worker);
    assert_eq!(house.amqp.look(&house.queue("critical")).expect("a lane").messages, 0, "not acknowledged");
    broker.ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]);
}
