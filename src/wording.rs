//! The set of templates in use. It is replaced as a whole: an event renders from one set, whatever happens meanwhile.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::template::TemplateSet;

/// The set in use.
#[derive(Debug)]
pub struct Wording {
    current: ArcSwap<TemplateSet>,
}

impl Wording {
    /// Begins with a set.
    pub fn new(set: TemplateSet) -> Self {
        Self { current: ArcSwap::from_pointee(set) }
    }

    /// The set in use now. Hold on to it for as long as one event takes, and no longer.
    pub fn current(&self) -> Arc<TemplateSet> {
        self.current.load_full()
    }

    /// Puts another set in its place. Events on their way go on with theirs.
    pub fn replace(&self, set: TemplateSet) {
        self.current.store(Arc::new(set));
    }
}
