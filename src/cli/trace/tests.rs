use insta::assert_snapshot;

use super::*;
use crate::ledger::{Attempt, NotificationStory, ReceiptStory, SummaryStory};

const PHONE: &str = "3f9a1c77b0de4455aabbccddeeff0011";
const MAILBOX: &str = "b1946ac92492d2347c6235b4d2611184";

/// The minute of every test; events happen at its fifth second.
fn at(second: &str) -> Timestamp {
    format!("2026-11-22T06:04:{second}Z").parse().expect("a time")
}

fn attempt(second: &str, outcome: &'static str, reason: Option<&'static str>) -> Attempt {
    Attempt {
        at: at(second),
        gateway: "primary".to_owned(),
        outcome: outcome.into(),
        reason: reason.map(Into::into),
        detail: None,
        provider_id: None,
        ms: 12,
    }
}

fn notification(target: &str, state: &'static str, attempts: Vec<Attempt>) -> NotificationStory {
    let mail = target.ends_with("email");
    let last = attempts.last();
    NotificationStory {
        target: target.to_owned(),
        state,
        why: if mail { "sms failed for good" } else { "mobile number with prefix 090" }.to_owned(),
        recipient: if mail { MAILBOX } else { PHONE }.to_owned(),
        reference: format!("{target}-reference"),
        template_version: "4c1d9e0a77b2".to_owned(),
        gateway: last.map(|attempt| attempt.gateway.clone()),
        provider_id: last.and_then(|attempt| attempt.provider_id.clone()),
        reason: last.and_then(|attempt| attempt.reason.as_deref().map(str::to_owned)),
        unknowns: attempts.iter().filter(|attempt| attempt.outcome == "unknown").count() as u32,
        not_before: matches!(state, "in_flight" | "retry" | "unknown").then(|| at("50")),
        updated_at: at("41"),
        attempts,
        receipts: Vec::new(),
    }
}

fn story(state: &'static str, notifications: Vec<NotificationStory>) -> Story {
    Story {
        event_id: "01JD2Q".to_owned(),
        source: "/auth".to_owned(),
        event_type: "security.login.new_device".to_owned(),
        lane: "standard".to_owned(),
        state,
        reason: None,
        deaths: 0,
        time: at("05"),
        first_seen: at("05.120"),
        updated_at: at("41"),
        summary: None,
        is_summary: false,
        notifications,
    }
}

fn told(story: Story) -> String {
    let telling = Telling { now: at("45"), asked_for: None, config: None };
    telling.all(&[story.stripped()])
}

/// The head line of the only notification.
fn state(event: &'static str, one: NotificationStory, now: &str) -> String {
    let telling = Telling { now: at(now), asked_for: None, config: None };
    let words = telling.event(&story(event, vec![one]));
    words.lines().find_map(|line| line.strip_prefix("  current.sms: ")).expect("a head line").to_owned()
}

#[test]
fn a_customer_told_at_the_second_try() {
    let failed =
        Attempt { detail: Some("HTTP 503".to_owned()), ..attempt("05.200", "retryable", Some("server")) };
    let accepted =
        Attempt { provider_id: Some("m-1".to_owned()), ms: 1041, ..attempt("10.300", "accepted", None) };
    let words = told(story("done", vec![notification("current.sms", "accepted", vec![failed, accepted])]));
    assert_snapshot!(words, @"
    01JD2Q: told
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      accepted    2026-11-22 15:04:11.341 JST, 6.3s after the event
      last change 2026-11-22 15:04:41.000 JST

      current.sms: accepted by primary, 6.3s after the event
        why        mobile number with prefix 090
        recipient  3f9a1c77b0de
        gateway    primary, its id m-1
        reference  current.sms-reference
        template   4c1d9e0a77b2
        2026-11-22 15:04:05.200  primary  retryable    12 ms  server: HTTP 503
        2026-11-22 15:04:10.300  primary  accepted   1041 ms  its id m-1
    ");
}

#[test]
fn a_customer_told_by_mail_because_his_number_was_refused() {
    let refused =
        Attempt { detail: Some("HTTP 422".to_owned()), ..attempt("05.200", "permanent", Some("recipient")) };
    let accepted = Attempt { gateway: "mta".to_owned(), ..attempt("05.300", "accepted", None) };
    let notifications = vec![
        notification("current.sms", "failed", vec![refused]),
        notification("current.email", "accepted", vec![accepted]),
    ];
    let telling = Telling { now: at("45"), asked_for: Some(MAILBOX), config: None };
    assert_snapshot!(telling.all(&[story("done", notifications)]), @"
    recipient b1946ac92492: 1 event

    01JD2Q: told
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      accepted    2026-11-22 15:04:05.312 JST, 0.3s after the event
      last change 2026-11-22 15:04:41.000 JST

      current.sms: given up: recipient (HTTP 422)
        why        mobile number with prefix 090
        recipient  3f9a1c77b0de
        gateway    primary
        reference  current.sms-reference
        template   4c1d9e0a77b2
        2026-11-22 15:04:05.200  primary  permanent  12 ms  recipient: HTTP 422

      current.email: accepted by mta, 0.3s after the event
        why        sms failed for good
        recipient  b1946ac92492  ← the one asked about
        gateway    mta
        reference  current.email-reference
        template   4c1d9e0a77b2
        2026-11-22 15:04:05.300  mta  accepted  12 ms
    ");
}

#[test]
fn an_event_given_up_that_may_have_arrived() {
    let lost = Attempt { ms: 0, ..attempt("05.200", "unknown", Some(Attempt::LOST)) };
    let failed =
        Attempt { detail: Some("HTTP 500".to_owned()), ..attempt("40.900", "retryable", Some("server")) };
    let notifications = vec![notification("current.sms", "failed", vec![lost, failed])];
    let story = Story { reason: Some("exhausted".to_owned()), deaths: 2, ..story("dead", notifications) };
    assert_snapshot!(told(story), @"
    01JD2Q: given up: exhausted (tried as often as the schedule says)
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      last change 2026-11-22 15:04:41.000 JST
      given up    2 times; to have it tried anew: shirase dead replay --id 01JD2Q

      current.sms: given up: server (HTTP 500); may have arrived: 1 attempt without a clear answer
        why        mobile number with prefix 090
        recipient  3f9a1c77b0de
        gateway    primary
        reference  current.sms-reference
        template   4c1d9e0a77b2
        2026-11-22 15:04:05.200  primary  unknown     - ms  lost: the worker ended or stalled before the answer
        2026-11-22 15:04:40.900  primary  retryable  12 ms  server: HTTP 500
    ");
}

#[test]
fn an_event_that_nobody_was_to_be_told_of() {
    assert_snapshot!(told(story("muted", Vec::new())), @"
    01JD2Q: not told: the customer's settings say so, and policy allows it
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      last change 2026-11-22 15:04:41.000 JST
    ");
}

#[test]
fn a_claim_lasts_until_its_end_and_after_it_the_message_may_have_arrived() {
    let sent = || notification("current.sms", "in_flight", Vec::new());
    assert_snapshot!(state("open", sent(), "45"), @"being sent through a gateway; its claim lasts until 2026-11-22 15:04:50.000 JST");
    assert_snapshot!(state("open", sent(), "55"), @"may have arrived: the worker ended or stalled while it was sent through a gateway; its claim lasted until 2026-11-22 15:04:50.000 JST, and the event's next delivery takes it over");
}

#[test]
fn what_comes_next_is_said_with_its_time() {
    let failed = || vec![attempt("05.200", "retryable", Some("connect"))];
    let unknown =
        || vec![attempt("05.200", "unknown", Some("timeout")), attempt("06", "unknown", Some("cut"))];
    assert_snapshot!(state("open", notification("current.sms", "retry", failed()), "45"), @"not accepted so far: connect; will be tried again, not before 2026-11-22 15:04:50.000 JST");
    assert_snapshot!(state("dead", notification("current.sms", "retry", failed()), "45"), @"not accepted so far: connect; not tried again");
    assert_snapshot!(state("open", notification("current.sms", "unknown", unknown()), "45"), @"may have arrived: 2 attempts without a clear answer; will be tried again, not before 2026-11-22 15:04:50.000 JST");
    let accepted = [unknown(), vec![attempt("10", "accepted", None)]].concat();
    assert_snapshot!(state("done", notification("current.sms", "delivered", accepted), "45"), @"delivered through primary, 5.0s after the event; may have arrived twice: 2 attempts without a clear answer");
}

#[test]
fn what_did_not_arrive_was_not_told() {
    let one = |target, state| notification(target, state, vec![attempt("05.200", "accepted", None)]);
    let head = |story| told(story).lines().next().expect("a head line").to_owned();
    let lost = vec![one("current.sms", "undelivered")];
    assert_eq!(head(story("done", lost)), "01JD2Q: not told: a gateway took it, but it did not arrive");
    let half = || vec![one("current.sms", "undelivered"), one("current.email", "accepted")];
    assert_eq!(head(story("done", half())), "01JD2Q: told, but not through current.sms");
    assert_eq!(
        head(story("open", half())),
        "01JD2Q: not finished: current.sms did not arrive; told so far through current.email"
    );
    let dead = Story { reason: Some("refused".to_owned()), ..story("dead", half()) };
    assert_eq!(
        head(dead),
        "01JD2Q: given up: refused (refused for good); told all the same through current.email"
    );
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed_whoever_sent_it() {
    let bad = "\u{1b}[31m\u{9b}0m\u{202e}";
    let attempt = Attempt {
        gateway: bad.to_owned(),
        detail: Some(bad.to_owned()),
        provider_id: Some(bad.to_owned()),
        ..attempt("05.200", "accepted", Some(bad))
    };
    let mut story = story("dead", vec![notification("current.sms", "failed", vec![attempt])]);
    for text in [&mut story.event_id, &mut story.source, &mut story.event_type] {
        *text = bad.to_owned();
    }
    story.reason = Some(bad.to_owned());
    let words = told(story.clone()) + &serde_json::to_string(&story.stripped()).expect("JSON");
    assert!(!words.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{words:?}");
}

#[test]
fn a_message_that_a_gateway_took_and_that_did_not_arrive() {
    let accepted = attempt("05.300", "accepted", None);
    let receipt = ReceiptStory {
        at: at("21"),
        gateway: "primary".to_owned(),
        status: "undelivered".to_owned(),
        reason: Some("unreachable".to_owned()),
        code: Some("30003".to_owned()),
    };
    let sms = NotificationStory {
        reason: Some("unreachable".to_owned()),
        receipts: vec![receipt],
        ..notification("current.sms", "undelivered", vec![accepted])
    };
    let words = told(story("open", vec![sms]));
    assert_snapshot!(words, @"
    01JD2Q: not finished: current.sms did not arrive
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      accepted    2026-11-22 15:04:05.312 JST, 0.3s after the event
      last change 2026-11-22 15:04:41.000 JST

      current.sms: accepted by primary, but did not arrive: unreachable (30003)
        why        mobile number with prefix 090
        recipient  3f9a1c77b0de
        gateway    primary
        reference  current.sms-reference
        template   4c1d9e0a77b2
        2026-11-22 15:04:05.300  primary  accepted       12 ms
        2026-11-22 15:04:21.000  primary  undelivered  receipt  unreachable: 30003
    ");
}

#[test]
fn what_was_held_back_says_by_which_rule_and_names_its_summary() {
    let held_back = |reason: &str, summary: Option<SummaryStory>| Story {
        reason: Some(reason.to_owned()),
        summary,
        ..story("held_back", vec![])
    };
    let summary =
        |brought_at| SummaryStory { event_id: "01JD9Z".to_owned(), others: 16, due: at("50"), brought_at };
    assert_snapshot!(told(held_back("collapsed", Some(summary(None)))), @"
    01JD2Q: held back: collapsed (one of many: told by a summary)
      event       security.login.new_device from /auth, lane standard
      happened    2026-11-22 15:04:05.000 JST
      first seen  2026-11-22 15:04:05.120 JST, 0.1s after the event
      last change 2026-11-22 15:04:41.000 JST
      summary     of 01JD9Z and 16 others so far, due 2026-11-22 15:04:50.000 JST
    ");
    let brought = told(held_back("collapsed", Some(summary(Some(at("51"))))));
    let line = "made of 01JD9Z and 16 others, 2026-11-22 15:04:51.000 JST; to see it: shirase trace 01JD9Z\n";
    assert!(brought.contains(line), "{brought}");
    let of_it = Story { is_summary: true, summary: Some(summary(Some(at("51")))), ..story("done", vec![]) };
    let of_it = told(of_it);
    assert!(of_it.starts_with("01JD2Q (summary): told\n"), "{of_it}");
    assert!(of_it.contains("one notice for this event and 16 held back beside it"), "{of_it}");
    for (reason, words) in [
        ("known_device", "held back: known_device (the same device as at the login before)"),
        ("sms_day_limit", "held back: sms_day_limit (the number has had its SMS of the day"),
        ("of_a_newer_version", "held back: of_a_newer_version (a rule that protects the customer)"),
    ] {
        assert!(told(held_back(reason, None)).contains(words), "{reason}");
    }
}
