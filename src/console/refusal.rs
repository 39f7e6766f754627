//! What the console answers when it does not do what it was asked.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A request that was not answered as asked. The message is for a person and holds nothing personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody knows who asks.
    #[error("sign in with a token, or ask from this machine")]
    Unauthorised,
    /// Whoever asks may not do that.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The request is not to be understood.
    #[error("{0}")]
    BadRequest(String),
    /// Not as things are.
    #[error("{0}")]
    Conflict(String),
    /// The broker does not answer.
    #[error("{0}")]
    Broker(String),
    /// The ledger cannot be read or written.
    #[error("{0}")]
    Ledger(String),
    /// Somebody else is at it.
    #[error("{0}")]
    Busy(&'static str),
    /// Too many wrong tokens.
    #[error("too many wrong tokens from this address; wait a minute")]
    Braked,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Broker(_) | Self::Ledger(_) | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Braked => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::BadRequest(_) => "bad_request",
            Self::Conflict(_) => "conflict",
            Self::Broker(_) => "broker",
            Self::Ledger(_) => "ledger",
            Self::Busy(_) | Self::Braked => "busy",
        }
    }
}

/// What the query held is not said again.
impl From<QueryRejection> for Refusal {
    fn from(_: QueryRejection) -> Self {
        Self::BadRequest("the query is not to be understood".to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({"error": {"code": self.code(), "message": self.to_string()}});
        (self.status(), Json(body)).into_response()
    }
}
