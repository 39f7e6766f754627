//! The wording in use: as a page for programs, and as a metric.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Admin;
use crate::wording::Wording;

/// `GET /templates`: version and every file of the set in use, from which `preview --diff` tells what a change would do. No
/// personal data is in it.
pub(super) async fn in_use(State(admin): State<Admin>) -> Json<Value> {
    let set = admin.wording.current();
    let files: BTreeMap<&str, &str> = set.files().iter().collect();
    Json(json!({ "version": set.version(), "files": files }))
}

/// The version in use as the one series of its name, and whether another set lies on disk that was refused. Not through the
/// recorder: that would keep the series of earlier versions, and be a moment behind what `/readyz` says.
pub(super) fn series(wording: &Wording) -> String {
    let set = wording.current();
    let (version, refused) = (set.version(), u8::from(wording.refusal().is_some()));
    format!(
        "# HELP shirase_template_version The version of the templates in use\n\
         # TYPE shirase_template_version gauge\n\
         shirase_template_version{{version=\"{version}\"}} 1\n\n\
         # HELP shirase_template_refused The templates on disk have a mistake and are not in use\n\
         # TYPE shirase_template_refused gauge\n\
         shirase_template_refused {refused}\n\n"
    )
}
