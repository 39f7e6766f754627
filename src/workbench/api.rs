//! The page's questions: JSON over HTTP. Rendering and checking take a processor for a while, so they run beside the
//! tasks that answer.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::preview::Asked;
use super::save::{Change, Refusal};
use super::store::WriteError;
use super::{Bench, TemplatePath, Workbench, overview, preview, save};
use crate::assets::{Files, ReadError};
use crate::lint::Report;

/// A text, or all that are changed, by path.
pub(super) type Texts = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edited {
    changes: Texts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Saving {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    path: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dropped {
    path: String,
}

pub(super) fn routes() -> Router<Workbench> {
    Router::new()
        .route("/api/state", get(async |State(it): State<Workbench>| beside(it, overview::overview).await))
        .route(
            "/api/preview",
            post(async |State(it): State<Workbench>, Json(asked): Json<Asked>| {
                beside(it, move |bench| preview::preview(bench, &asked)).await
            }),
        )
        .route(
            "/api/check",
            post(async |State(it): State<Workbench>, Json(edited): Json<Edited>| {
                beside(it, move |bench| check(bench, &edited.changes)).await
            }),
        )
        .route(
            "/api/save",
            post(async |State(it): State<Workbench>, Json(saving): Json<Saving>| {
                beside(it, move |bench| save::save(bench, &saving.changes).map(report)).await
            }),
        )
        .route("/api/draft", put(keep_draft).delete(drop_draft))
}

async fn keep_draft(State(it): State<Workbench>, Json(draft): Json<Draft>) -> Result<Json<Value>, Refusal> {
    let keep = move |bench: &Bench| {
        let path = path(bench, &draft.path)?;
        bench.store.change().keep_draft(&path, &draft.text)?;
        Ok(json!({}))
    };
    beside(it, keep).await
}

async fn drop_draft(State(it): State<Workbench>, Json(draft): Json<Dropped>) -> Result<Json<Value>, Refusal> {
    let forget = move |bench: &Bench| {
        let path = path(bench, &draft.path)?;
        bench.store.change().drop_draft(&path)?;
        Ok(json!({}))
    };
    beside(it, forget).await
}

fn check(bench: &Bench, changes: &Texts) -> Result<Value, Refusal> {
    let files = edited(bench, changes)?;
    Ok(report(match bench.check(&files) {
        Ok((_, report)) | Err(report) => report,
    }))
}

fn report(report: Report) -> Value {
    let (passes, messages, sms) = (report.passes(), report.messages, report.sms);
    json!({"passes": passes, "messages": messages, "sms": sms, "findings": report.findings})
}

/// The set as it would be with what was typed.
pub(super) fn edited(bench: &Bench, changes: &Texts) -> Result<Files, Refusal> {
    for name in changes.keys() {
        path(bench, name)?;
    }
    let texts = changes.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(bench.store.files()?.with(texts))
}

pub(super) fn path(bench: &Bench, text: &str) -> Result<TemplatePath, Refusal> {
    TemplatePath::parse(text, &bench.catalog)
        .map_err(|error| Refusal::Unknown { what: "path", detail: format!("{text}: {error}") })
}

async fn beside(
    workbench: Workbench,
    answer: impl FnOnce(&Bench) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Json<Value>, Refusal> {
    let answered = spawn_blocking(move || answer(&workbench.0)).await;
    answered.unwrap_or_else(|error| Err(Refusal::Storage(error.to_string()))).map(Json)
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Storage(error.to_string())
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Linked(_) => Self::Linked(error.to_string()),
            WriteError::Io { .. } => Self::Storage(error.to_string()),
        }
    }
}

/// `reason` is for the page, which says it in Japanese; `detail` for whoever looks closer.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, body) = match self {
            Self::Unknown { what, detail } => {
                (StatusCode::UNPROCESSABLE_ENTITY, json!({"reason": what, "detail": detail}))
            }
            Self::Findings(found) => {
                let mut body = report(found);
                body["reason"] = json!("findings");
                (StatusCode::UNPROCESSABLE_ENTITY, body)
            }
            Self::Conflict(conflicts) => {
                (StatusCode::CONFLICT, json!({"reason": "conflict", "conflicts": conflicts}))
            }
            Self::Linked(detail) => (StatusCode::FORBIDDEN, json!({"reason": "linked", "detail": detail})),
            Self::Storage(detail) => {
                (StatusCode::INTERNAL_SERVER_ERROR, json!({"reason": "storage", "detail": detail}))
            }
        };
        (status, Json(body)).into_response()
    }
}
