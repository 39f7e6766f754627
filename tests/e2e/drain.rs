//! A gateway that somebody has drained: every worker follows, and it comes back by itself.

use serde_json::Value;
use shirase::clock::Clock;

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE, printed};
use crate::support::{Postgres, Worker, eventually, http_get};

fn gateways() -> [Gateway; 2] {
    [Gateway::always(Answer::Accept), Gateway::always(Answer::Accept)]
}

fn asked(gateways: &[Gateway; 2]) -> [usize; 2] {
    [gateways[0].asked().len(), gateways[1].asked().len()]
}

fn house(name: &str, gateways: &[Gateway; 2]) -> House {
    House::new(name).gateways(&[gateways[0].url(), gateways[1].url()])
}

#[track_caller]
fn gateway(house: &House, worker: &Worker, arguments: &[&str]) -> String {
    let output = house.run(worker, &[&["gateway"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn wait_drained(house: &House, name: &str, drained: f64) {
    eventually(PATIENCE, &format!("{name} to be drained: {drained}"), || {
        (house.metric("shirase_gateway_drained", &[("gateway", name)]) == drained).then_some(())
    });
}

#[test]
fn one_command_drains_a_gateway_in_two_workers_and_a_restarted_one_follows_before_its_first_event() {
    let database = Postgres::shared().create_database("drain");
    let ways = gateways();
    let house = house("drain-two", &ways).set("ledger", &format!("url = \"{database}\""));
    let first = house.start();
    let twin = house.twin();
    let second = twin.start();
    assert_eq!(house.metric("shirase_gateway_drained", &[]), 0.0);
    assert!(http_get(house.http, "/metrics").1.contains("shirase_gateway_drained{gateway=\"mta\"} 0"));

    gateway(&house, &first, &["drain", "gateway-1", "--for", "1h", "--reason", "slow", "--by", "kato"]);
    wait_drained(&house, "gateway-1", 1.0);
    wait_drained(&twin, "gateway-1", 1.0);
    house.publish_all(&(0..100).map(withdrawal).collect::<Vec<_>>());
    eventually(PATIENCE, "all to be told", || (ways[1].accepted().len() == 100).then_some(()));
    assert_eq!(asked(&ways), [0, 100]);
    assert_eq!(http_get(house.http, "/readyz").0, 200, "there is a way out");

    house.stop_twin(&first);
    house.publish_all(&(100..120).map(withdrawal).collect::<Vec<_>>());
    house.start_again(&first);
    house.publish_all(&(120..140).map(withdrawal).collect::<Vec<_>>());
    eventually(PATIENCE, "all to be told", || (ways[1].accepted().len() == 140).then_some(()));
    assert_eq!(asked(&ways), [0, 140]);

    gateway(&twin, &second, &["resume", "gateway-1"]);
    wait_drained(&house, "gateway-1", 0.0);
    wait_drained(&twin, "gateway-1", 0.0);
    house.publish_all(&(140..150).map(withdrawal).collect::<Vec<_>>());
    ways[0].wait_asked(10);
    let log = second.log();
    let line = log.lines().find(|line| line.contains("drained: the gateway is not asked")).expect("a line");
    let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(line.to_string().contains("kato") && line.to_string().contains("slow"), "{line}");
    for what in ["drained: the gateway is not asked", "no longer drained"] {
        assert_eq!(log.lines().filter(|line| line.contains(what)).count(), 1, "{what}: one line each\n{log}");
    }
    house.stop_twin(&second);
    house.stop_and_assert_empty(&first);
    house.assert_no_dead_letters();
}

#[test]
fn with_every_gateway_drained_events_wait_readyz_says_why_and_the_drains_end_by_themselves() {
    let ways = gateways();
    let house = house("drain-all", &ways);
    let worker = house.start();
    let drain = |name: &str, length: &str| {
        let more = ["--reason", "vendor change", "--by", "kato", "--even-the-last"];
        gateway(&house, &worker, &[&["drain", name, "--for", length], &more[..]].concat());
    };
    drain("gateway-1", "1h");
    drain("gateway-2", "20s");
    let over = Clock::system().now();
    let said = eventually(PATIENCE, "/readyz to say so", || {
        let (status, body) = http_get(house.http, "/readyz");
        (status == 503).then_some(body)
    });
    assert!(said.contains("sms: every gateway is drained (gateway-1: drained until "), "{said}");
    assert!(said.contains("by kato: vendor change"), "{said}");
    house.publish_all(&(0..20).map(login).collect::<Vec<_>>());
    house.wait_metric("shirase_events_total", &[("result", "retried")], 20.0);
    assert_eq!(asked(&ways), [0, 0]);

    house.wait_ended(20);
    assert_eq!(asked(&ways), [0, 20], "the other one's drain goes on");
    let passed = Clock::system().now().duration_since(over).as_secs();
    assert!(passed >= 15, "resumed after {passed} s of about 20");
    // The gateway is asked again when its drain is over; the metric says so at the worker's next look, within a second.
    wait_drained(&house, "gateway-2", 0.0);
    assert_eq!(house.metric("shirase_gateway_drained", &[]), 1.0);
    worker.wait_ready(house.http, PATIENCE);
    let listed = gateway(&house, &worker, &["list"]);
    assert!(
        listed.lines().any(|line| line.contains("gateway-1") && line.contains("vendor change")),
        "{listed}"
    );
    assert!(listed.lines().any(|line| line.contains("gateway-2") && line.contains("closed")), "{listed}");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
