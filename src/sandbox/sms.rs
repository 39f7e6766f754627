//! The sandbox's SMS gateway: takes `POST /sms` as gateway kind `http` sends it.

use std::net::SocketAddr;

use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Sandbox;
use crate::template::{Segments, segments};

/// An SMS as the gateway was given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sms {
    /// The gateway's id of it.
    pub id: String,
    /// When.
    pub received_at: String,
    /// The last part of the URL's path, else `sandbox`.
    pub gateway: String,
    /// The number as it was written.
    pub to: String,
    /// The text.
    pub text: String,
    /// The sender's idempotency key.
    pub reference: String,
    /// What it would be billed as.
    #[serde(flatten)]
    pub size: Segments,
}

#[derive(Deserialize)]
struct Request {
    to: String,
    text: String,
    #[serde(default)]
    reference: String,
}

pub(super) async fn start(sandbox: Sandbox, listen: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/sms", post(async |state, body| take(state, "sandbox".to_owned(), body).await))
        .route("/sms/{gateway}", post(async |state, Path(gateway), body| take(state, gateway, body).await))
        .with_state(sandbox);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn take(State(sandbox): State<Sandbox>, gateway: String, Json(request): Json<Request>) -> Json<Value> {
    let received_at = sandbox.clock.now().to_string();
    let sms = sandbox.keep_sms(|number| Sms {
        id: format!("sms-{number}"),
        received_at,
        gateway,
        to: request.to,
        size: segments(&request.text),
        text: request.text,
        reference: request.reference,
    });
    Json(json!({"message_id": sms.id, "segments": sms.size.segments}))
}
