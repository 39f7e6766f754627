//! A worker that starts or stops while the broker is away, or takes no publishes. What happens to a broker in the middle
//! of events is in `faults::rabbitmq`.

use std::time::Duration;

use crate::events::withdrawal;
use crate::faults::own_node;
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{eventually, try_http_get};

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
