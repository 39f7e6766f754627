//! What a request has to bring before it is heard: rights, its own origin, JSON.

use std::net::{IpAddr, SocketAddr};

use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::Console;
use super::access::{Access, is_from_elsewhere};
use super::refusal::Refusal;
use crate::telemetry;

/// Whoever asks, known or not.
pub(super) struct Anybody {
    pub peer: IpAddr,
    pub headers: HeaderMap,
}

/// Somebody who may read.
pub(super) struct Reader {
    /// A token's name, or `loopback`.
    pub who: String,
    pub peer: IpAddr,
    pub headers: HeaderMap,
}

/// Somebody who may act.
pub(super) struct Actor {
    pub who: String,
    pub from: IpAddr,
}

impl<S: Send + Sync> FromRequestParts<S> for Anybody {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        // Nobody knows where it comes from, so it is not from here.
        let peer = peer.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        Ok(Self { peer, headers: parts.headers.clone() })
    }
}

impl FromRequestParts<Console> for Reader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refusal> {
        let (Anybody { peer, headers }, access) = admitted(parts, console).await?;
        match access {
            Access { reads: true, who: Some(who), .. } => Ok(Self { who, peer, headers }),
            Access { who: Some(_), .. } => Err(Refusal::Forbidden("this token does not allow reading")),
            Access { who: None, .. } => Err(Refusal::Unauthorised),
        }
    }
}

impl FromRequestParts<Console> for Actor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Refusal> {
        let (Anybody { peer, .. }, access) = admitted(parts, console).await?;
        match access {
            Access { acts: true, who: Some(who), .. } => Ok(Self { who, from: peer }),
            Access { who: Some(who), .. } => {
                telemetry::console_forbidden(&who, peer);
                Err(Refusal::Forbidden("acting needs a token with the scope \"act\""))
            }
            Access { .. } => Err(Refusal::Unauthorised),
        }
    }
}

async fn admitted(parts: &mut Parts, console: &Console) -> Result<(Anybody, Access), Refusal> {
    let anybody = Anybody::from_request_parts(parts, console).await?;
    let access = console.0.door.access(anybody.peer, &anybody.headers)?;
    Ok((anybody, access))
}

/// Nothing here is for another site's page, and what changes something says that it is JSON, which such a page cannot send
/// without asking first.
pub(super) async fn own_origin_and_json(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if is_from_elsewhere(headers) {
        return Refusal::Forbidden("this page is not the console's").into_response();
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if *request.method() == Method::POST && !kind.starts_with("application/json") {
        return Refusal::BadRequest("content-type: application/json, please".to_owned()).into_response();
    }
    next.run(request).await
}

/// Reads a body. The refusal says nothing of what it held: that may be a customer's number.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes, expected: &str) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|_| Refusal::BadRequest(format!("expected {expected}")))
}
