//! `/console/search`: what became of an event, or of everything that a customer was to be told. A customer's number comes in
//! a body, never in a URL, and never goes out again.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::entry::{Reader, body};
use super::refusal::Refusal;
use crate::dispatch;
use crate::ledger::{self, LedgerConfig, OpenError, Story, ViewError};
use crate::plan::Address;
use crate::telemetry::{LookedUp, console_looked_up};

#[derive(Deserialize)]
pub(super) struct ByEvent {
    event: String,
}

#[derive(Deserialize)]
struct ByRecipient {
    recipient: String,
}

/// `GET ?event=ID`
pub(super) async fn by_event(
    State(console): State<Console>,
    Reader { who, peer, .. }: Reader,
    asked: Result<Query<ByEvent>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(ByEvent { event }) = asked?;
    let reader = open(&console.0.ledger).await?;
    let stories = reader.by_id(event.trim()).await?;
    // Only an id that there is: what was asked for may be a number, in the wrong place.
    if let Some(story) = stories.first() {
        console_looked_up(&who, peer, LookedUp::Event(&story.event_id));
    }
    Ok(answer(stories))
}

/// `POST {"recipient": "…"}`
pub(super) async fn by_recipient(
    State(console): State<Console>,
    Reader { who, peer, .. }: Reader,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let ByRecipient { recipient } = body(&bytes, "{\"recipient\": \"a phone number or mail address\"}")?;
    let address: Address = recipient
        .parse()
        .map_err(|_| Refusal::BadRequest("is neither a phone number nor a mail address".to_owned()))?;
    let reader = open(&console.0.ledger).await?;
    let pseudonym = dispatch::pseudonym(&reader.pseudonyms().await?, &address);
    let stories = reader.by_recipient(&pseudonym).await?;
    console_looked_up(&who, peer, LookedUp::Recipient(&pseudonym));
    Ok(answer(stories))
}

async fn open(config: &LedgerConfig) -> Result<ledger::Reader, Refusal> {
    Ok(ledger::Reader::open(config).await?)
}

fn answer(stories: Vec<Story>) -> Json<Value> {
    let stories: Vec<Story> = stories.into_iter().map(Story::stripped).collect();
    Json(json!({ "stories": stories }))
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        Self::Ledger(error.to_string())
    }
}

impl From<ViewError> for Refusal {
    fn from(error: ViewError) -> Self {
        Self::Ledger(error.to_string())
    }
}
