//! One pass over the dead-letter queue: the letters that are selected, one after the other.

use std::collections::BTreeMap;
use std::io::{Write, stderr, stdout};
use std::num::NonZeroUsize;

use anyhow::anyhow;

use super::letter::Letter;
use super::selection::{Fit, Selection};
use crate::broker::{DeadLetter, DeadLetters, Held, Names};
use crate::cli::house::House;
use crate::clock::Clock;
use crate::dispatch::Schedule;
use crate::event::{Catalog, Lane};

/// A selected letter: what may be shown of it, the lane it belongs to, and the letter itself.
pub(super) struct Found {
    pub letter: Letter,
    pub lane: Option<Lane>,
    pub dead: DeadLetter,
}

/// A pass over the queue.
pub(super) struct Browse<'a> {
    pub letters: DeadLetters,
    selection: &'a Selection,
    catalog: Catalog,
    clock: Clock,
    queue: String,
    /// Looked at.
    seen: usize,
    /// Selected.
    found: usize,
    /// Not selected only because nobody knows when they died.
    unknown_age: usize,
}

impl<'a> Browse<'a> {
    /// Connects.
    ///
    /// # Errors
    /// When the configuration does not load, no node answers, or there is no such queue.
    pub async fn open(selection: &'a Selection) -> anyhow::Result<Self> {
        let (config, catalog) = House::without_templates(selection.config.config.as_deref())?;
        let names = Names::new(&config.broker, &catalog, Schedule::new(&config.retry).steps());
        let queue = names.dead();
        let letters = DeadLetters::open(&config.broker, names).await;
        let letters = letters.map_err(|error| anyhow!("cannot look into {queue}: {error}"))?;
        let clock = Clock::system();
        Ok(Self { letters, selection, catalog, clock, queue, seen: 0, found: 0, unknown_age: 0 })
    }

    /// The next selected letter, in the queue's order, whatever `--limit` says.
    ///
    /// # Errors
    /// When the broker is lost; whatever was not acted upon is in the queue then.
    pub async fn next(&mut self) -> anyhow::Result<Option<Found>> {
        loop {
            let next = self.letters.next().await;
            let Some(dead) = next.map_err(|error| anyhow!("lost {}: {error}", self.queue))? else {
                return Ok(None);
            };
            self.seen += 1;
            let (letter, lane) = Letter::of(&dead, &self.catalog, self.clock.now());
            match self.selection.filter.fit(&letter) {
                Fit::Yes => {
                    self.found += 1;
                    return Ok(Some(Found { letter, lane, dead }));
                }
                Fit::No => {}
                Fit::UnknownAge => self.unknown_age += 1,
            }
        }
    }

    /// The selected letters within `--limit`, oldest first. Of those beyond it no body is kept.
    ///
    /// The queue's own order won't do for a limit: the broker puts what was looked at behind what was looked at before,
    /// so that `list --limit 10` and `replay --limit 10` would mean different letters.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn oldest(&mut self, limit: NonZeroUsize) -> anyhow::Result<Vec<Found>> {
        let mut oldest = BTreeMap::new();
        while let Some(found) = self.next().await? {
            oldest.insert((found.letter.order(), self.seen), found);
            if oldest.len() > limit.get() {
                oldest.pop_last();
            }
        }
        Ok(oldest.into_values().collect())
    }

    /// As many of the next selected letters as there are, but no more than `size`.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn page(&mut self, size: usize) -> anyhow::Result<Vec<Found>> {
        let mut page = Vec::with_capacity(size);
        while page.len() < size {
            let Some(found) = self.next().await? else { break };
            page.push(found);
        }
        Ok(page)
    }

    /// Every selected letter without its event, oldest first, to be taken away or not.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn held(&mut self) -> anyhow::Result<Vec<(Letter, Held)>> {
        let mut held = Vec::new();
        while let Some(found) = self.next().await? {
            held.push((found.letter, found.dead.into_held()));
        }
        held.sort_by_cached_key(|(letter, _)| letter.order());
        Ok(held)
    }

    /// Gives back what was not acted upon.
    ///
    /// # Errors
    /// When the broker does not answer any more: then what was acted upon may be in the queue still.
    pub async fn close(self) -> anyhow::Result<Pass> {
        let pass = self.pass();
        let closed = self.letters.close().await;
        closed.map_err(|error| anyhow!("{error}: what was taken away may be in {} still", self.queue))?;
        Ok(pass)
    }

    fn pass(&self) -> Pass {
        Pass {
            queue: self.queue.clone(),
            seen: self.seen,
            found: self.found,
            unknown_age: self.unknown_age,
            limit: self.selection.limit.map(NonZeroUsize::get).filter(|limit| *limit < self.found),
        }
    }
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
