//! `--out DIR`: a folder of texts to look at in a review, one folder a type. What was written is listed in it, so that the
//! next time replaces just that; nothing else is ever touched.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::super::Usage;
use super::super::house::House;
use super::page;
use super::sheet::Sheet;
use super::terminal::{headers, in_words};
use crate::lint::Finding;
use crate::template::{Message, segments, substituted};

/// The page that shows all of them.
pub(super) const PAGE: &str = "index.html";

/// The list of what was written: who has it made the folder.
const LIST: &str = ".shirase-preview";

/// Longest name that an event's id gives a file.
const MAX_NAME: usize = 80;

/// Writes all of it; how many files there are.
///
/// # Errors
/// [`Usage`] when the folder holds what is not ours, or cannot be written.
pub(super) fn write(
    dir: &Path,
    house: &House,
    shown: &[Sheet],
    findings: &[Finding],
) -> Result<usize, Usage> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut taken = BTreeSet::new();
    for sheet in shown {
        let stem = stem(sheet, &mut taken);
        files.push((format!("{stem}.txt"), text(house, sheet)));
        if let Message::Email { html: Some(html), .. } = &sheet.message {
            files.push((format!("{stem}.html"), html.clone()));
        }
    }
    files.push((PAGE.to_owned(), page::page(house, shown, findings)));
    let failed = |(path, error): (PathBuf, io::Error)| Usage(format!("--out: {}: {error}", path.display()));
    clear(dir).map_err(failed)?;
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    // The list first: what a crash leaves half written is ours all the same.
    replace(dir, LIST, &(names.join("\n") + "\n")).map_err(failed)?;
    files.iter().try_for_each(|(name, text)| replace(dir, name, text)).map_err(failed)?;
    Ok(files.len())
}

/// `security.login/security.login-1.sms`
fn stem(sheet: &Sheet, taken: &mut BTreeSet<String>) -> String {
    let usual = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let id: String = sheet.event.id.chars().map(usual).take(MAX_NAME).collect();
    let previous = if sheet.is_to_previous() { "-previous" } else { "" };
    let base = format!("{}/{id}.{}{previous}", sheet.event.kind.name, sheet.channel());
    let mut stem = base.clone();
    let mut number = 2;
    while !taken.insert(stem.to_lowercase()) {
        stem = format!("{base}-{number}");
        number += 1;
    }
    stem
}

fn text(house: &House, sheet: &Sheet) -> String {
    match &sheet.message {
        Message::Sms { text } => {
            let sent = substituted(text);
            format!("{}\n\n{sent}\n\n{}\n", sheet.heading(), in_words(segments(&sent)))
        }
        Message::Email { text, .. } => {
            let headers = headers(house, sheet).into_iter();
            let headers: String = headers.map(|(name, value)| format!("{name}: {value}\n")).collect();
            format!("{}\n\n{headers}\n{text}\n", sheet.heading())
        }
    }
}

/// Takes away what was written here before; a folder with anything in it that was not is left as it is.
fn clear(dir: &Path) -> Result<(), (PathBuf, io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    fs::create_dir_all(dir).map_err(at(dir))?;
    let list = match fs::read_to_string(dir.join(LIST)) {
        Ok(list) => list,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((dir.join(LIST), error)),
        Err(_) if fs::read_dir(dir).map_err(at(dir))?.next().is_none() => return Ok(()),
        Err(_) => {
            let mend = "holds files that this did not write; choose an empty folder or a new one";
            return Err((dir.to_owned(), io::Error::other(mend)));
        }
    };
    for name in list.lines() {
        let path = inside(dir, name).map_err(at(dir))?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err((path, error)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes a file that is none yet, or another one's in its place: a link there is replaced, never followed.
fn replace(dir: &Path, name: &str, text: &str) -> Result<(), (PathBuf, io::Error)> {
    let path = inside(dir, name).map_err(|error| (dir.to_owned(), error))?;
    let at = |error| (path.clone(), error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at)?;
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(error)),
        _ => {}
    }
    let mut file = fs::File::create_new(&path).map_err(at)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(at)
}

/// A path within the folder that no link leads out of.
fn inside(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let refused = || io::Error::other(format!("{name}: leads out of the folder; remove it and try again"));
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let path = dir.join(name);
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != dir);
    let linked = folders.into_iter().any(Path::is_symlink);
    if plain && !linked { Ok(path) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_or_removed_outside_of_the_folder() {
        let scratch = tempfile::tempdir().expect("a folder");
        let (dir, outside) = (scratch.path().join("out"), scratch.path().join("outside"));
        for folder in [&dir, &outside] {
            fs::create_dir(folder).expect("a folder");
        }
        fs::write(outside.join("a.txt"), "theirs").expect("written");
        std::os::unix::fs::symlink(&outside, dir.join("type")).expect("a link");
        for name in ["../outside/a.txt", "type/a.txt", "/etc/a.txt"] {
            assert!(replace(&dir, name, "ours").is_err(), "{name}");
            fs::write(dir.join(LIST), name).expect("written");
            assert!(clear(&dir).is_err(), "{name}");
        }
        std::os::unix::fs::symlink(outside.join("a.txt"), dir.join("a.txt")).expect("a link");
        replace(&dir, "a.txt", "ours").expect("replaced");
        assert_eq!(fs::read_to_string(outside.join("a.txt")).expect("there"), "theirs");
        assert_eq!(fs::read_to_string(dir.join("a.txt")).expect("there"), "ours");
    }
}
