//! Real files, changed in all the ways in which files change, and no time: a look is taken when the test says so.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::assets::Files;
use crate::config::Config;
use crate::event::Catalog;
use crate::lint::{self, Premises};

const SMS: &str = "ja/security.login/sms.hbs";
const MAIL: &str = "ja/security.login/email.txt.hbs";

/// A folder with the built-in set, which is in use.
struct Desk {
    folder: TempDir,
    reloader: Reloader,
    stillness: Stillness,
}

impl Desk {
    fn new() -> Self {
        Self::laid_out(|dir| write_set(dir, &built_in()))
    }

    /// Whatever the layout, the set below `templates` is the built-in one.
    fn laid_out(lay_out: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dir = folder.path().join("templates");
        lay_out(&dir);
        let (catalog, config) =
            (Catalog::load(&Files::embedded("config")).expect("built in"), Config::built_in());
        let set = TemplateSet::load(&built_in(), &catalog).expect("built in");
        let check: Check = Arc::new(move |files| {
            let (brand, sms, config) = (&config.brand, &config.sms, &config.templates.check);
            let now = "2026-11-22T06:05:00Z".parse().expect("a time");
            lint::load(&Premises { catalog: &catalog, brand, sms, config }, files, now)
        });
        let reloader = Reloader { dir, wording: Arc::new(Wording::new(set)), check };
        let mut desk = Self { folder, reloader, stillness: Stillness::default() };
        assert_eq!(desk.settle(), [Reload::Unchanged { put_back: false }], "as it was loaded");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.reloader.dir.join(name)
    }

    /// One look; what it came to if it made the folder be read.
    fn look(&mut self) -> (Next, Option<Reload>) {
        let next = self.stillness.saw(Fingerprint::of(&self.reloader.dir));
        let read = next == Next::Read;
        let reload = self.stillness.still().filter(|_| read).and_then(|still| self.reloader.reload(still));
        if reload.is_some() {
            self.stillness.judged();
        }
        (next, reload)
    }

    /// Looks until nothing changes any more.
    fn settle(&mut self) -> Vec<Reload> {
        let mut reloads = Vec::new();
        loop {
            let (next, reload) = self.look();
            reloads.extend(reload);
            if next == Next::Rest {
                return reloads;
            }
        }
    }

    fn text(&self, name: &str) -> String {
        self.reloader.wording.current().files().get(name).expect("in the set").to_owned()
    }

    fn version(&self) -> String {
        self.reloader.wording.current().version().to_owned()
    }

    #[track_caller]
    fn assert_loaded(&mut self) {
        let before = self.version();
        let reloads = self.settle();
        let [Reload::Loaded { version, before: replaced, .. }] = reloads.as_slice() else {
            panic!("{reloads:?}")
        };
        assert_eq!((version, replaced), (&self.version(), &before));
        assert_ne!(*version, before);
    }

    /// Refused with these words, and the set in use stays.
    #[track_caller]
    fn assert_refused(&mut self, words: &str) {
        let before = self.version();
        let reloads = self.settle();
        let [Reload::Refused(refusal)] = reloads.as_slice() else { panic!("{reloads:?}") };
        assert!(refusal.in_a_line().contains(words), "{}", refusal.in_a_line());
        assert_eq!(self.reloader.wording.refusal().as_ref(), Some(refusal));
        assert_eq!(self.version(), before);
    }
}

fn built_in() -> Files {
    Files::embedded("templates")
}

fn write_set(dir: &Path, files: &Files) {
    for (name, text) in files.iter() {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
}

/// The built-in set with other words in one text.
fn changed(generation: usize) -> Files {
    let word = format!("ログインがありました（{generation}）。");
    let change = |text: &str| text.replace("ログインがありました。", &word);
    built_in()
        .iter()
        .map(|(name, text)| (name.to_owned(), if name == SMS { change(text) } else { text.to_owned() }))
        .collect()
}

fn changed_sms(generation: usize) -> String {
    changed(generation).get(SMS).expect("there").to_owned()
}

#[test]
fn a_file_written_in_place_is_in_use() {
    let mut desk = Desk::new();
    fs::write(desk.path(SMS), changed_sms(1)).expect("written");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(1));
    assert_eq!(desk.settle(), [], "and read once");
}

#[test]
fn a_file_of_the_same_length_and_time_is_seen() {
    let mut desk = Desk::new();
    fs::write(desk.path(SMS), changed_sms(1)).expect("written");
    desk.assert_loaded();
    let time = fs::metadata(desk.path(SMS)).and_then(|metadata| metadata.modified()).expect("a time");
    fs::write(desk.path(SMS), changed_sms(2)).expect("written");
    fs::File::options()
        .append(true)
        .open(desk.path(SMS))
        .and_then(|file| file.set_modified(time))
        .expect("ours");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(2));
}

#[test]
fn an_editor_that_writes_beside_and_renames_over_is_followed() {
    let mut desk = Desk::new();
    fs::rename(desk.path(SMS), desk.path("ja/security.login/sms.hbs~")).expect("kept beside");
    fs::write(desk.path("ja/security.login/.sms.hbs.swp"), "half").expect("written");
    fs::write(desk.path("ja/security.login/#sms.hbs#"), "half").expect("written");
    fs::rename(desk.path("ja/security.login/sms.hbs~"), desk.path(SMS)).expect("put back");
    let beside = desk.path("ja/security.login/.sms.hbs.new");
    fs::write(&beside, changed_sms(1)).expect("written");
    fs::rename(&beside, desk.path(SMS)).expect("renamed");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(1));
}

/// As Kubernetes lays out a mounted ConfigMap: `ja` leads through `..data` into a folder of the version's own.
fn mount(dir: &Path, files: &Files, version: &str) {
    write_set(&dir.join(version), files);
    let swap = dir.join("..data_tmp");
    symlink(version, &swap).expect("linked");
    fs::rename(&swap, dir.join("..data")).expect("swapped");
}

#[test]
fn a_mounted_config_map_that_swaps_its_link_is_followed() {
    let mut desk = Desk::laid_out(|dir| {
        mount(dir, &built_in(), "..2026_1");
        for locale in ["ja", "en"] {
            symlink(format!("..data/{locale}"), dir.join(locale)).expect("linked");
        }
    });
    mount(&desk.reloader.dir, &changed(1), "..2026_2");
    fs::remove_dir_all(desk.path("..2026_1")).expect("removed");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(1));
}

#[test]
fn files_that_are_links_into_a_swapped_folder_are_followed() {
    let mut desk = Desk::laid_out(|dir| {
        mount(dir, &built_in(), "..2026_1");
        for (name, _) in built_in().iter() {
            fs::create_dir_all(dir.join(name).parent().expect("a folder")).expect("made");
            symlink(dir.join("..data").join(name), dir.join(name)).expect("linked");
        }
    });
    mount(&desk.reloader.dir, &changed(1), "..2026_2");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(1));
}

#[test]
fn a_folder_that_is_a_link_may_lead_elsewhere() {
    let mut desk = Desk::laid_out(|dir| {
        write_set(&dir.with_file_name("release-1"), &built_in());
        symlink("release-1", dir).expect("linked");
    });
    let release = desk.folder.path().join("release-2");
    write_set(&release, &changed(1));
    let link = desk.folder.path().join("link");
    symlink("release-2", &link).expect("linked");
    fs::rename(&link, &desk.reloader.dir).expect("swapped");
    desk.assert_loaded();
    assert_eq!(desk.text(SMS), changed_sms(1));
}

#[test]
fn a_hundred_files_written_one_after_the_other_are_one_reload() {
    let mut desk = Desk::new();
    for n in 0..100 {
        fs::write(desk.path(&format!("ja/_partials/more-{n}.hbs")), "続き").expect("written");
        let (next, reload) = desk.look();
        assert_eq!((next, reload), (Next::Wait, None), "file {n}");
    }
    desk.assert_loaded();
}

#[test]
fn a_change_while_the_folder_is_read_is_read_again() {
    let desk = Desk::new();
    let before = Fingerprint::of(&desk.reloader.dir);
    fs::write(desk.path(SMS), changed_sms(1)).expect("written");
    assert_eq!(desk.reloader.reload(&before), None);
    assert_eq!(desk.text(SMS), built_in().get(SMS).expect("there"));
}

#[test]
fn a_half_written_file_is_refused_and_the_whole_one_loaded() {
    let mut desk = Desk::new();
    let whole = changed_sms(1);
    let half = &whole[..whole.find("}}").expect("a tag")];
    fs::write(desk.path(SMS), half).expect("written");
    desk.assert_refused("sms.hbs:1:");
    fs::write(desk.path(SMS), &whole).expect("written");
    desk.assert_loaded();
    assert_eq!(desk.reloader.wording.refusal(), None);
}

#[test]
fn an_empty_file_and_a_missing_partial_are_refused() {
    let mut desk = Desk::new();
    fs::write(desk.path(SMS), "").expect("written");
    desk.assert_refused("security.login/sms.hbs");
    fs::write(desk.path(SMS), changed_sms(1)).expect("written");
    desk.assert_loaded();
    fs::remove_file(desk.path("ja/_partials/mail-login.hbs")).expect("removed");
    desk.assert_refused("mail-login");
    fs::remove_file(desk.path(MAIL)).expect("removed");
    desk.assert_refused("security.login/email.txt.hbs");
}

#[test]
fn a_refusal_is_told_once_and_over_when_the_files_are_put_back() {
    let mut desk = Desk::new();
    let good = fs::read(desk.path(SMS)).expect("there");
    fs::write(desk.path(SMS), "{{#if").expect("written");
    desk.assert_refused("sms.hbs");
    assert_eq!(desk.settle(), []);
    let before = Fingerprint::of(&desk.reloader.dir);
    // Within one tick of the system's clock a look sees nothing.
    while Fingerprint::of(&desk.reloader.dir) == before {
        fs::write(desk.path(SMS), "{{#if").expect("written again, the same");
    }
    assert!(matches!(desk.settle().as_slice(), [Reload::RefusedStill(_)]));
    desk.stillness.forget();
    assert!(matches!(desk.settle().as_slice(), [Reload::RefusedStill(_)]), "asked for");
    fs::write(desk.path(SMS), good).expect("written");
    assert_eq!(desk.settle(), [Reload::Unchanged { put_back: true }]);
    assert_eq!(desk.reloader.wording.refusal(), None);
}

#[test]
fn a_folder_that_vanishes_is_refused_until_it_is_back() {
    let mut desk = Desk::new();
    let away = desk.folder.path().join("away");
    fs::rename(&desk.reloader.dir, &away).expect("moved");
    desk.assert_refused("No such file");
    fs::rename(&away, &desk.reloader.dir).expect("moved back");
    assert_eq!(desk.settle(), [Reload::Unchanged { put_back: true }]);
    // For less than two looks it is not even that.
    fs::rename(&desk.reloader.dir, &away).expect("moved");
    assert_eq!(desk.look(), (Next::Wait, None));
    fs::rename(&away, &desk.reloader.dir).expect("moved back");
    assert_eq!(desk.settle(), []);
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let mut desk = Desk::new();
    fs::write(desk.path(SMS), [0xff, 0xfe]).expect("written");
    desk.assert_refused("sms.hbs: ");
}

#[test]
fn mistakes_beyond_the_first_are_counted() {
    let mut desk = Desk::new();
    for file in [SMS, MAIL, "ja/security.login/email.subject.hbs"] {
        fs::write(desk.path(file), "{{#if").expect("written");
    }
    desk.assert_refused(" (and 2 more in the log)");
}

#[tokio::test]
async fn a_watch_keeps_the_wording_as_the_folder_has_it_and_asks_when_told_to() {
    let desk = Desk::new();
    let wording = Arc::clone(&desk.reloader.wording);
    let asked = Arc::new(tokio::sync::Notify::new());
    let pace = Pace { look: None, still: std::time::Duration::from_millis(1) };
    let watch = Watch::new(desk.reloader.clone(), pace, Arc::clone(&asked));
    let watching = tokio::spawn(watch.run());
    for generation in 1..4 {
        fs::write(desk.path(SMS), changed_sms(generation)).expect("written");
        asked.notify_one();
        let in_use = || wording.current().files().get(SMS).map(str::to_owned);
        while in_use() != Some(changed_sms(generation)) {
            tokio::time::sleep(pace.still).await;
        }
    }
    watching.abort();
}

#[tokio::test]
async fn checks_that_panic_are_a_refusal_and_the_watch_goes_on() {
    let desk = Desk::new();
    let wording = Arc::clone(&desk.reloader.wording);
    let whole = Arc::clone(&desk.reloader.check);
    let check: Check = Arc::new(move |files| {
        assert!(!files.get(SMS).unwrap_or_default().contains("爆"), "a bug");
        whole(files)
    });
    let pace =
        Pace { look: Some(std::time::Duration::from_millis(1)), still: std::time::Duration::from_millis(1) };
    let reloader = Reloader { check, ..desk.reloader.clone() };
    let watching = tokio::spawn(Watch::new(reloader, pace, Arc::default()).run());
    fs::write(desk.path(SMS), "爆").expect("written");
    while wording.refusal().is_none() {
        tokio::time::sleep(pace.still).await;
    }
    assert_eq!(wording.refusal().expect("refused").why, Why::Panicked);
    fs::write(desk.path(SMS), changed_sms(1)).expect("written");
    while wording.refusal().is_some() {
        tokio::time::sleep(pace.still).await;
    }
    assert_eq!(wording.current().files().get(SMS), Some(changed_sms(1).as_str()));
    watching.abort();
}
