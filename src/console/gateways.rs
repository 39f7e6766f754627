//! `POST /console/gateways/NAME/drain` and `/resume`: through the ledger, so that all workers follow.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Console;
use super::entry::{Actor, body};
use super::reason::Reason;
use super::refusal::Refusal;
use crate::config::Span;
use crate::drain::{Drain, DrainRefusal, DrainRequest, Way};
use crate::gateway::Gateways;
use crate::ledger::{ControlError, Controls, LedgerUrl};
use crate::telemetry::{ConsoleAction, ConsoleActor, ConsoleObject, ConsoleResult, console_acted};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(rename = "for")]
    length: Span,
    reason: Reason,
    #[serde(default)]
    even_the_last: bool,
}

/// A drain as the page shows it.
#[derive(Debug, Serialize)]
pub(super) struct Drained {
    since: Timestamp,
    until: Timestamp,
    reason: String,
    by: String,
}

impl From<Drain> for Drained {
    fn from(drain: Drain) -> Self {
        let Drain { since, until, reason, by, .. } = drain;
        Self { since, until, reason, by }
    }
}

/// A ledger in memory is its worker's alone: nobody can tell other workers through it.
pub(super) fn has_controls(console: &Console) -> bool {
    !matches!(console.0.ledger.url, LedgerUrl::Memory)
}

pub(super) async fn drain(
    State(console): State<Console>,
    actor: Actor,
    Path(name): Path<String>,
    bytes: Bytes,
) -> Result<Json<Value>, Refusal> {
    let expected = "{\"for\": \"15m\", \"reason\": \"1 to 200 characters\", \"even_the_last\": false}";
    let asked: Asked = body(&bytes, expected)?;
    let why = asked.reason.as_str().to_owned();
    let drained = drained(&console, &actor, &name, asked).await;
    tell(&actor, ConsoleAction::Drain, &name, Some(&why), &drained);
    drained.map(|drain| Json(json!({ "drained": Drained::from(drain) })))
}

pub(super) async fn resume(
    State(console): State<Console>,
    actor: Actor,
    Path(name): Path<String>,
) -> Result<Json<Value>, Refusal> {
    let resumed = resumed(&console, &name).await;
    tell(&actor, ConsoleAction::Resume, &name, None, &resumed);
    resumed.map(|()| Json(json!({ "drained": null })))
}

async fn drained(console: &Console, actor: &Actor, name: &str, asked: Asked) -> Result<Drain, Refusal> {
    let controls = Controls::open(&console.0.ledger).await?;
    let request = DrainRequest {
        gateway: name.to_owned(),
        length: asked.length.0,
        reason: asked.reason.as_str().to_owned(),
        by: actor.who.clone(),
        even_the_last: asked.even_the_last,
    };
    let ways = ways(&console.0.dispatcher.gateways);
    let drain = controls.drain(request, ways, console.0.dispatcher.clock.now()).await??;
    follow(console, &controls).await;
    Ok(drain)
}

async fn resumed(console: &Console, name: &str) -> Result<(), Refusal> {
    let known = console.0.dispatcher.gateways.iter().any(|gateway| gateway.name() == name);
    if !known {
        return Err(Refusal::NotFound("there is no such gateway".to_owned()));
    }
    let controls = Controls::open(&console.0.ledger).await?;
    controls.resume(name).await?;
    follow(console, &controls).await;
    Ok(())
}

/// This worker at once, so that the page never shows what was before; the others within two seconds. Where the ledger fails just
/// now, this one too.
async fn follow(console: &Console, controls: &Controls) {
    if let Ok(drains) = controls.drains().await {
        let dispatcher = &console.0.dispatcher;
        dispatcher.gateways.follow(&drains, dispatcher.clock.now());
    }
}

fn ways(gateways: &Gateways) -> Vec<Way> {
    let way = |gateway: &crate::gateway::Gateway| Way {
        name: gateway.name().to_owned(),
        channel: gateway.channel(),
    };
    gateways.iter().map(way).collect()
}

fn tell<T>(
    actor: &Actor,
    action: ConsoleAction,
    name: &str,
    reason: Option<&str>,
    result: &Result<T, Refusal>,
) {
    let actor = ConsoleActor { by: &actor.who, from: actor.from, reason };
    let (gateway, outcome) = match result {
        Ok(_) => (Some(name), ConsoleResult::Done),
        Err(Refusal::Ledger(_)) => (Some(name), ConsoleResult::Failed),
        // A name that nobody configured may be anything.
        Err(Refusal::NotFound(_)) => (None, ConsoleResult::Refused),
        Err(_) => (Some(name), ConsoleResult::Refused),
    };
    let detail = result.as_ref().err().map(ToString::to_string);
    console_acted(actor, action, ConsoleObject::Gateway(gateway), outcome, detail.as_deref());
}

impl From<DrainRefusal> for Refusal {
    fn from(refusal: DrainRefusal) -> Self {
        match refusal {
            DrainRefusal::Unknown { .. } => Self::NotFound("there is no such gateway".to_owned()),
            DrainRefusal::LastWayOut { .. } => Self::Conflict(refusal.to_string()),
            DrainRefusal::Length | DrainRefusal::Reason | DrainRefusal::By => {
                Self::BadRequest(refusal.to_string())
            }
        }
    }
}

impl From<ControlError> for Refusal {
    fn from(error: ControlError) -> Self {
        Self::Ledger(error.to_string())
    }
}
