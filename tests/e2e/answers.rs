//! What a gateway's answer means.

use serde_json::json;

use crate::events::{event, mobile, reachable, withdrawal, withdrawal_to};
use crate::gateway::{Answer, Gateway};
use crate::house::House;

#[test]
fn a_number_refused_for_good_falls_back_to_email_at_once() {
    let gateway = Gateway::always(Answer::Status(422));
    let (house, sandbox) = House::new("refused").sandbox();
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    assert_eq!(gateway.asked().len(), 1);
    assert_eq!(sandbox.mail().iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["taro@example.jp"]);
    assert_eq!(house.metric("shirase_events_total", &[("result", "retried")]), 0.0);
    assert_eq!(house.metric("shirase_events_total", &[("result", "done")]), 1.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_number_refused_for_good_without_another_address_is_a_dead_letter() {
    let gateway = Gateway::always(Answer::Status(422));
    let house = House::new("refused-dead").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish(&withdrawal(1));
    let dead = house.dead_letters(1);
    assert_eq!(dead[0].header("x-shirase-reason"), "refused");
    assert_eq!(dead[0].header("x-shirase-attempts"), "1");
    assert!(dead[0].header("x-shirase-detail").contains("HTTP 422"), "{:?}", dead[0].headers);
    assert_eq!(gateway.asked().len(), 1);
    house.stop_and_assert_empty(&worker);
}

/// Told by one of two channels is not told by both: somebody has to know, and what was told is not told again.
#[test]
fn one_of_two_channels_refused_is_a_dead_letter_that_is_put_back_for_that_channel_alone() {
    let gateway = Gateway::always(Answer::Status(422));
    let (house, sandbox) = House::new("half-told").sandbox();
    let house = house.gateways(&[gateway.url()]);
    let worker = house.start();
    let data = json!({"recipient": reachable(1, "taro@example.jp"), "line": mobile(1)});
    house.publish(&event("security.esim.reissued", "half-told", data));
    let dead = house.dead_letters(1);
    assert_eq!(dead[0].header("x-shirase-reason"), "refused");
    let detail = dead[0].header("x-shirase-detail");
    assert!(detail.contains("current.sms") && !detail.contains("current.email"), "{detail}");
    assert_eq!((gateway.asked().len(), sandbox.mail().len()), (1, 1));

    gateway.script(|_, _| Answer::Accept);
    house.amqp.publish("", &house.queue("critical"), &dead[0].body);
    house.wait_metric("shirase_events_total", &[("result", "done")], 1.0);
    assert_eq!((gateway.accepted().len(), sandbox.mail().len()), (1, 1));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn when_our_account_is_refused_the_second_gateway_takes_the_message() {
    let (first, second) = (Gateway::always(Answer::Status(401)), Gateway::always(Answer::Accept));
    let house = House::new("second-gateway").gateways(&[first.url(), second.url()]);
    let worker = house.start();
    house.publish_all(&(0..5).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(5);
    assert_eq!((first.asked().len(), second.accepted().len()), (5, 5));
    let references = |gateway: &Gateway| {
        let mut all: Vec<_> = gateway.asked().into_iter().map(|sms| (sms.to, sms.reference)).collect();
        all.sort();
        all
    };
    assert_eq!(references(&first), references(&second));
    assert_eq!(house.metric("shirase_gateway_up", &[("gateway", "gateway-1")]), 0.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn an_answer_that_never_came_is_sent_again_with_the_same_reference() {
    let gateway = Gateway::scripted(|sms, before| match (before, sms.to == mobile(1)) {
        (0, true) => Answer::Hang,
        (0, false) => Answer::Cut,
        _ => Answer::Accept,
    });
    let second = Gateway::always(Answer::Accept);
    let house =
        House::new("unknown").gateways(&[gateway.url(), second.url()]).set("gateway", r#"timeout = "1s""#);
    let worker = house.start();
    house.publish_all(&[withdrawal(1), withdrawal(2)]);
    house.wait_ended(2);
    for n in [1, 2] {
        let asked: Vec<_> = gateway.asked().into_iter().filter(|sms| sms.to == mobile(n)).collect();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(asked[0].reference, asked[1].reference);
    }
    assert!(second.asked().is_empty(), "another vendor can't know that it is the same message");
    assert_eq!(house.metric("shirase_attempts_total", &[("outcome", "unknown"), ("reason", "timeout")]), 1.0);
    assert_eq!(house.metric("shirase_attempts_total", &[("outcome", "unknown"), ("reason", "cut")]), 1.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn an_answer_that_never_came_goes_to_the_next_gateway_where_that_is_the_policy() {
    let (first, second) = (Gateway::always(Answer::Cut), Gateway::always(Answer::Accept));
    let house = House::new("failover")
        .gateways(&[first.url(), second.url()])
        .set("gateway", r#"on_unknown = "failover""#);
    let worker = house.start();
    house.publish(&withdrawal(1));
    house.wait_ended(1);
    assert_eq!((first.asked().len(), second.accepted().len()), (1, 1));
    assert_eq!(first.asked()[0].reference, second.asked()[0].reference);
    assert_eq!(house.metric("shirase_events_total", &[("result", "retried")]), 0.0);
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_gateway_that_asks_to_slow_down_gets_the_message_later() {
    let gateway =
        Gateway::scripted(|_, before| if before == 0 { Answer::Status(429) } else { Answer::Accept });
    let house = House::new("throttled").gateways(&[gateway.url()]);
    let worker = house.start();
    house.publish_all(&(0..10).map(withdrawal).collect::<Vec<_>>());
    house.wait_ended(10);
    assert_eq!((gateway.asked().len(), gateway.accepted().len()), (20, 10));
    assert_eq!(house.metric("shirase_attempts_total", &[("outcome", "throttled")]), 10.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
