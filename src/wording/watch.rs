//! Looks at the folder of templates for as long as the worker runs, and has it reloaded when it has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::sleep;

use super::{Fingerprint, Next, Reload, Reloader, Stillness};
use crate::telemetry;

/// How often to look.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// While nothing changes; without a value only when asked.
    pub look: Option<Duration>,
    /// How long a change has to stand still before it is read.
    pub still: Duration,
}

impl Pace {
    /// A change is in use a second after it, plus what reading and checking take: two are promised.
    pub const USUAL: Self =
        Self { look: Some(Duration::from_millis(300)), still: Duration::from_millis(500) };

    /// Only when asked.
    pub const ASKED: Self = Self { look: None, ..Self::USUAL };
}

/// Keeps the wording in use as the folder has it.
pub struct Watch {
    reloader: Reloader,
    pace: Pace,
    asked: Arc<Notify>,
}

/// Why the folder is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Because {
    /// It may have changed between the start's own reading and the first look.
    Start,
    Change,
    Asked,
}

impl Watch {
    /// Over a folder that was loaded a moment ago. Whoever notifies `asked` has it read at once, changed or not.
    pub fn new(reloader: Reloader, pace: Pace, asked: Arc<Notify>) -> Self {
        Self { reloader, pace, asked }
    }

    /// Looks, for ever. Reading and checking have a thread of their own, so that no event waits for them.
    pub async fn run(self) {
        let mut stillness = Stillness::default();
        let mut because = Because::Start;
        loop {
            match stillness.saw(self.look().await) {
                Next::Wait => sleep(self.pace.still).await,
                Next::Read => {
                    if let Some(reload) = self.read(&stillness).await {
                        stillness.judged();
                        self.tell(&reload, because);
                    }
                }
                Next::Rest => because = self.rest(&mut stillness).await,
            }
        }
    }

    /// Until the next look, or until somebody asks.
    async fn rest(&self, stillness: &mut Stillness) -> Because {
        let pause = async {
            match self.pace.look {
                Some(pause) => sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = pause => Because::Change,
            () = self.asked.notified() => {
                stillness.forget();
                Because::Asked
            }
        }
    }

    async fn look(&self) -> Fingerprint {
        let dir = self.reloader.dir.clone();
        let looked = spawn_blocking(move || Fingerprint::of(&dir)).await;
        looked.unwrap_or_else(|error| Fingerprint::Unreadable(error.to_string()))
    }

    async fn read(&self, stillness: &Stillness) -> Option<Reload> {
        let before = stillness.still()?.clone();
        let reloader = self.reloader.clone();
        let read = spawn_blocking(move || reloader.reload(&before)).await;
        // Cancelled means that the process ends.
        read.unwrap_or_else(|error: JoinError| error.is_panic().then(|| self.reloader.panicked()))
    }

    fn tell(&self, reload: &Reload, because: Because) {
        match (reload, because) {
            // The start has told of it.
            (Reload::Unchanged { .. }, Because::Start) => {}
            (Reload::RefusedStill(_), Because::Start | Because::Change) => {}
            (reload, _) => telemetry::wording_reloaded(reload, self.reloader.wording.current().version()),
        }
    }
}
