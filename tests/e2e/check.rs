//! `shirase check --connect`.

use serde_json::Value;

use crate::house::{House, printed, run_in};
use crate::support::{Scratch, free_port};

#[test]
fn a_check_of_what_runs_is_green() {
    let (house, sandbox) = House::new("check-green").sandbox();
    let worker = house.start();
    // The ordinary case: somebody checks the configuration of the worker that runs beside it.
    let ended = house.run(&worker, &["check", "--connect"]);
    assert_eq!(ended.status.code(), Some(0), "{}", printed(&ended));
    let ended = house.run(&worker, &["check", "--connect", "--json"]);
    let checked: Value = serde_json::from_slice(&ended.stdout).expect("one JSON object");
    assert_eq!(checked["findings"], serde_json::json!([]), "{checked}");
    assert!(sandbox.sms().is_empty() && sandbox.mail().is_empty(), "a check sends nothing");
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_check_of_what_does_not_run_names_each_part() {
    let house = House::new("check-red").set("ledger", r#"url = "sqlite:/nowhere/shirase.db""#);
    let scratch = Scratch::new("check");
    let config = house.config().replace(&house.amqp.port().to_string(), &free_port().to_string());
    let config = scratch.write("shirase.toml", &config);
    let ended = run_in(scratch.path(), &config, &["check"]);
    assert_eq!(ended.status.code(), Some(0), "without --connect nothing is tried: {}", printed(&ended));

    let ended = run_in(scratch.path(), &config, &["check", "--connect"]);
    let text = printed(&ended);
    assert_eq!(ended.status.code(), Some(1), "{text}");
    for part in ["broker.urls", "ledger.url", "sms.gateways \"gateway-1\"", "email.relays \"mta\""] {
        assert!(text.contains(part), "{part} is not named:\n{text}");
    }
    assert!(!text.contains("guest:guest"), "{text}");
}
