//! Which dead letters: the options that all four commands share.

use std::num::NonZeroUsize;

use clap::Args;

use crate::cli::{ConfigArg, Usage};
use crate::config::Span;
use crate::dead::Filter;

/// Which dead letters, and how to tell about them.
#[derive(Args)]
pub(super) struct Selection {
    #[command(flatten)]
    filter: FilterArgs,
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

    /// Which letters.
    pub fn filter(&self) -> Filter {
        let FilterArgs { reason, event_type, id, older_than, newer_than } = &self.filter;
        Filter {
            reasons: reason.clone(),
            event_types: event_type.clone(),
            ids: id.clone(),
            older_than: *older_than,
            newer_than: *newer_than,
        }
    }
}

/// Every filter that is given must fit; of one that is given several times, one.
#[derive(Args)]
pub(super) struct FilterArgs {
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
        match (self.selection.filter().is_empty(), self.all) {
            (true, false) => {
                let filters = "--reason, --type, --id, --older-than or --newer-than";
                Err(Usage(format!("say which dead letters: {filters}, or --all for every one")))
            }
            (false, true) => Err(Usage("--all and a filter contradict each other: leave one out".to_owned())),
            _ => Ok(()),
        }
    }
}
