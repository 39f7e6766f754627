//! Gateways that somebody has drained: the pipeline leaves them alone, and `shirase gateway` says and changes it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shirase::clock::Clock;
use shirase::config::Span;
use shirase::drain::Drain;
use shirase::ledger::{Ledger, LedgerConfig};

use crate::house::{self, Desk, Ran, RunningSandbox};
use crate::pipeline::{World, assert_results, echo, login, retry, sms_through, world};
use crate::script::{Http, answer};

fn drain(gateway: &str, since: Timestamp, minutes: i64) -> Drain {
    Drain {
        gateway: gateway.to_owned(),
        since,
        until: since + SignedDuration::from_mins(minutes),
        reason: "maintenance".to_owned(),
        by: "kato@ops".to_owned(),
    }
}

async fn told(world: &World, id: &str, email: bool) -> shirase::dispatch::Report {
    let mut event = login(email);
    event["id"] = json!(id);
    world.dispatch(&event, 0).await
}

fn asked(servers: [&Http; 2]) -> [usize; 2] {
    servers.map(|server| server.requests().len())
}

#[tokio::test]
async fn a_drained_gateway_gets_nothing_the_next_one_all_and_it_comes_back_by_itself() {
    let (first, second) = (Http::start(|_, _| echo(200)).await, Http::start(|_, _| echo(200)).await);
    let world = world(|config| sms_through(config, &[&first, &second])).await;
    let gateways = &world.dispatcher.gateways;
    let now = world.dispatcher.clock.now();
    let there = drain("gateway-1", now, 15);
    gateways.follow(&[there.clone(), drain("no-longer-configured", now, 15)], now);
    let drained: Vec<_> = gateways.iter().map(shirase::gateway::Gateway::drained).collect();
    assert_eq!(drained, [Some(there), None, None]);
    for number in 0..5 {
        assert_results(&told(&world, &format!("drained-{number}"), false).await, &["current.sms accepted"]);
    }
    assert_eq!(asked([&first, &second]), [0, 5]);
    assert!(gateways.trouble().is_empty() && !gateways.take_nothing(), "there is a way out");

    // Nobody has asked the ledger since.
    world.hands.forward(15 * 60);
    assert!(gateways.iter().all(|gateway| gateway.drained().is_none()));
    told(&world, "back", false).await;
    assert_eq!(asked([&first, &second]), [1, 5]);
}

#[tokio::test]
async fn with_every_gateway_drained_events_wait_at_no_cost_or_take_the_other_channel_in_its_time() {
    let (first, second) = (Http::start(|_, _| echo(200)).await, Http::start(|_, _| echo(200)).await);
    let world = world(|config| {
        sms_through(config, &[&first, &second]);
        config.retry.fallback_after = Span::seconds(60);
    })
    .await;
    let gateways = &world.dispatcher.gateways;
    let now = world.dispatcher.clock.now();
    let both = ["gateway-1", "gateway-2"].map(|name| drain(name, now, 15));
    gateways.follow(&both, now);
    let trouble = gateways.trouble();
    let until = now + SignedDuration::from_mins(15);
    let expected = format!(
        "sms: every gateway is drained (gateway-1: drained until {until:.0} by kato@ops: maintenance; \
         gateway-2: drained until {until:.0} by kato@ops: maintenance)"
    );
    assert_eq!(trouble, [expected]);
    assert!(!gateways.take_nothing(), "mail goes out");

    // The schedule has two steps: four times would be the end of it.
    for _ in 0..4 {
        let report = told(&world, "waits", false).await;
        assert_results(&report, &["current.sms waiting"]);
        assert_eq!(report.notifications[0].reason.as_deref(), Some("drained"));
        assert_eq!(report.disposition, retry(5, 0));
        world.hands.forward(5);
    }
    assert_results(&told(&world, "falls back", true).await, &["current.sms waiting"]);
    world.hands.forward(56);
    let report = told(&world, "falls back", true).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!(asked([&first, &second]), [0, 0]);

    gateways.follow(&[], now);
    assert_results(&told(&world, "waits", false).await, &["current.sms accepted"]);
    assert_eq!(asked([&first, &second]), [1, 0], "resumed before its end");
}

#[tokio::test]
async fn lanes_pause_when_every_gateway_of_every_channel_is_drained_or_failing() {
    let refuses = Http::start(|_, _| echo(401)).await;
    let world = world(|config| sms_through(config, &[&refuses])).await;
    let gateways = &world.dispatcher.gateways;
    for number in 0..5 {
        told(&world, &format!("opens-{number}"), false).await;
    }
    assert!(!gateways.take_nothing());
    let now = world.dispatcher.clock.now();
    gateways.follow(&[drain("mta", now, 1)], now);
    assert!(gateways.take_nothing());
    gateways.follow(&["mta", "gateway-1"].map(|name| drain(name, now, 1)), now);
    assert!(gateways.trouble()[0].starts_with("sms: every gateway is drained ("), "{:?}", gateways.trouble());
}

/// Two gateways, a relay, and a ledger that a worker has made.
fn desk(sms: &str, listen: &str) -> Desk {
    let desk = Desk::new().with("SHIRASE_CONFIG", "shirase.toml");
    let gateway = |name| format!("[[sms.gateways]]\nname = \"{name}\"\nkind = \"http\"\nurl = \"{sms}\"\n");
    let config = format!(
        "[ledger]\nurl = \"sqlite:l.db\"\n[http]\nlisten = \"{listen}\"\n{}{}\
         [[email.relays]]\nname = \"mta\"\nurl = \"smtp://127.0.0.1:1\"\n",
        gateway("primary"),
        gateway("backup"),
    );
    desk.scratch.write("shirase.toml", &config);
    desk
}

fn make_ledger(desk: &Desk) {
    let url = format!("sqlite:{}", desk.path().join("l.db").display()).parse().expect("a URL");
    let config = LedgerConfig {
        url,
        pool: 1,
        retention: Span::seconds(60),
        device_retention: Span::seconds(60),
        recipient_key: None,
    };
    drop(Ledger::open(&config, &Clock::steady()).expect("a ledger"));
}

const NOBODY: &str = "127.0.0.1:1";

fn listed(desk: &Desk) -> Vec<Value> {
    desk.run(&["gateway", "list", "--json"]).expect(0).json_lines()
}

fn drain_it(desk: &Desk, name: &str, more: &[&str]) -> Ran {
    let arguments = ["gateway", "drain", name, "--for", "15m", "--reason", "業者の保守"];
    desk.run(&[&arguments, more].concat())
}

#[test]
fn a_drain_is_listed_with_who_until_and_why_and_may_be_ended() {
    let desk = desk("http://127.0.0.1:1/sms", NOBODY);
    make_ledger(&desk);
    let before = house::real_time();
    let ran = drain_it(&desk, "primary", &["--by", "kato"]).expect(0);
    assert!(ran.out.starts_with("primary: drained until ") && ran.out.contains(" by kato"), "{}", ran.out);
    let all = listed(&desk);
    let names: Vec<_> = all.iter().map(|one| (&one["channel"], &one["order"], &one["name"])).collect();
    assert_eq!(
        names,
        [
            (&json!("sms"), &json!(1), &json!("primary")),
            (&json!("sms"), &json!(2), &json!("backup")),
            (&json!("email"), &json!(1), &json!("mta"))
        ]
    );
    let drained = &all[0]["drained"];
    assert_eq!((&drained["by"], &drained["reason"]), (&json!("kato"), &json!("業者の保守")));
    let until: Timestamp = drained["until"].as_str().expect("a time").parse().expect("a time");
    let left = until.duration_since(before).as_secs();
    assert!((899..=960).contains(&left), "{left} s");
    assert!(all[1..].iter().all(|one| one["drained"].is_null()), "{all:?}");

    assert_eq!(desk.run(&["gateway", "resume", "primary"]).expect(0).out, "primary: resumed\n");
    assert_eq!(desk.run(&["gateway", "resume", "primary"]).expect(0).out, "primary: was not drained\n");
    assert!(listed(&desk)[0]["drained"].is_null());
}

#[test]
fn whoever_drains_is_named_also_behind_sudo() {
    let desk = desk("http://127.0.0.1:1/sms", NOBODY).with("USER", "root").with("SUDO_USER", "sato");
    make_ledger(&desk);
    drain_it(&desk, "primary", &[]).expect(0);
    let by = listed(&desk)[0]["drained"]["by"].as_str().expect("a name").to_owned();
    assert!(by.starts_with("sato"), "{by}");
}

#[test]
fn the_last_way_out_of_a_channel_is_drained_only_when_that_is_meant() {
    let desk = desk("http://127.0.0.1:1/sms", NOBODY);
    make_ledger(&desk);
    let refused = drain_it(&desk, "mta", &[]).expect(1);
    assert!(
        refused.err.contains("mta is the last gateway of email") && refused.err.contains("--even-the-last")
    );
    drain_it(&desk, "primary", &[]).expect(0);
    assert!(drain_it(&desk, "backup", &[]).expect(1).err.contains("the last gateway of sms"));
    drain_it(&desk, "backup", &["--even-the-last"]).expect(0);
    let drained = listed(&desk).iter().filter(|one| !one["drained"].is_null()).count();
    assert_eq!(drained, 2);
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let desk = desk("http://127.0.0.1:1/sms", NOBODY);
    let none = drain_it(&desk, "primary", &[]).expect(2);
    assert!(none.err.contains("ledger.url"), "{}", none.err);
    assert!(!desk.path().join("l.db").exists(), "only a worker makes a ledger");
    make_ledger(&desk);
    for command in ["drain", "resume"] {
        let ran = match command {
            "drain" => drain_it(&desk, "second", &[]),
            _ => desk.run(&["gateway", "resume", "second"]),
        };
        let words = "\"second\" is no gateway or relay; there are primary, backup, mta";
        assert!(ran.expect(2).err.contains(words), "{command}");
    }
    for (length, reason, words) in [
        ("8d", "x", "seven days"),
        ("10ms", "x", "seven days"),
        ("soon", "x", "30s"),
        ("1m", " ", "a reason"),
    ] {
        let ran = desk.run(&["gateway", "drain", "primary", "--for", length, "--reason", reason]).expect(2);
        assert!(ran.err.contains(words), "{length} {reason:?}: {}", ran.err);
    }
    let memory = desk.with("SHIRASE_LEDGER__URL", "sqlite::memory:");
    let ran = memory.run(&["gateway", "list"]).expect(2);
    assert!(ran.err.contains("set ledger.url to a file or a postgres:// database"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn circuits_are_those_of_the_worker_and_without_one_that_is_said() {
    let page = "shirase_gateway_circuit{gateway=\"primary\"} 2\nshirase_gateway_circuit{gateway=\"mta\"} 0\n";
    let worker = Http::always(answer(200, &[], page)).await;
    let url: url::Url = worker.url().parse().expect("a URL");
    let listen = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
    let desk = desk("http://127.0.0.1:1/sms", &listen);
    make_ledger(&desk);
    let ran = desk.run(&["gateway", "list"]).expect(0);
    let lines: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split_whitespace().take(4).collect()).collect();
    assert_eq!(lines[1], ["sms", "1", "primary", "open"]);
    assert_eq!(lines[2], ["sms", "2", "backup", "-"]);
    assert_eq!(lines[3], ["email", "1", "mta", "closed"]);
    assert_eq!(ran.err, "");

    desk.scratch.write("shirase.toml", &desk.scratch.read("shirase.toml").replace(&listen, NOBODY));
    let alone = desk.run(&["gateway", "list"]).expect(0);
    assert!(
        alone.err.contains("no worker tells its circuits at http://127.0.0.1:1/metrics"),
        "{}",
        alone.err
    );
    assert!(
        alone.out.lines().skip(1).all(|line| line.split_whitespace().nth(3) == Some("-")),
        "{}",
        alone.out
    );
}

#[test]
fn a_run_from_a_file_follows_the_drains_of_its_ledger_from_its_first_event_on() {
    let sandbox = RunningSandbox::start();
    let desk = desk(&sandbox.sms, NOBODY);
    make_ledger(&desk);
    drain_it(&desk, "primary", &[]).expect(0);
    let event = house::envelope(
        "security.login",
        "drained",
        house::real_time(),
        &json!({"recipient": {"user_id": "U1", "phone": "09012345678"}, "device": {"os": "iOS"}}),
    );
    let ran = desk.run_with_input(&["run", "--events", "-", "--json"], &event.to_string()).expect(0);
    assert_eq!(sandbox.sandbox.sms().len(), 1, "{ran:?}");
    assert_eq!(ran.json_lines()[0]["notifications"][0]["gateway"], "backup", "{}", ran.out);
    assert!(ran.err.contains("drained: the gateway is not asked"), "{}", ran.err);
}
