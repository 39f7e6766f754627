//! The page's own files: in the binary, and nothing from anywhere else.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::Console;
use crate::admin;

const HTML: &str = "text/html; charset=utf-8";

/// After an update of the binary an old script would meet a new server.
const ALWAYS_ASK: &str = "no-cache";

const PAGE: &str = include_str!("page.html");

/// Name, kind and text of each file beside the page.
const ASSETS: &[(&str, &str, &str)] = &[];

pub(super) fn routes() -> Router<Console> {
    let router =
        Router::new().route("/", get(page)).route("/console", get(async || Redirect::permanent("/")));
    ASSETS.iter().fold(router, |router, (name, kind, text)| {
        let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, ALWAYS_ASK)];
        router.route(&format!("/console/assets/{name}"), get(async move || (headers, *text)))
    })
}

/// For people the console, for `curl` the list of what there is.
async fn page(headers: HeaderMap) -> Response {
    let accepts = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if accepts.contains("text/html") {
        return ([(CONTENT_TYPE, HTML), (CACHE_CONTROL, ALWAYS_ASK)], PAGE).into_response();
    }
    admin::INDEX.into_response()
}
