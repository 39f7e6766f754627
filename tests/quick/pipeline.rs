//! The dispatcher with a ledger in memory, the real sandbox, and gateways that fail by script: who is told, how often, and
//! what becomes of the event.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use shirase::assets::{EMBEDDED, Files};
use shirase::canary::Canary;
use shirase::clock::{Clock, Steady};
use shirase::config::{Config, Span};
use shirase::dispatch::{
    DeadReason, Dispatcher, Disposition, Incoming, NotificationReport, NotificationResult, Protection,
    Report, Revive, Schedule, Underway,
};
use shirase::event::{BadReason, RawEvent};
use shirase::gateway::{GatewayUrl, Gateways, HttpGatewayConfig, OnUnknown, SmsGatewayConfig, SmsKindConfig};
use shirase::ledger::{Fate, Ledger, MessageName, Receipt, ReceiptAnswer};
use shirase::sandbox::{Sandbox, SmsFault};
use shirase::template::TemplateSet;
use shirase::traces::Traces;
use shirase::wording::Wording;

use crate::house::{self, Findings};
use crate::script::{Http, Reply, Smtp, Stage, answer, cut};

/// A dispatcher whose every way leads into a sandbox, unless the test leads it elsewhere.
pub struct World {
    pub dispatcher: Arc<Dispatcher>,
    pub sandbox: Sandbox,
    /// Of the clock that [`world`] gives; a retry comes when its time has come.
    pub hands: Hands,
}

pub async fn world(change: impl FnOnce(&mut Config)) -> World {
    let hands = Hands::default();
    let world = world_at(hands.clock(), house::templates(), change).await;
    World { hands, ..world }
}

async fn world_at(clock: Clock, templates: TemplateSet, change: impl FnOnce(&mut Config)) -> World {
    world_with(clock.clone(), &clock, templates, change).await
}

/// With a clock for deadlines and one for leases, as in production.
pub async fn world_with(
    clock: Clock,
    ledger_clock: &Clock,
    templates: TemplateSet,
    change: impl FnOnce(&mut Config),
) -> World {
    house::provide_tls();
    let sandbox = Sandbox::new(clock.clone());
    let (sms, smtp) = house::addresses(&sandbox).await;
    let variables = [("SMS__GATEWAYS__0__URL", sms.as_str()), ("EMAIL__RELAYS__0__URL", &smtp)];
    let mut config = house::config(&variables);
    config.ledger.url = "sqlite::memory:".parse().expect("a URL");
    config.retry.schedule = vec![Span::seconds(5), Span::seconds(30)];
    change(&mut config);
    let receipts = config.receipts.public_url.as_ref().map(GatewayUrl::url);
    let canary = config.canary.as_ref().map(|canary| Canary::new(canary, &house::CATALOG));
    let dispatcher = Dispatcher {
        catalog: house::CATALOG.clone(),
        templates: Arc::new(Wording::new(templates)),
        gateways: Gateways::new(&config.sms, &config.email, receipts)
            .unwrap_or_else(|error| panic!("{error}"))
            .timed_by(&steady(ledger_clock)),
        ledger: Ledger::open(&config.ledger, ledger_clock).unwrap_or_else(|error| panic!("{error}")),
        clock,
        brand: config.brand,
        prefixes: config.sms.prefixes,
        schedule: Schedule::new(&config.retry),
        fallback_after: config.retry.fallback_after.0,
        keep_for: Duration::from_secs(3600),
        protection: Protection {
            sms_day_limit: config.sms.day_limit,
            device_retention: config.ledger.device_retention.0,
        },
        underway: Underway::default(),
        canary: canary.map(|canary| canary.unwrap_or_else(|error| panic!("{error}"))),
        traces: config
            .traces
            .as_ref()
            .map(|traces| Traces::start(traces).expect("a client"))
            .unwrap_or_default(),
    };
    World { dispatcher: Arc::new(dispatcher), sandbox, hands: Hands::default() }
}

/// Time that passes as this clock says.
fn steady(clock: &Clock) -> Steady {
    let (clock, from, start) = (clock.clone(), clock.now(), Instant::now());
    Steady::from_fn(move || start + Duration::try_from(clock.now().duration_since(from)).unwrap_or_default())
}

/// These servers instead of the sandbox's SMS gateway, tried in this order.
pub fn sms_through(config: &mut Config, servers: &[&Http]) {
    let template = config.sms.gateways.remove(0);
    config.sms.gateways = servers
        .iter()
        .enumerate()
        .map(|(index, server)| {
            let mut gateway = template.clone();
            gateway.common.name = format!("gateway-{}", index + 1);
            http(&mut gateway).url = server.url().parse().expect("a URL");
            gateway.common.timeout = Span(Duration::from_secs(2));
            gateway
        })
        .collect();
}

pub fn http(gateway: &mut SmsGatewayConfig) -> &mut HttpGatewayConfig {
    match &mut gateway.kind {
        SmsKindConfig::Http(http) => http,
        other => panic!("{other:?}"),
    }
}

pub fn mail_through(config: &mut Config, server: &Smtp) {
    config.email.relays[0].url = server.url().parse().expect("a URL");
    config.email.relays[0].timeout = Span(Duration::from_secs(2));
}

impl World {
    pub async fn dispatch(&self, event: &Value, attempts: u32) -> Report {
        if attempts > 0 {
            self.hands.forward(30);
        }
        let raw = RawEvent::structured(event.to_string());
        self.take(raw, shirase::event::Lane::Critical, attempts).await
    }

    /// Dispatches, and notes that a dead letter is where it belongs.
    pub async fn take(&self, raw: RawEvent, lane: shirase::event::Lane, attempts: u32) -> Report {
        let incoming = Incoming { raw, lane, attempts, revive: Revive::Always };
        let mut report = self.dispatcher.dispatch(&incoming).await;
        if let Some(burial) = report.burial.take() {
            self.dispatcher.bury(burial).await.expect("open");
        }
        report
    }

    /// Numbers of SMS and mails in the sandbox.
    pub fn sent(&self) -> (usize, usize) {
        (self.sandbox.sms().len(), self.sandbox.mail().len())
    }
}

/// An example as an event that has just happened.
pub fn event(event_type: &str, number: usize) -> Value {
    house::envelope(event_type, "01QUICK", house::time(), &house::example(event_type, number))
}

/// A login of somebody with a mobile number and, as `email` says, an address.
pub fn login(email: bool) -> Value {
    let mut event = event("security.login.new_device", 1);
    if !email {
        let recipient = event["data"]["recipient"].as_object_mut().expect("a recipient");
        recipient.retain(|name, _| !name.contains("email"));
    }
    event
}

fn code() -> Value {
    event("security.auth_code.issued", 1)
}

/// `sms accepted`, `email retry`, in the report's order.
pub fn results(report: &Report) -> Vec<String> {
    let result =
        |one: &NotificationReport| format!("{}.{} {}", one.contact, one.channel, one.result.as_str());
    report.notifications.iter().map(result).collect()
}

#[track_caller]
pub fn assert_results(report: &Report, expected: &[&str]) {
    assert_eq!(results(report), expected, "{report:?}");
}

#[track_caller]
fn assert_dead(report: &Report, expected: DeadReason) {
    match &report.disposition {
        Disposition::Dead { reason, detail } => {
            assert_eq!(*reason, expected, "{report:?}");
            assert!(!detail.is_empty(), "{report:?}");
        }
        other => panic!("{other:?} instead of {expected:?}: {report:?}"),
    }
}

pub fn retry(seconds: u64, attempts: u32) -> Disposition {
    Disposition::Retry { delay: Duration::from_secs(seconds), attempts }
}

pub fn echo(status: u16) -> Reply {
    answer(status, &[], "{}")
}

#[tokio::test]
async fn every_example_arrives_on_its_channels_and_a_second_delivery_sends_nothing() {
    let world = world(|_| {}).await;
    for kind in house::CATALOG.iter() {
        for number in 1..=kind.schema.examples().len() {
            let mut event = event(&kind.name, number);
            event["id"] = json!(format!("{}-{number}", kind.name));
            let before = world.sent();
            let report = world.dispatch(&event, 0).await;
            assert_eq!(report.disposition, Disposition::Done, "{report:?}");
            let sms = report.notifications.iter().filter(|one| one.channel == "sms").count();
            let mail = report.notifications.len() - sms;
            assert!(report.notifications.iter().all(|one| one.result.as_str() == "accepted"), "{report:?}");
            let after = world.sent();
            assert_eq!((after.0 - before.0, after.1 - before.1), (sms, mail), "{report:?}");

            let again = world.dispatch(&event, 0).await;
            assert_eq!(again.disposition, Disposition::Done);
            assert!(again.notifications.iter().all(|one| one.result.as_str() == "duplicate"), "{again:?}");
            assert_eq!(world.sent(), after, "{again:?}");
        }
    }
}

#[tokio::test]
async fn what_failed_is_retried_alone() {
    // The current and the old contact, SMS and two mails: the relay does not take the old address at first.
    let relay = Smtp::start(|stage, line, before| {
        let refused = stage == Stage::Rcpt && line.contains("taro.old@") && before < 2;
        refused.then(|| Reply::Say("450 4.2.0 later\r\n".into()))
    })
    .await;
    let world = world(|config| mail_through(config, &relay)).await;
    let event = event("security.contact.changed", 1);
    let first = world.dispatch(&event, 0).await;
    assert_results(&first, &["current.sms accepted", "current.email accepted", "previous.email retry"]);
    assert_eq!(first.disposition, retry(5, 1));

    let second = world.dispatch(&event, 1).await;
    assert_results(&second, &["current.sms duplicate", "current.email duplicate", "previous.email accepted"]);
    assert_eq!(second.disposition, Disposition::Done);
    let to: Vec<_> = relay.mails().into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["taro@example.jp", "taro.old@example.com"]);
    assert_eq!(world.sandbox.sms().len(), 1);
}

#[tokio::test]
async fn a_refused_number_falls_back_to_mail_at_once_and_a_refused_address_to_sms() {
    let gateway = Http::always(echo(422)).await;
    let told_by_mail = world(|config| sms_through(config, &[&gateway])).await;
    let report = told_by_mail.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!(
        (report.disposition.clone(), report.notifications[0].reason.clone()),
        (Disposition::Done, Some("recipient".into()))
    );
    assert!(report.notifications[1].why.contains("failed for good"), "{report:?}");
    assert_eq!(told_by_mail.sandbox.mail()[0].to, "taro.auth@example.jp");
    told_by_mail.dispatch(&login(true), 0).await;
    assert_eq!((gateway.requests().len(), told_by_mail.sent()), (1, (0, 1)), "a redelivery sends nothing");

    let relay = Smtp::at(Stage::Rcpt, Reply::Say("550 5.1.1 unknown\r\n".into())).await;
    let told_by_sms = world(|config| mail_through(config, &relay)).await;
    let report = told_by_sms.dispatch(&event("security.password.changed", 1), 0).await;
    assert_results(&report, &["current.email failed", "current.sms accepted"]);
    assert_eq!((report.disposition, told_by_sms.sent()), (Disposition::Done, (1, 0)));
}

#[tokio::test]
async fn where_there_is_no_other_channel_a_refusal_is_a_dead_letter_with_its_reason() {
    let gateway = Http::always(echo(422)).await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    let report = world.dispatch(&login(false), 0).await;
    assert_dead(&report, DeadReason::Refused);
    let detail = format!("{:?}", report.disposition);
    assert!(
        detail.contains("current.sms") && detail.contains("recipient") && detail.contains("HTTP 422"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_dead_event_that_is_replayed_is_tried_anew() {
    let gateway = Http::start(|_, number| echo(if number == 0 { 422 } else { 200 })).await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    assert_dead(&world.dispatch(&login(false), 0).await, DeadReason::Refused);
    let report = world.dispatch(&login(false), 0).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_eq!((report.disposition, gateway.requests().len()), (Disposition::Done, 2));
    assert_results(&world.dispatch(&login(false), 0).await, &["current.sms duplicate"]);
}

#[tokio::test]
async fn the_schedule_is_followed_and_at_its_end_the_other_channel_takes_over() {
    let gateway = Http::always(echo(429)).await;
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        config.retry.fallback_after = Span::seconds(3600);
    })
    .await;
    for (attempts, delay) in [(0, 5), (1, 30)] {
        let report = world.dispatch(&login(true), attempts).await;
        assert_results(&report, &["current.sms retry"]);
        assert_eq!(report.disposition, retry(delay, attempts + 1));
        assert_eq!(world.sent(), (0, 0), "nothing else is sent while there is hope");
    }
    let last = world.dispatch(&login(true), 2).await;
    assert_results(&last, &["current.sms failed", "current.email accepted"]);
    assert_eq!((last.disposition, world.sent()), (Disposition::Done, (0, 1)));

    let mut alone = login(false);
    alone["id"] = json!("alone");
    for attempts in [0, 1] {
        assert_results(&world.dispatch(&alone, attempts).await, &["current.sms retry"]);
    }
    assert_dead(&world.dispatch(&alone, 2).await, DeadReason::Exhausted);
}

#[tokio::test]
async fn trouble_that_lasts_longer_than_fallback_after_is_the_other_channel_s_long_before_the_schedule_ends()
{
    let gateway = Http::always(echo(429)).await;
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        config.retry.schedule = [5, 30, 600, 3600].map(Span::seconds).to_vec();
        config.retry.fallback_after = Span::seconds(90);
    })
    .await;
    for attempts in [0, 1] {
        assert_results(&world.dispatch(&login(true), attempts).await, &["current.sms retry"]);
    }
    // A minute after the first try another retry would come ten minutes later.
    let report = world.dispatch(&login(true), 2).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!((report.disposition, world.sent(), gateway.requests().len()), (Disposition::Done, (0, 1), 3));

    // Without another channel the schedule goes on.
    let mut alone = login(false);
    alone["id"] = json!("alone");
    for attempts in [0, 1, 2] {
        assert_results(&world.dispatch(&alone, attempts).await, &["current.sms retry"]);
    }
}

#[tokio::test]
async fn a_dead_letter_names_only_what_was_not_told() {
    let gateway = Http::always(echo(422)).await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    for told in ["accepted", "duplicate"] {
        let report = world.dispatch(&event("security.esim.reissued", 1), 0).await;
        assert_results(&report, &["current.sms failed", &format!("current.email {told}")]);
        let Disposition::Dead { detail, .. } = report.disposition else { panic!("{report:?}") };
        assert_eq!(detail, "current.sms: recipient (HTTP 422)");
    }
}

#[tokio::test]
async fn a_fallback_goes_through_the_whole_schedule_too() {
    let gateway = Http::always(echo(422)).await;
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        // Nobody listens on the discard port.
        config.email.relays[0].url = "smtp://127.0.0.1:9".parse().expect("a URL");
    })
    .await;
    let first = world.dispatch(&login(true), 0).await;
    assert_results(&first, &["current.sms failed", "current.email retry"]);
    assert_eq!(first.disposition, retry(5, 1));
    assert_eq!(world.dispatch(&login(true), 1).await.disposition, retry(30, 2));
    assert_dead(&world.dispatch(&login(true), 2).await, DeadReason::Exhausted);
    assert_eq!(gateway.requests().len(), 1, "what failed for good is not sent again");
}

#[tokio::test]
async fn a_duplicate_that_would_mute_or_that_is_late_changes_nothing() {
    let gateway = Http::always(echo(429)).await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    assert_results(&world.dispatch(&login(false), 0).await, &["current.sms retry"]);
    let mut late = login(false);
    late["expires"] = json!("2020-01-01T00:00:00Z");
    let report = world.dispatch(&late, 0).await;
    assert_eq!((report.disposition, report.duplicate), (Disposition::Done, true));
    assert_results(&world.dispatch(&login(false), 1).await, &["current.sms retry"]);
}

#[tokio::test]
async fn a_gateway_that_asks_to_wait_is_not_asked_before() {
    let gateway = Http::always(answer(429, &[("retry-after", "20")], "")).await;
    let world = world(|config| sms_through(config, &[&gateway])).await;
    assert_eq!(world.dispatch(&login(true), 0).await.disposition, retry(30, 1));
}

#[tokio::test]
async fn the_next_gateway_takes_what_the_first_surely_did_not() {
    for status in [401, 402, 403, 404, 408, 429] {
        let first = Http::always(echo(status)).await;
        let second = Http::always(answer(200, &[], r#"{"message_id": "b"}"#)).await;
        let world = world(|config| sms_through(config, &[&first, &second])).await;
        let report = world.dispatch(&login(true), 0).await;
        assert_results(&report, &["current.sms accepted"]);
        assert_eq!(report.notifications[0].gateway.as_deref(), Some("gateway-2"), "{status}");
        let references = |server: &Http| server.requests()[0].json()["reference"].clone();
        assert_eq!(references(&first), references(&second), "{status}: the same reference");
    }
    // Nobody listens on the first.
    let second = Http::always(echo(200)).await;
    let world = world(|config| {
        sms_through(config, &[&second, &second]);
        http(&mut config.sms.gateways[0]).url =
            format!("http://127.0.0.1:{}/", crate::support::free_port()).parse().expect("a URL");
    })
    .await;
    assert_results(&world.dispatch(&login(true), 0).await, &["current.sms accepted"]);
}

#[tokio::test]
async fn a_refused_number_is_not_offered_to_the_next_gateway() {
    let (first, second) = (Http::always(echo(422)).await, Http::always(echo(200)).await);
    let world = world(|config| sms_through(config, &[&first, &second])).await;
    assert_results(&world.dispatch(&login(true), 0).await, &["current.sms failed", "current.email accepted"]);
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn a_text_taken_for_spam_is_never_sent_that_way_again() {
    let (first, second) = (Http::always(echo(451)).await, Http::always(echo(429)).await);
    let world = world(|config| {
        sms_through(config, &[&first, &second]);
        for gateway in &mut config.sms.gateways {
            let mut filtering = house::config(&[("SMS__GATEWAYS__0__ANSWERS__451", "filtered")]);
            http(gateway).answers = http(&mut filtering.sms.gateways[0]).answers.clone();
        }
    })
    .await;
    for attempts in 0..3 {
        let report = world.dispatch(&login(true), attempts).await;
        if report.disposition == Disposition::Done {
            break;
        }
    }
    assert_eq!(first.requests().len(), 1, "the filtered route was asked again with the same text");
    assert_eq!(world.sent(), (0, 1), "the mail tells the customer");
}

#[tokio::test]
async fn a_text_that_one_route_cannot_carry_waits_for_the_route_that_can() {
    let second = Http::start(|_, number| answer(if number == 0 { 429 } else { 200 }, &[], "{}")).await;
    let world = world(|config| {
        sms_through(config, &[&second, &second]);
        config.sms.gateways[0].common.max_length = std::num::NonZeroU32::new(20);
    })
    .await;
    let report = world.dispatch(&code(), 0).await;
    assert_eq!(
        (report.notifications[0].result, report.disposition),
        (NotificationResult::Retry, retry(5, 1))
    );
    let report = world.dispatch(&code(), 1).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_eq!((report.notifications[0].segments, second.requests().len()), (Some(1), 2));
}

#[tokio::test]
async fn an_answer_that_never_came_is_asked_for_again_later_with_the_same_reference() {
    for first_answer in [cut(), echo(500), Reply::Silence] {
        let shown = format!("{first_answer:?}");
        let first =
            Http::start(move |_, number| if number == 0 { first_answer.clone() } else { echo(200) }).await;
        let second = Http::always(echo(200)).await;
        let world = world(|config| sms_through(config, &[&first, &second])).await;
        let report = world.dispatch(&login(true), 0).await;
        assert_results(&report, &["current.sms unknown"]);
        assert_eq!(report.disposition, retry(5, 1), "{shown}");
        assert!(second.requests().is_empty(), "{shown}: on_unknown is resend");
        assert_eq!(world.sent(), (0, 0), "{shown}: no fallback either, the SMS may be there");

        assert_results(&world.dispatch(&login(true), 1).await, &["current.sms accepted"]);
        let requests = first.requests();
        assert_eq!(requests.len(), 2, "{shown}");
        assert_eq!(requests[0].json(), requests[1].json(), "{shown}: the same reference and text");
    }
}

#[tokio::test]
async fn an_answer_that_never_came_goes_to_the_next_gateway_where_the_house_wants_that() {
    let (first, second) = (Http::always(cut()).await, Http::always(echo(200)).await);
    let world = world(|config| {
        sms_through(config, &[&first, &second]);
        config.sms.gateways[0].common.on_unknown = OnUnknown::Failover;
    })
    .await;
    let report = world.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms accepted"]);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    assert_eq!(first.requests()[0].json(), second.requests()[0].json(), "the same reference and text");
}

/// A receipt for an SMS of the event that these tests send.
async fn receipt(world: &World, gateway: &Http, fate: Fate) -> ReceiptAnswer {
    let reference = gateway.requests()[0].json()["reference"].as_str().expect("text").to_owned();
    let receipt = Receipt {
        message: MessageName::Reference(reference),
        gateway: Some("gateway-1".to_owned()),
        fate,
        provider_id: None,
        code: None,
        at: house::time(),
    };
    world.dispatcher.ledger.receipt(receipt).await.expect("open")
}

/// One gateway that cuts its first answer, and is waited for.
async fn waiting_world(gateway: &Http, fallback_after: u64) -> World {
    world(|config| {
        sms_through(config, &[gateway]);
        config.sms.gateways[0].common.on_unknown = OnUnknown::Wait;
        config.sms.gateways[0].common.unknown_wait = Span::seconds(100);
        config.retry.schedule = [5, 30, 120].map(Span::seconds).to_vec();
        config.retry.fallback_after = Span::seconds(fallback_after);
    })
    .await
}

pub async fn cut_once() -> Http {
    Http::start(|_, number| if number == 0 { cut() } else { echo(200) }).await
}

#[tokio::test]
async fn where_a_receipt_is_waited_for_nothing_is_sent_before_the_limit_and_then_it_is_sent_again() {
    let gateway = cut_once().await;
    let world = waiting_world(&gateway, 3600).await;
    let report = world.dispatch(&login(true), 0).await;
    assert_results(&report, &["current.sms unknown"]);
    assert_eq!(report.disposition, retry(120, 1), "the step that outlasts the wait");
    // A duplicate in between changes nothing, and costs nothing.
    let early = world.dispatch(&login(true), 1).await;
    assert_results(&early, &["current.sms busy"]);
    assert_eq!((early.disposition, gateway.requests().len()), (retry(120, 1), 1));

    world.hands.forward(100);
    assert_results(&world.dispatch(&login(true), 1).await, &["current.sms accepted"]);
    let requests = gateway.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].json(), requests[1].json(), "the same reference and text");
}

#[tokio::test]
async fn a_receipt_settles_what_nobody_knew() {
    for (fate, results) in [
        (Fate::Delivered, vec!["current.sms duplicate"]),
        (Fate::Undelivered { reason: "absent".into() }, vec!["current.sms failed", "current.email accepted"]),
    ] {
        let gateway = cut_once().await;
        let world = waiting_world(&gateway, 3600).await;
        world.dispatch(&login(true), 0).await;
        assert!(matches!(receipt(&world, &gateway, fate).await, ReceiptAnswer::Applied { .. }));
        let report = world.dispatch(&login(true), 1).await;
        assert_results(&report, &results);
        assert_eq!((report.disposition, gateway.requests().len()), (Disposition::Done, 1));
    }
}

#[tokio::test]
async fn waiting_for_a_receipt_does_not_keep_the_other_channel_from_taking_over() {
    let gateway = cut_once().await;
    let world = waiting_world(&gateway, 20).await;
    assert_eq!(world.dispatch(&login(true), 0).await.disposition, retry(30, 1));
    let report = world.dispatch(&login(true), 1).await;
    assert_results(&report, &["current.sms unknown", "current.email accepted"]);
    assert_eq!((report.disposition, gateway.requests().len()), (Disposition::Done, 1));
    // The SMS arrives after all: that is what the ledger says then.
    assert!(matches!(receipt(&world, &gateway, Fate::Delivered).await, ReceiptAnswer::Applied { .. }));
}

/// Only the gateway that may have the message can tell that it is the same.
#[tokio::test]
async fn an_unknown_attempt_is_resent_first_to_the_gateway_that_may_have_it() {
    let first = Http::start(|_, _| echo(429)).await;
    let second = Http::start(|_, number| if number == 0 { cut() } else { echo(200) }).await;
    let world = world(|config| sms_through(config, &[&first, &second])).await;
    assert_results(&world.dispatch(&login(true), 0).await, &["current.sms unknown"]);
    assert_results(&world.dispatch(&login(true), 1).await, &["current.sms accepted"]);
    assert_eq!((first.requests().len(), second.requests().len()), (1, 2));
}

#[tokio::test]
async fn what_waits_for_its_turn_under_our_own_rate_is_not_sent_after_its_deadline() {
    let gateway = Http::always(echo(200)).await;
    let begun = Instant::now();
    let clock =
        Clock::from_fn(move || house::time() + SignedDuration::try_from(begun.elapsed()).expect("short"));
    let world = world_at(clock, house::templates(), |config| {
        sms_through(config, &[&gateway]);
        config.sms.gateways[0].common.rate_per_second = std::num::NonZeroU32::new(1);
    })
    .await;
    // Worthless before most of their turns come.
    let mut code = login(false);
    let events: Vec<Value> = (0..4)
        .map(|n| {
            code["id"] = json!(format!("turn-{n}"));
            code["expires"] = json!((house::time() + SignedDuration::from_millis(1500)).to_string());
            code.clone()
        })
        .collect();
    let reports = join_all(events.iter().map(|event| world.dispatch(event, 0))).await;
    let sent = reports.iter().filter(|report| report.disposition == Disposition::Done).count();
    assert!((1..4).contains(&sent), "{reports:?}");
    for report in reports.iter().filter(|report| report.disposition != Disposition::Done) {
        assert_dead(report, DeadReason::Expired);
    }
    assert_eq!(gateway.requests().len(), sent, "nothing is sent after its deadline");
}

/// A clock that a test, or a server of its, moves.
#[derive(Clone, Default)]
pub struct Hands(Arc<AtomicI64>);

impl Hands {
    pub fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let hands = self.clone();
        Clock::from_fn(move || house::time() + SignedDuration::from_secs(hands.0.load(Ordering::Relaxed)))
    }
}

#[tokio::test]
async fn a_code_that_is_too_old_is_never_sent() {
    let hands = Hands::default();
    let world = world_at(hands.clock(), house::templates(), |_| {}).await;
    hands.forward(5 * 60 + 1);
    assert_dead(&world.dispatch(&code(), 0).await, DeadReason::Expired);
    let mut extended = code();
    extended["expires"] = json!((house::time() + SignedDuration::from_mins(30)).to_string());
    extended["id"] = json!("extended");
    assert_eq!(world.dispatch(&extended, 0).await.disposition, Disposition::Done);
    let mut shortened = event("security.esim.reissued", 1);
    shortened["expires"] = json!((house::time() + SignedDuration::from_mins(1)).to_string());
    assert_dead(&world.dispatch(&shortened, 0).await, DeadReason::Expired);
    assert_eq!(world.sent(), (1, 0));
}

#[tokio::test]
async fn a_code_that_expires_on_its_way_goes_no_further() {
    let hands = Hands::default();
    let jump = hands.clone();
    let first = Http::start(move |_, _| {
        jump.forward(600);
        echo(429)
    })
    .await;
    let second = Http::always(echo(200)).await;
    let world =
        world_at(hands.clock(), house::templates(), |config| sms_through(config, &[&first, &second])).await;
    let report = world.dispatch(&code(), 0).await;
    assert_dead(&report, DeadReason::Expired);
    assert_results(&report, &["current.sms expired", "current.email expired"]);
    assert!(second.requests().is_empty());
    assert_eq!(world.sent(), (0, 0));
}

#[tokio::test]
async fn a_retry_that_would_come_too_late_is_not_waited_for() {
    let hands = Hands::default();
    let gateway = Http::always(echo(429)).await;
    let world = world_at(hands.clock(), house::templates(), |config| sms_through(config, &[&gateway])).await;
    hands.forward(4 * 60 + 58);
    let report = world.dispatch(&code(), 0).await;
    assert_results(&report, &["current.sms failed", "current.email accepted"]);
    assert_eq!((report.disposition, world.sent()), (Disposition::Done, (0, 1)));
}

/// The system's clock in these hands, the ledger's running steadily.
async fn world_whose_clock_is_set(wall: &Hands, steady: &Hands, change: impl FnOnce(&mut Config)) -> World {
    world_with(wall.clock(), &steady.clock(), house::templates(), change).await
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_during_an_attempt_grants_it_to_nobody_else() {
    for jump in [3600, -3600] {
        let (wall, steady) = (Hands::default(), Hands::default());
        let world = world_whose_clock_is_set(&wall, &steady, |_| {}).await;
        world.sandbox.misbehave_sms(|_| Some(SmsFault::Late(Duration::from_millis(500))));
        let event = login(false);
        let duplicate = async {
            while world.sandbox.sms().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            wall.forward(jump);
            world.dispatch(&event, 0).await
        };
        let (first, second) = tokio::join!(world.dispatch(&event, 0), duplicate);
        assert_results(&second, &["current.sms busy"]);
        assert_results(&first, &["current.sms accepted"]);
        assert_results(&world.dispatch(&event, 0).await, &["current.sms duplicate"]);
        assert_eq!(world.sent(), (1, 0), "{jump}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_an_hour_between_attempts_neither_keeps_a_retry_back_nor_sends_a_code_too_late() {
    let gateway = Http::start(|_, number| echo(if number % 2 == 0 { 429 } else { 200 })).await;
    for jump in [3600, -3600] {
        let (wall, steady) = (Hands::default(), Hands::default());
        let world = world_whose_clock_is_set(&wall, &steady, |config| sms_through(config, &[&gateway])).await;
        assert_eq!(world.dispatch(&login(false), 0).await.disposition, retry(5, 1));
        wall.forward(jump);
        steady.forward(5);
        let report = world.dispatch(&login(false), 0).await;
        assert_results(&report, &["current.sms accepted"]);
    }
    let before = gateway.requests().len();
    let (wall, steady) = (Hands::default(), Hands::default());
    let world = world_whose_clock_is_set(&wall, &steady, |config| sms_through(config, &[&gateway])).await;
    assert_eq!(world.dispatch(&code(), 0).await.disposition, retry(5, 1));
    wall.forward(3600);
    steady.forward(5);
    // By all that is known it is an hour old: given up, and seen.
    assert_dead(&world.dispatch(&code(), 0).await, DeadReason::Expired);
    assert_eq!(gateway.requests().len(), before + 1);
}

#[tokio::test]
async fn a_customer_who_wants_to_hear_nothing_hears_nothing_where_policy_allows_it() {
    let world = world(|_| {}).await;
    let mut muted = event("security.login", 1);
    muted["data"]["recipient"]["settings"] = json!({"channel": "none"});
    for first in [true, false] {
        let report = world.dispatch(&muted, 0).await;
        assert_eq!(
            (report.disposition, report.muted, report.duplicate, report.notifications.len()),
            (Disposition::Done, first, !first, 0)
        );
    }
    assert_eq!(world.sent(), (0, 0));

    let mut insists = event("security.esim.reissued", 1);
    insists["id"] = json!("insists");
    insists["data"]["recipient"]["settings"] = json!({"channel": "none"});
    let report = world.dispatch(&insists, 0).await;
    assert!(!report.muted && world.sent() == (1, 1), "{report:?}");
}

#[tokio::test]
async fn thirty_deliveries_of_one_event_reach_the_customer_once() {
    let world = world(|_| {}).await;
    let event = event("security.contact.changed", 1);
    let reports = join_all((0..30).map(|_| world.dispatch(&event, 0))).await;
    assert_eq!(world.sent(), (1, 2));
    let accepted: usize = reports
        .iter()
        .map(|report| results(report).iter().filter(|one| one.ends_with("accepted")).count())
        .sum();
    assert_eq!(accepted, 3);
    for report in reports {
        // Who came while another delivery was at it looks again, at no cost.
        assert!(
            matches!(report.disposition, Disposition::Done | Disposition::Retry { attempts: 0, .. }),
            "{report:?}"
        );
    }
    assert_eq!(world.dispatch(&event, 0).await.disposition, Disposition::Done);
    assert_eq!(world.sent(), (1, 2));
}

#[tokio::test]
async fn the_same_id_is_the_same_event_whatever_its_body() {
    let world = world(|_| {}).await;
    world.dispatch(&login(true), 0).await;
    let mut other = login(true);
    other["data"]["device"]["name"] = json!("another device");
    other["data"]["recipient"]["phone"] = json!("080-9999-8888");
    let mut another_type = event("security.esim.reissued", 1);
    another_type["id"] = other["id"].clone();
    for body in [other.clone(), another_type] {
        let report = world.dispatch(&body, 0).await;
        assert_eq!(report.disposition, Disposition::Done, "{report:?}");
        assert!(report.notifications.iter().all(|one| one.result.as_str() == "duplicate"), "{report:?}");
    }
    assert_eq!(world.sent(), (1, 0));
    other["source"] = json!("/elsewhere");
    world.dispatch(&other, 0).await;
    assert_eq!(world.sent(), (2, 0), "another source is another event");
}

fn templates_with(path: &str, text: &str) -> TemplateSet {
    let files = EMBEDDED.iter().filter_map(|(name, built_in)| {
        let name = name.strip_prefix("templates/")?;
        Some((name.to_owned(), if name == path { text } else { built_in }.to_owned()))
    });
    TemplateSet::load(&files.collect::<Files>(), &house::CATALOG)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

#[tokio::test]
async fn a_text_that_cannot_be_rendered_keeps_all_others_of_its_event_back() {
    for (part, broken) in [
        ("email.txt.hbs", "{{data.no.such.field}}"),
        ("email.html.hbs", "{{#each brand}}{{nonsense}}{{/each}}"),
        ("email.subject.hbs", "一行目\n二行目"),
        ("email.subject.hbs", "{{#if brand.nothing}}x{{/if}}"),
        ("sms.hbs", "{{> no-such-partial}}"),
        ("sms.hbs", "{{yen brand.company}}"),
    ] {
        let templates = templates_with(&format!("ja/security.esim.reissued/{part}"), broken);
        let world = world_at(Clock::fixed(house::time()), templates, |_| {}).await;
        let report = world.dispatch(&event("security.esim.reissued", 1), 0).await;
        assert_dead(&report, DeadReason::Render);
        let Disposition::Dead { detail, .. } = &report.disposition else { unreachable!() };
        assert!(detail.contains(&format!("ja/security.esim.reissued/{part}")), "{broken}: {detail}");
        assert!(!detail.contains("サンプル銀行") && !detail.contains("090"), "{broken}: {detail}");
        assert_eq!(world.sent(), (0, 0), "{broken}");
    }
}

#[tokio::test]
async fn a_fallback_that_cannot_be_rendered_keeps_its_event_back_too() {
    let templates = templates_with("ja/security.login.new_device/email.txt.hbs", "{{nonsense}}");
    let world = world_at(Clock::fixed(house::time()), templates, |_| {}).await;
    assert_dead(&world.dispatch(&login(true), 0).await, DeadReason::Render);
    assert_eq!(world.sent(), (0, 0));
}

#[tokio::test]
async fn bad_input_is_a_dead_letter_with_its_reason_and_nothing_personal() {
    let world = world(|_| {}).await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut event = login(true);
        change(&mut event);
        event.to_string().into_bytes()
    };
    for (body, reason) in [
        (b"nonsense 090-1234-5678".to_vec(), DeadReason::Bad(BadReason::NotJson)),
        (vec![0xff, 0xfe], DeadReason::Bad(BadReason::InvalidUtf8)),
        (vec![b' '; 300_000], DeadReason::Bad(BadReason::TooLarge)),
        ("[".repeat(5000).into_bytes(), DeadReason::Bad(BadReason::TooDeep)),
        (changed(&|event| event["type"] = json!("090-1234-5678")), DeadReason::Bad(BadReason::UnknownType)),
        (changed(&|event| event["time"] = json!("090-1234-5678")), DeadReason::Bad(BadReason::BadTime)),
        (
            changed(&|event| event["data"]["device"] = json!("090-1234-5678")),
            DeadReason::Bad(BadReason::Schema),
        ),
        (changed(&|event| event["source"] = json!(null)), DeadReason::Bad(BadReason::MissingAttribute)),
        (changed(&|event| event["specversion"] = json!("0.3")), DeadReason::Bad(BadReason::BadAttribute)),
        (
            changed(&|event| event["data"]["recipient"] = json!({"user_id": "U1", "phone": "0120-123-456"})),
            DeadReason::NoAddress,
        ),
        (
            changed(&|event| {
                event["data"]["recipient"] = json!({"user_id": "U1", "phone": "9999", "email": "taro@"})
            }),
            DeadReason::NoAddress,
        ),
    ] {
        let raw = RawEvent::structured(body);
        let report = world.take(raw, shirase::event::Lane::Standard, 0).await;
        assert_dead(&report, reason);
        let said = format!("{:?}", report.disposition);
        for secret in ["1234-5678", "taro", "9999"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    assert_eq!(world.sent(), (0, 0));
    assert_eq!(
        world.dispatch(&login(true), 0).await.disposition,
        Disposition::Done,
        "the next event goes on"
    );
}

#[tokio::test]
async fn hostile_data_neither_links_nor_breaks_out_of_its_place() {
    let world = world(|_| {}).await;
    let hostile = [
        "http://203.0.113.7/login",
        "https://localhost/x",
        "evil.example.com/login",
        "evil.xn--q9jyb4c",
        "www.evil.jp",
        "<script>alert(1)</script>",
        "<a href='x'>y</a>",
        "{{brand.company}}",
        "a\r\nBcc: x@example.jp",
        "\u{202e}gnp.exe",
    ];
    let findings = Findings::default();
    for (index, name) in hostile.into_iter().enumerate() {
        let mut event = event("security.login.new_device", 2);
        event["id"] = json!(format!("hostile-{index}"));
        event["data"]["device"] = json!({"name": name});
        event["data"]["recipient"]["name"] = json!(name);
        let report = world.dispatch(&event, 0).await;
        assert_eq!(report.disposition, Disposition::Done, "{name}: {report:?}");
        let mail = world.sandbox.mail().pop().expect("a mail");
        let html = mail.html.expect("HTML");
        for text in [&mail.text, &html] {
            for link in ["http://", "https://", "evil.example", "evil.xn--", "evil.jp", "\u{202e}"] {
                let lines: Vec<_> = text.lines().filter(|line| line.contains(link)).collect();
                findings.expect(lines.is_empty(), || format!("{name}: {link} is in {lines:?}"));
            }
        }
        assert!(!html.contains("<script") && !html.contains("<a "), "{name}\n{html}");
        assert!(
            mail.headers.iter().all(|(header, _)| !header.eq_ignore_ascii_case("bcc")),
            "{:?}",
            mail.headers
        );
        assert!(!mail.subject.contains(['\r', '\n']));
    }
    findings.assert_none();
}

/// Any JSON, with words and addresses that the pipeline looks at.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "090-1234-5678",
            "0800-123-4567",
            "+1 202-555-0143",
            "taro@example.jp",
            "both",
            "none",
            "sms",
            "1.0",
            "security.login",
            "2026-11-22T06:04:05Z",
            "9999-12-31T23:59:59Z",
            "-009999-01-01T00:00:00Z",
            "\u{0}",
            "123456",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

fn places(value: &Value, at: String, places: &mut Vec<String>) {
    places.push(at.clone());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| self::places(value, format!("{at}/{name}"), places));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| self::places(value, format!("{at}/{index}"), places));
        }
        _ => {}
    }
}

/// An example of any type in which a few values are others and perhaps a byte is wrong.
fn damaged_event() -> impl Strategy<Value = Vec<u8>> {
    let kinds: Vec<String> = house::CATALOG.iter().map(|kind| kind.name.clone()).collect();
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any_json()), 0..4);
    let byte = prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>()));
    (prop::sample::select(kinds), any::<prop::sample::Index>(), damage, byte).prop_map(
        |(kind, number, damage, byte)| {
            let count = house::CATALOG.get(&kind).expect("known").schema.examples().len();
            let mut event = event(&kind, number.index(count) + 1);
            for (place, value) in damage {
                let mut all = Vec::new();
                places(&event, String::new(), &mut all);
                *event.pointer_mut(place.get::<String>(&all)).expect("listed") = value;
            }
            let mut body = event.to_string().into_bytes();
            if let Some((place, value)) = byte {
                let place = place.index(body.len());
                body[place] = value;
            }
            body
        },
    )
}

#[test]
fn whatever_comes_ends_in_a_disposition_and_is_sent_at_most_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let world = runtime.block_on(world(|_| {}));
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(body in damaged_event(), attempts in 0..4_u32)| {
        let take = || world.take(RawEvent::structured(body.clone()), shirase::event::Lane::Standard, attempts);
        let before = world.sent();
        let report = runtime.block_on(take());
        let accepted = report.notifications.iter().filter(|one| one.result.as_str() == "accepted").count();
        let after = world.sent();
        prop_assert_eq!(after.0 + after.1 - before.0 - before.1, accepted);
        match &report.disposition {
            Disposition::Done => prop_assert!(report.muted || report.duplicate || !report.notifications.is_empty()),
            Disposition::Dead { detail, .. } => prop_assert!(!detail.is_empty() && accepted == 0),
            Disposition::Retry { .. } | Disposition::Abandon => prop_assert!(false, "all gateways work: {:?}", report),
        }
        prop_assert!(serde_json::to_string(&report).is_ok());

        let again = runtime.block_on(take());
        prop_assert_eq!(world.sent(), after, "sent twice: {:?}", again);
    });
}

#[test]
fn the_clock_of_these_tests_is_not_the_real_one() {
    let fixed: Timestamp = Clock::fixed(house::time()).now();
    assert_eq!(fixed.to_string(), house::TIME);
}
