//! A notification in words: where it went, why there, and what became of it.

use jiff::{SignedDuration, Timestamp};

use super::question::shortened;
use super::time::{after, jst};
use super::{Telling, attempts};
use crate::ledger::{NotificationStory, Story};

/// A gateway has it, and nothing says that it did not arrive.
pub(super) fn is_told(state: &str) -> bool {
    matches!(state, "accepted" | "delivered")
}

/// When a gateway took it.
pub(super) fn accepted_at(one: &NotificationStory) -> Option<Timestamp> {
    let attempt = one.attempts.iter().rev().find(|attempt| attempt.outcome == "accepted")?;
    let took = SignedDuration::from_millis(i64::try_from(attempt.ms).unwrap_or_default());
    attempt.at.checked_add(took).ok()
}

impl Telling<'_> {
    /// A head line, what vendors and colleagues ask for, and every attempt.
    pub fn notification(&self, story: &Story, one: &NotificationStory) -> String {
        let mut words = format!("\n  {}: {}\n", one.target, self.state(story, one));
        let mut fact = |name: &str, value: &str| words.push_str(&format!("    {name:<10} {value}\n"));
        fact("why", &one.why);
        let mark = if self.asked_for == Some(&one.recipient) { "  ← the one asked about" } else { "" };
        fact("recipient", &format!("{}{mark}", shortened(&one.recipient)));
        let gateway = one.gateway.as_deref().unwrap_or("-");
        let provider_id = one.provider_id.as_deref().map(|id| format!(", its id {id}"));
        fact("gateway", &format!("{gateway}{}", provider_id.unwrap_or_default()));
        fact("reference", &one.reference);
        fact("template", &one.template_version);
        words.push_str(&attempts::in_words(one));
        words
    }

    fn state(&self, story: &Story, one: &NotificationStory) -> String {
        let gateway = one.gateway.as_deref().unwrap_or("a gateway");
        let reason = why_not(one);
        match one.state {
            "in_flight" => self.in_flight(one, gateway),
            "accepted" => format!("accepted by {gateway}{}{}", when(story, one), twice(one)),
            "delivered" => format!("delivered through {gateway}{}{}", when(story, one), twice(one)),
            "undelivered" => format!("accepted by {gateway}, but did not arrive{reason}"),
            "retry" => format!("not accepted so far{reason}; {}", next(story, one)),
            "unknown" => format!("{}; {}", may_have_arrived(one), next(story, one)),
            "failed" if one.unknowns > 0 => format!("given up{reason}; {}", may_have_arrived(one)),
            "failed" => format!("given up{reason}"),
            other => other.to_owned(),
        }
    }

    fn in_flight(&self, one: &NotificationStory, gateway: &str) -> String {
        let Some(until) = one.not_before else { return format!("being sent through {gateway}") };
        let time = jst(until);
        if until >= self.now {
            format!("being sent through {gateway}; its claim lasts until {time} JST")
        } else {
            format!(
                "may have arrived: the worker ended or stalled while it was sent through {gateway}; its claim lasted \
                 until {time} JST, and the event's next delivery takes it over"
            )
        }
    }
}

fn when(story: &Story, one: &NotificationStory) -> String {
    accepted_at(one).map(|time| format!(", {}", after(time, story.time))).unwrap_or_default()
}

/// The reason, with the codes of the attempt or receipt that it comes from.
fn why_not(one: &NotificationStory) -> String {
    let Some(reason) = one.reason.as_deref() else { return String::new() };
    let attempt = one.attempts.last().filter(|attempt| attempt.reason.as_deref() == Some(reason));
    let receipt = one.receipts.last().filter(|receipt| receipt.reason.as_deref() == Some(reason));
    let detail = receipt.and_then(|receipt| receipt.code.as_deref());
    let detail = detail.or_else(|| attempt.and_then(|attempt| attempt.detail.as_deref()));
    format!(": {reason}{}", detail.map(|detail| format!(" ({detail})")).unwrap_or_default())
}

/// It was accepted, and attempts before that may have been too.
fn twice(one: &NotificationStory) -> String {
    let attempts = unclear(one.unknowns);
    if one.unknowns == 0 { String::new() } else { format!("; may have arrived twice: {attempts}") }
}

fn may_have_arrived(one: &NotificationStory) -> String {
    format!("may have arrived: {}", unclear(one.unknowns))
}

fn unclear(count: u32) -> String {
    format!("{count} {} without a clear answer", if count == 1 { "attempt" } else { "attempts" })
}

fn next(story: &Story, one: &NotificationStory) -> String {
    match one.not_before {
        Some(time) if story.state == "open" => {
            format!("will be tried again, not before {} JST", jst(time))
        }
        _ => "not tried again".to_owned(),
    }
}
