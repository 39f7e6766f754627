//! Which dead letters.

use super::Letter;
use crate::config::Span;

/// Every filter that is given must fit; of one that has several values, one.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Reasons as [`Letter::reason`] has them.
    pub reasons: Vec<String>,
    /// Types as [`Letter::event_type`] has them.
    pub event_types: Vec<String>,
    /// Ids of events.
    pub ids: Vec<String>,
    /// Died longer ago than this.
    pub older_than: Option<Span>,
    /// Died within this time.
    pub newer_than: Option<Span>,
}

/// Whether a letter is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It would be but for its age, which nobody knows.
    UnknownAge,
}

impl Filter {
    /// Nothing was asked for, so that every letter fits.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.reasons, &self.event_types, &self.ids];
        lists.iter().all(|list| list.is_empty()) && self.older_than.is_none() && self.newer_than.is_none()
    }

    /// Whether this letter is selected.
    pub fn fit(&self, letter: &Letter) -> Fit {
        let among = |list: &[String], value: &str| list.is_empty() || list.iter().any(|one| one == value);
        let fits = among(&self.reasons, &letter.reason)
            && among(&self.event_types, letter.event_type())
            && among(&self.ids, letter.event_id());
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
        let reasons = filter(|filter| filter.reasons = vec!["schema".into(), "expired".into()]);
        assert!(!reasons.is_empty());
        assert_eq!(reasons.fit(&letter("expired", None)), Fit::Yes);
        assert_eq!(reasons.fit(&letter("refused", None)), Fit::No);
        let both = filter(|filter| {
            filter.reasons = vec!["schema".into()];
            filter.ids = vec!["e-2".into()];
        });
        assert_eq!(both.fit(&letter("schema", None)), Fit::No);
        let unreadable = filter(|filter| filter.event_types = vec!["-".into()]);
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
            filter.reasons = vec!["expired".into()];
        });
        assert_eq!(other.fit(&letter("schema", None)), Fit::No);
        // Another machine's clock is ahead of ours.
        assert_eq!(other.fit(&letter("expired", Some(-3))), Fit::Yes);
    }
}
