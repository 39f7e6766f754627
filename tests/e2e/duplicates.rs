//! The same event more than once.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::events::{event, login, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::House;

const SLOW: Duration = Duration::from_millis(300);

#[test]
fn an_event_published_thirty_times_at_once_reaches_the_customer_once() {
    let gateway = Gateway::always(Answer::AcceptAfter(SLOW));
    let house = House::new("thirty").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&vec![withdrawal(1); 30]);
    house.wait_ended(30);
    assert_eq!(gateway.asked().len(), 1);
    // Long after it was done, and after a restart: still the same event.
    house.publish(&withdrawal(1));
    house.wait_ended(31);
    house.stop_and_assert_empty(&worker);
    house.start_again(&worker);
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    assert_eq!(gateway.asked().len(), 1);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn thirty_copies_during_an_outage_do_not_use_the_schedule_up() {
    let (outage, first) = (Duration::from_millis(1500), OnceLock::new());
    let gateway = Gateway::scripted(move |_, _| {
        let began: &Instant = first.get_or_init(Instant::now);
        if began.elapsed() < outage { Answer::Status(429) } else { Answer::Accept }
    });
    let house = House::new("thirty-outage").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&vec![withdrawal(1); 30]);
    house.wait_ended(30);
    let asked = gateway.asked().len();
    assert!((2..=4).contains(&asked), "asked {asked} times: once, and once for each step at most");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn the_same_source_and_id_is_the_same_event_whatever_its_body() {
    let gateway = Gateway::always(Answer::AcceptAfter(SLOW));
    let house = House::new("bodies").gateways(&[gateway.url()]);
    let worker = house.start();
    let with_body = |n: usize| {
        let mut event = withdrawal(n);
        event["id"] = json!("one-and-the-same");
        event
    };
    house.publish_all(&(0..30).map(|n| with_body(n % 3)).collect::<Vec<_>>());
    house.wait_ended(30);
    house.publish(&with_body(7));
    house.wait_ended(31);
    assert_eq!(gateway.asked().len(), 1, "{:?}", gateway.asked());
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn the_same_id_from_another_source_is_another_event() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("sources").gateways(&[gateway.url()]);
    let worker = house.start();
    let from = |source: &str| {
        let mut event = login(1);
        event["source"] = json!(source);
        event
    };
    house.publish_all(&[from("/auth"), from("/web")]);
    house.wait_ended(2);
    let asked = gateway.asked();
    assert_eq!(asked.len(), 2);
    assert_ne!(asked[0].reference, asked[1].reference);
    house.stop_and_assert_empty(&worker);
}

/// Both go out, each once, although one of them has to be tried again: the other is not sent along.
#[test]
fn of_two_channels_only_the_one_that_failed_is_tried_again() {
    let gateway =
        Gateway::scripted(|_, before| if before < 2 { Answer::Status(500) } else { Answer::Accept });
    let (house, sandbox) = House::new("two-channels").sandbox();
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    let data: Value = json!({
        "recipient": {"user_id": "U1", "phone": mobile(1), "email": "taro@example.jp"}, "line": mobile(1)
    });
    house.publish(&event("security.esim.reissued", "esim-1", data));
    house.wait_ended(1);
    assert_eq!((gateway.asked().len(), gateway.accepted().len()), (3, 1));
    assert_eq!(sandbox.mail().len(), 1);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// Acknowledgements go together where they can; those behind a slow answer must neither wait nor go twice, for which the
/// broker would close the channel and bring everything again.
#[test]
fn events_that_end_in_any_order_are_each_acknowledged_once() {
    let gateway = Gateway::scripted(|sms, _| {
        let number: u64 = sms.to.parse().expect("digits");
        Answer::AcceptAfter(Duration::from_millis(number * 7919 % 61))
    });
    let house = House::new("any-order").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&(0..400).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(400);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (400, 400));
    assert_eq!(house.metric("shirase_notifications_total", &[("result", "duplicate")]), 0.0);
    assert_eq!(house.metric("shirase_broker_connections_total", &[("result", "lost")]), 0.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
