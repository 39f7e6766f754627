//! The dashboard: what it asks, and that it can be read.

use std::collections::BTreeSet;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../../../config/grafana/shirase.json");

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("JSON")
}

fn panels() -> Vec<Value> {
    dashboard()["panels"].as_array().expect("panels").clone()
}

/// Every value of this key, however deep.
fn values(value: &Value, key: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get(key).and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| values(field, key, found));
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, key, found)),
        _ => {}
    }
}

/// All that it asks of Prometheus.
pub fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    values(&dashboard(), "expr", &mut found);
    assert!(found.len() > 20, "{found:?}");
    found
}

/// Its texts for people.
pub fn texts() -> Vec<String> {
    let mut found = Vec::new();
    values(&dashboard(), "content", &mut found);
    found
}

#[test]
fn every_panel_says_what_it_shows_in_which_unit_and_asks_the_chosen_prometheus() {
    let mut ids = BTreeSet::new();
    for panel in panels() {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is another's");
        let place = &panel["gridPos"];
        let side = |name: &str| place[name].as_u64().unwrap_or_else(|| panic!("{title}: no {name}"));
        assert!(side("x") + side("w") <= 24, "{title}: beyond the edge");
        let kind = panel["type"].as_str().expect("a type");
        if kind == "row" {
            continue;
        }
        assert!(!panel["description"].as_str().unwrap_or_default().is_empty(), "{title}: no description");
        if kind == "text" {
            continue;
        }
        assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{title}: no unit");
        assert!(panel["fieldConfig"]["defaults"]["thresholds"]["steps"].is_array(), "{title}: no thresholds");
        for target in panel["targets"].as_array().expect("targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn its_rows_are_the_questions_of_whoever_is_on_call_in_their_order() {
    let rows: Vec<_> = panels().into_iter().filter(|panel| panel["type"] == "row").collect();
    let titles: Vec<_> = rows.iter().filter_map(|row| row["title"].as_str()).collect();
    assert_eq!(titles, ["Are customers being told?", "Which part is at fault?", "What happened?"]);
}
