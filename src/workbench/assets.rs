//! The page's own files: in the binary, and nothing from anywhere else.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::routing::get;

use super::Workbench;

/// Scripts come from our files alone. Styles may stand in the page: the mails' HTML, shown in sandboxed frames that inherit
/// this, is made of them. Nothing is ever loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
                      img-src data:; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, kind and text of each file.
const ASSETS: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("page.html")),
    ("/page.css", CSS, include_str!("page.css")),
    ("/narrow.css", CSS, include_str!("narrow.css")),
    ("/page.js", JAVASCRIPT, include_str!("page.js")),
    ("/dom.js", JAVASCRIPT, include_str!("dom.js")),
    ("/words.js", JAVASCRIPT, include_str!("words.js")),
    ("/state.js", JAVASCRIPT, include_str!("state.js")),
    ("/list.js", JAVASCRIPT, include_str!("list.js")),
    ("/editor.js", JAVASCRIPT, include_str!("editor.js")),
    ("/diff.js", JAVASCRIPT, include_str!("diff.js")),
    ("/preview.js", JAVASCRIPT, include_str!("preview.js")),
    ("/mail.js", JAVASCRIPT, include_str!("mail.js")),
    ("/saving.js", JAVASCRIPT, include_str!("saving.js")),
];

pub(super) fn routes() -> Router<Workbench> {
    ASSETS.iter().fold(Router::new(), |router, (path, kind, text)| {
        let headers = [
            (CONTENT_TYPE, *kind),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            // After an update of the binary an old script would meet a new API.
            (CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(async move || (headers, *text)))
    })
}

#[cfg(test)]
mod tests {
    use crate::lint::RULES;

    #[test]
    fn the_page_can_explain_every_rule_in_japanese() {
        let words = include_str!("words.js");
        for rule in RULES {
            assert!(words.contains(&format!("\n  '{}': ['", rule.name)), "words.js lacks {}", rule.name);
        }
    }
}
