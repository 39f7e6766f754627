//! The steps of an event one by one, with Criterion: decode, plan, render, phone numbers, and the ledger by batch.
//!
//! `benches/run.sh micro [FILTER]`

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use jiff::Timestamp;
use mimalloc::MiMalloc;
use serde_json::{Value, json};
use shirase::assets::Files;
use shirase::clock::Clock;
use shirase::config::Config;
use shirase::event::{Catalog, Event, PhoneNumber, RawEvent, decode};
use shirase::ledger::{
    Attempt, Claim, ClaimAnswer, EventRecord, EventState, Held, Ledger, Revive, Settle, SettleAnswer,
    Settled, TargetRecord,
};
use shirase::plan::{Notification, Plan, plan};
use shirase::template::TemplateSet;
use tokio::runtime::Runtime;

// As the worker has it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const TIME: &str = "2026-11-22T06:04:05Z";

/// Operations that are asked for at the same moment; the largest is what one transaction takes.
const BATCHES: [usize; 3] = [1, 16, 256];

fn now() -> Timestamp {
    TIME.parse().expect("a time")
}

fn catalog() -> Catalog {
    Catalog::load(&Files::embedded("config")).expect("built-in")
}

fn by_sms() -> Value {
    json!({"user_id": "U1000001", "phone": "090-1234-5678"})
}

fn by_mail() -> Value {
    json!({"user_id": "U1000001", "email": "taro@example.jp"})
}

/// About 500 bytes, as in the benchmark of the whole way.
fn raw(recipient: Value) -> RawEvent {
    let event = json!({
        "specversion": "1.0", "id": "01JD2QZ5M4", "source": "/auth", "type": "security.login.new_device",
        "time": TIME, "datacontenttype": "application/json",
        "data": {
            "recipient": recipient, "ip": "203.0.113.7", "location": "東京都",
            "device": {"name": "iPhone", "os": "iOS", "os_version": "18.1", "browser": "Safari", "browser_version": "18.1"}
        }
    });
    RawEvent::structured(event.to_string())
}

/// An event for one recipient, and the one notification that it comes to.
fn planned(recipient: Value, catalog: &Catalog, prefixes: &[String]) -> (Event, Vec<Notification>) {
    let event = decode(&raw(recipient), catalog, now()).expect("good");
    let Ok(Plan::Send(notifications)) = plan(&event, prefixes, now()) else { panic!("one is told") };
    assert_eq!(notifications.len(), 1);
    (event, notifications)
}

fn steps(criterion: &mut Criterion) {
    let (catalog, config) = (catalog(), Config::built_in());
    let templates = TemplateSet::load(&Files::embedded("templates"), &catalog).expect("built-in");
    for (channel, recipient) in [("sms", by_sms()), ("mail", by_mail())] {
        let raw = raw(recipient.clone());
        criterion.bench_function(&format!("decode/{channel}"), |bencher| {
            bencher.iter(|| decode(black_box(&raw), &catalog, now()));
        });
        let (event, notifications) = planned(recipient, &catalog, &config.sms.prefixes);
        criterion.bench_function(&format!("plan/{channel}"), |bencher| {
            bencher.iter(|| plan(black_box(&event), &config.sms.prefixes, now()));
        });
        criterion.bench_function(&format!("render/{channel}"), |bencher| {
            bencher.iter(|| templates.render(black_box(&event), &notifications, &config.brand));
        });
    }
}

fn phones(criterion: &mut Criterion) {
    for (name, text) in [
        ("national", "090-1234-5678"),
        ("international", "+81 90-1234-5678"),
        ("full-width", "０９０－１２３４－５６７８"),
    ] {
        criterion.bench_function(&format!("phone/{name}"), |bencher| {
            bencher.iter(|| PhoneNumber::parse(black_box(text)));
        });
    }
}

/// Claim and settle in a SQLite file: two durable commits for a whole batch, or three where the writer has begun with its first.
fn ledger(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::built_in().ledger;
    config.url = format!("sqlite:{}", folder.path().join("ledger.db").display()).parse().expect("a URL");
    let ledger = Ledger::open(&config, &Clock::steady()).expect("opens");
    let (mut group, mut next) = (criterion.benchmark_group("ledger"), 0_u64);
    for batch in BATCHES {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::new("claim and settle", batch), |bencher| {
            let claims = || {
                let first = next;
                next += batch as u64;
                (first..next).map(claim).collect::<Vec<_>>()
            };
            let work = |claims: Vec<Claim>| {
                runtime
                    .block_on(async { join_all(claims.into_iter().map(|claim| tell(&ledger, claim))).await })
            };
            bencher.iter_batched(claims, work, BatchSize::PerIteration);
        });
    }
}

/// What the pipeline asks of the ledger for an event that the first gateway takes.
async fn tell(ledger: &Ledger, claim: Claim) {
    let (event_key, target) = (claim.event.key.clone(), claim.targets[0].target.clone());
    let ClaimAnswer::Open { held, .. } = ledger.claim(claim).await.expect("open") else {
        panic!("a duplicate");
    };
    let [Held::Granted(grant)] = held.as_slice() else { panic!("{held:?}") };
    let attempt = Attempt {
        at: now(),
        gateway: "primary".to_owned(),
        outcome: "accepted".into(),
        reason: None,
        detail: None,
        provider_id: Some("5f0c0f5e".to_owned()),
        ms: 20,
    };
    let settle = Settle {
        event_key,
        target,
        token: grant.token,
        epoch: grant.epoch,
        ending: Settled::Accepted,
        gateway: Some(attempt.gateway.clone()),
        provider_id: attempt.provider_id.clone(),
        reason: None,
        attempts: vec![attempt],
        template_version: "6e6d6314303b".to_owned(),
        pause: Duration::ZERO,
        uncounted: false,
        close: Some(EventState::Done),
        keep: None,
        found_by_provider_id: false,
    };
    assert_eq!(ledger.settle(settle).await.expect("open"), SettleAnswer::Written);
}

fn claim(number: u64) -> Claim {
    let id = format!("01JD2Q{number:020}");
    Claim {
        event: EventRecord {
            key: format!("/auth\u{1f}{id}"),
            id,
            event_type: "security.login.new_device".to_owned(),
            lane: "standard",
            fingerprint: format!("{number:032x}"),
            time: now(),
        },
        targets: vec![TargetRecord {
            target: "current.sms".to_owned(),
            reference: format!("{number:032x}"),
            recipient: "b45aeefdda76".to_owned(),
            why: "mobile number with prefix 090".to_owned(),
            template_version: "6e6d6314303b".to_owned(),
            gateway: Some("primary".to_owned()),
            by_reference: false,
            day_limit: None,
        }],
        revive: Revive::Always,
        lease: Duration::from_secs(60),
        rules: None,
    }
}

criterion_group! {
    name = pure;
    config = Criterion::default().without_plots().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    targets = steps, phones
}
criterion_group! {
    name = durable;
    config = Criterion::default().without_plots().sample_size(20).warm_up_time(Duration::from_secs(1));
    targets = ledger
}
criterion_main!(pure, durable);
