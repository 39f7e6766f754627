//! Trying again through the delay queues, and what comes after the last time.

use jiff::SignedDuration;
use serde_json::json;

use crate::events::{ago, in_future, login, mobile, reachable, withdrawal_to};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{eventually, free_port};

#[test]
fn events_wait_in_delay_queues_while_the_gateway_is_down_and_then_arrive_once() {
    let port = free_port();
    let house = House::new("gateway-down").gateways(&[format!("http://127.0.0.1:{port}/sms")]).set(
        "retry",
        r#"schedule = ["1s", "1s", "1s", "1s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s"]"#,
    );
    let worker = house.start();
    house.publish_all(&(0..20).map(login).collect::<Vec<_>>());
    eventually(PATIENCE, "messages in the delay queue", || {
        house.amqp.look(&house.queue("standard.retry.1")).filter(|look| look.messages > 0)
    });
    house.wait_metric("shirase_events_total", &[("result", "retried")], 20.0);
    assert_eq!(house.metric("shirase_gateway_up", &[("gateway", "gateway-1")]), 0.0);
    assert_eq!(house.metric("shirase_in_flight", &[]), 0.0, "a backoff must not hold a delivery");

    let gateway = Gateway::on_port(port, |_, _| Answer::Accept);
    house.wait_ended(20);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (20, 20));
    assert_eq!(house.metric("shirase_gateway_up", &[("gateway", "gateway-1")]), 1.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn the_age_of_the_oldest_event_is_seen_wherever_it_waits_until_it_is_told() {
    let gateway = Gateway::always(Answer::Hang);
    let house = House::new("oldest").gateways(&[gateway.url()]).set("gateway", r#"timeout = "3s""#);
    let worker = house.start();
    let oldest = |lane: &str| house.metric("shirase_oldest_event_seconds", &[("lane", lane)]);
    let mut event = withdrawal_to(1, json!({"user_id": "U1", "phone": mobile(1)}));
    event["time"] = json!(ago(SignedDuration::from_mins(10)));
    house.publish(&event);
    gateway.wait_asked(1);
    // In flight, and then in its delay queue.
    house.wait_metric("shirase_oldest_event_seconds", &[("lane", "critical")], 600.0);
    gateway.script(|_, _| Answer::Status(429));
    house.wait_metric("shirase_events_total", &[("result", "retried")], 1.0);
    assert!(oldest("critical") >= 600.0);
    assert_eq!(oldest("standard"), 0.0);
    gateway.script(|_, _| Answer::Accept);
    house.wait_ended(1);
    eventually(PATIENCE, "nothing to wait any more", || (oldest("critical") == 0.0).then_some(()));
    house.stop_and_assert_empty(&worker);
}

#[test]
fn when_the_schedule_is_exhausted_by_an_unsure_gateway_email_takes_over() {
    let gateway = Gateway::always(Answer::Status(500));
    let (house, sandbox) = House::new("exhausted-500").sandbox();
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    let asked = gateway.asked();
    assert_eq!(asked.len(), 4, "once, and once for each step");
    assert!(asked.iter().all(|sms| sms.reference == asked[0].reference), "{asked:?}");
    let gaps: Vec<_> = asked.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // Jitter shortens a step by a fifth at most.
    for (gap, step) in gaps.iter().zip([1, 1, 2]) {
        assert!(gap.as_millis() >= step * 800, "{gaps:?}");
    }
    assert_eq!(sandbox.mail().iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["taro@example.jp"]);
    assert_eq!(house.metric("shirase_events_total", &[("result", "retried")]), 3.0);
    assert_eq!(house.metric("shirase_events_total", &[("result", "done")]), 1.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn when_the_schedule_is_exhausted_by_a_refused_connection_email_takes_over() {
    let (house, sandbox) = House::new("exhausted-refused").sandbox();
    let house = house.gateways(&[format!("http://127.0.0.1:{}/sms", free_port())]);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    assert_eq!(sandbox.mail().iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["taro@example.jp"]);
    let refused = [("channel", "sms"), ("outcome", "retryable"), ("reason", "connect")];
    assert_eq!(house.metric("shirase_attempts_total", &refused), 4.0);
    assert_eq!(house.metric("shirase_events_total", &[("result", "done")]), 1.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn without_another_address_an_exhausted_event_is_a_dead_letter() {
    let gateway = Gateway::always(Answer::Status(500));
    let house = House::new("exhausted-dead").gateways(&[gateway.url()]);
    let worker = house.start();
    let event = withdrawal_to(1, json!({"user_id": "U1", "phone": mobile(1)}));
    house.publish(&event);
    house.wait_ended(1);
    let dead = house.dead_letters(1);
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].header("x-shirase-reason"), "exhausted");
    assert_eq!(dead[0].header("x-shirase-attempts"), "4");
    assert!(dead[0].header("x-shirase-detail").contains("HTTP 500"), "{:?}", dead[0].headers);
    assert!(!format!("{:?}", dead[0].headers).contains(&mobile(1)), "{:?}", dead[0].headers);
    assert_eq!(dead[0].body, event.to_string().into_bytes());
    assert_eq!(gateway.asked().len(), 4);

    // Put back by a person when the gateway works again, as it is, it is sent.
    gateway.script(|_, _| Answer::Accept);
    house.amqp.publish("", &house.queue("critical"), &dead[0].body);
    house.wait_metric("shirase_events_total", &[("result", "done")], 1.0);
    assert_eq!(gateway.accepted().len(), 1);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// A code that comes late only confuses: it is given up rather than sent.
#[test]
fn what_expires_while_it_waits_is_not_sent() {
    let gateway = Gateway::always(Answer::Status(500));
    let house =
        House::new("expires").gateways(&[gateway.url()]).set("retry", r#"schedule = ["2s", "2s", "2s"]"#);
    let worker = house.start();
    let mut event = withdrawal_to(1, json!({"user_id": "U1", "phone": mobile(1)}));
    event["expires"] = json!(in_future(SignedDuration::from_millis(3500)));
    house.publish(&event);
    house.wait_ended(1);
    let dead = house.dead_letters(1);
    assert_eq!(dead[0].header("x-shirase-reason"), "expired");
    assert!(gateway.asked().len() <= 2, "{:?}", gateway.asked());
    house.stop(&worker);
}

/// Email is as good a first channel as any: a relay that is down for one moment must not cost the customer the news.
#[test]
fn a_fallback_whose_relay_is_down_for_a_moment_is_tried_again() {
    let gateway = Gateway::always(Answer::Status(422));
    let (house, sandbox) = House::new("fallback-retry").sandbox();
    let port = free_port();
    let house = house.gateways(&[gateway.url()]).relay(&format!("smtp://127.0.0.1:{port}"));
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_metric("shirase_events_total", &[("result", "retried")], 1.0);
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    crate::house::block_on(sandbox.start_smtp(address)).expect("a relay");
    house.wait_ended(1);
    assert_eq!(sandbox.mail().len(), 1);
    assert_eq!(gateway.asked().len(), 1, "what was refused for good is not sent again");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
