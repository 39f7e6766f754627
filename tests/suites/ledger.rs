//! What a ledger has to do, whatever engine keeps it: one suite, run over SQLite and PostgreSQL.
//!
//! Time is the engine's own here, so leases are short and really run out.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use shirase::drain::{Drain, DrainRefusal, DrainRequest, Way};
use shirase::ledger::{
    Attempt, Claim, ClaimAnswer, Close, Controls, EventRecord, EventState, Fate, Grant, Held, Keep, Ledger,
    MessageName, Reader, Receipt, ReceiptAnswer, Renew, Reopened, Revive, Sealed, Settle, SettleAnswer,
    Settled, Story, TargetRecord,
};
use shirase::plan::Channel;
use tokio::time::sleep;

/// Far longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// Short enough to wait for; a claim with it is never worked under.
const SHORT: Duration = Duration::from_millis(60);

/// A ledger of a test's own, which can be opened again after the last handle is gone.
pub trait Bed {
    /// Opens it; the one before is closed.
    fn open(&mut self) -> impl Future<Output = Ledger>;
    /// Opens it for reading.
    fn reader(&self) -> impl Future<Output = Reader>;
    /// Opens its controls.
    fn controls(&self) -> impl Future<Output = Controls>;
}

pub fn event(id: &str) -> EventRecord {
    EventRecord {
        key: format!("/t\u{1f}{id}"),
        id: id.to_owned(),
        event_type: "security.login".to_owned(),
        lane: "standard",
        fingerprint: "key.same".to_owned(),
        time: Timestamp::from_second(1_790_000_000).expect("in range"),
    }
}

fn other_body(id: &str) -> EventRecord {
    EventRecord { fingerprint: "key.other".to_owned(), ..event(id) }
}

pub fn claim_of(event: EventRecord, targets: &[&str], lease: Duration) -> Claim {
    let target = |target: &&str| TargetRecord {
        target: (*target).to_owned(),
        reference: format!("{}-{target}", event.id),
        recipient: "hmac".to_owned(),
        why: "mobile number with prefix 090".to_owned(),
        template_version: "v".to_owned(),
        gateway: Some("primary".to_owned()),
        by_reference: true,
        day_limit: None,
    };
    let targets = targets.iter().map(target).collect();
    Claim { event, targets, revive: Revive::Always, lease, rules: None }
}

pub async fn claimed(ledger: &Ledger, claim: Claim) -> Vec<Held> {
    match ledger.claim(claim).await.expect("open") {
        ClaimAnswer::Open { held, .. } => held,
        other => panic!("{other:?}"),
    }
}

pub async fn granted(ledger: &Ledger, claim: Claim) -> Grant {
    match claimed(ledger, claim).await.remove(0) {
        Held::Granted(grant) => grant,
        other => panic!("{other:?}"),
    }
}

pub fn attempt(gateway: &str, outcome: &'static str) -> Attempt {
    Attempt {
        at: Timestamp::from_second(1_790_000_001).expect("in range"),
        gateway: gateway.to_owned(),
        outcome: outcome.into(),
        reason: None,
        detail: None,
        provider_id: None,
        ms: 7,
    }
}

pub fn settle_of(id: &str, target: &str, grant: &Grant, ending: Settled) -> Settle {
    let outcome = match ending {
        Settled::Accepted => "accepted",
        Settled::Retry => "retryable",
        Settled::Unknown => "unknown",
        Settled::Failed => "permanent",
    };
    Settle {
        event_key: event(id).key,
        target: target.to_owned(),
        token: grant.token,
        epoch: grant.epoch,
        ending,
        gateway: Some("primary".to_owned()),
        provider_id: None,
        reason: None,
        attempts: vec![attempt("primary", outcome)],
        template_version: "v".to_owned(),
        pause: Duration::ZERO,
        uncounted: false,
        close: None,
        keep: None,
        found_by_provider_id: false,
    }
}

fn close_of(event: EventRecord, state: EventState, deaths: u32) -> Close {
    Close { event, state, reason: (state == EventState::Dead).then_some("refused"), deaths }
}

async fn story(bed: &impl Bed, id: &str) -> Story {
    let mut stories = bed.reader().await.by_id(id).await.expect("readable");
    assert_eq!(stories.len(), 1, "{stories:?}");
    stories.remove(0)
}

pub async fn an_accepted_event_is_a_duplicate_ever_after_also_with_another_body_and_after_a_restart(
    mut bed: impl Bed,
) {
    let ledger = bed.open().await;
    let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    assert_eq!((grant.epoch, grant.attempt, grant.taken_over, &grant.unknown), (1, 1, false, &None));
    let settle =
        Settle { close: Some(EventState::Done), ..settle_of("e", "current.sms", &grant, Settled::Accepted) };
    assert!(ledger.settle(settle).await.expect("open").is_written());
    drop(ledger);
    let ledger = bed.open().await;
    for event in [event("e"), other_body("e")] {
        let answer = ledger.claim(claim_of(event, &["current.email"], LONG)).await.expect("open");
        assert_eq!(answer, ClaimAnswer::Duplicate);
    }
}

pub async fn of_three_notifications_only_the_one_to_retry_is_granted_again(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let targets = ["current.sms", "current.email", "previous.email"];
    let endings = [Settled::Accepted, Settled::Retry, Settled::Failed];
    let held = claimed(&ledger, claim_of(event("e"), &targets, LONG)).await;
    for ((target, held), ending) in targets.into_iter().zip(held).zip(endings) {
        let Held::Granted(grant) = held else { panic!("{held:?}") };
        assert!(ledger.settle(settle_of("e", target, &grant, ending)).await.expect("open").is_written());
    }
    let again = claimed(&ledger, claim_of(event("e"), &targets, LONG)).await;
    let [Held::Accepted, Held::Granted(grant), Held::Failed { .. }] = again.as_slice() else {
        panic!("{again:?}");
    };
    assert_eq!((grant.epoch, grant.attempt), (2, 2));
}

pub async fn a_duplicate_does_not_bring_a_retry_forward(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    let settle = Settle { pause: SHORT, ..settle_of("e", "current.sms", &grant, Settled::Retry) };
    assert!(ledger.settle(settle).await.expect("open").is_written());
    let early = claimed(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    assert!(matches!(&early[0], Held::Waiting(left) if *left <= SHORT), "{early:?}");
    sleep(SHORT * 2).await;
    assert_eq!(granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await.attempt, 2);
}

pub async fn a_claim_under_which_nothing_was_tried_does_not_count(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for epoch in 1..4 {
        let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
        assert_eq!((grant.epoch, grant.attempt), (epoch, 1));
        let settle = Settle {
            uncounted: true,
            attempts: vec![],
            ..settle_of("e", "current.sms", &grant, Settled::Retry)
        };
        assert!(ledger.settle(settle).await.expect("open").is_written());
    }
}

pub async fn a_live_claim_is_busy_and_an_expired_one_is_taken_over_and_fences_its_old_owner_out(
    mut bed: impl Bed,
) {
    let ledger = bed.open().await;
    let first = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    assert_eq!(claimed(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await, [Held::Busy]);
    // Its lease made short, it runs out.
    assert!(ledger.renew(renew_of("e", &first, SHORT, "second")).await.expect("open"));
    assert_eq!(claimed(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await, [Held::Busy]);
    sleep(SHORT * 2).await;

    let second = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    assert_eq!((second.epoch, second.attempt, second.taken_over), (2, 2, true));
    let unknown = second.unknown.clone().expect("what was sent before is unknown");
    assert_eq!(unknown.gateway.as_deref(), Some("second"), "whoever was asked last may have it");
    for late in [Settled::Accepted, Settled::Failed] {
        assert!(
            !ledger.settle(settle_of("e", "current.sms", &first, late)).await.expect("open").is_written()
        );
    }
    assert!(!ledger.renew(renew_of("e", &first, LONG, "primary")).await.expect("open"));
    assert!(
        ledger
            .settle(settle_of("e", "current.sms", &second, Settled::Accepted))
            .await
            .expect("open")
            .is_written()
    );
    let told = story(&bed, "e").await.notifications.remove(0);
    let attempts: Vec<_> = told.attempts.iter().map(|one| (one.gateway.as_str(), &*one.outcome)).collect();
    assert_eq!(attempts, [("second", "unknown"), ("primary", "accepted")]);
    assert_eq!((told.state, told.unknowns), ("accepted", 1));
}

fn renew_of(id: &str, grant: &Grant, lease: Duration, gateway: &str) -> Renew {
    Renew {
        event_key: event(id).key,
        target: "current.sms".to_owned(),
        token: grant.token,
        epoch: grant.epoch,
        lease,
        gateway: gateway.to_owned(),
        attempts: vec![],
    }
}

pub async fn an_attempt_is_written_down_once_however_often_its_claim_is_renewed(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    let all = [attempt("primary", "retryable"), attempt("second", "throttled"), attempt("third", "accepted")];
    for so_far in [1, 1, 2] {
        let renew = Renew { attempts: all[..so_far].to_vec(), ..renew_of("e", &grant, LONG, "next") };
        assert!(ledger.renew(renew).await.expect("open"));
    }
    let settle =
        Settle { attempts: all.to_vec(), ..settle_of("e", "current.sms", &grant, Settled::Accepted) };
    assert!(ledger.settle(settle.clone()).await.expect("open").is_written());
    assert!(
        ledger.settle(settle).await.expect("open").is_written(),
        "the same settlement again is no other owner's"
    );
    assert_eq!(story(&bed, "e").await.notifications[0].attempts, all);
}

pub async fn another_body_under_the_id_of_an_open_event_is_a_duplicate(mut bed: impl Bed) {
    let ledger = bed.open().await;
    granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    let answer = ledger.claim(claim_of(other_body("e"), &["current.email"], LONG)).await.expect("open");
    assert_eq!(answer, ClaimAnswer::Duplicate);
    for state in [EventState::Muted, EventState::Dead] {
        assert_eq!(ledger.close_event(close_of(other_body("e"), state, 1)).await, Ok(false));
    }
    assert_eq!(claimed(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await, [Held::Busy]);
}

pub async fn an_event_that_is_open_when_the_house_changes_its_key_is_worked_on(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let by = |fingerprint: &str| EventRecord { fingerprint: fingerprint.to_owned(), ..event("e") };
    let first = granted(&ledger, claim_of(by("old.one"), &["current.sms"], LONG)).await;
    ledger.settle(settle_of("e", "current.sms", &first, Settled::Retry)).await.expect("open");
    granted(&ledger, claim_of(by("new.two"), &["current.sms"], LONG)).await;
    // From here on the new key's fingerprint is the event's.
    let answer = ledger.claim(claim_of(by("new.three"), &["current.email"], LONG)).await.expect("open");
    assert_eq!(answer, ClaimAnswer::Duplicate);
    assert_eq!(ledger.close_event(close_of(by("old.one"), EventState::Done, 0)).await, Ok(true));
}

pub async fn a_dead_event_begins_anew_when_it_is_published_again_or_put_back_and_then_only_once(
    mut bed: impl Bed,
) {
    let ledger = bed.open().await;
    let claim = |revive| Claim { revive, ..claim_of(event("e"), &["current.sms"], LONG) };
    let die = async |grant: &Grant, deaths| {
        assert!(
            ledger
                .settle(settle_of("e", "current.sms", grant, Settled::Failed))
                .await
                .expect("open")
                .is_written()
        );
        assert_eq!(ledger.close_event(close_of(event("e"), EventState::Dead, deaths)).await, Ok(true));
    };
    let first = granted(&ledger, claim(Revive::Never)).await;
    die(&first, 1).await;
    for stale in [Revive::Never, Revive::After(0), Revive::After(2)] {
        assert_eq!(ledger.claim(claim(stale)).await, Ok(ClaimAnswer::Duplicate), "{stale:?}");
    }
    let put_back = granted(&ledger, claim(Revive::After(1))).await;
    assert_eq!((put_back.epoch, put_back.attempt), (2, 1), "its attempts count anew");
    die(&put_back, 2).await;
    assert_eq!(
        ledger.claim(claim(Revive::After(1))).await,
        Ok(ClaimAnswer::Duplicate),
        "a copy of that letter"
    );
    let published_again = granted(&ledger, claim(Revive::Always)).await;
    assert_eq!(published_again.epoch, 3);
}

pub async fn a_done_or_muted_event_is_not_reopened_by_a_late_dead_letter(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for (id, ended) in [("done", EventState::Done), ("muted", EventState::Muted)] {
        assert_eq!(ledger.close_event(close_of(event(id), ended, 0)).await, Ok(true));
        assert_eq!(ledger.close_event(close_of(event(id), EventState::Dead, 1)).await, Ok(false));
        let answer = ledger.claim(claim_of(event(id), &["current.sms"], LONG)).await.expect("open");
        assert_eq!(answer, ClaimAnswer::Duplicate);
    }
}

fn receipt_of(id: &str, fate: Fate) -> Receipt {
    Receipt {
        message: MessageName::Reference(format!("{id}-current.sms")),
        gateway: Some("primary".to_owned()),
        fate,
        provider_id: Some("p-1".to_owned()),
        code: Some("30003".to_owned()),
        at: Timestamp::from_second(1_790_000_060).expect("in range"),
    }
}

fn undelivered() -> Fate {
    Fate::Undelivered { reason: "absent".into() }
}

fn applied(id: &str) -> ReceiptAnswer {
    ReceiptAnswer::Applied { event_id: id.to_owned(), reopened: None }
}

async fn told(ledger: &Ledger, receipt: Receipt) -> ReceiptAnswer {
    ledger.receipt(receipt).await.expect("open")
}

/// Accepted by `primary`, its event kept for so long and done.
async fn accepted_and_kept(ledger: &Ledger, id: &str, wait: Duration) -> Sealed {
    let pseudonyms = ledger.pseudonyms().await.expect("open");
    let sealed = pseudonyms.seal(id.as_bytes().to_vec(), &event(id).key);
    let grant = granted(ledger, claim_of(event(id), &["current.sms"], LONG)).await;
    let settle = Settle {
        provider_id: Some(format!("p-{id}")),
        close: Some(EventState::Done),
        keep: Some(Box::new(Keep { sealed: sealed.clone(), wait })),
        found_by_provider_id: true,
        ..settle_of(id, "current.sms", &grant, Settled::Accepted)
    };
    assert!(ledger.settle(settle).await.expect("open").is_written());
    sealed
}

pub async fn an_unknown_attempt_waits_for_its_receipt_and_states_never_go_backwards(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for (id, fate, held) in [
        ("delivered", Fate::Delivered, Held::Accepted),
        ("underway", Fate::Underway, Held::Accepted),
        ("lost", undelivered(), Held::Failed { reason: "absent".to_owned() }),
    ] {
        let grant = granted(&ledger, claim_of(event(id), &["current.sms"], LONG)).await;
        let settle = Settle { pause: LONG, ..settle_of(id, "current.sms", &grant, Settled::Unknown) };
        assert!(ledger.settle(settle).await.expect("open").is_written());
        let waiting = claimed(&ledger, claim_of(event(id), &["current.sms"], LONG)).await;
        assert!(matches!(&waiting[0], Held::Waiting(left) if *left > LONG / 2), "{waiting:?}");

        assert_eq!(told(&ledger, receipt_of(id, fate.clone())).await, applied(id));
        assert_eq!(told(&ledger, receipt_of(id, fate)).await, ReceiptAnswer::Stale);
        assert_eq!(told(&ledger, receipt_of(id, Fate::Underway)).await, ReceiptAnswer::Stale);
        assert_eq!(claimed(&ledger, claim_of(event(id), &["current.sms"], LONG)).await, [held]);
    }
    assert_eq!(told(&ledger, receipt_of("delivered", undelivered())).await, ReceiptAnswer::Stale);
    assert_eq!(told(&ledger, receipt_of("lost", Fate::Delivered)).await, ReceiptAnswer::Stale);
    let told_of = story(&bed, "delivered").await.notifications.remove(0);
    assert_eq!((told_of.state, told_of.provider_id.as_deref()), ("delivered", Some("p-1")));
    let [receipt] = told_of.receipts.as_slice() else { panic!("{:?}", told_of.receipts) };
    assert_eq!((receipt.status.as_str(), receipt.code.as_deref()), ("delivered", Some("30003")));
    assert!(told_of.attempts.iter().all(|attempt| attempt.outcome == "unknown"));
    assert_eq!(told(&ledger, receipt_of("nobody", Fate::Delivered)).await, ReceiptAnswer::Stranger);
}

pub async fn a_receipt_that_overtakes_the_settlement_decides(mut bed: impl Bed) {
    let ledger = bed.open().await;
    for (id, fate, answer, held) in [
        ("lost", undelivered(), SettleAnswer::Undelivered { reason: "absent".to_owned() }, None),
        ("there", Fate::Delivered, SettleAnswer::Written, Some(ClaimAnswer::Duplicate)),
    ] {
        let grant = granted(&ledger, claim_of(event(id), &["current.sms"], LONG)).await;
        assert_eq!(told(&ledger, receipt_of(id, fate)).await, applied(id));
        let settle = Settle {
            close: Some(EventState::Done),
            ..settle_of(id, "current.sms", &grant, Settled::Accepted)
        };
        assert_eq!(ledger.settle(settle).await, Ok(answer));
        let failed =
            ClaimAnswer::Open { held: vec![Held::Failed { reason: "absent".to_owned() }], deaths: 0 };
        let again = ledger.claim(claim_of(event(id), &["current.sms"], LONG)).await;
        assert_eq!(again, Ok(held.unwrap_or(failed)));
        let attempts = story(&bed, id).await.notifications.remove(0).attempts;
        assert!(
            attempts.iter().any(|one| one.outcome == "accepted"),
            "what the gateway answered is told too"
        );
    }
}

pub async fn what_a_receipt_calls_undelivered_opens_its_event_again_until_it_is_brought(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let sealed = accepted_and_kept(&ledger, "e", LONG).await;
    drop(ledger);
    // By whichever worker hears of it.
    let ledger = bed.open().await;
    let reopened = Reopened {
        event_key: event("e").key,
        target: "current.sms".to_owned(),
        lane: "standard".to_owned(),
        deaths: 0,
        sealed,
    };
    let answer = ReceiptAnswer::Applied { event_id: "e".to_owned(), reopened: Some(reopened.clone()) };
    // Until it is in its lane every receipt of the kind, and who looks for what was left behind, is told.
    for _ in 0..2 {
        assert_eq!(told(&ledger, receipt_of("e", undelivered())).await, answer);
    }
    sleep(SHORT).await;
    assert_eq!(ledger.stranded(SHORT / 2).await, Ok(vec![reopened.clone()]));
    assert_eq!(ledger.stranded(LONG).await, Ok(vec![]), "somebody has it in hand");
    let held = claimed(&ledger, claim_of(event("e"), &["current.sms", "current.email"], LONG)).await;
    assert!(matches!(held.as_slice(), [Held::Failed { .. }, Held::Granted(_)]), "{held:?}");

    ledger.brought(&reopened).await.expect("open");
    sleep(SHORT).await;
    assert_eq!(ledger.stranded(SHORT / 2).await, Ok(vec![]));
    assert_eq!(told(&ledger, receipt_of("e", undelivered())).await, ReceiptAnswer::Stale);
}

pub async fn a_receipt_may_name_the_gateway_s_own_id_and_only_that_gateway_s_word_counts(mut bed: impl Bed) {
    let ledger = bed.open().await;
    accepted_and_kept(&ledger, "e", LONG).await;
    let by_id = |gateway: &str, fate| Receipt {
        message: MessageName::ProviderId { gateway: gateway.to_owned(), id: "p-e".to_owned() },
        gateway: Some(gateway.to_owned()),
        ..receipt_of("e", fate)
    };
    assert_eq!(told(&ledger, by_id("second", undelivered())).await, ReceiptAnswer::Stranger);
    let second = Receipt { gateway: Some("second".to_owned()), ..receipt_of("e", undelivered()) };
    assert_eq!(told(&ledger, second).await, ReceiptAnswer::Stale, "the message is not that gateway's");
    let answer = told(&ledger, by_id("primary", undelivered())).await;
    assert!(matches!(answer, ReceiptAnswer::Applied { reopened: Some(_), .. }), "{answer:?}");
}

pub async fn what_is_kept_for_a_receipt_is_forgotten_in_time(mut bed: impl Bed) {
    let ledger = bed.open().await;
    accepted_and_kept(&ledger, "late", SHORT).await;
    accepted_and_kept(&ledger, "there", LONG).await;
    assert_eq!(told(&ledger, receipt_of("there", Fate::Delivered)).await, applied("there"));
    sleep(SHORT * 2).await;
    assert_eq!(
        ledger.sweep(LONG).await,
        Ok(1),
        "the one whose time is over; the other went with its delivery"
    );
    assert_eq!(told(&ledger, receipt_of("late", undelivered())).await, applied("late"));
    let again = ledger.claim(claim_of(event("late"), &["current.sms"], LONG)).await;
    assert_eq!(again, Ok(ClaimAnswer::Duplicate), "its event stays done");

    // An attempt without an answer had it kept; the next one's gateway says nothing later.
    let pseudonyms = ledger.pseudonyms().await.expect("open");
    let keep = Keep { sealed: pseudonyms.seal(b"e".to_vec(), &event("twice").key), wait: LONG };
    let grant = granted(&ledger, claim_of(event("twice"), &["current.sms"], LONG)).await;
    let unknown =
        Settle { keep: Some(Box::new(keep)), ..settle_of("twice", "current.sms", &grant, Settled::Unknown) };
    assert!(ledger.settle(unknown).await.expect("open").is_written());
    let grant = granted(&ledger, claim_of(event("twice"), &["current.sms"], LONG)).await;
    let accepted = settle_of("twice", "current.sms", &grant, Settled::Accepted);
    assert!(ledger.settle(accepted).await.expect("open").is_written());
    assert_eq!(told(&ledger, receipt_of("twice", undelivered())).await, applied("twice"));
}

pub async fn a_sweep_forgets_what_is_older_than_retention_and_nothing_else(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let grant = granted(&ledger, claim_of(event("old"), &["current.sms"], LONG)).await;
    let settle = Settle {
        close: Some(EventState::Done),
        ..settle_of("old", "current.sms", &grant, Settled::Accepted)
    };
    assert!(ledger.settle(settle).await.expect("open").is_written());
    sleep(SHORT * 4).await;
    assert_eq!(ledger.close_event(close_of(event("new"), EventState::Done, 0)).await, Ok(true));
    assert_eq!(ledger.sweep(SHORT * 2).await, Ok(1));
    assert_eq!(ledger.sweep(LONG).await, Ok(0));
    assert!(bed.reader().await.by_id("old").await.expect("readable").is_empty());
    let answer = ledger.claim(claim_of(event("new"), &["current.sms"], LONG)).await;
    assert_eq!(answer, Ok(ClaimAnswer::Duplicate));
}

pub async fn a_sweep_goes_in_small_steps(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let closes = (0..1200).map(|n| ledger.close_event(close_of(event(&n.to_string()), EventState::Done, 0)));
    assert!(join_all(closes).await.into_iter().all(|closed| closed == Ok(true)));
    sleep(SHORT).await;
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(ledger.sweep(Duration::from_millis(1)).await.expect("open"));
    }
    assert_eq!(steps, [500, 500, 200, 0]);
}

pub async fn the_oldest_open_event_of_each_lane_is_known_until_it_is_settled(mut bed: impl Bed) {
    let ledger = bed.open().await;
    assert_eq!(ledger.oldest().await, Ok(vec![]));
    let at = |second| Timestamp::from_second(second).expect("in range");
    for (id, second) in [("b", 200), ("a", 100)] {
        granted(&ledger, claim_of(EventRecord { time: at(second), ..event(id) }, &["current.sms"], LONG))
            .await;
    }
    let times = |oldest: Vec<shirase::ledger::Oldest>| {
        oldest.into_iter().map(|one| (one.lane, one.time)).collect::<Vec<_>>()
    };
    let standard = |second| vec![("standard".to_owned(), at(second))];
    assert_eq!(times(ledger.oldest().await.expect("open")), standard(100));
    assert_eq!(ledger.close_event(close_of(event("a"), EventState::Done, 0)).await, Ok(true));
    assert_eq!(times(ledger.oldest().await.expect("open")), standard(200));
}

pub async fn pseudonyms_are_stable_over_restarts_and_find_a_recipient_again(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let pseudonyms = ledger.pseudonyms().await.expect("open");
    let taro = pseudonyms.of(b"+819012345678");
    assert_ne!(pseudonyms.of(b"+819012345679"), taro);
    // Four hexadecimal digits come by chance, but not in both.
    let ends_alike = pseudonyms.of(b"+818087655678");
    assert!(![&taro, &ends_alike].iter().all(|pseudonym| pseudonym.contains("5678")));
    let mut claim = claim_of(event("e"), &["current.sms"], LONG);
    claim.targets[0].recipient.clone_from(&taro);
    granted(&ledger, claim).await;
    granted(&ledger, claim_of(event("somebody else's"), &["current.sms"], LONG)).await;
    drop(ledger);
    let ledger = bed.open().await;
    assert_eq!(ledger.pseudonyms().await.expect("open").of(b"+819012345678"), taro);

    let reader = bed.reader().await;
    assert_eq!(reader.pseudonyms().await.expect("a key").of(b"+819012345678"), taro);
    let found = reader.by_recipient(&taro).await.expect("readable");
    assert_eq!(found.iter().map(|story| story.event_id.as_str()).collect::<Vec<_>>(), ["e"]);
}

pub async fn of_many_claims_at_once_each_notification_is_granted_to_one(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let claim = |n: usize| {
        let (id, ledger) = ((n % 50).to_string(), &ledger);
        async move { claimed(ledger, claim_of(event(&id), &["current.sms", "current.email"], LONG)).await }
    };
    let held = join_all((0..1000).map(claim)).await;
    let grants = held.iter().flatten().filter(|held| matches!(held, Held::Granted(_))).count();
    let busy = held.iter().flatten().filter(|held| **held == Held::Busy).count();
    assert_eq!((grants, busy), (100, 1900));
}

pub async fn a_story_tells_all_of_an_event_and_nothing_personal(mut bed: impl Bed) {
    let ledger = bed.open().await;
    let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    let settle = Settle {
        provider_id: Some("m-1".to_owned()),
        close: Some(EventState::Done),
        ..settle_of("e", "current.sms", &grant, Settled::Accepted)
    };
    assert!(ledger.settle(settle).await.expect("open").is_written());
    let story = story(&bed, "e").await;
    assert_eq!((story.source.as_str(), story.event_type.as_str()), ("/t", "security.login"));
    assert_eq!((story.lane.as_str(), story.state, story.deaths), ("standard", "done", 0));
    assert_eq!(story.time, event("e").time);
    let told = &story.notifications[0];
    assert_eq!((told.target.as_str(), told.state), ("current.sms", "accepted"));
    assert_eq!((told.gateway.as_deref(), told.provider_id.as_deref()), (Some("primary"), Some("m-1")));
    assert_eq!(
        (told.why.as_str(), told.reference.as_str()),
        ("mobile number with prefix 090", "e-current.sms")
    );
    assert!(bed.reader().await.by_id("no such").await.expect("readable").is_empty());
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("in range")
}

fn ways() -> Vec<Way> {
    let way = |name: &str| Way { name: name.to_owned(), channel: Channel::Sms };
    ["primary", "backup", "third"].map(way).to_vec()
}

fn drain_request(gateway: &str, minutes: u64) -> DrainRequest {
    DrainRequest {
        gateway: gateway.to_owned(),
        length: Duration::from_secs(60 * minutes),
        reason: "業者の保守".to_owned(),
        by: "kato".to_owned(),
        even_the_last: false,
    }
}

/// For so many minutes from `since` on.
async fn drained(controls: &Controls, gateway: &str, since: i64, minutes: u64) -> Drain {
    let drained = controls.drain(drain_request(gateway, minutes), ways(), at(since)).await;
    drained.expect("the ledger can be written").expect("may be")
}

const NOON: i64 = 1_790_000_000;

pub async fn a_drain_from_beside_is_seen_by_the_worker_until_it_is_resumed(mut bed: impl Bed) {
    let ledger = bed.open().await;
    assert_eq!(ledger.drains().await, Ok(Vec::new()));
    let controls = bed.controls().await;
    let second = drained(&controls, "primary", NOON, 15).await;
    let first = drained(&controls, "backup", NOON, 15).await;
    assert_eq!(ledger.drains().await, Ok(vec![first.clone(), second.clone()]));
    assert_eq!(controls.drains().await, Ok(vec![first.clone(), second]));
    let longer = drained(&controls, "primary", NOON + 60, 30).await;
    assert_eq!(longer.until, at(NOON + 60 + 1800));
    assert_eq!(ledger.drains().await, Ok(vec![first.clone(), longer]), "the later word counts");
    assert_eq!(controls.resume("primary").await, Ok(true));
    assert_eq!(controls.resume("primary").await, Ok(false), "there is none any more");
    assert_eq!(ledger.drains().await, Ok(vec![first]));
    // The worker's own work is not disturbed.
    granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
}

pub async fn a_drain_is_forgotten_when_another_is_written_after_its_end(mut bed: impl Bed) {
    let ledger = bed.open().await;
    ledger.drains().await.expect("open");
    let controls = bed.controls().await;
    drained(&controls, "third", NOON, 1).await;
    drained(&controls, "primary", NOON, 1).await;
    let again = drained(&controls, "primary", NOON + 60, 1).await;
    assert_eq!(controls.drains().await, Ok(vec![again]));
}

pub async fn of_two_people_who_drain_the_last_two_gateways_at_once_one_is_refused(mut bed: impl Bed) {
    let ledger = bed.open().await;
    ledger.drains().await.expect("open");
    let controls = bed.controls().await;
    // At once, again and again: whoever reads before the other writes must not act on what was read.
    for round in 0..10 {
        let now = NOON + round * 3600;
        drained(&controls, "third", now, 15).await;
        let ask = |gateway| controls.drain(drain_request(gateway, 15), ways(), at(now));
        let (one, other) = tokio::join!(ask("primary"), ask("backup"));
        let answers = [one.expect("written"), other.expect("written")];
        let refused = |answer: &&Result<_, _>| matches!(answer, Err(DrainRefusal::LastWayOut { .. }));
        assert_eq!(answers.iter().filter(refused).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    }
}

pub async fn drains_survive_a_restart_and_may_be_written_without_a_worker(mut bed: impl Bed) {
    let ledger = bed.open().await;
    ledger.drains().await.expect("open");
    drop(ledger);
    let there = drained(&bed.controls().await, "primary", NOON, 15).await;
    assert_eq!(bed.open().await.drains().await, Ok(vec![there]));
}

/// Every test of the suite, for an engine.
macro_rules! ledger_suite {
    ($bed:expr) => {
        ledger_suite!($bed;
            an_accepted_event_is_a_duplicate_ever_after_also_with_another_body_and_after_a_restart,
            of_three_notifications_only_the_one_to_retry_is_granted_again,
            a_duplicate_does_not_bring_a_retry_forward,
            a_claim_under_which_nothing_was_tried_does_not_count,
            a_live_claim_is_busy_and_an_expired_one_is_taken_over_and_fences_its_old_owner_out,
            an_attempt_is_written_down_once_however_often_its_claim_is_renewed,
            another_body_under_the_id_of_an_open_event_is_a_duplicate,
            an_event_that_is_open_when_the_house_changes_its_key_is_worked_on,
            a_dead_event_begins_anew_when_it_is_published_again_or_put_back_and_then_only_once,
            a_done_or_muted_event_is_not_reopened_by_a_late_dead_letter,
            an_unknown_attempt_waits_for_its_receipt_and_states_never_go_backwards,
            a_receipt_that_overtakes_the_settlement_decides,
            what_a_receipt_calls_undelivered_opens_its_event_again_until_it_is_brought,
            a_receipt_may_name_the_gateway_s_own_id_and_only_that_gateway_s_word_counts,
            what_is_kept_for_a_receipt_is_forgotten_in_time,
            a_sweep_forgets_what_is_older_than_retention_and_nothing_else,
            a_sweep_goes_in_small_steps,
            the_oldest_open_event_of_each_lane_is_known_until_it_is_settled,
            pseudonyms_are_stable_over_restarts_and_find_a_recipient_again,
            of_many_claims_at_once_each_notification_is_granted_to_one,
            a_story_tells_all_of_an_event_and_nothing_personal,
            a_drain_from_beside_is_seen_by_the_worker_until_it_is_resumed,
            a_drain_is_forgotten_when_another_is_written_after_its_end,
            of_two_people_who_drain_the_last_two_gateways_at_once_one_is_refused,
            drains_survive_a_restart_and_may_be_written_without_a_worker,
        );
    };
    ($bed:expr; $($test:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $crate::suite::$test($bed).await;
            }
        )+
    };
}
pub(crate) use ledger_suite;
