//! Gateways in trouble: nobody is asked who fails, no attempt is used up by that, the other channel takes over, and all is
//! told once when they are back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use shirase::clock::Clock;
use shirase::config::{Config, Span};
use shirase::dispatch::{Disposition, Report};
use shirase::gateway::{Balance, Circuit};
use shirase::plan::Channel;

use crate::house::{self, Desk};
use crate::pipeline::{
    World, assert_results, echo, event, login, mail_through, retry, sms_through, world, world_with,
};
use crate::script::{Http, Reply, Smtp, Stage, answer};

/// A gateway that works when told to.
struct Switched {
    server: Http,
    works: Arc<AtomicBool>,
}

impl Switched {
    async fn off() -> Self {
        let works = Arc::<AtomicBool>::default();
        let switch = Arc::clone(&works);
        // Surely not accepted, so that nothing is unknown.
        let reply = move || echo(if switch.load(Ordering::Relaxed) { 200 } else { 401 });
        Self { server: Http::start(move |_, _| reply()).await, works }
    }

    fn on(&self) {
        self.works.store(true, Ordering::Relaxed);
    }

    fn asked(&self) -> usize {
        self.server.requests().len()
    }
}

/// Everything that needs the relay fails at its greeting.
async fn broken_relay() -> (Smtp, Arc<AtomicBool>) {
    let works = Arc::<AtomicBool>::default();
    let switch = Arc::clone(&works);
    let relay = Smtp::start(move |stage, _, _| {
        let broken = stage == Stage::Greeting && !switch.load(Ordering::Relaxed);
        broken.then(|| Reply::SayAndClose("421 4.3.2 later\r\n".into()))
    })
    .await;
    (relay, works)
}

/// Different customers' logins.
fn logins(count: usize, email: bool) -> Vec<Value> {
    let numbered = |number| {
        let mut event = login(email);
        event["id"] = json!(format!("login-{number}"));
        event
    };
    (0..count).map(numbered).collect()
}

async fn dispatch_all(world: &World, events: &[Value]) -> Vec<Report> {
    join_all(events.iter().map(|event| world.dispatch(event, 0))).await
}

fn done(reports: &[Report]) -> usize {
    reports.iter().filter(|report| report.disposition == Disposition::Done).count()
}

fn circuits(world: &World, channel: Channel) -> Vec<Circuit> {
    world.dispatcher.gateways.of(channel).iter().map(shirase::gateway::Gateway::circuit).collect()
}

/// Two gateways that answer as told, and every message for itself a long time to go.
async fn two_gateways(first: &Http, second: &Http, change: impl FnOnce(&mut Config)) -> World {
    world(|config| {
        sms_through(config, &[first, second]);
        change(config);
    })
    .await
}

/// Opens both circuits, one event after the other.
async fn open(world: &World) {
    for number in 0..5 {
        let mut event = login(false);
        event["id"] = json!(format!("opens-{number}"));
        world.dispatch(&event, 0).await;
    }
    assert_eq!(circuits(world, Channel::Sms), [Circuit::Open; 2]);
}

#[tokio::test]
async fn with_every_gateway_down_no_attempt_is_used_up_and_when_they_are_back_all_are_told_once() {
    let (first, second) = (Switched::off().await, Switched::off().await);
    let world = two_gateways(&first.server, &second.server, |_| {}).await;
    open(&world).await;
    let before = (first.asked(), second.asked());
    let events = logins(20, false);
    // The schedule has two steps: six times would be the end of it.
    for _ in 0..6 {
        world.hands.forward(3);
        for report in dispatch_all(&world, &events).await {
            if report.notifications[0].reason.as_deref() == Some("circuit_open") {
                assert_results(&report, &["current.sms waiting"]);
                assert!(matches!(report.disposition, Disposition::Retry { attempts: 0, .. }), "{report:?}");
            }
        }
    }
    let probes = (first.asked() - before.0) + (second.asked() - before.1);
    assert!((2..=6).contains(&probes), "{probes}: after 5 and 10 s, one of each at a time");

    first.on();
    second.on();
    let mut told = 0;
    for _ in 0..20 {
        world.hands.forward(30);
        told = done(&dispatch_all(&world, &events).await);
    }
    assert_eq!(told, events.len());
    let accepted =
        first.server.requests().len() + second.server.requests().len() - probes - before.0 - before.1;
    assert_eq!(accepted, events.len(), "each once");
    assert!(world.dispatcher.gateways.trouble().is_empty());
}

#[tokio::test]
async fn the_other_channel_takes_over_when_its_time_has_come() {
    let (first, second) = (Switched::off().await, Switched::off().await);
    let world = two_gateways(&first.server, &second.server, |_| {}).await;
    open(&world).await;
    let report = world.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms waiting"]);
    assert_eq!((report.disposition, world.sent()), (retry(5, 0), (0, 0)));
    world.hands.forward(58);
    let report = world.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!((report.disposition, world.sent()), (Disposition::Done, (0, 1)));
}

#[tokio::test]
async fn the_other_channel_takes_over_at_once_when_no_gateway_would_be_asked_in_time() {
    let (first, second) = (Switched::off().await, Switched::off().await);
    let world = two_gateways(&first.server, &second.server, |config| {
        for gateway in &mut config.sms.gateways {
            gateway.common.breaker.open_for = Span::seconds(120);
        }
    })
    .await;
    open(&world).await;
    let asked = first.asked() + second.asked();
    let report = world.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!((report.disposition, world.sent()), (Disposition::Done, (0, 1)));
    assert_eq!(first.asked() + second.asked(), asked);
}

#[tokio::test]
async fn what_needs_only_the_healthy_channel_flows_on() {
    let (first, second) = (Switched::off().await, Switched::off().await);
    let world = two_gateways(&first.server, &second.server, |_| {}).await;
    open(&world).await;
    assert_results(&world.dispatch(&logins(1, false)[0], 0).await, &["current.sms waiting"]);
    let report = world.dispatch(&event("security.password.changed", 1), 0).await;
    assert_results(&report, &["current.email accepted"]);
    assert!(!world.dispatcher.gateways.take_nothing(), "intake goes on");
    let trouble = world.dispatcher.gateways.trouble();
    assert_eq!(trouble.len(), 1, "{trouble:?}");
    assert_eq!(
        trouble[0],
        "sms: every gateway is failing (gateway-1: credentials for 0 s; gateway-2: credentials for 0 s)"
    );
}

#[tokio::test]
async fn with_every_channel_down_intake_pauses_and_nothing_is_given_up_in_exchange_for_nothing() {
    let (first, second) = (Switched::off().await, Switched::off().await);
    let (relay, relay_works) = broken_relay().await;
    let world = two_gateways(&first.server, &second.server, |config| {
        mail_through(config, &relay);
        config.retry.fallback_after = Span::seconds(2);
    })
    .await;
    open(&world).await;
    for number in 0..5 {
        let mut event = event("security.password.changed", 1);
        event["id"] = json!(format!("mail-{number}"));
        event["data"]["recipient"].as_object_mut().expect("a recipient").remove("phone");
        world.dispatch(&event, 0).await;
    }
    let gateways = &world.dispatcher.gateways;
    assert!(gateways.take_nothing());
    let trouble = gateways.trouble();
    assert_eq!(trouble.len(), 2, "{trouble:?}");
    assert!(trouble[1].starts_with("email: every gateway is failing (mta: server for "), "{trouble:?}");

    let event = login(true);
    assert_results(&world.dispatch(&event, 0).await, &["current.sms waiting"]);
    // Past `fallback_after`, but the other channel would not take it.
    world.hands.forward(3);
    assert_results(&world.dispatch(&event, 0).await, &["current.sms waiting"]);

    relay_works.store(true, Ordering::Relaxed);
    world.hands.forward(120);
    let report = world.dispatch(&event, 0).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert!(!gateways.take_nothing());
    assert_eq!(gateways.trouble().len(), 1, "the relay is back");
}

/// The machine's time limits are real here; the test waits for what happens, not for how long that takes.
#[tokio::test]
async fn a_gateway_that_hangs_is_left_alone_long_before_its_timeout() {
    let hanging = Http::always(Reply::Silence).await;
    let second = Http::always(echo(200)).await;
    let change = |config: &mut Config| {
        sms_through(config, &[&hanging, &second]);
        config.sms.gateways[0].common.timeout = Span::seconds(600);
        config.sms.gateways[0].common.breaker.slow = Span(Duration::from_millis(100));
        config.sms.gateways[0].common.breaker.open_for = Span::seconds(600);
    };
    let now = Clock::fixed(house::time());
    let world = Arc::new(world_with(now, &Clock::steady(), house::templates(), change).await);
    let stuck: Vec<_> = logins(5, false)
        .into_iter()
        .map(|event| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.dispatch(&event, 0).await })
        })
        .collect();
    let opened = async {
        while circuits(&world, Channel::Sms)[0] != Circuit::Open {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), opened).await.expect("it is found out");
    let mut event = login(false);
    event["id"] = json!("after");
    let report = world.dispatch(&event, 0).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_eq!(report.notifications[0].gateway.as_deref(), Some("gateway-2"));
    assert_eq!(hanging.requests().len(), 5);
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_gateway_that_comes_back_is_not_flooded() {
    const FAILED: usize = 5;
    let late = |status| match echo(status) {
        Reply::Say(text) => Reply::SayLate(Duration::from_millis(20), text),
        other => other,
    };
    let gateway = Http::start(move |_, number| late(if number < FAILED { 401 } else { 200 })).await;
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        // Only answers count here, not time.
        config.sms.gateways[0].common.breaker.window = Span::seconds(3600);
    })
    .await;
    let events = logins(80, false);
    for event in &events[..FAILED] {
        world.dispatch(event, 0).await;
    }
    for _ in 0..3 {
        world.hands.forward(30);
        dispatch_all(&world, &events).await;
    }
    assert_eq!(
        (gateway.requests().len(), circuits(&world, Channel::Sms)),
        (FAILED + 80, vec![Circuit::Closed])
    );
    let at_once = gateway.at_once().split_off(FAILED);
    for (before, at_once) in at_once.iter().enumerate().take(63) {
        // For so many at once, all but one of as many have to have been answered.
        assert!(*at_once <= before / 2 + 1, "{at_once} at once after {before}");
    }
    assert!(at_once.iter().any(|at_once| *at_once >= 8), "it does come back: {at_once:?}");
}

#[tokio::test]
async fn every_notification_honours_what_a_gateway_asks_for() {
    let gateway =
        Http::start(
            |_, number| {
                if number == 0 { answer(429, &[("retry-after", "20")], "") } else { echo(200) }
            },
        )
        .await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    let events = logins(10, false);
    assert_eq!(world.dispatch(&events[0], 0).await.disposition, retry(30, 1));
    for event in &events[1..] {
        let report = world.dispatch(event, 0).await;
        assert_results(&report, &["current.sms waiting"]);
        assert_eq!(report.disposition, retry(30, 0), "the step that outlasts the wait, and no attempt");
    }
    assert_eq!(gateway.requests().len(), 1);
    assert_eq!(
        world.dispatcher.gateways.trouble(),
        ["sms: every gateway is failing (gateway-1: wants to be left alone for 20 s)"]
    );
    world.hands.forward(20);
    assert!(world.dispatcher.gateways.trouble().is_empty());
    assert_eq!(done(&dispatch_all(&world, &events).await), events.len());
}

#[tokio::test]
async fn by_weight_each_gateway_gets_its_share_and_a_retry_keeps_its_order() {
    let servers = [
        Http::start(|_, number| echo(if number == 0 { 429 } else { 200 })).await,
        Http::always(echo(200)).await,
    ];
    let world = two_gateways(&servers[0], &servers[1], |config| {
        config.sms.balance = Balance::Weight;
        config.sms.gateways[0].common.weight = 3;
    })
    .await;
    let events = logins(100, false);
    for event in &events {
        assert_eq!(world.dispatch(event, 0).await.disposition, Disposition::Done);
    }
    let (first, second) = (servers[0].requests().len(), servers[1].requests().len());
    assert!((65..=85).contains(&first), "{first} and {second}");
    assert_eq!(first + second, 101, "one was throttled, and went on to the other");
}

const TWO_GATEWAYS: &str = r#"
[worker]
replicas = 4
[sms]
balance = "weight"
[[sms.gateways]]
name = "gateway-1"
kind = "http"
url = "http://127.0.0.1:9/sms"
weight = 3
rate_per_second = 100
[[sms.gateways]]
name = "gateway-2"
kind = "http"
url = "http://127.0.0.1:9/sms"
"#;

#[tokio::test]
async fn explain_shows_the_gateways_in_the_order_in_which_an_event_tries_them() {
    let (first, second) = (Http::always(echo(200)).await, Http::always(echo(200)).await);
    let world = two_gateways(&first, &second, |config| {
        config.sms.balance = Balance::Weight;
        config.sms.gateways[0].common.weight = 3;
    })
    .await;
    let events: Vec<Value> = logins(20, false)
        .into_iter()
        .map(|mut event| {
            event["time"] = json!(house::real_time().to_string());
            event
        })
        .collect();
    let desk = Desk::new();
    desk.scratch.write("house.toml", TWO_GATEWAYS);
    desk.scratch.write("events.jsonl", &events.iter().map(|event| format!("{event}\n")).collect::<String>());
    let explained =
        desk.run(&["explain", "events.jsonl", "--json", "--config", "house.toml"]).expect(0).json_lines();
    let mut firsts = std::collections::BTreeSet::new();
    for (number, explained) in explained.iter().enumerate() {
        let report = world.dispatch(&logins(20, false)[number], 0).await;
        let order = &explained["notifications"][0]["gateways"];
        assert_eq!(order[0].as_str(), report.notifications[0].gateway.as_deref(), "{explained}");
        assert_eq!(order.as_array().map(Vec::len), Some(2));
        firsts.insert(order[0].to_string());
    }
    assert_eq!((explained.len(), firsts.len()), (20, 2), "both are first for some");
}

#[test]
fn check_says_what_is_left_of_a_rate_for_each_worker() {
    let desk = Desk::new();
    desk.scratch.write("house.toml", TWO_GATEWAYS);
    let ran = desk.run(&["check", "--config", "house.toml"]).expect(0);
    let note = "note: rate_per_second of gateway-1: 100 a second over 4 replicas = 25 each\n";
    assert!(ran.out.contains(note), "{}", ran.out);
    assert!(!ran.out.contains("gateway-2"), "it has no rate: {}", ran.out);
}
