//! The page: what customers would see, and an editor to send an event.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderName;
use axum::middleware;
use axum::response::Html;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{News, Sandbox};
use crate::loopback::{json_only, own_names_only};
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
    /// Where the texts can be changed, if that is running too.
    pub workbench: Option<String>,
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
            .route("/api/events", post(send).route_layer(middleware::from_fn(json_only)))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn(own_names_only))
            .with_state(self);
        axum::serve(listener, router).await
    }
}

async fn state(State(page): State<Page>) -> Json<Value> {
    let outcomes = page.sandbox.locked(|inbox| inbox.outcomes.all());
    Json(
        json!({"brand": page.brand, "workbench": page.workbench, "sms": page.sandbox.sms(), "mail": page.sandbox.mail(), "events": outcomes}),
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

async fn send(State(page): State<Page>, body: Bytes) -> Json<Value> {
    Json((page.send)(body.to_vec()).await)
}
