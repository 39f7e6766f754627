//! Saving: all changed files together, only when the set passes with them, and never over what somebody else wrote meanwhile.

use serde::{Deserialize, Serialize};

use super::api::path;
use super::store::version;
use super::{Bench, TemplatePath};
use crate::assets::Files;
use crate::lint::Report;

/// A file as it was typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Within the set.
    path: String,
    text: String,
    /// The version that the typing began with; none for a file that was not there.
    base: Option<String>,
}

/// Why a question has no answer, or a text was not saved.
pub(super) enum Refusal {
    /// The page names something that is not there.
    Unknown { what: &'static str, detail: String },
    /// The set would not pass.
    Findings(Report),
    /// Files are no longer what the typing began with.
    Conflict(Vec<Conflict>),
    /// Behind a symbolic link.
    Linked(String),
    /// The system failed.
    Storage(String),
}

/// A file that somebody else changed.
#[derive(Serialize)]
pub(super) struct Conflict {
    path: String,
    /// As it is now; none when it was removed.
    text: Option<String>,
    version: Option<String>,
}

/// Saves all of them, or none. From then on they are sent.
pub(super) fn save(bench: &Bench, changes: &[Change]) -> Result<Report, Refusal> {
    let paths: Vec<TemplatePath> =
        changes.iter().map(|change| path(bench, &change.path)).collect::<Result<_, _>>()?;
    let changing = bench.store.change();
    let files = bench.store.files()?;
    let conflicts: Vec<Conflict> = changes.iter().filter_map(|change| conflict(&files, change)).collect();
    if !conflicts.is_empty() {
        return Err(Refusal::Conflict(conflicts));
    }
    let edited = files.with(changes.iter().map(|change| (change.path.as_str(), change.text.as_str())));
    let (set, report) = bench.check(&edited).map_err(Refusal::Findings)?;
    let texts: Vec<_> =
        paths.iter().zip(changes).map(|(path, change)| (path, change.text.as_str())).collect();
    changing.write(&texts)?;
    for path in &paths {
        // What was a draft is in force now.
        changing.drop_draft(path)?;
    }
    if let Some(in_use) = &bench.in_use {
        in_use.replace(set);
    }
    Ok(report)
}

fn conflict(files: &Files, change: &Change) -> Option<Conflict> {
    let text = files.get(&change.path);
    let now = text.map(version);
    // Whoever wrote the very same text meanwhile is in nobody's way.
    let same = now == change.base || text == Some(change.text.as_str());
    (!same).then(|| Conflict { path: change.path.clone(), text: text.map(str::to_owned), version: now })
}
