//! Reading the ledger back, beside the workers that write it: what became of an event.

use std::cmp::Reverse;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::operation::{Attempt, EventState};
use super::postgres::PostgresView;
use super::rows::{Case, EventRow, NotificationRow};
use super::sqlite::SqliteView;
use super::{LedgerConfig, LedgerUrl, OpenError, Pseudonyms, time};
use crate::config::Secret;
use crate::event::SUMMARY_SUFFIX;

/// What an engine can be asked without disturbing those who write.
pub(super) trait View: Send {
    /// The ledger's own key for pseudonyms.
    fn own_key(&mut self) -> Result<Option<Secret>, ViewError>;
    /// Every event of this CloudEvents `id`.
    fn by_id(&mut self, id: &str) -> Result<Vec<Case>, ViewError>;
    /// Events that this recipient was or was to be told of.
    fn by_recipient(&mut self, pseudonym: &str, limit: u32) -> Result<Vec<Case>, ViewError>;
}

/// The ledger could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ViewError(pub(super) String);

/// A reader of the ledger. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    /// Engines block, so each question gets a thread that may.
    view: Arc<Mutex<Box<dyn View>>>,
    key: Option<Secret>,
}

/// What became of an event. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Story {
    /// CloudEvents `id`.
    pub event_id: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The lane that it came through.
    pub lane: String,
    /// `open`, `done`, `muted`, `dead`.
    pub state: &'static str,
    /// Why it was given up.
    pub reason: Option<String>,
    /// How often it was given up.
    pub deaths: u32,
    /// When it happened.
    pub time: Timestamp,
    /// When the ledger first heard of it.
    pub first_seen: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// The summary that it is part of, or that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryStory>,
    /// It is that summary.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_summary: bool,
    /// Every notification in the order in which they were begun, so that a fallback stands behind what it stands in for.
    pub notifications: Vec<NotificationStory>,
}

/// What became of a notification. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotificationStory {
    /// `current.sms` and the like.
    pub target: String,
    /// `in_flight`, `accepted`, `retry`, `unknown`, `failed`, `delivered`, `undelivered`.
    pub state: &'static str,
    /// Why it went there.
    pub why: String,
    /// HMAC of the address.
    pub recipient: String,
    /// The idempotency key that gateways were given.
    pub reference: String,
    /// Which wording.
    pub template_version: String,
    /// The gateway that decided, or is being asked.
    pub gateway: Option<String>,
    /// The gateway's id of the message.
    pub provider_id: Option<String>,
    /// Why it was not accepted or did not arrive.
    pub reason: Option<String>,
    /// Attempts whose answer never came: each may have been accepted.
    pub unknowns: u32,
    /// Not to be tried before, for one that is to be tried again; the end of its claim, for one in flight.
    pub not_before: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Every attempt, in order.
    pub attempts: Vec<Attempt>,
    /// What gateways said of it later, in order.
    pub receipts: Vec<ReceiptStory>,
}

/// What a gateway said of a message that it was given. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptStory {
    /// When it came.
    pub at: Timestamp,
    /// Whose word it is.
    pub gateway: String,
    /// What it brought the notification to: `accepted`, `delivered`, `undelivered`.
    pub status: String,
    /// Why it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The gateway's code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// One notice for all that `collapse` held back within a window. Nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryStory {
    /// CloudEvents `id` of the event that it is made of: the newest of those held back.
    pub event_id: String,
    /// How many were held back beside it.
    pub others: u32,
    /// When its window ends.
    pub due: Timestamp,
    /// When it came to its lane, if it did.
    pub brought_at: Option<Timestamp>,
}

impl Reader {
    /// Events that a look-up by recipient gives at most.
    pub const MAX_BY_RECIPIENT: usize = 100;

    /// Opens the configured ledger for reading, beside any worker.
    ///
    /// # Errors
    /// [`OpenError`]; a ledger in memory is its worker's alone.
    pub async fn open(config: &LedgerConfig) -> Result<Self, OpenError> {
        let (url, key) = (config.url.clone(), config.recipient_key.clone());
        let place = url.to_string();
        let opened = spawn_blocking(move || open(&url)).await;
        let view = opened.map_err(|error| OpenError::Engine { place, detail: error.to_string() })??;
        Ok(Self { view: Arc::new(Mutex::new(view)), key })
    }

    /// What became of every event of this CloudEvents `id`: one a source.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn by_id(&self, id: &str) -> Result<Vec<Story>, ViewError> {
        let id = id.to_owned();
        let cases = self.ask(move |view| view.by_id(&id)).await?;
        Ok(cases.into_iter().filter_map(Story::of).collect())
    }

    /// The newest events that this recipient, by its pseudonym, was or was to be told of; the newest first.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn by_recipient(&self, pseudonym: &str) -> Result<Vec<Story>, ViewError> {
        let pseudonym = pseudonym.to_owned();
        let limit = u32::try_from(Self::MAX_BY_RECIPIENT).unwrap_or(u32::MAX);
        let cases = self.ask(move |view| view.by_recipient(&pseudonym, limit)).await?;
        let mut stories: Vec<Story> = cases.into_iter().filter_map(Story::of).collect();
        stories.sort_by_key(|story| Reverse(story.first_seen));
        Ok(stories)
    }

    /// The key that recipients' pseudonyms were made with.
    ///
    /// # Errors
    /// When the ledger cannot be read, or no worker has used it yet.
    pub async fn pseudonyms(&self) -> Result<Pseudonyms, ViewError> {
        let key = match &self.key {
            Some(key) => Some(key.clone()),
            None => self.ask(|view| view.own_key()).await?,
        };
        let key =
            key.ok_or_else(|| ViewError("the ledger has no key yet: no worker has used it".to_owned()))?;
        Ok(Pseudonyms::new(&key))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn View) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let view = Arc::clone(&self.view);
        let asked = spawn_blocking(move || {
            let mut view = view.lock().unwrap_or_else(PoisonError::into_inner);
            question(view.as_mut())
        });
        asked.await.map_err(|error| ViewError(error.to_string()))?
    }
}

fn open(url: &LedgerUrl) -> Result<Box<dyn View>, OpenError> {
    let failed = |detail| OpenError::Engine { place: url.to_string(), detail };
    match url {
        LedgerUrl::File(path) => Ok(Box::new(SqliteView::open(path)?)),
        LedgerUrl::Postgres(url) => Ok(Box::new(PostgresView::open(url).map_err(failed)?)),
        LedgerUrl::Memory => {
            Err(failed("a ledger in memory ends with its worker; there is nothing to read".to_owned()))
        }
    }
}

impl Story {
    fn of(mut case: Case) -> Option<Self> {
        case.notifications.sort_by_cached_key(begun);
        let summary = case.summary.take();
        let EventRow {
            key,
            id,
            event_type,
            lane,
            state,
            reason,
            time: happened,
            deaths,
            first_seen,
            updated_at,
            ..
        } = case.event?;
        Some(Self {
            source: key.split('\u{1f}').next().unwrap_or_default().to_owned(),
            is_summary: key.ends_with(SUMMARY_SUFFIX),
            summary,
            event_id: id,
            event_type,
            lane,
            state: EventState::as_str(state),
            reason,
            deaths: u32::try_from(deaths).unwrap_or(u32::MAX),
            time: time(happened),
            first_seen: time(first_seen),
            updated_at: time(updated_at),
            notifications: case.notifications.into_iter().map(NotificationStory::of).collect(),
        })
    }
}

/// When it was first tried, or is to be.
fn begun(row: &NotificationRow) -> Timestamp {
    row.attempts().first().map_or_else(|| time(row.first_claimed), |attempt| attempt.at)
}

impl NotificationStory {
    fn of(row: NotificationRow) -> Self {
        let (receipts, attempts): (Vec<Attempt>, Vec<Attempt>) =
            row.attempts().into_iter().partition(|line| line.as_receipt().is_some());
        let receipts = receipts.into_iter().map(ReceiptStory::of).collect();
        let waits = matches!(row.state.as_str(), "in_flight" | "retry" | "unknown");
        Self {
            state: row.state.as_str(),
            not_before: waits.then(|| time(row.busy_until)),
            unknowns: u32::try_from(row.unknowns).unwrap_or(u32::MAX),
            updated_at: time(row.updated_at),
            target: row.target,
            why: row.why,
            recipient: row.recipient,
            reference: row.reference,
            template_version: row.template_version,
            gateway: row.gateway,
            provider_id: row.provider_id,
            reason: row.reason,
            attempts,
            receipts,
        }
    }
}

impl ReceiptStory {
    fn of(line: Attempt) -> Self {
        let status = line.as_receipt().unwrap_or_default().to_owned();
        let reason = line.reason.map(Into::into);
        Self { at: line.at, gateway: line.gateway, status, reason, code: line.detail }
    }
}
