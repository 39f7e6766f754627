//! The ledger on SQLite: the suite of all engines, and what is SQLite's own.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use shirase::clock::Clock;
use shirase::config::Span;
use shirase::ledger::{Controls, Held, Ledger, LedgerConfig, LedgerUrl, OpenError, Reader};
use tempfile::TempDir;

use crate::protection_suite::protection_suite;
use crate::suite::{Bed, claim_of, claimed, event, granted, ledger_suite};

struct File(TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("l.db")
    }

    fn config(&self) -> LedgerConfig {
        let url = LedgerUrl::File(self.path());
        LedgerConfig {
            url,
            pool: 1,
            retention: Span::seconds(60),
            device_retention: Span::seconds(60),
            recipient_key: None,
        }
    }
}

impl Bed for File {
    /// The writer of the ledger before may still hold the lock for a moment.
    async fn open(&mut self) -> Ledger {
        loop {
            match Ledger::open(&self.config(), &Clock::steady()) {
                Ok(ledger) => return ledger,
                Err(OpenError::InUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn reader(&self) -> Reader {
        Reader::open(&self.config()).await.expect("readable beside its writer")
    }

    async fn controls(&self) -> Controls {
        Controls::open(&self.config()).await.expect("writable beside its writer")
    }
}

ledger_suite!(File::new());
protection_suite!(File::new());

#[tokio::test]
async fn a_second_worker_on_the_same_file_is_refused_with_the_mend() {
    let mut file = File::new();
    let _ledger = file.open().await;
    let error = Ledger::open(&file.config(), &Clock::steady()).err().expect("refused");
    assert!(error.to_string().contains("give this one its own ledger.url"), "{error}");
}

/// The lock says that nobody else writes, so nobody waits for a lease of the dead.
#[tokio::test]
async fn a_dead_process_s_claim_is_taken_over_at_once_and_known_as_unknown() {
    let mut file = File::new();
    let ledger = file.open().await;
    granted(&ledger, claim_of(event("e"), &["current.sms"], Duration::from_secs(600))).await;
    drop(ledger);
    let ledger = file.open().await;
    let grant = granted(&ledger, claim_of(event("e"), &["current.sms"], Duration::from_secs(600))).await;
    assert!(grant.taken_over && grant.unknown.is_some(), "{grant:?}");
}

#[tokio::test]
async fn a_ledger_of_the_first_version_is_brought_up_to_date_and_remembers() {
    let mut file = File::new();
    let old = Connection::open(file.path()).expect("a file");
    old.execute_batch(include_str!("../../src/ledger/schema/sqlite-1.sql")).expect("the first version");
    old.execute_batch(
        "INSERT INTO event VALUES ('/t\u{1f}e', 'e', 'security.login', 'standard', 'same', 'open', NULL, 1, 1);
         INSERT INTO notification VALUES ('/t\u{1f}e', 'current.sms', 'accepted', 'x', 1, 1, 1, 'hmac', 'v', 'primary', NULL, NULL, 1);
         PRAGMA user_version = 1",
    )
    .expect("rows");
    drop(old);
    assert!(matches!(Reader::open(&file.config()).await.err(), Some(OpenError::Older { .. })));
    let ledger = file.open().await;
    let held = claimed(&ledger, claim_of(event("e"), &["current.sms"], Duration::from_secs(600))).await;
    assert_eq!(held, [Held::Accepted]);
    assert_eq!(file.reader().await.by_id("e").await.expect("readable")[0].state, "open");
}

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_left_alone() {
    let file = File::new();
    Connection::open(file.path())
        .expect("a file")
        .execute_batch("PRAGMA user_version = 99")
        .expect("written");
    let error = Ledger::open(&file.config(), &Clock::steady()).err().expect("refused");
    assert!(error.to_string().contains("run the newer version"), "{error}");
}

#[tokio::test]
async fn without_a_ledger_to_share_there_are_no_controls_and_no_file_is_made() {
    let file = File::new();
    assert!(Controls::open(&file.config()).await.is_err());
    assert!(!file.path().exists(), "only a worker makes the file");
    let memory = LedgerConfig { url: LedgerUrl::Memory, ..file.config() };
    let error = Controls::open(&memory).await.err().expect("refused");
    assert!(error.to_string().contains("set ledger.url to a file"), "{error}");
}
