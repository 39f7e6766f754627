//! `shirase publish`.

use serde_json::Value;

use crate::events::{event, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, printed, run_in};
use crate::support::{Scratch, free_port};

#[test]
fn published_events_are_confirmed_and_delivered_and_what_nobody_takes_is_named_with_its_line() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("publish").gateways(&[gateway.url()]);
    let worker = house.start();
    let scratch = Scratch::new("publish");
    let mut events: Vec<Value> = (0..40).map(withdrawal).collect();
    events[16]["type"] = "security.unheard.of".into();
    events[33]["type"] = "security.unheard.of".into();
    let lines: Vec<String> = events.iter().map(Value::to_string).collect();
    let file = scratch.write("events.jsonl", &lines.join("\n"));
    let file = file.to_str().expect("UTF-8");

    let ended = house.run(&worker, &["publish", file]);
    let text = printed(&ended);
    assert_eq!(ended.status.code(), Some(1), "{text}");
    assert!(text.contains("38 of 40 events confirmed"), "{text}");
    for line in [17, 34] {
        let named = format!("events.jsonl:{line}: no queue is bound to security.unheard.of");
        assert!(text.contains(&named), "{text}");
    }
    assert!(!text.contains(&mobile(16)), "{text}");
    house.wait_ended(38);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (38, 38));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn publishing_a_good_file_succeeds_before_any_worker_has_run() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("publish-first").gateways(&[gateway.url()]);
    let scratch = Scratch::new("publish");
    let config = scratch.write("shirase.toml", &house.config());
    // One document, over several lines.
    let one = serde_json::to_string_pretty(&withdrawal(1)).expect("JSON");
    let file = scratch.write("one.json", &one);
    let ended = run_in(scratch.path(), &config, &["publish", "--json", file.to_str().expect("UTF-8")]);
    assert_eq!(ended.status.code(), Some(0), "{}", printed(&ended));
    let counts: Value = serde_json::from_slice(&ended.stdout).expect("one JSON object");
    assert_eq!(counts["confirmed"], 1, "{counts}");

    let worker = house.start();
    house.wait_ended(1);
    assert_eq!(gateway.accepted().len(), 1);
    house.stop_and_assert_empty(&worker);
}

#[test]
fn publishing_tells_wrong_usage_from_a_broker_that_is_not_there() {
    let house = House::new("publish-codes");
    let scratch = Scratch::new("publish");
    let config = scratch.write("shirase.toml", &house.config());
    let publish = |config, file: &str| run_in(scratch.path(), config, &["publish", file]);

    let ended = publish(&config, "nothing.json");
    assert_eq!(ended.status.code(), Some(2), "{}", printed(&ended));
    assert!(printed(&ended).contains("nothing.json"), "{}", printed(&ended));

    let nobody = house.config().replace(&house.amqp.port().to_string(), &free_port().to_string());
    let nobody = scratch.write("nobody.toml", &nobody);
    // More than are on their way at once: what was not even tried is not confirmed either.
    let event = |number: usize| format!("{}\n", event("security.login", &number.to_string(), Value::Null));
    scratch.write("many.jsonl", &(1..=300).map(event).collect::<String>());
    let ended = publish(&nobody, "many.jsonl");
    assert_eq!(ended.status.code(), Some(1), "{}", printed(&ended));
    assert!(printed(&ended).contains("0 of 300 events confirmed"), "{}", printed(&ended));
    assert!(printed(&ended).contains("many.jsonl:1: not confirmed"), "{}", printed(&ended));
    assert!(printed(&ended).contains("many.jsonl:257: not tried"), "{}", printed(&ended));
}
