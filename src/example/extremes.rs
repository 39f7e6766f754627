//! The shortest and the longest data that a schema allows.

use serde_json::Value;

use crate::event::EventSchema;

/// Names and data.
pub(super) fn of(_schema: &EventSchema) -> Vec<(String, Value)> {
    Vec::new()
}
