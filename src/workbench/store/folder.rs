//! A folder of templates: every file whole at every moment, permissions kept, and nothing written through a link.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use super::super::TemplatePath;
use super::{DRAFTS, WriteError};
use crate::assets::{Files, ReadError};

pub(super) struct Folder {
    dir: PathBuf,
}

impl Folder {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn drafts(&self) -> Result<Files, ReadError> {
        let drafts = self.dir.join(DRAFTS);
        if drafts.is_dir() { Files::from_dir(&drafts) } else { Ok(Files::default()) }
    }

    /// All are written beside their places before the first is put into its own, so that a full disk changes nothing.
    pub fn write(&self, texts: &[(&TemplatePath, &str)]) -> Result<(), WriteError> {
        let staged: Result<Vec<Staged>, WriteError> = texts
            .iter()
            .map(|(path, text)| {
                let target = self.place(&self.dir, path)?;
                Staged::write(target.clone(), text).map_err(failed(&target))
            })
            .collect();
        for staged in staged? {
            let target = staged.target.clone();
            staged.settle().map_err(failed(&target))?;
        }
        Ok(())
    }

    pub fn keep_draft(&self, path: &TemplatePath, text: &str) -> Result<(), WriteError> {
        let target = self.place(&self.dir.join(DRAFTS), path)?;
        Staged::write(target.clone(), text).and_then(Staged::settle).map_err(failed(&target))
    }

    pub fn drop_draft(&self, path: &TemplatePath) -> Result<(), WriteError> {
        let target = self.place(&self.dir.join(DRAFTS), path)?;
        match fs::remove_file(&target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&target)(error)),
            _ => Ok(()),
        }
    }

    /// Where a file of the set lies below `root`, its folder made. Links would lead out of the folder, or have the page write
    /// what somebody else owns (a mounted ConfigMap).
    fn place(&self, root: &Path, path: &TemplatePath) -> Result<PathBuf, WriteError> {
        let target = root.join(path.as_str());
        let folder = target.parent().unwrap_or(root);
        let mut step = self.dir.clone();
        for part in folder.strip_prefix(&self.dir).unwrap_or(folder).components() {
            step.push(part);
            if is_link(&step) {
                return Err(WriteError::Linked(step));
            }
        }
        if is_link(&target) {
            return Err(WriteError::Linked(target));
        }
        fs::create_dir_all(folder).map_err(failed(folder))?;
        Ok(target)
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

fn failed(path: &Path) -> impl Fn(io::Error) -> WriteError {
    move |source| WriteError::Io { path: path.to_owned(), source }
}

/// A text on disk under a hidden name beside its place; gone again unless it is settled.
struct Staged {
    target: PathBuf,
    beside: PathBuf,
}

impl Staged {
    fn write(target: PathBuf, text: &str) -> io::Result<Self> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let beside = target.with_file_name(format!(".{name}.saving"));
        // What a process that was killed left behind.
        let _ = fs::remove_file(&beside);
        let mut file = File::create_new(&beside)?;
        let staged = Self { target, beside };
        if let Ok(there) = fs::metadata(&staged.target) {
            as_before(&staged.beside, &there)?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(staged)
    }

    fn settle(self) -> io::Result<()> {
        fs::rename(&self.beside, &self.target)?;
        // The name is durable when its folder is; some file systems know no such thing.
        let _ = self.target.parent().map(File::open).map(|folder| folder.and_then(|it| it.sync_all()));
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // It is there only when the text was not settled.
        let _ = fs::remove_file(&self.beside);
    }
}

/// A worker of another user goes on reading what it could read before.
fn as_before(path: &Path, there: &Metadata) -> io::Result<()> {
    // Only root may give a file away; anyone else owned it already or shares its group.
    let _ = chown(path, Some(there.uid()), Some(there.gid()));
    fs::set_permissions(path, there.permissions())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::event::Catalog;

    const PATH: &str = "ja/security.login/sms.hbs";

    fn path(text: &str) -> TemplatePath {
        let catalog = Catalog::load(&Files::embedded("config")).expect("built in");
        TemplatePath::parse(text, &catalog).expect("a path")
    }

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(dir.path().join("ja/security.login")).expect("ours");
        fs::write(dir.path().join(PATH), "before").expect("ours");
        let folder = Folder::new(dir.path().to_owned());
        (dir, folder)
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_nothing_is_left_beside_it() {
        let (dir, folder) = folder();
        let file = dir.path().join(PATH);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        folder.write(&[(&path(PATH), "after")]).expect("written");
        assert_eq!(fs::read_to_string(&file).expect("there"), "after");
        assert_eq!(fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(file.parent().expect("a folder")).expect("there").count(), 1);
    }

    #[test]
    fn one_text_that_cannot_be_written_keeps_all_from_being_written() {
        let (dir, folder) = folder();
        // A folder in the place of a partial's folder's name.
        fs::write(dir.path().join("ja/_partials"), "a file").expect("ours");
        let both = [(&path(PATH), "after"), (&path("ja/_partials/call.hbs"), "x")];
        assert!(matches!(folder.write(&both), Err(WriteError::Io { .. })));
        assert_eq!(fs::read_to_string(dir.path().join(PATH)).expect("there"), "before");
        assert_eq!(fs::read_dir(dir.path().join("ja/security.login")).expect("there").count(), 1);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let (dir, folder) = folder();
        let outside = tempfile::tempdir().expect("a folder");
        fs::write(outside.path().join("mine"), "mine").expect("ours");
        symlink(outside.path().join("mine"), dir.path().join("ja/security.login/email.txt.hbs"))
            .expect("ours");
        symlink(outside.path(), dir.path().join("ja/_partials")).expect("ours");
        symlink(outside.path(), dir.path().join(DRAFTS)).expect("ours");
        for target in ["ja/security.login/email.txt.hbs", "ja/_partials/call.hbs"] {
            let written = folder.write(&[(&path(target), "theirs")]);
            assert!(matches!(written, Err(WriteError::Linked(_))), "{target}");
        }
        assert!(matches!(folder.keep_draft(&path(PATH), "theirs"), Err(WriteError::Linked(_))));
        let outside: Vec<_> = fs::read_dir(outside.path()).expect("there").collect();
        assert_eq!(outside.len(), 1);
    }

    #[test]
    fn a_draft_is_kept_where_no_set_is_read_from() {
        let (dir, folder) = folder();
        folder.keep_draft(&path(PATH), "draft").expect("kept");
        assert_eq!(folder.drafts().expect("read").get(PATH), Some("draft"));
        let set = Files::from_dir(dir.path()).expect("read");
        assert_eq!(set.iter().collect::<Vec<_>>(), [(PATH, "before")]);
        folder.drop_draft(&path(PATH)).expect("dropped");
        folder.drop_draft(&path(PATH)).expect("no error when there is none");
        assert_eq!(folder.drafts().expect("read").get(PATH), None);
    }
}
