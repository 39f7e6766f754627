//! `GET /metrics`.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Admin;
use crate::telemetry::METRICS;
use crate::wording::Wording;

/// What the recorder has, and what is only known now.
pub(super) async fn page(State(admin): State<Admin>) -> Response {
    admin.metrics.run_upkeep();
    let metrics = admin.metrics.render() + &at_scrape(&admin.wording);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics).into_response()
}

/// The running version, the version of the templates in use as the one series of its name, and whether another set lies on
/// disk that was refused. Not through the recorder: that would keep the series of earlier versions, and be a moment behind
/// what `/readyz` says.
fn at_scrape(wording: &Wording) -> String {
    let mut page = String::new();
    let refused = u8::from(wording.refusal().is_some());
    add(&mut page, "shirase_template_version", Some(wording.current().version()), 1);
    add(&mut page, "shirase_template_refused", None, refused);
    add(&mut page, "shirase_build_info", Some(env!("CARGO_PKG_VERSION")), 1);
    page
}

/// Versions are hexadecimal or numbers with dots: nothing to escape.
fn add(page: &mut String, name: &str, version: Option<&str>, value: u8) {
    let help = METRICS.iter().find(|metric| metric.name == name).map_or("", |metric| metric.help);
    let labels = version.map(|version| format!("{{version=\"{version}\"}}")).unwrap_or_default();
    // Writing to a text cannot fail.
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} gauge\n{name}{labels} {value}\n");
}
