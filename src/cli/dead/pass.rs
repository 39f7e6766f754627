//! A pass over the queue as the configuration and the options say, and what it came to.

use std::io::{Write, stderr, stdout};
use std::num::NonZeroUsize;

use super::selection::Selection;
use crate::broker::Names;
use crate::cli::house::House;
use crate::clock::Clock;
use crate::dead::Look;
use crate::dispatch::Schedule;

/// Connects.
///
/// # Errors
/// When the configuration does not load, no node answers, or there is no such queue.
pub(super) async fn open(selection: &Selection) -> anyhow::Result<Look> {
    let (config, catalog) = House::without_templates(selection.config.config.as_deref())?;
    let names = Names::new(&config.broker, &catalog, Schedule::new(&config.retry).steps());
    Ok(Look::open(&config.broker, names, selection.filter(), catalog, Clock::system()).await?)
}

/// Gives back what was not acted upon.
///
/// # Errors
/// When the broker does not answer any more: then what was acted upon may be in the queue still.
pub(super) async fn close(look: Look, selection: &Selection) -> anyhow::Result<Pass> {
    let (queue, seen, found, unknown_age) =
        (look.queue().to_owned(), look.seen, look.found, look.unknown_age);
    look.close().await?;
    let limit = selection.limit.map(NonZeroUsize::get).filter(|limit| *limit < found);
    Ok(Pass { queue, seen, found, unknown_age, limit })
}

/// What a pass over the queue came to.
pub(super) struct Pass {
    queue: String,
    seen: usize,
    found: usize,
    unknown_age: usize,
    /// Where it made a difference.
    limit: Option<usize>,
}

impl Pass {
    /// How many there were, to stdout for a person, and to stderr what a program's reader has to know.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn tell(&self, json: bool) -> std::io::Result<()> {
        let Self { queue, seen, found, unknown_age, limit } = self;
        if !json {
            let limited = limit.map(|limit| format!(", of these the {limit} oldest")).unwrap_or_default();
            writeln!(stdout(), "{found} selected of {seen} looked at in {queue}{limited}")?;
        }
        if *unknown_age > 0 {
            let words = "nobody noted when they died, so neither --older-than nor --newer-than selects them";
            writeln!(stderr(), "{unknown_age} more of unknown age: {words}")?;
        }
        Ok(())
    }
}
