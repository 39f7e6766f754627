//! One pass over the dead-letter queue: the letters that are selected, one after the other.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use super::{Filter, Fit, Letter};
use crate::broker::{BrokerConfig, BrokerError, DeadLetter, DeadLetters, Held, Names};
use crate::clock::Clock;
use crate::event::{Catalog, Lane};

/// A selected letter: what may be shown of it, the lane it belongs to, and the letter itself.
pub struct Found {
    /// What may be shown.
    pub letter: Letter,
    /// Where it would go back to; nothing where nobody knows.
    pub lane: Option<Lane>,
    /// Held at the broker until the pass ends.
    pub dead: DeadLetter,
}

/// A pass over the queue. Whatever is not acted upon is in the queue again when it ends, however it ends.
pub struct Look {
    /// To act upon what was found.
    pub letters: DeadLetters,
    filter: Filter,
    catalog: Catalog,
    clock: Clock,
    queue: String,
    /// Looked at.
    pub seen: usize,
    /// Selected.
    pub found: usize,
    /// Not selected only because nobody knows when they died.
    pub unknown_age: usize,
}

/// A pass that could not begin, go on or end in order.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No node answers, or there is no such queue.
    #[error("cannot look into {queue}: {error}")]
    Closed {
        /// The queue.
        queue: String,
        /// Why not.
        error: BrokerError,
    },
    /// The broker went away; what was not acted upon is in the queue.
    #[error("lost {queue}: {error}")]
    Lost {
        /// The queue.
        queue: String,
        /// Why.
        error: BrokerError,
    },
    /// The broker did not say that it has all of it.
    #[error("{error}: what was taken away may be in {queue} still")]
    Unclear {
        /// The queue.
        queue: String,
        /// Why not.
        error: BrokerError,
    },
}

impl Look {
    /// Connects.
    ///
    /// # Errors
    /// [`LookError::Closed`].
    pub async fn open(
        broker: &BrokerConfig,
        names: Names,
        filter: Filter,
        catalog: Catalog,
        clock: Clock,
    ) -> Result<Self, LookError> {
        let queue = names.dead();
        let letters = DeadLetters::open(broker, names).await;
        let letters = letters.map_err(|error| LookError::Closed { queue: queue.clone(), error })?;
        Ok(Self { letters, filter, catalog, clock, queue, seen: 0, found: 0, unknown_age: 0 })
    }

    /// The queue's name.
    pub fn queue(&self) -> &str {
        &self.queue
    }

    /// The next selected letter, in the queue's order.
    ///
    /// # Errors
    /// When the broker is lost; whatever was not acted upon is in the queue then.
    pub async fn next(&mut self) -> Result<Option<Found>, LookError> {
        loop {
            let next = self.letters.next().await;
            let lost = |error| LookError::Lost { queue: self.queue.clone(), error };
            let Some(dead) = next.map_err(lost)? else { return Ok(None) };
            self.seen += 1;
            let (letter, lane) = Letter::of(&dead, &self.catalog, self.clock.now());
            match self.filter.fit(&letter) {
                Fit::Yes => {
                    self.found += 1;
                    return Ok(Some(Found { letter, lane, dead }));
                }
                Fit::No => {}
                Fit::UnknownAge => self.unknown_age += 1,
            }
        }
    }

    /// The selected letters within a limit, oldest first. Of those beyond it no body is kept.
    ///
    /// The queue's own order won't do for a limit: the broker puts what was looked at behind what was looked at before,
    /// so that `list --limit 10` and `replay --limit 10` would mean different letters.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub async fn oldest(&mut self, limit: NonZeroUsize) -> Result<Vec<Found>, LookError> {
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
    pub async fn page(&mut self, size: usize) -> Result<Vec<Found>, LookError> {
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
    pub async fn held(&mut self) -> Result<Vec<(Letter, Held)>, LookError> {
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
    pub async fn close(self) -> Result<(), LookError> {
        let Self { letters, queue, .. } = self;
        letters.close().await.map_err(|error| LookError::Unclear { queue, error })
    }
}
