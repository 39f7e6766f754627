//! `/console/session`: who asks, signing in and out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Console;
use super::access::{Access, SESSION_COOKIE};
use super::entry::{Anybody, body};
use super::gateways;
use super::refusal::Refusal;

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

/// Who asks, and what they may; a wrong token is nobody's.
pub(super) async fn show(State(console): State<Console>, anybody: Anybody) -> Json<Value> {
    let access = console.0.door.access(anybody.peer, &anybody.headers).unwrap_or_default();
    Json(shape(&console, &access))
}

pub(super) async fn sign_in(
    State(console): State<Console>,
    anybody: Anybody,
    bytes: Bytes,
) -> Result<impl IntoResponse, Refusal> {
    let SignIn { token } = body(&bytes, "{\"token\": \"…\"}")?;
    let (id, access) = console.0.door.sign_in(token.trim(), anybody.peer)?;
    let cookie = cookie(&id, console.0.door.session_seconds(), &anybody.headers);
    Ok(([(header::SET_COOKIE, cookie)], Json(shape(&console, &access))))
}

pub(super) async fn sign_out(State(console): State<Console>, anybody: Anybody) -> impl IntoResponse {
    console.0.door.sign_out(&anybody.headers);
    (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie("", 0, &anybody.headers))])
}

/// Out of reach of scripts, sent to us alone and by our own pages alone; over TLS alone where a proxy says that it is.
fn cookie(id: &str, seconds: u64, headers: &HeaderMap) -> String {
    let tls = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let secure = if tls { "; Secure" } else { "" };
    format!("{SESSION_COOKIE}={id}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

fn shape(console: &Console, access: &Access) -> Value {
    json!({
        "who": access.who,
        "reads": access.reads,
        "acts": access.acts,
        "version": env!("CARGO_PKG_VERSION"),
        "company": console.0.dispatcher.brand.company,
        "controls": gateways::has_controls(console),
    })
}
