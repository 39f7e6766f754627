//! What the page begins with: files, drafts, event types with their examples, findings.

use serde_json::{Value, json};

use super::save::Refusal;
use super::store::version;
use super::{Bench, TemplatePath};
use crate::assets::Files;
use crate::event::{Event, EventType};
use crate::example;

pub(super) fn overview(bench: &Bench) -> Result<Value, Refusal> {
    let files = bench.store.files()?;
    let drafts = bench.store.drafts()?;
    let types: Vec<Value> = bench.catalog.iter().map(|kind| event_type(bench, kind)).collect();
    Ok(json!({
        "dir": bench.store.dir().map(std::path::absolute).and_then(Result::ok),
        "brand": bench.brand, "types": types, "files": listed(bench, &files), "drafts": listed(bench, &drafts)
    }))
}

/// The files that the page can change; what else lies there is a finding.
fn listed(bench: &Bench, files: &Files) -> Vec<Value> {
    let known = files.iter().filter_map(|(path, text)| {
        let path = TemplatePath::parse(path, &bench.catalog).ok()?;
        Some(json!({
            "path": path, "locale": path.locale(), "type": path.event_type(), "text": text, "version": version(text)
        }))
    });
    known.collect()
}

fn event_type(bench: &Bench, kind: &EventType) -> Value {
    let examples: Vec<Value> = events(bench, kind)
        .iter()
        .map(|(event, extreme)| json!({"id": event.id, "extreme": extreme, "data": event.data}))
        .collect();
    json!({"name": kind.name, "title": kind.schema.title(), "examples": examples})
}

/// A type's examples, and its extremes.
pub(super) fn events(bench: &Bench, kind: &EventType) -> Vec<(Event, bool)> {
    example::all_of_type(kind, &bench.catalog, bench.clock.now())
}
