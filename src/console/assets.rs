//! The page's own files: in the binary, and nothing from anywhere else.

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::Console;
use crate::admin;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// After an update of the binary an old script would meet a new server.
const ALWAYS_ASK: &str = "no-cache";

const PAGE: &str = include_str!("page.html");

/// Name, kind and text of each file beside the page.
const ASSETS: &[(&str, &str, &str)] = &[
    ("cases.css", CSS, include_str!("cases.css")),
    ("page.css", CSS, include_str!("page.css")),
    ("picture.css", CSS, include_str!("picture.css")),
    ("api.js", JAVASCRIPT, include_str!("api.js")),
    ("charts.js", JAVASCRIPT, include_str!("charts.js")),
    ("dead.js", JAVASCRIPT, include_str!("dead.js")),
    ("dialogs.js", JAVASCRIPT, include_str!("dialogs.js")),
    ("dom.js", JAVASCRIPT, include_str!("dom.js")),
    ("format.js", JAVASCRIPT, include_str!("format.js")),
    ("gateways.js", JAVASCRIPT, include_str!("gateways.js")),
    ("live.js", JAVASCRIPT, include_str!("live.js")),
    ("page.js", JAVASCRIPT, include_str!("page.js")),
    ("parts.js", JAVASCRIPT, include_str!("parts.js")),
    ("reasons.js", JAVASCRIPT, include_str!("reasons.js")),
    ("search.js", JAVASCRIPT, include_str!("search.js")),
    ("state.js", JAVASCRIPT, include_str!("state.js")),
    ("story.js", JAVASCRIPT, include_str!("story.js")),
    ("strip.js", JAVASCRIPT, include_str!("strip.js")),
    ("tones.js", JAVASCRIPT, include_str!("tones.js")),
    ("traffic.js", JAVASCRIPT, include_str!("traffic.js")),
    ("verdict.js", JAVASCRIPT, include_str!("verdict.js")),
    ("words.js", JAVASCRIPT, include_str!("words.js")),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_page_and_its_files_ask_for_is_there() {
        let texts = ASSETS.iter().map(|(_, _, text)| *text).chain([PAGE]);
        for text in texts {
            let imported = text.split("from './").skip(1).map(|rest| rest.split('\'').next());
            let linked = text.split("\"/console/assets/").skip(1).map(|rest| rest.split('"').next());
            for name in imported.chain(linked).flatten() {
                assert!(ASSETS.iter().any(|(asset, ..)| *asset == name), "{name} is missing");
            }
        }
    }

    #[test]
    fn nothing_is_loaded_from_anywhere_else_and_nothing_in_the_page_needs_a_weaker_policy() {
        for (name, _, text) in ASSETS {
            assert!(!text.contains("url(http") && !text.contains("import('http"), "{name}");
        }
        assert!(!PAGE.contains(" style=") && !PAGE.contains("<style") && !PAGE.contains(" onclick="));
        assert!(!PAGE.contains("src=\"http") && !PAGE.contains("href=\"http"));
    }
}
