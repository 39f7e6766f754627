//! What protects recipients, whatever engine keeps the ledger: one suite, run over SQLite and PostgreSQL.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use shirase::ledger::{
    Claim, ClaimAnswer, CollapseRule, DayLimit, DeviceRule, DueSummary, EventRecord, EventState, Held,
    HeldBack, Ledger, Pseudonyms, Rules, Sealed, Settled,
};
use tokio::time::sleep;

use crate::suite::{Bed, claim_of, event, settle_of};

/// Far longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// For whatever a busy machine may delay.
const PATIENCE: Duration = Duration::from_secs(60);

fn sealed(id: &str) -> Sealed {
    pseudonyms().seal(id.as_bytes().to_vec(), &event(id).key)
}

fn pseudonyms() -> Pseudonyms {
    Pseudonyms::new(&"a key".parse().expect("not empty"))
}

/// A claim of an event of one recipient, of which `max` are told within the window.
pub fn collapsing(id: &str, second: i64, max: u32, window: Duration) -> Claim {
    let time = Timestamp::from_second(1_790_000_000 + second).expect("in range");
    let rule = CollapseRule { key: "collapse.user".to_owned(), max, window, sealed: sealed(id) };
    let rules = Some(Box::new(Rules { device: None, collapse: Some(rule) }));
    Claim { rules, ..claim_of(EventRecord { time, ..event(id) }, &["current.sms"], LONG) }
}

fn from_device(id: &str, second: i64, device: &str) -> Claim {
    let time = Timestamp::from_second(1_790_000_000 + second).expect("in range");
    let rule = DeviceRule { key: "device.user".to_owned(), device: device.to_owned(), retention: LONG };
    let rules = Some(Box::new(Rules { device: Some(rule), collapse: None }));
    Claim { rules, ..claim_of(EventRecord { time, ..event(id) }, &["current.sms"], LONG) }
}

async fn claim(ledger: &Ledger, claim: Claim) -> ClaimAnswer {
    ledger.claim(claim).await.expect("open")
}

fn is_told(answer: &ClaimAnswer) -> bool {
    matches!(answer, ClaimAnswer::Open { .. })
}

/// The summaries that come due, as soon as there are any.
async fn due(ledger: &Ledger) -> Vec<DueSummary> {
    let begun = Instant::now();
    loop {
        let due = ledger.due_summaries(LONG).await.expect("open");
        if !due.is_empty() {
            return due;
        }
        assert!(begun.elapsed() < PATIENCE, "no summary");
        sleep(Duration::from_millis(20)).await;
    }
}

pub async fn a_storm_is_told_up_to_max_and_one_summary_counts_the_rest(mut bed: impl Bed) {
    let window = Duration::from_secs(2);
    let ledger = bed.open().await;
    // The newest by its own word is neither the first nor the last to come.
    let storm = (0..20).map(|n| claim(&ledger, collapsing(&n.to_string(), (n * 7) % 20, 3, window)));
    let answers = join_all(storm).await;
    assert_eq!(answers.iter().filter(|answer| is_told(answer)).count(), 3, "{answers:?}");
    let held = ClaimAnswer::HeldBack { reason: HeldBack::Collapsed, again: false };
    assert_eq!(answers.iter().filter(|answer| **answer == held).count(), 17);
    let newest = (0..20).filter(|n| !is_told(&answers[*n as usize])).max_by_key(|n| (n * 7) % 20);
    drop(ledger);

    let ledger = bed.open().await;
    let again: Vec<ClaimAnswer> =
        join_all((0..20).map(|n| claim(&ledger, collapsing(&n.to_string(), 0, 3, window)))).await;
    let held = ClaimAnswer::HeldBack { reason: HeldBack::Collapsed, again: true };
    assert_eq!(
        again.iter().filter(|answer| **answer == held).count(),
        17,
        "whatever comes again counts nothing"
    );
    let mut due = due(&ledger).await;
    let summary = due.remove(0);
    assert!(due.is_empty() && summary.others == 16, "{summary:?} and {due:?}");
    let newest = newest.expect("some were held back").to_string();
    assert_eq!((&summary.event_id, summary.event_type.as_str()), (&newest, "security.login"));
    let opened = pseudonyms().unseal(&summary.sealed, &summary.event_key);
    assert_eq!(opened, Some(newest.clone().into_bytes()), "the message of the event that it is made of");

    ledger.summary_brought(summary).await.expect("open");
    let stories = bed.reader().await.by_id(&newest).await.expect("readable");
    let told = stories[0].summary.clone().expect("it is part of a summary");
    assert_eq!((told.event_id, told.others, told.brought_at.is_some()), (newest, 16, true));
    assert_eq!((stories[0].state, stories[0].reason.as_deref()), ("held_back", Some("collapsed")));
    assert_eq!(ledger.due_summaries(Duration::ZERO).await, Ok(vec![]), "brought once");
}

pub async fn a_summary_that_nobody_brought_is_given_again_and_to_one_at_a_time(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for n in 0..3 {
        claim(&ledger, collapsing(&n.to_string(), 0, 1, Duration::from_secs(1))).await;
    }
    let first = due(&ledger).await;
    assert_eq!(ledger.due_summaries(LONG).await, Ok(vec![]), "whoever has it has time to bring it");
    sleep(Duration::from_millis(5)).await;
    let again = ledger.due_summaries(Duration::from_millis(1)).await.expect("open");
    assert_eq!(again, first, "who looked has ended");
}

pub async fn a_window_is_not_forgotten_before_its_summary_is_brought(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for n in 0..3 {
        claim(&ledger, collapsing(&n.to_string(), 0, 1, Duration::from_secs(1))).await;
    }
    ledger.sweep(LONG).await.expect("open");
    let summary = due(&ledger).await.remove(0);
    assert_eq!(summary.others, 1);
    ledger.summary_brought(summary).await.expect("open");
    sleep(Duration::from_millis(5)).await;
    // The three events and the summary; what is remembered of the window outlives it for a while.
    assert_eq!(ledger.sweep(Duration::ZERO).await, Ok(4));
}

pub async fn a_login_from_the_known_device_is_held_back_also_after_a_restart(mut bed: impl Bed) {
    let ledger = bed.open().await;
    assert!(is_told(&claim(&ledger, from_device("0", 0, "a")).await), "the first");
    let known = ClaimAnswer::HeldBack { reason: HeldBack::KnownDevice, again: false };
    assert_eq!(claim(&ledger, from_device("1", 1, "a")).await, known);
    drop(ledger);
    let ledger = bed.open().await;
    assert_eq!(claim(&ledger, from_device("2", 2, "a")).await, known);
    assert!(is_told(&claim(&ledger, from_device("3", 3, "b")).await));
    assert!(is_told(&claim(&ledger, from_device("late", -9, "a")).await), "it differs from the last");
    assert_eq!(claim(&ledger, from_device("4", 4, "b")).await, known, "and has not become it");
    let again = ClaimAnswer::HeldBack { reason: HeldBack::KnownDevice, again: true };
    assert_eq!(claim(&ledger, from_device("4", 4, "b")).await, again);
}

pub async fn a_number_gets_no_more_sms_a_day_than_the_limit_however_many_come_at_once(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let ask = |n: usize| {
        let mut claim = claim_of(event(&n.to_string()), &["current.sms"], LONG);
        claim.targets[0].day_limit = Some(DayLimit { key: "sms.2026-11-28.phone".to_owned(), max: 5 });
        let ledger = &ledger;
        async move {
            match ledger.claim(claim).await.expect("open") {
                ClaimAnswer::Open { held, .. } => held.into_iter().next().expect("one"),
                other => panic!("{other:?}"),
            }
        }
    };
    let held = join_all((0..30).map(ask)).await;
    assert_eq!(held.iter().filter(|held| matches!(held, Held::Granted(_))).count(), 5);
    let limited = held.iter().position(|held| !matches!(held, Held::Granted(_))).expect("25 of them");
    assert_eq!(held[limited], Held::Failed { reason: "sms_day_limit".to_owned() });
    assert_eq!(ask(limited).await, held[limited], "asked again, it is the same");
    let granted = held.iter().position(|held| matches!(held, Held::Granted(_))).expect("five");
    let Held::Granted(grant) = &held[granted] else { panic!("granted") };
    let id = granted.to_string();
    let settle = settle_of(&id, "current.sms", grant, Settled::Accepted);
    let settle = shirase::ledger::Settle { close: Some(EventState::Done), ..settle };
    assert!(ledger.settle(settle).await.expect("open").is_written());
}

/// Every test of the suite, for an engine.
macro_rules! protection_suite {
    ($bed:expr) => {
        protection_suite!($bed;
            a_storm_is_told_up_to_max_and_one_summary_counts_the_rest,
            a_summary_that_nobody_brought_is_given_again_and_to_one_at_a_time,
            a_window_is_not_forgotten_before_its_summary_is_brought,
            a_login_from_the_known_device_is_held_back_also_after_a_restart,
            a_number_gets_no_more_sms_a_day_than_the_limit_however_many_come_at_once,
        );
    };
    ($bed:expr; $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::protection_suite::$test($bed).await;
            }
        )+
    };
}
pub(crate) use protection_suite;
