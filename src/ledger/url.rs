//! `ledger.url`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::postgres::PostgresUrl;
use crate::config::text_value;

/// Which database. Its `Display` and `Debug` hide user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerUrl {
    /// A SQLite file.
    File(PathBuf),
    /// SQLite in memory: nothing survives the process.
    Memory,
    /// PostgreSQL.
    Postgres(Box<PostgresUrl>),
}

/// A text that is no [`LedgerUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LedgerUrlError {
    /// Not of the form.
    #[error("is no ledger; write \"sqlite:PATH\" or \"postgres://USER:PASSWORD@HOST:PORT/DATABASE\"")]
    Form,
    /// Not a PostgreSQL URL.
    #[error("is no PostgreSQL URL; write \"postgres://USER:PASSWORD@HOST:PORT/DATABASE\"")]
    Postgres,
    /// An unknown `?sslmode=`.
    #[error(
        "knows ?sslmode=disable, prefer, require and verify-full only (whatever is encrypted is verified)"
    )]
    SslMode,
}

impl FromStr for LedgerUrl {
    type Err = LedgerUrlError;

    fn from_str(text: &str) -> Result<Self, LedgerUrlError> {
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return text.parse().map(|url| Self::Postgres(Box::new(url)));
        }
        let path = text.strip_prefix("sqlite:").ok_or(LedgerUrlError::Form)?;
        match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(LedgerUrlError::Form),
            ":memory:" => Ok(Self::Memory),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl LedgerUrl {
    /// Host and port of every database that is spoken to with TLS.
    pub fn tls_places(&self) -> Vec<(String, u16)> {
        match self {
            Self::File(_) | Self::Memory => Vec::new(),
            Self::Postgres(url) => url.tls_places(),
        }
    }
}

impl fmt::Display for LedgerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("sqlite::memory:"),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

text_value!(LedgerUrl, "ledger-url");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_a_file_or_a_database_and_never_shows_its_password() {
        for (text, shown) in [
            ("sqlite:a.db", "sqlite:a.db"),
            ("sqlite:///var/lib/a.db", "sqlite:/var/lib/a.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://u:hunter2@db.example.jp/shirase", "postgres://db.example.jp:5432/shirase"),
            (
                "postgresql://u:hunter2@db:6432/s?sslmode=verify-full&sslrootcert=/etc/ca.pem&target_session_attrs=read-write",
                "postgres://db:6432/s",
            ),
        ] {
            let url: LedgerUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hunter2"));
        }
        for text in [
            "",
            "sqlite:",
            "mysql://x/y",
            "postgres://",
            "postgres:///x",
            "postgres://h/d?sslmode=maybe",
            "postgres://h/d?no_such=1",
        ] {
            assert!(text.parse::<LedgerUrl>().is_err(), "{text}");
        }
    }
}
