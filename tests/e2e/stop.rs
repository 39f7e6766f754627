//! How a worker ends, and what the next one finds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway, Sms};
use crate::house::{House, PATIENCE};
use crate::support::{eventually, http_get};

const EVENTS: usize = 300;

/// Both lanes' prefetch.
const IN_FLIGHT: usize = 32;

/// Half of them in each lane, each to a number of its own.
fn events() -> Vec<Value> {
    (0..EVENTS).map(|n| if n % 2 == 0 { withdrawal(n) } else { login(n) }).collect()
}

/// What waits in the lanes when nobody consumes.
fn waiting(house: &House) -> usize {
    let look = |lane| house.amqp.look(&house.queue(lane)).expect("a lane").messages as usize;
    look("critical") + look("standard")
}

#[test]
fn a_worker_killed_in_the_middle_loses_nothing_and_repeats_only_what_was_cut_with_the_same_reference() {
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_millis(30)));
    let house = House::new("killed").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&events());
    gateway.wait_asked(100);
    worker.kill();
    let killed = Instant::now();
    house.wait_unconsumed();
    let left = waiting(&house);
    assert!((1..EVENTS).contains(&left), "it was killed in the middle: {left} left");

    house.start_again(&worker);
    house.wait_ended(left);
    assert_eq!(gateway.by_number().len(), EVENTS);
    let repeated = repeated(&gateway);
    for (number, asked) in &repeated {
        assert_eq!(asked.len(), 2, "{number}: {asked:?}");
        assert_eq!(asked[0].reference, asked[1].reference, "{number}");
        assert!(asked[0].at < killed && killed < asked[1].at, "{number}: {asked:?}");
    }
    let taken_over = house.metric("shirase_claims_taken_over_total", &[]) as usize;
    assert!(
        repeated.len() <= taken_over,
        "{} repeated, of {taken_over} claims that were cut",
        repeated.len()
    );
    assert!(taken_over <= IN_FLIGHT, "{taken_over} claims cut, of {IN_FLIGHT} in flight");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_worker_that_is_told_to_stop_finishes_what_is_in_flight_and_the_next_one_repeats_nothing() {
    let gateway = Gateway::always(Answer::AcceptAfter(Duration::from_millis(200)));
    let house = House::new("stopped").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&events());
    gateway.wait_asked(80);
    house.stop(&worker);
    let asked = gateway.asked().len();
    assert!(asked < EVENTS, "it was stopped in the middle");
    assert_eq!(waiting(&house), EVENTS - asked, "what was sent is acknowledged, and nothing else is");

    house.start_again(&worker);
    house.wait_ended(EVENTS - asked);
    assert_eq!(gateway.by_number().len(), EVENTS);
    assert_eq!(gateway.asked().len(), EVENTS, "repeated: {:?}", repeated(&gateway));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_second_signal_ends_the_worker_at_once() {
    let gateway = Gateway::always(Answer::Hang);
    let house = House::new("second-signal")
        .gateways(&[gateway.url()])
        .set("gateway", r#"timeout = "120s""#)
        .set("worker", r#"drain = "110s""#);
    let worker = house.start();
    house.publish(&withdrawal(1));
    gateway.wait_asked(1);
    worker.signal("TERM");
    eventually(PATIENCE, "/readyz to say that it stops", || {
        let (status, body) = http_get(house.http, "/readyz");
        (status == 503 && body.contains("stopping")).then_some(())
    });
    assert_eq!(http_get(house.http, "/healthz").0, 200);
    assert!(worker.try_exit().is_none(), "something is in flight still");
    worker.signal("TERM");
    let status = worker.wait_exit(Duration::from_secs(20));
    assert_eq!(status.code(), Some(130), "{status}");
    house.wait_unconsumed();
    assert_eq!(waiting(&house), 1, "what was in flight comes again");
}

#[test]
fn what_is_not_finished_by_the_deadline_is_left_to_the_next_start() {
    let gateway = Gateway::always(Answer::Hang);
    let house = House::new("deadline")
        .gateways(&[gateway.url()])
        .set("gateway", r#"timeout = "120s""#)
        .set("worker", r#"drain = "1s""#);
    let worker = house.start();
    house.publish(&withdrawal(1));
    gateway.wait_asked(1);
    house.stop(&worker);
    assert_eq!(waiting(&house), 1);

    gateway.script(|_, _| Answer::Accept);
    house.start_again(&worker);
    house.wait_ended(1);
    let asked = gateway.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].reference, asked[1].reference);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// Requests by number, where there was more than one.
fn repeated(gateway: &Gateway) -> BTreeMap<String, Vec<Sms>> {
    let mut numbers = BTreeMap::<_, Vec<_>>::new();
    for sms in gateway.asked() {
        numbers.entry(sms.to.clone()).or_default().push(sms);
    }
    numbers.retain(|_, asked| asked.len() > 1);
    numbers
}
