//! The set of templates in use, and its reload while the worker runs. It is replaced as a whole: an event renders from one
//! set, whatever happens meanwhile.
//!
//! [`Watch`] looks at the folder, [`Stillness`] says when it has stopped changing, [`Reloader`] reads and checks it, and
//! [`Wording`] takes the set or keeps why not.

mod fingerprint;
mod refusal;
mod reload;
mod stillness;
mod watch;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};

pub use self::fingerprint::Fingerprint;
pub use self::refusal::{Refusal, Why};
pub use self::reload::{Check, Reload, ReloadResult, Reloader, read};
pub use self::stillness::{Next, Stillness};
pub use self::watch::{Pace, Watch};
use crate::template::TemplateSet;

/// The set in use, and what is wrong with the one on disk.
#[derive(Debug)]
pub struct Wording {
    current: ArcSwap<TemplateSet>,
    refusal: ArcSwapOption<Refusal>,
}

impl Wording {
    /// Begins with a set.
    pub fn new(set: TemplateSet) -> Self {
        Self { current: ArcSwap::from_pointee(set), refusal: ArcSwapOption::empty() }
    }

    /// The set in use now. Hold on to it for as long as one event takes, and no longer.
    pub fn current(&self) -> Arc<TemplateSet> {
        self.current.load_full()
    }

    /// Puts another set in its place. Events on their way go on with theirs.
    pub fn replace(&self, set: TemplateSet) {
        self.current.store(Arc::new(set));
        self.refusal.store(None);
    }

    /// Why the set on disk is not the one in use; nothing when it is.
    pub fn refusal(&self) -> Option<Arc<Refusal>> {
        self.refusal.load_full()
    }

    /// Goes on with the set in use, and keeps why.
    fn refuse(&self, refusal: Arc<Refusal>) {
        self.refusal.store(Some(refusal));
    }

    /// The set on disk is the one in use. True when it was another before, that was refused.
    fn confirm(&self) -> bool {
        self.refusal.swap(None).is_some()
    }
}

#[cfg(test)]
mod tests;
