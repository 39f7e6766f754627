//! `GET /console/dead?reason=&type=&limit=`: what lies there, the oldest first.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::super::Console;
use super::super::entry::Reader;
use super::super::letter_key::{LetterKey, letter_key};
use super::super::refusal::Refusal;
use super::super::state::ReasonCount;
use super::{Turn, open};
use crate::dead::{Filter, Fit, Letter, Look};

/// Letters of one answer where nobody says how many, and at most.
const USUAL: usize = 50;
const MOST: usize = 500;

/// A look goes on for so long; what lies beyond is counted and not shown.
const LONGEST: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
pub(crate) struct Asked {
    reason: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    limit: Option<usize>,
}

/// What lies in the queue.
#[derive(Serialize)]
pub(crate) struct Shown {
    letters: Vec<Row>,
    /// Of those looked at.
    matching: usize,
    in_queue: usize,
    /// Of those looked at, whatever was asked for; the most frequent first.
    by_reason: Vec<ReasonCount>,
}

#[derive(Serialize)]
struct Row {
    key: LetterKey,
    #[serde(flatten)]
    letter: Letter,
}

pub(crate) async fn list(
    State(console): State<Console>,
    _: Reader,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Shown>, Refusal> {
    let Query(asked) = asked?;
    let _turn = Turn::take(&console)?;
    let mut look = open(&console).await?;
    let shown = asked.look(&mut look).await?;
    look.close().await?;
    Ok(Json(shown))
}

impl Asked {
    async fn look(&self, look: &mut Look) -> Result<Shown, Refusal> {
        let some = |text: &Option<String>| text.iter().filter(|text| !text.is_empty()).cloned().collect();
        let filter =
            Filter { reasons: some(&self.reason), event_types: some(&self.event_type), ..Filter::default() };
        let limit = self.limit.unwrap_or(USUAL).clamp(1, MOST);
        let (mut oldest, mut matching, mut reasons) = (BTreeMap::new(), 0, BTreeMap::new());
        let begun = Instant::now();
        while begun.elapsed() < LONGEST {
            let Some(found) = look.next().await? else { break };
            *reasons.entry(found.letter.reason.clone()).or_insert(0) += 1;
            if filter.fit(&found.letter) != Fit::Yes {
                continue;
            }
            matching += 1;
            let key = letter_key(&found.letter, &found.dead.raw.body);
            oldest.insert((found.letter.order(), matching), Row { key, letter: found.letter });
            if oldest.len() > limit {
                oldest.pop_last();
            }
        }
        let in_queue = look.seen + look.letters.left();
        Ok(Shown { letters: oldest.into_values().collect(), matching, in_queue, by_reason: counted(reasons) })
    }
}

fn counted(reasons: BTreeMap<String, u64>) -> Vec<ReasonCount> {
    let mut counted: Vec<_> =
        reasons.into_iter().map(|(reason, count)| ReasonCount { reason, count }).collect();
    counted.sort_by_key(|one| std::cmp::Reverse(one.count));
    counted
}
