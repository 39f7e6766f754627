//! What reads otherwise than in another set.

use std::io::{self, Write, stdout};

use similar::{ChangeTag, TextDiff};

use super::super::house::House;
use super::super::printable;
use super::in_use::Other;
use super::paint::Paint;
use super::sheet::{Sheet, parts};
use crate::template::Part;

/// Shows a unified diff of each message that differs; how many do.
pub(super) fn show(house: &House, other: &Other, shown: &[Sheet], paint: Paint) -> io::Result<usize> {
    let mut out = stdout().lock();
    let mut differing = 0;
    for sheet in shown {
        let differences = differences(house, other, sheet);
        if differences.is_empty() {
            continue;
        }
        differing += 1;
        writeln!(out, "{}", paint.bold(&printable(&format!("── {}", sheet.heading()))))?;
        for (part, old, new) in &differences {
            let path = format!("{}/{}/{}", sheet.locale, sheet.event.kind.name, part.file_name());
            unified(&mut out, &format!("{} {path}", other.name), &path, (old, new), paint)?;
        }
        writeln!(out)?;
    }
    let (count, name) = (shown.len(), &other.name);
    writeln!(out, "{count} messages, {differing} other than {name}")?;
    Ok(differing)
}

/// The parts that differ: the old text and the new one.
fn differences(house: &House, other: &Other, sheet: &Sheet) -> Vec<(Part, String, String)> {
    let old = sheet.of_set(&other.templates, house);
    let text = |part: Part, all: &[(Part, &str)]| {
        all.iter().find(|(one, _)| *one == part).map(|(_, text)| (*text).to_owned()).unwrap_or_default()
    };
    let new = sheet.parts();
    let old: Vec<(Part, String)> = match &old {
        Ok(message) => Part::ALL.into_iter().map(|part| (part, text(part, &parts(message)))).collect(),
        Err(error) => Part::ALL.into_iter().map(|part| (part, error.to_string())).collect(),
    };
    let is_part = |part: &Part| new.iter().any(|(one, _)| one == part) || *part == Part::Html;
    let both =
        old.into_iter().filter(|(part, _)| is_part(part)).map(|(part, old)| (part, old, text(part, &new)));
    both.filter(|(_, old, new)| old != new).collect()
}

fn unified(
    out: &mut impl Write,
    old_name: &str,
    new_name: &str,
    (old, new): (&str, &str),
    paint: Paint,
) -> io::Result<()> {
    writeln!(out, "{}\n{}", paint.red(&format!("--- {old_name}")), paint.green(&format!("+++ {new_name}")))?;
    let diff = TextDiff::from_lines(old, new);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{}", paint.dim(&hunk.header().to_string()))?;
        for change in hunk.iter_changes() {
            let line = printable(change.value().trim_end_matches(['\r', '\n']));
            match change.tag() {
                ChangeTag::Equal => writeln!(out, " {line}")?,
                ChangeTag::Delete => writeln!(out, "{}", paint.red(&format!("-{line}")))?,
                ChangeTag::Insert => writeln!(out, "{}", paint.green(&format!("+{line}")))?,
            }
        }
    }
    Ok(())
}
