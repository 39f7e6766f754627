use std::path::Path;

use super::*;
use crate::ledger::{EventRecord, EventState, Grant, Held, NotificationState, TargetRecord};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("in range")
}

fn open(path: &Path) -> Ledger {
    let url = LedgerUrl::File(path.to_owned());
    Ledger::open(&LedgerConfig { url, retention: crate::config::Span::seconds(60), recipient_key: None })
        .expect("opens")
}

fn event(id: &str) -> EventRecord {
    EventRecord {
        key: format!("/t\u{1f}{id}"),
        id: id.to_owned(),
        event_type: "security.login".to_owned(),
        lane: "standard",
        fingerprint: "same".to_owned(),
    }
}

fn claim_of(event: EventRecord, targets: &[&str], seconds: i64) -> Claim {
    let target = |target: &&str| TargetRecord {
        target: (*target).to_owned(),
        recipient: "hmac".to_owned(),
        template_version: "v".to_owned(),
    };
    Claim {
        event,
        targets: targets.iter().map(target).collect(),
        now: at(seconds),
        lease_until: at(seconds + 60),
    }
}

fn settle_of(target: &str, epoch: i64, state: NotificationState, close: Option<EventState>) -> Settle {
    let (gateway, provider_id, reason) = (Some("primary".to_owned()), None, None);
    let (event_key, target) = ("/t\u{1f}e".to_owned(), target.to_owned());
    Settle {
        event_key,
        target,
        epoch,
        state,
        gateway,
        provider_id,
        reason,
        not_before: at(1),
        close,
        now: at(1),
    }
}

fn granted(answer: &ClaimAnswer) -> Vec<Grant> {
    let ClaimAnswer::Targets(held) = answer else { panic!("{answer:?}") };
    held.iter()
        .map(|held| match held {
            Held::Granted(grant) => *grant,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Closes a ledger and waits until its lock is free.
async fn closed(ledger: Ledger, path: &Path) -> Ledger {
    drop(ledger);
    loop {
        let url = LedgerUrl::File(path.to_owned());
        let config = LedgerConfig { url, retention: crate::config::Span::seconds(60), recipient_key: None };
        match Ledger::open(&config) {
            Ok(ledger) => return ledger,
            Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn an_accepted_event_is_a_duplicate_ever_after_also_with_another_body_and_after_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("l.db");
    let ledger = open(&path);
    let grants = granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    assert_eq!(grants, [Grant { epoch: 1, attempt: 1, taken_over: false }]);
    let settle = settle_of("current.sms", 1, NotificationState::Accepted, Some(EventState::Done));
    assert!(ledger.settle(settle).await.expect("open"));

    let ledger = closed(ledger, &path).await;
    let other_body = EventRecord { fingerprint: "other".into(), ..event("e") };
    for event in [event("e"), other_body] {
        let answer = ledger.claim(claim_of(event, &["current.email"], 5)).await.expect("open");
        assert_eq!(answer, ClaimAnswer::Duplicate);
    }
}

#[tokio::test]
async fn of_three_notifications_only_the_one_to_retry_is_granted_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    let targets = ["current.sms", "current.email", "previous.email"];
    granted(&ledger.claim(claim_of(event("e"), &targets, 0)).await.expect("open"));
    for (target, state) in [
        (targets[0], NotificationState::Accepted),
        (targets[1], NotificationState::Retry),
        (targets[2], NotificationState::Failed),
    ] {
        assert!(ledger.settle(settle_of(target, 1, state, None)).await.expect("open"));
    }
    let answer = ledger.claim(claim_of(event("e"), &targets, 5)).await.expect("open");
    let again = Grant { epoch: 2, attempt: 2, taken_over: false };
    let failed = Held::Failed { reason: String::new() };
    assert_eq!(answer, ClaimAnswer::Targets(vec![Held::Accepted, Held::Granted(again), failed]));
}

#[tokio::test]
async fn a_duplicate_does_not_bring_a_retry_forward() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    let settle = Settle { not_before: at(30), ..settle_of("current.sms", 1, NotificationState::Retry, None) };
    assert!(ledger.settle(settle).await.expect("open"));
    let early = ledger.claim(claim_of(event("e"), &["current.sms"], 29)).await.expect("open");
    assert_eq!(early, ClaimAnswer::Targets(vec![Held::Busy]));
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 30)).await.expect("open"));
}

#[tokio::test]
async fn a_live_claim_is_busy_and_an_expired_one_is_taken_over_and_fences_its_old_owner_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    let answer = ledger.claim(claim_of(event("e"), &["current.sms"], 30)).await.expect("open");
    assert_eq!(answer, ClaimAnswer::Targets(vec![Held::Busy]));
    let grants = granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 61)).await.expect("open"));
    assert_eq!(grants, [Grant { epoch: 2, attempt: 2, taken_over: true }]);
    assert!(
        !ledger.settle(settle_of("current.sms", 1, NotificationState::Accepted, None)).await.expect("open")
    );
    assert!(
        ledger.settle(settle_of("current.sms", 2, NotificationState::Accepted, None)).await.expect("open")
    );
}

#[tokio::test]
async fn a_dead_process_s_claim_is_taken_over_at_once_and_known_as_unknown() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("l.db");
    let ledger = open(&path);
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    let ledger = closed(ledger, &path).await;
    let grants = granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 1)).await.expect("open"));
    assert_eq!(grants, [Grant { epoch: 2, attempt: 2, taken_over: true }]);
}

#[tokio::test]
async fn another_body_under_the_id_of_an_open_event_is_a_duplicate_and_a_dead_event_may_be_tried_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    let other_body = EventRecord { fingerprint: "other".into(), ..event("e") };
    let answer = ledger.claim(claim_of(other_body.clone(), &["current.email"], 1)).await.expect("open");
    assert_eq!(answer, ClaimAnswer::Duplicate);

    let settle = settle_of("current.sms", 1, NotificationState::Failed, None);
    assert!(ledger.settle(settle).await.expect("open"));
    let dead = Close { event: event("e"), state: EventState::Dead, reason: Some("refused"), now: at(2) };
    ledger.close_event(dead).await.expect("open");
    let grants = granted(&ledger.claim(claim_of(other_body, &["current.sms"], 3)).await.expect("open"));
    assert_eq!(grants, [Grant { epoch: 2, attempt: 1, taken_over: false }], "its attempts count anew");
}

#[tokio::test]
async fn a_done_event_is_not_reopened_by_a_late_dead_letter() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    for (state, closed) in [(EventState::Done, true), (EventState::Dead, false)] {
        let close = Close { event: event("e"), state, reason: None, now: at(0) };
        assert_eq!(ledger.close_event(close).await, Ok(closed));
    }
    let answer = ledger.claim(claim_of(event("e"), &["current.sms"], 1)).await.expect("open");
    assert_eq!(answer, ClaimAnswer::Duplicate);
}

#[tokio::test]
async fn another_body_cannot_mute_or_kill_an_event_that_is_on_its_way() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 0)).await.expect("open"));
    assert!(ledger.settle(settle_of("current.sms", 1, NotificationState::Retry, None)).await.expect("open"));
    for state in [EventState::Muted, EventState::Dead] {
        let other_body = EventRecord { fingerprint: "other".into(), ..event("e") };
        let close = Close { event: other_body, state, reason: None, now: at(1) };
        assert_eq!(ledger.close_event(close).await, Ok(false));
    }
    granted(&ledger.claim(claim_of(event("e"), &["current.sms"], 2)).await.expect("open"));
}

#[tokio::test]
async fn a_sweep_forgets_what_is_older_than_retention_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(&dir.path().join("l.db"));
    for (id, seconds) in [("old", 0), ("new", 100)] {
        let event = EventRecord { key: id.into(), ..event(id) };
        ledger
            .close_event(Close { event, state: EventState::Done, reason: None, now: at(seconds) })
            .await
            .expect("open");
    }
    assert_eq!(ledger.sweep(at(50)).await, Ok(1));
    assert_eq!(ledger.sweep(at(50)).await, Ok(0));
    let new = EventRecord { key: "new".into(), ..event("new") };
    assert_eq!(ledger.claim(claim_of(new, &["current.sms"], 101)).await, Ok(ClaimAnswer::Duplicate));
}

#[tokio::test]
async fn a_second_worker_on_the_same_file_is_refused_with_the_mend() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("l.db");
    let _ledger = open(&path);
    let url = LedgerUrl::File(path);
    let config = LedgerConfig { url, retention: crate::config::Span::seconds(60), recipient_key: None };
    let error = Ledger::open(&config).err().expect("refused");
    assert!(error.to_string().contains("give this one its own ledger.url"), "{error}");
}

#[tokio::test]
async fn pseudonyms_are_stable_over_restarts_and_hide_what_they_stand_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("l.db");
    let ledger = open(&path);
    let before = ledger.pseudonym(b"+819012345678");
    let ledger = closed(ledger, &path).await;
    assert_eq!(ledger.pseudonym(b"+819012345678"), before);
    assert_ne!(ledger.pseudonym(b"+819012345679"), before);
    assert!(!before.contains("5678"));
}

/// An engine that fails until told otherwise.
struct Failing(Arc<AtomicBool>);

impl Engine for Failing {
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, crate::ledger::EngineError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(crate::ledger::EngineError("disk full".to_owned()));
        }
        Ok(batch.iter().map(|_| Answer::Closed(true)).collect())
    }
}

#[tokio::test]
async fn while_the_engine_cannot_write_callers_wait_and_why_can_be_seen() {
    let failing = Arc::new(AtomicBool::new(true));
    let ledger = Ledger::with_engine(Failing(Arc::clone(&failing)), &"key".parse().expect("a secret"));
    let close = Close { event: event("e"), state: EventState::Done, reason: None, now: at(0) };
    let waiting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.close_event(close).await }
    });
    while ledger.trouble().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ledger.trouble().as_deref(), Some("disk full"));
    assert!(!waiting.is_finished());
    failing.store(false, Ordering::Relaxed);
    assert_eq!(waiting.await.expect("no panic"), Ok(true));
    assert_eq!(ledger.trouble(), None);
}

#[tokio::test]
async fn an_abandoned_ledger_in_trouble_lets_its_callers_go() {
    let ledger =
        Ledger::with_engine(Failing(Arc::new(AtomicBool::new(true))), &"key".parse().expect("a secret"));
    ledger.abandon();
    let close = Close { event: event("e"), state: EventState::Done, reason: None, now: at(0) };
    assert_eq!(ledger.close_event(close).await, Err(LedgerClosed));
}
