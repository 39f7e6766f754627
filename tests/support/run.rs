//! Programs run to their end.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output};

/// Runs a program that must not fail.
#[track_caller]
pub(super) fn run(command: &mut Command) -> String {
    try_run(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What a program printed; what it printed to stderr too, as an error, where it failed.
#[track_caller]
pub(super) fn try_run(command: &mut Command) -> Result<String, String> {
    let ended = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    if ended.status.success() { Ok(printed) } else { Err(printed + &String::from_utf8_lossy(&ended.stderr)) }
}

/// Some servers start as root only, some as anyone else.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
