//! What on-call copies at night is a command that there is.

use std::collections::{BTreeMap, BTreeSet};

use super::{RUNBOOK, dashboard};
use crate::house::Desk;

/// Every command of a text, `dead list`, with the options that it is given.
fn commands(text: &str) -> BTreeMap<Vec<&str>, BTreeSet<&str>> {
    let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let pieces = text.lines().flat_map(|line| line.split('`'));
    for words in pieces.filter_map(|piece| piece.trim().strip_prefix("shirase ")) {
        let words = words.split(" #").next().unwrap_or_default().split_whitespace();
        let is_command =
            |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-');
        let command: Vec<_> = words.clone().take_while(is_command).collect();
        found.entry(command).or_default().extend(words.filter(|word| word.starts_with("--")));
    }
    found
}

#[test]
fn every_command_of_runbook_and_dashboard_is_one_that_the_binary_takes_with_its_options() {
    let text = RUNBOOK.to_owned() + &dashboard::texts().join("\n");
    let (desk, mut wrong) = (Desk::new(), Vec::new());
    let commands = commands(&text);
    assert!(commands.len() > 5, "{commands:?}");
    for (command, options) in commands {
        let help = desk.run(&[command.as_slice(), &["--help"]].concat());
        let missing: Vec<_> = options.into_iter().filter(|option| !help.out.contains(*option)).collect();
        if help.code != 0 || !missing.is_empty() {
            wrong.push((command, missing));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
