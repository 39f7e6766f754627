//! `shirase dead replay`: dead letters back into their lane, and nobody told twice.

use std::collections::BTreeSet;
use std::thread;

use serde_json::{Value, json};

use crate::dead::{Desk, bytes, field};
use crate::events::{event, login, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{BINARY, House, PATIENCE};
use crate::support::{RabbitMq, Worker, eventually};

#[test]
fn a_replayed_letter_is_delivered_once_however_often_it_is_replayed() {
    let gateway = Gateway::always(Answer::Status(422));
    let desk = Desk::of(House::new("replay").gateways(&[gateway.url()]));
    let Desk { house, worker } = &desk;
    house.start_again(worker);
    house.publish_all(&[withdrawal(1), login(2)]);
    desk.wait_letters(2);
    let listed = desk.lines(&["list", "--type", "security.login"], 0);
    assert_eq!((&listed[0]["reason"], &listed[0]["attempts"]), (&json!("refused"), &json!(1)), "{listed:?}");

    gateway.script(|_, _| Answer::Accept);
    let replayed = desk.lines(&["replay", "--reason", "refused"], 0);
    assert_eq!(field(&replayed, "outcome"), ["replayed", "replayed"]);
    house.wait_ended(4);
    assert_eq!((gateway.accepted().len(), gateway.by_number().len()), (2, 2));
    desk.wait_letters(0);

    // Two people saved the same letter by hand, and both give it back.
    for _ in 0..2 {
        desk.letter(&bytes(&withdrawal(1)), &[("reason", "refused")]);
    }
    assert_eq!(field(&desk.lines(&["replay", "--all"], 0), "outcome"), ["replayed", "replayed"]);
    house.wait_ended(6);
    assert_eq!(gateway.accepted().len(), 2, "told again: {:?}", gateway.asked());
    desk.wait_letters(0);
    house.stop_and_assert_empty(worker);
}

/// What is left behind by a replay that was killed between the broker's confirm and its acknowledgement: the copy in the
/// lane, and the letter.
#[test]
fn a_replay_that_was_killed_half_way_is_run_again_and_tells_nobody_twice() {
    let gateway = Gateway::always(Answer::Accept);
    let desk = Desk::of(House::new("replay-killed").gateways(&[gateway.url()]));
    let Desk { house, worker } = &desk;
    house.start_again(worker);
    desk.letter(&bytes(&withdrawal(1)), &[("reason", "exhausted"), ("attempts", "7")]);
    house.amqp.publish("", &house.queue("critical"), &bytes(&withdrawal(1)));
    house.wait_ended(1);
    assert_eq!(field(&desk.lines(&["replay", "--all"], 0), "outcome"), ["replayed"]);
    house.wait_ended(2);
    assert_eq!(gateway.asked().iter().map(|sms| sms.to.clone()).collect::<Vec<_>>(), [mobile(1)]);
    desk.wait_letters(0);
    house.stop_and_assert_empty(worker);
}

#[test]
fn a_letter_goes_back_as_upstream_made_it_with_its_deaths_counted_and_its_attempts_not() {
    let desk = Desk::new("replay-headers");
    let Desk { house, .. } = &desk;
    let event = login(1);
    let ours = [("attempts", "7"), ("reason", "schema"), ("detail", "x"), ("deaths", "2"), ("died-at", "x")];
    let binary = ["specversion", "id", "source", "type", "time"]
        .map(|name| (format!("ce-{name}"), event[name].as_str().expect("text")));
    let headers = ours.map(|(name, value)| (format!("x-shirase-{name}"), value)).into_iter().chain(binary);
    let data = bytes(&event["data"]);
    desk.publish(&house.queue("dead"), &data, headers);
    assert_eq!(field(&desk.lines(&["replay", "--type", "security.login"], 0), "outcome"), ["replayed"]);

    let replayed = house.amqp.take_all(&house.queue("standard"));
    assert_eq!(replayed.len(), 1);
    // The broker's own count of deliveries is not ours.
    let names = replayed[0].headers.keys().map(String::as_str).filter(|name| *name != "x-delivery-count");
    let names: Vec<&str> = names.collect();
    assert_eq!(names, ["ce-id", "ce-source", "ce-specversion", "ce-time", "ce-type", "x-shirase-deaths"]);
    assert_eq!(replayed[0].header("x-shirase-deaths"), "2");
    assert_eq!((replayed[0].body.as_slice(), replayed[0].delivery_mode), (data.as_slice(), Some(2)));
    assert_eq!(replayed[0].message_id, "m-1");
    desk.wait_letters(0);
}

#[test]
fn what_has_no_lane_to_go_back_to_stays_and_a_dry_run_changes_nothing() {
    let desk = Desk::new("replay-no-lane");
    let Desk { house, .. } = &desk;
    desk.letter(&bytes(&event("security.unheard.of", "e-1", Value::Null)), &[("reason", "unknown_type")]);
    desk.letter(b"{", &[("reason", "not_json")]);
    desk.letter(&bytes(&login(1)), &[("reason", "schema")]);
    let would = desk.lines(&["replay", "--all", "--dry-run"], 1);
    assert_eq!(field(&would, "outcome"), ["kept", "kept", "would_replay"]);
    desk.wait_letters(3);
    assert!(house.amqp.take_all(&house.queue("standard")).is_empty());

    let replayed = desk.lines(&["replay", "--all"], 1);
    assert_eq!(field(&replayed, "outcome"), ["kept", "kept", "replayed"]);
    let whys = field(&replayed, "why");
    assert!(whys[0].contains("not in the catalog") && whys[1].contains("cannot be read"), "{whys:?}");
    desk.wait_letters(2);
    assert_eq!(house.amqp.take_all(&house.queue("standard")).len(), 1);
}

#[test]
fn a_letter_whose_lane_has_no_queue_stays() {
    let desk = Desk::new("replay-no-queue");
    desk.letter(&bytes(&login(1)), &[("reason", "exhausted")]);
    RabbitMq::shared().delete_queue(&desk.house.queue("standard"));
    let replayed = desk.lines(&["replay", "--all"], 1);
    assert_eq!(field(&replayed, "outcome"), ["kept"]);
    assert!(field(&replayed, "why")[0].contains("no queue takes"), "{replayed:?}");
    desk.wait_letters(1);
}

#[test]
fn letters_that_die_again_at_once_do_not_go_round() {
    let desk = Desk::new("replay-round");
    let Desk { house, worker } = &desk;
    house.start_again(worker);
    for n in 0..150 {
        let bad = event("security.login", &format!("bad-{n}"), json!({"recipient": "nobody"}));
        desk.letter(&bytes(&bad), &[("reason", "schema")]);
    }
    let replayed = desk.lines(&["replay", "--all"], 0);
    assert_eq!(replayed.len(), 150);
    house.wait_ended(150);
    desk.wait_letters(150);
    house.stop_and_assert_empty(worker);
}

#[test]
fn two_people_who_replay_at_once_lose_nothing_and_double_nothing() {
    let desk = Desk::new("replay-two");
    let Desk { house, .. } = &desk;
    let queue = house.queue("dead");
    let letters: Vec<Vec<u8>> = (0..400).map(|n| bytes(&withdrawal(n))).collect();
    house.amqp.publish_all(letters.iter().map(|body| ("", queue.as_str(), body.clone())));
    let counts: Vec<usize> = thread::scope(|scope| {
        let replays = [(); 2].map(|()| scope.spawn(|| desk.lines(&["replay", "--all"], 0).len()));
        replays.map(|replay| replay.join().expect("it ended well")).to_vec()
    });
    // One may have counted while the other held some; whatever is left is there for the next.
    let mut replayed: usize = counts.iter().sum();
    replayed += desk.lines(&["replay", "--all"], 0).len();
    assert_eq!(replayed, 400, "{counts:?}");
    desk.wait_letters(0);
    let back = house.amqp.take_all(&house.queue("critical"));
    let different: BTreeSet<Vec<u8>> = back.iter().map(|message| message.body.clone()).collect();
    assert_eq!((back.len(), different), (400, letters.into_iter().collect()));
}

#[test]
fn a_replay_killed_with_letters_in_its_hands_loses_none() {
    let desk = Desk::new("replay-kill");
    let Desk { house, .. } = &desk;
    let queue = house.queue("dead");
    let letters: Vec<Vec<u8>> = (0..1000).map(|n| bytes(&withdrawal(n))).collect();
    house.amqp.publish_all(letters.iter().map(|body| ("", queue.as_str(), body.clone())));
    let replay = Worker::start(BINARY, &house.config(), &["dead", "replay", "--all"], &[]);
    let critical = house.queue("critical");
    eventually(PATIENCE, "the first letters back in their lane", || {
        house.amqp.look(&critical).filter(|look| look.messages > 0)
    });
    replay.kill();
    eventually(PATIENCE, "the letters in its hands back in the queue", || {
        desk.lines(&["replay", "--all"], 0).is_empty().then_some(())
    });
    desk.wait_letters(0);
    let back: BTreeSet<Vec<u8>> =
        house.amqp.take_all(&critical).into_iter().map(|message| message.body).collect();
    assert_eq!(back, letters.into_iter().collect());
}
