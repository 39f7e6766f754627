//! Where the texts are kept: a house's folder, or memory for the built-in set.
//!
//! Drafts lie in `.drafts` beside them, under the same names. Hidden names are never loaded ([`Files::from_dir`]).

mod folder;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};

use self::folder::Folder;
use super::TemplatePath;
use crate::assets::{Files, ReadError};
use crate::hex::hex;

/// Below the folder of templates.
const DRAFTS: &str = ".drafts";

/// The texts and the drafts beside them.
pub struct Store {
    kept: Kept,
    /// One change at a time: between the look at what is there and the writing, nothing of ours comes.
    changing: Mutex<()>,
}

enum Kept {
    Folder(Folder),
    Memory(Mutex<Memory>),
}

#[derive(Default)]
struct Memory {
    files: Files,
    drafts: BTreeMap<String, String>,
}

/// A text was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A link leads to where this page has nothing to change.
    #[error("{0}: is or lies behind a symbolic link; change it where the link leads")]
    Linked(PathBuf),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was to be written.
        path: PathBuf,
        #[source]
        /// Why not.
        source: io::Error,
    },
}

impl Store {
    /// A house's folder.
    pub fn folder(dir: PathBuf) -> Self {
        Self { kept: Kept::Folder(Folder::new(dir)), changing: Mutex::default() }
    }

    /// The built-in set: changes live until the process ends.
    pub fn built_in() -> Self {
        let memory = Memory { files: Files::embedded("templates"), ..Memory::default() };
        Self { kept: Kept::Memory(Mutex::new(memory)), changing: Mutex::default() }
    }

    /// The folder, where there is one.
    pub fn dir(&self) -> Option<&std::path::Path> {
        match &self.kept {
            Kept::Folder(folder) => Some(folder.dir()),
            Kept::Memory(_) => None,
        }
    }

    /// Nobody else changes anything through this store while the value lives.
    pub fn change(&self) -> Changing<'_> {
        Changing { store: self, _alone: self.changing.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The set as it is now.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn files(&self) -> Result<Files, ReadError> {
        match &self.kept {
            Kept::Folder(folder) => Files::from_dir(folder.dir()),
            Kept::Memory(memory) => Ok(locked(memory).files.clone()),
        }
    }

    /// The drafts, by the name of the file that they may become.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn drafts(&self) -> Result<Files, ReadError> {
        match &self.kept {
            Kept::Folder(folder) => folder.drafts(),
            Kept::Memory(memory) => Ok(locked(memory).drafts.clone().into_iter().collect()),
        }
    }
}

/// The right to change something.
pub struct Changing<'a> {
    store: &'a Store,
    _alone: MutexGuard<'a, ()>,
}

impl Changing<'_> {
    /// Writes texts; each file is whole at every moment.
    ///
    /// # Errors
    /// When one cannot be written. Nothing is changed unless the system fails between two renames.
    pub fn write(&self, texts: &[(&TemplatePath, &str)]) -> Result<(), WriteError> {
        match &self.store.kept {
            Kept::Folder(folder) => folder.write(texts),
            Kept::Memory(memory) => {
                let memory = &mut *locked(memory);
                memory.files = memory.files.with(texts.iter().map(|(path, text)| (path.as_str(), *text)));
                Ok(())
            }
        }
    }

    /// Keeps a text as a draft.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_draft(&self, path: &TemplatePath, text: &str) -> Result<(), WriteError> {
        match &self.store.kept {
            Kept::Folder(folder) => folder.keep_draft(path, text),
            Kept::Memory(memory) => {
                locked(memory).drafts.insert(path.to_string(), text.to_owned());
                Ok(())
            }
        }
    }

    /// Forgets a draft. That there is none is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn drop_draft(&self, path: &TemplatePath) -> Result<(), WriteError> {
        match &self.store.kept {
            Kept::Folder(folder) => folder.drop_draft(path),
            Kept::Memory(memory) => {
                locked(memory).drafts.remove(path.as_str());
                Ok(())
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// First 12 hex digits of a text's SHA-256: by it the page says which text it began with.
pub fn version(text: &str) -> String {
    hex(&digest(&SHA256, text.as_bytes()).as_ref()[..6])
}
