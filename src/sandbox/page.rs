//! The page: what customers would see, and an editor to send an event.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{News, Sandbox};
use crate::template::Brand;

/// Takes what was typed into the page and gives what became of it.
pub type SendEvent = Arc<dyn Fn(Vec<u8>) -> Pin<Box<dyn Future<Output = Value> + Send>> + Send + Sync>;

/// An event to begin with.
#[derive(Debug, Clone, Serialize)]
pub struct Sample {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What the type is called in Japanese.
    pub title: String,
    /// The whole event.
    pub event: Value,
}

/// The page and its API.
#[derive(Clone)]
pub struct Page {
    /// What it shows.
    pub sandbox: Sandbox,
    /// Who speaks.
    pub brand: Brand,
    /// What the editor offers.
    pub samples: Vec<Sample>,
    /// What the editor's button does.
    pub send: SendEvent,
}

const HTML: &str = include_str!("page.html");

/// The mails' HTML is shown in sandboxed frames that inherit this: nothing is ever loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A paste larger than any event is still answered by the worker's own words.
const MAX_BODY_BYTES: usize = 1024 * 1024;

impl Page {
    /// Serves until the listener fails.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router = Router::new()
            .route(
                "/",
                get(async || ([(HeaderName::from_static("content-security-policy"), POLICY)], Html(HTML))),
            )
            .route("/api/state", get(state))
            .route("/api/samples", get(async |State(page): State<Self>| Json(page.samples)))
            .route("/api/stream", get(stream))
            .route("/api/events", post(send))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn(own_names_only))
            .with_state(self);
        axum::serve(listener, router).await
    }
}

async fn state(State(page): State<Page>) -> Json<Value> {
    let outcomes = page.sandbox.locked(|inbox| inbox.outcomes.all());
    Json(
        json!({"brand": page.brand, "sms": page.sandbox.sms(), "mail": page.sandbox.mail(), "events": outcomes}),
    )
}

async fn stream(State(page): State<Page>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let hello = Event::default().comment("hello");
    let news = page.sandbox.news.subscribe();
    let events = unfold((news, Some(hello)), async |(mut news, first)| {
        if let Some(first) = first {
            return Some((Ok(first), (news, None)));
        }
        // A page that lagged behind is cut off: it connects anew and reads the whole state.
        let item = news.recv().await.ok()?;
        Some((Ok(event(&item)), (news, None)))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

fn event(news: &News) -> Event {
    let (name, data) = match news {
        News::Sms(sms) => ("sms", json!(sms)),
        News::Mail(mail) => ("mail", json!(mail)),
        News::Event(outcome) => ("event", outcome.clone()),
    };
    Event::default().event(name).data(data.to_string())
}

/// Another site can make a name of its own lead to this address (DNS rebinding) and would then read everything: only
/// addresses and `localhost` are answered.
async fn own_names_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if name == "localhost" || name.parse::<IpAddr>().is_ok() {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "open this page by its address, for example http://127.0.0.1:8025/\n")
        .into_response()
}

/// Only our own content type: another site's page cannot send it without asking first, and is refused.
async fn send(State(page): State<Page>, headers: axum::http::HeaderMap, body: Bytes) -> Response {
    let content_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/cloudevents+json")
        && !content_type.starts_with("application/json")
    {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-type: application/cloudevents+json, please\n")
            .into_response();
    }
    Json((page.send)(body.to_vec()).await).into_response()
}
