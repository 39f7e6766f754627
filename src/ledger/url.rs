//! `ledger.url`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::config::text_value;

/// Which database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// A SQLite file.
    File(PathBuf),
    /// SQLite in memory: nothing survives the process.
    Memory,
}

/// A text that is no [`LedgerUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerUrlError {
    /// Not of the form.
    #[error("is no ledger; write \"sqlite:PATH\"")]
    Form,
    /// Not built yet.
    #[error("PostgreSQL is not supported yet; write \"sqlite:PATH\"")]
    Postgres,
}

impl FromStr for LedgerUrl {
    type Err = LedgerUrlError;

    fn from_str(text: &str) -> Result<Self, LedgerUrlError> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return Err(LedgerUrlError::Postgres);
        }
        let path = text.strip_prefix("sqlite:").ok_or(LedgerUrlError::Form)?;
        match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(LedgerUrlError::Form),
            ":memory:" => Ok(Self::Memory),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("sqlite::memory:"),
        }
    }
}

text_value!(LedgerUrl, "ledger-url");
