//! The files that the binary carries, and the same shape read from a folder: name → text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Every file below `config/` and `templates/` of the source tree, by its path from the root.
pub const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Text files by their path below some folder, `/` between the parts.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Where they came from, for messages: a folder, or `built-in`.
    pub origin: String,
    files: BTreeMap<String, String>,
}

/// A folder or a file in it could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct ReadError {
    /// The path as it was tried.
    pub path: PathBuf,
    #[source]
    source: io::Error,
}

impl Files {
    /// The embedded files below `folder` (for example `templates`), with their names relative to it.
    pub fn embedded(folder: &str) -> Self {
        let below = |name: &str| Some(name.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let files =
            EMBEDDED.iter().filter_map(|(name, text)| Some((below(name)?, (*text).to_owned()))).collect();
        Self { origin: "built-in".to_owned(), files }
    }

    /// All text files below `dir`, as [`list`] finds them.
    ///
    /// # Errors
    /// When the folder or one of its files cannot be read or is not UTF-8.
    pub fn from_dir(dir: &Path) -> Result<Self, ReadError> {
        let read = |(name, path): (String, PathBuf)| {
            Ok((name, fs::read_to_string(&path).map_err(|source| ReadError::at(&path, source))?))
        };
        let files = list(dir)?.into_iter().map(read).collect::<Result<_, ReadError>>()?;
        Ok(Self { origin: dir.display().to_string(), files })
    }

    /// The text of one file.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Names and texts, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The same files with these texts in the place of theirs, or beside them.
    #[must_use]
    pub fn with<'a>(&self, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut files = self.clone();
        files.files.extend(texts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())));
        files
    }

    /// What a message should call the file: `built-in: ja/…` or its path.
    pub fn place(&self, name: &str) -> String {
        if self.origin == "built-in" { format!("built-in {name}") } else { format!("{}/{name}", self.origin) }
    }
}

impl FromIterator<(String, String)> for Files {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(files: I) -> Self {
        Self { origin: "given".to_owned(), files: files.into_iter().collect() }
    }
}

impl ReadError {
    /// What the system said of this path.
    pub fn at(path: &Path, source: io::Error) -> Self {
        Self { path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()), source }
    }
}

/// The files below `dir`: names relative to it, and paths. Symbolic links count as what they lead to. Hidden names and what
/// editors put beside a file (`…~`, `#…#`) are left out.
///
/// # Errors
/// When the folder or one below it cannot be read.
pub fn list(dir: &Path) -> Result<Vec<(String, PathBuf)>, ReadError> {
    let mut files = Vec::new();
    collect(dir, "", &mut files)?;
    Ok(files)
}

fn collect(dir: &Path, below: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), ReadError> {
    let failed = |source| ReadError::at(dir, source);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name.ends_with('~') || (name.starts_with('#') && name.ends_with('#')) {
            continue;
        }
        let path = entry.path();
        let name = format!("{below}{name}");
        // The folder's listing says what is no link: one question to the disk less for each file.
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            files.push((name, path));
        }
    }
    Ok(())
}
