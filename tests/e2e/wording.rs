//! A folder of templates, mounted as a ConfigMap is, and the ways in which people and programs change it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use shirase::assets::Files;
use shirase::template::TemplateSet;

use crate::support::Scratch;

/// Told by SMS and mail both.
pub const TYPE: &str = "security.esim.reissued";

/// Names and texts.
pub type Set = BTreeMap<String, String>;

/// How a folder comes to hold another set. Whatever the way, each state on the way is one that the checks refuse: a
/// machine that stands still in the middle of it must not make a set of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Files are emptied and written, as simple editors do.
    InPlace,
    /// Files are written beside and renamed over, as careful editors do.
    Rename,
    /// `..data` leads to another folder, as with a mounted ConfigMap.
    Mount,
    /// Every file is removed and written anew, as a checkout of another branch may do.
    Anew,
}

impl Way {
    pub const ALL: [Self; 4] = [Self::InPlace, Self::Rename, Self::Mount, Self::Anew];
}

/// The built-in set with a mark of the generation in every text of [`TYPE`], once in the file and once in a partial.
pub fn generation(number: usize) -> Set {
    let built_in = Files::embedded("templates");
    let mut set: Set = built_in.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let mark = format!("(G{number}){{{{> generation}}}}");
    for (file, before) in
        [("sms.hbs", "{{> sms-call}}"), ("email.txt.hbs", "{{/layout}}"), ("email.html.hbs", "{{/layout}}")]
    {
        let text = set.get_mut(&path(file)).expect("built in");
        let marked = text.replacen(before, &format!("{mark}\n{before}"), 1);
        assert_ne!(*text, marked, "{file} has no {before}");
        *text = marked;
    }
    let subject = set.get_mut(&path("email.subject.hbs")).expect("built in");
    *subject = format!("{}{mark}", subject.trim_end());
    set.insert("ja/_partials/generation.hbs".to_owned(), format!("(P{number})"));
    set
}

/// A file of [`TYPE`].
pub fn path(file: &str) -> String {
    format!("ja/{TYPE}/{file}")
}

/// The version that the worker gives a set.
pub fn version(set: &Set) -> String {
    TemplateSet::version_of(&set.clone().into_iter().collect())
}

pub struct Folder {
    scratch: Scratch,
    set: Set,
    mounts: usize,
}

impl Folder {
    pub fn new(set: &Set) -> Self {
        let scratch = Scratch::new("templates");
        let mut folder = Self { scratch, set: Set::new(), mounts: 0 };
        fs::create_dir(folder.dir()).expect("a new folder");
        folder.mount(set);
        for locale in ["ja", "en"] {
            symlink(format!("..data/{locale}"), folder.path(locale)).expect("a new link");
        }
        folder.set = set.clone();
        folder
    }

    pub fn dir(&self) -> PathBuf {
        self.scratch.join("templates")
    }

    /// The line for `[templates]`.
    pub fn config(&self) -> String {
        format!("dir = \"{}\"", self.dir().display())
    }

    pub fn change(&mut self, way: Way, set: &Set) {
        match way {
            Way::InPlace => self.write_in_place(set),
            Way::Rename => self.rename_over(set),
            Way::Mount => self.mount(set),
            Way::Anew => self.write_anew(set),
        }
        self.set = set.clone();
    }

    /// Takes the folder away, and gives it back.
    pub fn vanish(&self) {
        fs::rename(self.dir(), self.scratch.join("away")).expect("moved");
    }

    pub fn come_back(&self) {
        fs::rename(self.scratch.join("away"), self.dir()).expect("moved back");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Files that have other texts in `set`, the SMS at the end; and what it does not have any more is removed.
    fn changes(&self, set: &Set) -> Vec<(PathBuf, String)> {
        for name in self.set.keys().filter(|name| !set.contains_key(*name)) {
            fs::remove_file(self.path(name)).expect("ours");
        }
        let changed = set.iter().filter(|(name, text)| self.set.get(*name) != Some(text));
        let mut changed: Vec<_> = changed.map(|(name, text)| (self.path(name), text.clone())).collect();
        changed.sort_by_key(|(path, _)| path.ends_with("sms.hbs"));
        changed
    }

    fn write_in_place(&self, set: &Set) {
        let changed = self.changes(set);
        let open = |(path, text): (PathBuf, String)| (File::create(&path).expect("emptied"), text);
        let files: Vec<_> = changed.into_iter().rev().map(open).collect();
        for (mut file, text) in files.into_iter().rev() {
            // Cut inside a tag, where there is one.
            let half = text.rfind("}}").unwrap_or(text.len());
            file.write_all(&text.as_bytes()[..half]).expect("written");
            file.write_all(&text.as_bytes()[half..]).expect("written");
        }
    }

    fn rename_over(&self, set: &Set) {
        let changed = self.changes(set);
        let sms = self.path(&path("sms.hbs"));
        fs::remove_file(&sms).expect("ours");
        for (path, text) in changed {
            let beside = path.with_file_name(".being-written");
            fs::write(&beside, text).expect("written");
            fs::rename(&beside, &path).expect("renamed");
        }
        assert!(sms.exists(), "the SMS is among what changes");
    }

    fn write_anew(&self, set: &Set) {
        for name in self.set.keys() {
            fs::remove_file(self.path(name)).expect("ours");
        }
        write(&self.dir(), set);
    }

    fn mount(&mut self, set: &Set) {
        self.mounts += 1;
        let folder = format!("..{}", self.mounts);
        write(&self.path(&folder), set);
        let link = self.path("..data_tmp");
        symlink(&folder, &link).expect("a new link");
        fs::rename(&link, self.path("..data")).expect("swapped");
    }
}

fn write(dir: &Path, set: &Set) {
    for (name, text) in set {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}
