//! When to read a folder: it is another than the last one judged, and has stood still between two looks. Pure.
//!
//! A git checkout or an upload writes file after file; each is a change, all of them are one reload. It also makes the
//! times on files trustworthy: a write in the same tick of the system's clock as a look would not show, but one that
//! comes after the folder has stood still has a later time.

use super::Fingerprint;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Stillness {
    /// The folder as it was when it was last judged.
    judged: Option<Fingerprint>,
    /// The last look that showed something else.
    moving: Option<Fingerprint>,
}

/// What to do after a look.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing has changed: look again at the usual time.
    Rest,
    /// It has changed, perhaps still does: look again soon.
    Wait,
    /// It has changed and stood still: read it.
    Read,
}

impl Stillness {
    /// What a look showed.
    pub fn saw(&mut self, found: Fingerprint) -> Next {
        if self.judged.as_ref() == Some(&found) {
            self.moving = None;
            return Next::Rest;
        }
        if self.moving.as_ref() == Some(&found) {
            return Next::Read;
        }
        self.moving = Some(found);
        Next::Wait
    }

    /// What was seen last was read and judged, well or ill: it is not read again until it changes.
    pub fn judged(&mut self) {
        self.judged = self.moving.take().or(self.judged.take());
    }

    /// The folder as it is to be read now.
    pub fn still(&self) -> Option<&Fingerprint> {
        self.moving.as_ref()
    }

    /// Somebody wants it read, changed or not.
    pub fn forget(&mut self) {
        self.judged = None;
    }
}
