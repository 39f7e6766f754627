//! Which dead letters: the options that all four commands share.

use std::num::NonZeroUsize;

use clap::Args;

use super::letter::Letter;
use crate::cli::{ConfigArg, Usage};
use crate::config::Span;

/// Which dead letters, and how to tell about them.
#[derive(Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub filter: Filter,
    /// Of the selected letters only this many, the oldest
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// One JSON object a letter, each on a line of its own
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArg,
}

impl Selection {
    /// `--limit`, or no limit.
    pub fn at_most(&self) -> usize {
        self.limit.map_or(usize::MAX, NonZeroUsize::get)
    }
}

/// Every filter that is given must fit; of one that is given several times, one.
#[derive(Args, Default)]
pub(super) struct Filter {
    /// Only letters with this reason, as `dead list` shows it; may be given several times
    #[arg(long, value_name = "REASON")]
    reason: Vec<String>,
    /// Only letters of this event type, as `dead list` shows it; may be given several times
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Vec<String>,
    /// Only letters of the event with this id; may be given several times
    #[arg(long, value_name = "EVENT_ID")]
    id: Vec<String>,
    /// Only letters that died longer ago than this, for example 2h
    #[arg(long, value_name = "AGE")]
    older_than: Option<Span>,
    /// Only letters that died within this time, for example 10m
    #[arg(long, value_name = "AGE")]
    newer_than: Option<Span>,
}

/// Whether a letter is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    Yes,
    No,
    /// It would be but for its age, which nobody knows.
    UnknownAge,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        let lists = [&self.reason, &self.event_type, &self.id];
        lists.iter().all(|list| list.is_empty()) && self.older_than.is_none() && self.newer_than.is_none()
    }

    pub fn fit(&self, letter: &Letter) -> Fit {
        let among = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
        let fits = among(&self.reason, &letter.reason)
            && among(&self.event_type, letter.event_type())
            && among(&self.id, letter.event_id());
        if !fits {
            return Fit::No;
        }
        if self.older_than.is_none() && self.newer_than.is_none() {
            return Fit::Yes;
        }
        let Some(age) = letter.age_seconds else { return Fit::UnknownAge };
        let older = self.older_than.is_none_or(|than| age >= than.signed().as_secs());
        let newer = self.newer_than.is_none_or(|than| age < than.signed().as_secs());
        if older && newer { Fit::Yes } else { Fit::No }
    }
}

/// For the two commands that change something: nobody shall empty the queue by forgetting an option.
#[derive(Args)]
pub(super) struct Chosen {
    #[command(flatten)]
    pub selection: Selection,
    /// Every dead letter; otherwise a filter is needed
    #[arg(long)]
    all: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

impl Chosen {
    /// # Errors
    /// When there is neither a filter nor `--all`, or both.
    pub fn check(&self) -> Result<(), Usage> {
        match (self.selection.filter.is_empty(), self.all) {
            (true, false) => {
                let filters = "--reason, --type, --id, --older-than or --newer-than";
                Err(Usage(format!("say which dead letters: {filters}, or --all for every one")))
            }
            (false, true) => Err(Usage("--all and a filter contradict each other: leave one out".to_owned())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &str, age_seconds: Option<i64>) -> Letter {
        let some = |text: &str| Some(text.to_owned());
        Letter {
            event_id: some("e-1"),
            event_type: some("security.login"),
            reason: reason.to_owned(),
            age_seconds,
            ..Letter::default()
        }
    }

    fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    }

    fn span(text: &str) -> Option<Span> {
        Some(text.parse().expect("a span"))
    }

    #[test]
    fn without_a_filter_every_letter_fits() {
        assert!(Filter::default().is_empty());
        assert_eq!(Filter::default().fit(&letter("schema", None)), Fit::Yes);
        assert_eq!(Filter::default().fit(&Letter::default()), Fit::Yes);
    }

    #[test]
    fn one_value_of_each_filter_must_fit() {
        let reasons = filter(|filter| filter.reason = vec!["schema".into(), "expired".into()]);
        assert!(!reasons.is_empty());
        assert_eq!(reasons.fit(&letter("expired", None)), Fit::Yes);
        assert_eq!(reasons.fit(&letter("refused", None)), Fit::No);
        let both = filter(|filter| {
            filter.reason = vec!["schema".into()];
            filter.id = vec!["e-2".into()];
        });
        assert_eq!(both.fit(&letter("schema", None)), Fit::No);
        let unreadable = filter(|filter| filter.event_type = vec!["-".into()]);
        assert_eq!(unreadable.fit(&Letter::default()), Fit::Yes);
        assert_eq!(unreadable.fit(&letter("schema", None)), Fit::No);
    }

    #[test]
    fn age_is_since_the_letter_died_and_an_unknown_one_is_neither_old_nor_new() {
        let between = filter(|filter| {
            filter.older_than = span("10m");
            filter.newer_than = span("2h");
        });
        for (seconds, fit) in [(599, Fit::No), (600, Fit::Yes), (7199, Fit::Yes), (7200, Fit::No)] {
            assert_eq!(between.fit(&letter("schema", Some(seconds))), fit, "{seconds}");
        }
        assert_eq!(between.fit(&letter("schema", None)), Fit::UnknownAge);
        let other = filter(|filter| {
            filter.newer_than = span("2h");
            filter.reason = vec!["expired".into()];
        });
        assert_eq!(other.fit(&letter("schema", None)), Fit::No);
        // Another machine's clock is ahead of ours.
        assert_eq!(other.fit(&letter("expired", Some(-3))), Fit::Yes);
    }
}
