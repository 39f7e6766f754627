//! Colours, on a terminal alone.

use std::io::{IsTerminal, stdout};

/// Whether to paint. What is piped stays plain, and so does all with `NO_COLOR` (no-color.org).
#[derive(Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// For standard output as it is.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self(stdout().is_terminal() && !refused && !dumb)
    }

    /// What is there to guide the eye.
    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What is looked for first.
    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What is wrong, or gone.
    pub fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What is new.
    pub fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What deserves a look.
    pub fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
