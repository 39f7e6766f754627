//! One reload: read the folder, check it, and use it or say why not. Blocks; the caller gives it a thread.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Fingerprint, Refusal, Wording};
use crate::assets::{Files, ReadError};
use crate::lint::Report;
use crate::template::TemplateSet;

/// Makes a set of files that passes all checks, or says what is wrong: [`crate::lint::load`] with a house's premises.
pub type Check = Arc<dyn Fn(&Files) -> Result<(TemplateSet, Report), Report> + Send + Sync>;

/// A folder of templates, and what becomes of what is in it.
#[derive(Clone)]
pub struct Reloader {
    /// The folder.
    pub dir: PathBuf,
    /// What is in use.
    pub wording: Arc<Wording>,
    /// What a set has to pass.
    pub check: Check,
}

/// What a reload came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// Another set is in use.
    Loaded {
        /// Its version.
        version: String,
        /// The one before.
        before: String,
        /// Findings that are not errors.
        warnings: usize,
    },
    /// The set in use stays; told for the first time, or asked for.
    Refused(Arc<Refusal>),
    /// The set in use stays, for the same reason as before.
    RefusedStill(Arc<Refusal>),
    /// The folder holds the set in use.
    Unchanged {
        /// It held another one before, that was refused.
        put_back: bool,
    },
}

/// [`Reload`] as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReloadResult {
    /// Another set is in use.
    Loaded,
    /// What is on disk is not used.
    Refused,
    /// The same texts as before.
    Unchanged,
}

impl ReloadResult {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Loaded, Self::Refused, Self::Unchanged];

    /// As metrics name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Refused => "refused",
            Self::Unchanged => "unchanged",
        }
    }
}

impl Reload {
    /// As it is counted.
    pub fn result(&self) -> ReloadResult {
        match self {
            Self::Loaded { .. } => ReloadResult::Loaded,
            Self::Refused(_) | Self::RefusedStill(_) => ReloadResult::Refused,
            Self::Unchanged { .. } => ReloadResult::Unchanged,
        }
    }
}

/// How often a folder that changes while it is read is read again, before what is there is taken at its word.
const TRIES: usize = 100;

/// Reads a folder at a start, when nobody has watched it yet: all of it as it was at one moment.
///
/// # Errors
/// When it cannot be read.
pub fn read(dir: &Path) -> Result<Files, ReadError> {
    for _ in 0..TRIES {
        let before = Fingerprint::of(dir);
        let files = Files::from_dir(dir);
        if Fingerprint::of(dir) == before {
            return files;
        }
    }
    Files::from_dir(dir)
}

impl Reloader {
    /// Reads what was seen `before` and judges it. Nothing when it changed while it was being read: half of one state and
    /// half of another would be a set that nobody wrote.
    pub fn reload(&self, before: &Fingerprint) -> Option<Reload> {
        let files = Files::from_dir(&self.dir);
        (Fingerprint::of(&self.dir) == *before).then(|| self.judge(files))
    }

    /// The checks panicked on what is on disk: the set in use stays.
    pub(super) fn panicked(&self) -> Reload {
        self.refuse(Refusal::panicked())
    }

    fn judge(&self, files: Result<Files, ReadError>) -> Reload {
        let files = match files {
            Ok(files) => files,
            Err(error) => return self.refuse(Refusal::unreadable(&error)),
        };
        let (version, before) =
            (TemplateSet::version_of(&files), self.wording.current().version().to_owned());
        if version == before {
            return Reload::Unchanged { put_back: self.wording.confirm() };
        }
        if let Some(known) = self.wording.refusal().filter(|known| known.version.as_ref() == Some(&version)) {
            return Reload::RefusedStill(known);
        }
        match (self.check)(&files) {
            Ok((set, report)) => {
                self.wording.replace(set);
                Reload::Loaded { version, before, warnings: report.findings.len() }
            }
            Err(report) => self.refuse(Refusal::report(version, &report)),
        }
    }

    fn refuse(&self, refusal: Refusal) -> Reload {
        if let Some(known) = self.wording.refusal().filter(|known| **known == refusal) {
            return Reload::RefusedStill(known);
        }
        let refusal = Arc::new(refusal);
        self.wording.refuse(Arc::clone(&refusal));
        Reload::Refused(refusal)
    }
}
