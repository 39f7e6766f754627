//! The wording in use, as a page for programs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Admin;

/// `GET /templates`: version and every file of the set in use, from which `preview --diff` tells what a change would do. No
/// personal data is in it.
pub(super) async fn in_use(State(admin): State<Admin>) -> Json<Value> {
    let set = admin.wording.current();
    let files: BTreeMap<&str, &str> = set.files().iter().collect();
    Json(json!({ "version": set.version(), "files": files }))
}
