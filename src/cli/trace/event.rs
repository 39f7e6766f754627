//! An event in words: what it was, whether its customer was told, and when.

use jiff::Timestamp;

use super::notification::{accepted_at, is_told};
use super::time::{after, jst};
use super::{Telling, shell};
use crate::ledger::{Story, SummaryStory};

impl Telling<'_> {
    /// A head line, when it all was, and every notification.
    pub fn event(&self, story: &Story) -> String {
        let Story { event_id, event_type, source, lane, .. } = story;
        let (state, which) = (state(story), if story.is_summary { " (summary)" } else { "" });
        let mut words = format!("{event_id}{which}: {state}\n");
        let mut fact = |name: &str, value: String| words.push_str(&format!("  {name:<11} {value}\n"));
        fact("event", format!("{event_type} from {source}, lane {lane}"));
        fact("happened", format!("{} JST", jst(story.time)));
        fact("first seen", moment(story, story.first_seen));
        if let Some(told) = story.notifications.iter().filter_map(accepted_at).min() {
            fact("accepted", moment(story, told));
        }
        fact("last change", format!("{} JST", jst(story.updated_at)));
        if let Some(summary) = &story.summary {
            fact("summary", self.summary(story, summary));
        }
        if story.deaths > 0 {
            fact("given up", self.deaths(story));
        }
        for one in &story.notifications {
            words.push_str(&self.notification(story, one));
        }
        words
    }

    /// Of a summary: what it stands for. Of what is part of one: which, and where that is.
    fn summary(&self, story: &Story, summary: &SummaryStory) -> String {
        let SummaryStory { event_id, others, due, brought_at } = summary;
        if story.is_summary {
            return format!("one notice for this event and {others} held back beside it");
        }
        let asked = shell::trace(event_id, self.config);
        match brought_at {
            Some(time) => {
                format!("made of {event_id} and {others} others, {} JST; to see it: {asked}", jst(*time))
            }
            None => format!("of {event_id} and {others} others so far, due {} JST", jst(*due)),
        }
    }

    fn deaths(&self, story: &Story) -> String {
        let often = if story.deaths == 1 { "once".to_owned() } else { format!("{} times", story.deaths) };
        if story.state == "dead" {
            let replay = shell::replay(&story.event_id, self.config);
            format!("{often}; to have it tried anew: {replay}")
        } else {
            format!("{often}, and put back")
        }
    }
}

fn moment(story: &Story, time: Timestamp) -> String {
    format!("{} JST, {}", jst(time), after(time, story.time))
}

/// Whether the customer was told, and if not, why.
fn state(story: &Story) -> String {
    let targets = |state: fn(&str) -> bool| -> Vec<&str> {
        let those = story.notifications.iter().filter(|one| state(one.state));
        those.map(|one| one.target.as_str()).collect()
    };
    let (told, lost) = (targets(is_told), targets(|state| state == "undelivered"));
    match story.state {
        "done" if told.is_empty() && !lost.is_empty() => {
            "not told: a gateway took it, but it did not arrive".to_owned()
        }
        "done" if lost.is_empty() => "told".to_owned(),
        "done" => format!("told, but not through {}", lost.join(", ")),
        "held_back" => {
            let reason = story.reason.as_deref().unwrap_or("unknown");
            let why = reason_in_words(reason).unwrap_or("a rule that protects the customer");
            format!("held back: {reason} ({why})")
        }
        "muted" => "not told: the customer's settings say so, and policy allows it".to_owned(),
        "dead" => {
            let reason = story.reason.as_deref().unwrap_or("unknown");
            let why = reason_in_words(reason).map(|words| format!(" ({words})")).unwrap_or_default();
            format!("given up: {reason}{why}{}", but_told(&told, "told all the same through"))
        }
        _ if !lost.is_empty() => {
            let told = but_told(&told, "told so far through");
            format!("not finished: {} did not arrive{told}", lost.join(", "))
        }
        _ => format!("not finished{}", but_told(&told, "told so far through")),
    }
}

fn but_told(told: &[&str], words: &str) -> String {
    if told.is_empty() { String::new() } else { format!("; {words} {}", told.join(", ")) }
}

fn reason_in_words(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "collapsed" => "one of many: told by a summary",
        "known_device" => "the same device as at the login before",
        "sms_day_limit" => "the number has had its SMS of the day, and there is no other channel",
        "no_address" => "no usable address",
        "expired" => "past its deadline",
        "render" => "a template failed",
        "refused" => "refused for good",
        "exhausted" => "tried as often as the schedule says",
        "internal" => "the worker panicked: a bug",
        _ => return None,
    })
}
