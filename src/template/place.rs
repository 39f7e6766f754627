//! Where in a set of templates something is.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A file of a set, or a place in it. Its `Display` is what editors and terminals open: `templates/ja/…/sms.hbs:2:7`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    /// The file's path within the set: `ja/security.login/sms.hbs`.
    pub path: Arc<str>,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Column, in characters from 1; 0 for the file as a whole.
    pub column: usize,
    /// The file as its user knows it: with the folder that it was read from.
    #[serde(skip)]
    shown: Arc<str>,
}

impl Place {
    /// A file as a whole: its path within the set, and as its user knows it.
    pub fn file(path: &str, shown: &str) -> Self {
        Self { path: path.into(), shown: shown.into(), line: 0, column: 0 }
    }

    /// A place in this file.
    #[must_use]
    pub fn at(&self, line: usize, column: usize) -> Self {
        Self { line, column, ..self.clone() }
    }

    /// The byte of the file's text at which it is; its end, where the file is shorter.
    pub fn offset(&self, source: &str) -> usize {
        let lines = source.split_inclusive('\n').take(self.line.saturating_sub(1));
        let line: usize = lines.map(str::len).sum();
        let before = source[line..].chars().take(self.column.saturating_sub(1));
        line + before.map(char::len_utf8).sum::<usize>()
    }

    /// The place behind `text`, when the text begins here.
    #[must_use]
    pub fn behind(&self, text: &str) -> Self {
        let lines = text.matches('\n').count();
        let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
        if lines == 0 { self.at(self.line, self.column + last) } else { self.at(self.line + lines, last + 1) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.shown),
            line => write!(f, "{}:{line}:{}", self.shown, self.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters() {
        let place = Place::file("ja/x/sms.hbs", "templates/ja/x/sms.hbs");
        assert_eq!(place.to_string(), "templates/ja/x/sms.hbs");
        assert_eq!(place.at(2, 7).to_string(), "templates/ja/x/sms.hbs:2:7");
        assert_eq!(place.at(2, 7).behind("日本"), place.at(2, 9));
        assert_eq!(place.at(2, 7).behind("日本\n語"), place.at(3, 2));
        assert_eq!(place.at(2, 2).offset("日\n本語"), "日\n本".len());
    }
}
