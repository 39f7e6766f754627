//! `POST /console/dead/replay` and `/drop`: the letters that were chosen, each by its key.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::super::Console;
use super::super::entry::{Actor, body};
use super::super::letter_key::{LetterKey, letter_key};
use super::super::reason::Reason;
use super::super::refusal::Refusal;
use super::{Turn, open};
use crate::dead::{Found, Look, Outcome, put_back};
use crate::telemetry::{ConsoleAction, ConsoleActor, ConsoleObject, ConsoleResult, console_acted};

/// Letters of one request.
const MOST: usize = 500;

/// The queue is walked for so long.
const LONGEST: Duration = Duration::from_secs(60);
const PATIENCE_OVER: &str = "not found within a minute; `shirase dead` has more patience";

/// It is where it was.
const KEPT: &str = "kept";
/// It was not found.
const GONE: &str = "gone";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    keys: BTreeSet<LetterKey>,
    reason: Reason,
}

/// What became of the letters.
#[derive(Serialize)]
pub(crate) struct Acted {
    results: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    key: LetterKey,
    event_id: Option<String>,
    outcome: &'static str,
    why: Option<String>,
}

/// What is to be done, by whom and why.
struct Errand {
    actor: Actor,
    action: ConsoleAction,
    reason: Reason,
    /// Those that were not found yet.
    keys: BTreeSet<LetterKey>,
}

/// One letter's end, and why the walk ended early.
type One = (Row, Option<String>);

pub(crate) async fn replay(
    console: State<Console>,
    actor: Actor,
    bytes: Bytes,
) -> Result<Json<Acted>, Refusal> {
    act(console, actor, ConsoleAction::Replay, bytes).await
}

pub(crate) async fn discard(
    console: State<Console>,
    actor: Actor,
    bytes: Bytes,
) -> Result<Json<Acted>, Refusal> {
    act(console, actor, ConsoleAction::Drop, bytes).await
}

async fn act(
    State(console): State<Console>,
    actor: Actor,
    action: ConsoleAction,
    bytes: Bytes,
) -> Result<Json<Acted>, Refusal> {
    let Asked { keys, reason } = body(&bytes, "{\"keys\": [\"…\"], \"reason\": \"1 to 200 characters\"}")?;
    if keys.is_empty() || keys.len() > MOST {
        return Err(Refusal::BadRequest(format!("choose 1 to {MOST} letters")));
    }
    let turn = Turn::take(&console)?;
    let errand = Errand { actor, action, reason, keys };
    // A task of its own: whoever closes the page in the middle must not leave a deed without its line in the log.
    let done = tokio::spawn(async move {
        let _turn = turn;
        errand.run(&console).await
    });
    let rows = done.await.map_err(|_| Refusal::Broker("it ended in the middle; look again".to_owned()))??;
    Ok(Json(Acted { results: rows }))
}

impl Errand {
    async fn run(mut self, console: &Console) -> Result<Vec<Row>, Refusal> {
        let mut look = match open(console).await {
            Ok(look) => look,
            Err(error) => {
                self.tell(None, ConsoleResult::Failed, Some(&error.to_string()));
                return Err(error);
            }
        };
        let (mut rows, mut ended) = self.walk(&mut look).await;
        // Only the answer to the close says that the broker has all of it.
        let closed = look.close().await.map_err(|error| error.to_string());
        if let (Err(error), ConsoleAction::Drop) = (&closed, self.action) {
            rows.iter_mut().for_each(|row| row.keep(error));
        }
        ended = ended.or(closed.err());
        rows.extend(std::mem::take(&mut self.keys).into_iter().map(|key| Row::untouched(key, ended.clone())));
        rows.iter().for_each(|row| self.tell(row.event_id.as_deref(), row.result(), row.why.as_deref()));
        Ok(rows)
    }

    /// Until every letter was found or there are no more; and why it ended before that.
    async fn walk(&mut self, look: &mut Look) -> (Vec<Row>, Option<String>) {
        let (mut rows, begun) = (Vec::new(), Instant::now());
        while !self.keys.is_empty() {
            if begun.elapsed() >= LONGEST {
                return (rows, Some(PATIENCE_OVER.to_owned()));
            }
            let found = match look.next().await {
                Ok(Some(found)) => found,
                Ok(None) => break,
                Err(error) => return (rows, Some(error.to_string())),
            };
            let key = letter_key(&found.letter, &found.dead.raw.body);
            if self.keys.remove(&key) {
                let (row, lost) = self.one(look, key, found).await;
                rows.push(row);
                if lost.is_some() {
                    return (rows, lost);
                }
            }
        }
        (rows, None)
    }

    async fn one(&self, look: &Look, key: LetterKey, found: Found) -> One {
        let event_id = found.letter.event_id.clone();
        let (outcome, lost) = if self.action == ConsoleAction::Replay {
            let tried = put_back(&look.letters, found, false).await;
            (tried.outcome, tried.fatal)
        } else {
            match look.letters.take_away(found.dead.into_held()).await {
                Ok(()) => (Outcome::Dropped, false),
                Err(error) => (Outcome::Kept(error.to_string()), true),
            }
        };
        let why = outcome.why().map(str::to_owned);
        let lost = lost.then(|| why.clone().unwrap_or_default());
        (Row { key, event_id, outcome: outcome.as_str(), why }, lost)
    }

    fn tell(&self, event_id: Option<&str>, result: ConsoleResult, detail: Option<&str>) {
        let (by, from, reason) = (self.actor.who.as_str(), self.actor.from, Some(self.reason.as_str()));
        let letter = ConsoleObject::Letter(event_id);
        console_acted(ConsoleActor { by, from, reason }, self.action, letter, result, detail);
    }
}

impl Row {
    fn result(&self) -> ConsoleResult {
        match self.outcome {
            KEPT => ConsoleResult::Failed,
            GONE => ConsoleResult::Refused,
            _ => ConsoleResult::Done,
        }
    }

    /// It may be there still.
    fn keep(&mut self, why: &str) {
        self.outcome = KEPT;
        self.why = Some(why.to_owned());
    }

    /// Nobody touched it: it is not there any more, or the walk ended before it was met.
    fn untouched(key: LetterKey, ended: Option<String>) -> Self {
        let outcome = if ended.is_some() { KEPT } else { GONE };
        Self { key, event_id: None, outcome, why: ended }
    }
}
