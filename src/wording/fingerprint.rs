//! What a folder of templates looks like from outside, to see whether it changed without reading it.
//!
//! Polled, rather than told by inotify: a mounted ConfigMap changes by a symbolic link outside of any file that one would
//! watch, network file systems tell nothing, every editor saves in another way, and a watch that breaks (the folder
//! moved away and came back) is silent. A look at the eighty files that ship takes 0.4 ms.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::assets::{ReadError, list};

/// The state of a folder; equal ones have, as far as the system tells, the same texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fingerprint {
    /// Each file's name in the set and what it resolves to.
    Files(Vec<(String, Stamp)>),
    /// It cannot be looked at, and why.
    Unreadable(String),
}

/// What the system says of a file without opening it. Its change time too: `cp -p` and `rsync` set the other one back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Fingerprint {
    /// Looks at a folder. Blocks on the disk.
    pub fn of(dir: &Path) -> Self {
        match stamps(dir) {
            Ok(files) => Self::Files(files),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

fn stamps(dir: &Path) -> Result<Vec<(String, Stamp)>, ReadError> {
    let mut files = list(dir)?;
    // In the order in which the system lists them, nothing would be equal.
    files.sort();
    let stamp = |(name, path): (String, std::path::PathBuf)| {
        let metadata = path.metadata().map_err(|source| ReadError::at(&path, source))?;
        Ok((name, Stamp::of(&metadata)))
    };
    files.into_iter().map(stamp).collect()
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}
