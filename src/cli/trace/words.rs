//! A story in words, for whoever was woken up.

use std::fmt::Write;

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::cli::age;
use crate::cli::printable::printable;
use crate::ledger::{Attempt, NotificationStory, Story};

/// Enough of a pseudonym or version to tell it from others.
const SHORT: usize = 12;

/// All of it. Of notifications to `whose` pseudonym the first line is marked.
pub(super) fn story(story: &Story, whose: Option<&str>, now: Timestamp) -> String {
    let [id, source, event_type] =
        [&story.event_id, &story.source, &story.event_type].map(|text| printable(text));
    let mut words = format!("{id}  {event_type} from {source} ({})\n", story.lane);
    // Writing to a string cannot fail.
    let _ = writeln!(words, "  {}", verdict(story));
    let _ = writeln!(
        words,
        "  happened {}, first seen {}, last change {} ({} ago)",
        jst(story.time),
        jst(story.first_seen),
        jst(story.updated_at),
        age::in_words(now.duration_since(story.updated_at))
    );
    for one in &story.notifications {
        let mark = if whose == Some(one.recipient.as_str()) { "→" } else { " " };
        let _ = write!(words, "{mark} {}", notification(one, story, now));
    }
    words
}

/// What became of the event.
fn verdict(story: &Story) -> String {
    match story.state {
        "done" => match told_after(story) {
            Some(after) => format!("told, {:.1} s after the event", after.as_secs_f64().max(0.0)),
            None => "told".to_owned(),
        },
        "muted" => "not told: the customer's settings say none, and policy allows it".to_owned(),
        "dead" => {
            let reason = story.reason.as_deref().unwrap_or("unknown");
            let id = printable(&story.event_id);
            format!(
                "given up {} time(s), {reason}: in the dead-letter queue (shirase dead show --id {id}; dead replay --id {id})",
                story.deaths
            )
        }
        _ => "open: something is still to be done about it".to_owned(),
    }
}

/// From the event's time to the last acceptance that was needed.
fn told_after(story: &Story) -> Option<SignedDuration> {
    let accepted = |attempt: &&Attempt| attempt.outcome == "accepted";
    let ended = |attempt: &Attempt| {
        let took = SignedDuration::from_millis(i64::try_from(attempt.ms).unwrap_or(i64::MAX));
        attempt.at.saturating_add(took).unwrap_or(attempt.at)
    };
    let attempts = story.notifications.iter().flat_map(|one| one.attempts.iter().rfind(accepted));
    attempts.map(ended).max().map(|at| at.duration_since(story.time))
}

fn notification(one: &NotificationStory, story: &Story, now: Timestamp) -> String {
    let mut words = format!("{}: {}\n", one.target, state(one, story, now));
    let facts = [
        ("why", one.why.clone()),
        ("recipient", short(&one.recipient)),
        ("reference", one.reference.clone()),
        ("wording", short(&one.template_version)),
    ];
    for (name, value) in facts {
        let _ = writeln!(words, "    {name:<9} {}", printable(&value));
    }
    for (number, attempt) in one.attempts.iter().enumerate() {
        let _ = writeln!(words, "    {:<9} {}", format!("try {}", number + 1), self::attempt(attempt));
    }
    words
}

fn state(one: &NotificationStory, story: &Story, now: Timestamp) -> String {
    let by = one.gateway.as_deref().map(|gateway| format!(" by {gateway}")).unwrap_or_default();
    let until = one.not_before.map(|time| format!(" {} JST", clock(time))).unwrap_or_default();
    let reason = one.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    // What a dead event was waiting for does not come any more.
    let over = story.state == "dead" && one.not_before.is_some();
    let words = match one.state {
        "accepted" => format!("accepted{by}"),
        "delivered" => "delivered".to_owned(),
        "undelivered" => format!("accepted{by} but not delivered{reason}"),
        "failed" => format!("given up{reason}"),
        _ if over => format!("not accepted when the event was given up{reason}"),
        "in_flight" if one.not_before.is_some_and(|until| until < now) => {
            "in flight, but its claim is over: the next delivery takes over".to_owned()
        }
        "in_flight" => format!("in flight{by}, claimed until{until}"),
        "unknown" => format!("may have arrived{by}; tried again, or settled by a receipt, not before{until}"),
        _ => format!("to be tried again, not before{until}{reason}"),
    };
    match one.unknowns {
        0 => words,
        count => format!("{words} ({count} attempt(s) without an answer: each may have arrived)"),
    }
}

fn attempt(attempt: &Attempt) -> String {
    let id = attempt.provider_id.as_deref().map(|id| format!(" as {}", printable(id))).unwrap_or_default();
    let why = match attempt.reason.as_deref() {
        Some(Attempt::LOST) => ": the worker ended or stalled before the answer".to_owned(),
        Some(reason) => {
            let detail = attempt.detail.as_deref().map(|detail| format!(", {detail}")).unwrap_or_default();
            format!(" ({reason}{detail})")
        }
        None => String::new(),
    };
    let gateway = printable(&attempt.gateway);
    format!("{} JST  {gateway}: {}{id}{why}, {} ms", jst_millis(attempt.at), attempt.outcome, attempt.ms)
}

fn short(text: &str) -> String {
    text.chars().take(SHORT).collect()
}

/// Japan has no daylight saving time.
fn formatted(time: Timestamp, format: &str) -> String {
    time.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime(format).to_string()
}

fn jst(time: Timestamp) -> String {
    formatted(time, "%Y-%m-%d %H:%M:%S JST")
}

fn jst_millis(time: Timestamp) -> String {
    formatted(time, "%Y-%m-%d %H:%M:%S%.3f")
}

fn clock(time: Timestamp) -> String {
    formatted(time, "%H:%M:%S")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn tried(
        outcome: &'static str,
        reason: Option<&'static str>,
        detail: Option<&str>,
        id: Option<&str>,
    ) -> Attempt {
        Attempt {
            at: at("2026-11-22T06:04:05.250Z"),
            gateway: "primary".to_owned(),
            outcome: outcome.into(),
            reason: reason.map(Into::into),
            detail: detail.map(str::to_owned),
            provider_id: id.map(str::to_owned),
            ms: 31,
        }
    }

    fn notification(state: &'static str, attempts: Vec<Attempt>) -> NotificationStory {
        NotificationStory {
            target: "current.sms".to_owned(),
            state,
            why: "mobile number with prefix 090".to_owned(),
            recipient: "0123456789abcdef0123456789abcdef".to_owned(),
            reference: "fedcba9876543210fedcba9876543210".to_owned(),
            template_version: "ffeeddccbbaa9988".to_owned(),
            gateway: Some("primary".to_owned()),
            provider_id: None,
            reason: None,
            unknowns: 0,
            not_before: None,
            updated_at: at("2026-11-22T06:04:06Z"),
            attempts,
        }
    }

    fn told() -> Story {
        Story {
            event_id: "01JD2Q\u{1b}[31m".to_owned(),
            source: "/auth".to_owned(),
            event_type: "security.login".to_owned(),
            lane: "standard".to_owned(),
            state: "done",
            reason: None,
            deaths: 0,
            time: at("2026-11-22T06:04:04Z"),
            first_seen: at("2026-11-22T06:04:05Z"),
            updated_at: at("2026-11-22T06:04:06Z"),
            notifications: vec![NotificationStory {
                unknowns: 1,
                ..notification(
                    "accepted",
                    vec![
                        tried("throttled", Some("rate_limit"), Some("HTTP 429"), None),
                        tried("unknown", Some(Attempt::LOST), None, None),
                        tried("accepted", None, None, Some("m-17")),
                    ],
                )
            }],
        }
    }

    #[test]
    fn a_story_tells_whether_when_and_how_and_what_went_wrong_before() {
        let words = story(&told(), Some("0123456789abcdef0123456789abcdef"), at("2026-11-22T07:04:06Z"));
        insta::assert_snapshot!(words, @r"
        01JD2Q[31m  security.login from /auth (standard)
          told, 1.3 s after the event
          happened 2026-11-22 15:04:04 JST, first seen 2026-11-22 15:04:05 JST, last change 2026-11-22 15:04:06 JST (1h ago)
        → current.sms: accepted by primary (1 attempt(s) without an answer: each may have arrived)
            why       mobile number with prefix 090
            recipient 0123456789ab
            reference fedcba9876543210fedcba9876543210
            wording   ffeeddccbbaa
            try 1     2026-11-22 15:04:05.250 JST  primary: throttled (rate_limit, HTTP 429), 31 ms
            try 2     2026-11-22 15:04:05.250 JST  primary: unknown: the worker ended or stalled before the answer, 31 ms
            try 3     2026-11-22 15:04:05.250 JST  primary: accepted as m-17, 31 ms
        ");
    }

    #[test]
    fn every_state_has_its_words() {
        let now = at("2026-11-22T06:04:10Z");
        let until = Some(at("2026-11-22T06:04:40Z"));
        let waiting = |state| NotificationStory { not_before: until, ..notification(state, vec![]) };
        let open = Story { state: "open", ..told() };
        for (one, words) in [
            (waiting("in_flight"), "in flight by primary, claimed until 15:04:40 JST"),
            (
                NotificationStory { not_before: Some(at("2026-11-22T06:04:09Z")), ..waiting("in_flight") },
                "in flight, but its claim is over: the next delivery takes over",
            ),
            (waiting("retry"), "to be tried again, not before 15:04:40 JST"),
            (
                waiting("unknown"),
                "may have arrived by primary; tried again, or settled by a receipt, not before 15:04:40 JST",
            ),
            (notification("delivered", vec![]), "delivered"),
            (
                NotificationStory { reason: Some("recipient".to_owned()), ..notification("failed", vec![]) },
                "given up: recipient",
            ),
        ] {
            assert_eq!(state(&one, &open, now), words);
        }
        let dead = Story { state: "dead", reason: Some("expired".to_owned()), deaths: 2, ..told() };
        assert_eq!(state(&waiting("retry"), &dead, now), "not accepted when the event was given up");
        let verdict = verdict(&dead);
        assert!(
            verdict.contains("2 time(s), expired") && verdict.contains("dead replay --id 01JD2Q"),
            "{verdict}"
        );
    }
}
