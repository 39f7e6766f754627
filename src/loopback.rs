//! What pages on loopback have in common: they answer whoever sits at this machine, and nothing that another site sends.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// An address that only this machine reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loopback(pub SocketAddr);

/// A text that is no [`Loopback`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoopbackError {
    /// Not an address with a port.
    #[error("is no address; write it as 127.0.0.1:8026")]
    NoAddress,
    /// Others would reach it.
    #[error(
        "is not loopback: whoever reaches it could change what customers read. Listen on 127.0.0.1 and come from \
         elsewhere with `ssh -L {port}:127.0.0.1:{port} HOST`"
    )]
    Open {
        /// The port that was asked for.
        port: u16,
    },
}

impl FromStr for Loopback {
    type Err = LoopbackError;

    fn from_str(text: &str) -> Result<Self, LoopbackError> {
        let address: SocketAddr = text.parse().map_err(|_| LoopbackError::NoAddress)?;
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err(LoopbackError::Open { port: address.port() })
        }
    }
}

/// Another site can make a name of its own lead to this address (DNS rebinding) and would then read everything: only
/// addresses and `localhost` are answered.
pub async fn own_names_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_own_name(host) {
        return next.run(request).await;
    }
    let mend = "open this page by its address, the one that the command printed, for example http://127.0.0.1:8025/\n";
    (StatusCode::FORBIDDEN, mend).into_response()
}

/// Whether a `Host` header names us as no other site can: `localhost` or an address, with or without a port.
pub fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok()
}

/// What changes something has to say that it is JSON: another site's page cannot send that without asking first, and is
/// refused (CSRF).
pub async fn json_only(request: Request, next: Next) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default();
    let is_json = ["application/json", "application/cloudevents+json"]
        .iter()
        .any(|expected| content_type.starts_with(expected));
    if is_json || matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let mend = "content-type: application/json or application/cloudevents+json, please\n";
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, mend).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_called_by_an_address_or_localhost() {
        for own in ["localhost", "localhost:9464", "127.0.0.1:9464", "192.0.2.1", "[::1]:9464", "[::1]"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in
            ["", ":9464", "localhost.example.com", "example.com:9464", "127.0.0.1.example.com", "[example]"]
        {
            assert!(!is_own_name(other), "{other}");
        }
    }

    #[test]
    fn only_loopback_is_listened_on_and_the_refusal_says_how_to_come_from_elsewhere() {
        for text in ["127.0.0.1:8026", "127.9.9.9:1", "[::1]:8026"] {
            assert!(text.parse::<Loopback>().is_ok(), "{text}");
        }
        for text in ["0.0.0.0:8026", "192.0.2.1:8026", "[::]:8026"] {
            let error = text.parse::<Loopback>().expect_err(text).to_string();
            assert!(error.contains("ssh -L 8026:127.0.0.1:8026"), "{error}");
        }
        assert_eq!("localhost".parse::<Loopback>(), Err(LoopbackError::NoAddress));
    }
}
