//! `/console/dead`: the dead-letter queue. Looks are taken one at a time, because letters that one look holds are hidden from
//! the next.

mod act;
mod list;

use std::sync::Arc;

pub(super) use act::{discard, replay};
pub(super) use list::list;
use tokio::sync::OwnedMutexGuard;

use super::Console;
use super::refusal::Refusal;
use crate::dead::{Filter, Look, LookError};

/// The right to look.
struct Turn(#[allow(dead_code, reason = "held until the look is over")] OwnedMutexGuard<()>);

impl Turn {
    fn take(console: &Console) -> Result<Self, Refusal> {
        let turn = Arc::clone(&console.0.looking).try_lock_owned();
        turn.map(Self).map_err(|_| Refusal::Busy("somebody else is looking at the dead letters; try again"))
    }
}

/// A look at every letter.
async fn open(console: &Console) -> Result<Look, Refusal> {
    let room = &console.0;
    let (catalog, clock) = (room.dispatcher.catalog.clone(), room.dispatcher.clock.clone());
    Ok(Look::open(&room.broker, room.names.clone(), Filter::default(), catalog, clock).await?)
}

impl From<LookError> for Refusal {
    fn from(error: LookError) -> Self {
        Self::Broker(error.to_string())
    }
}
