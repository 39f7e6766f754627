//! The list of metrics in docs/metrics.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use shirase::telemetry::{Kind, METRICS};

use super::LIST;

/// Above the table.
const MARK: &str = "cargo test --test quick monitoring -->\n";

fn table() -> String {
    let mut table = "\n| metric | kind | labels | what it is |\n|---|---|---|---|\n".to_owned();
    for metric in METRICS {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind, labels, help) = (metric.name, kind(metric.kind), labels.join(", "), metric.help);
        writeln!(table, "| `{name}` | {kind} | {labels} | {help} |").expect("a string");
    }
    table
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Counter => "counter".to_owned(),
        Kind::Gauge | Kind::AtScrape => "gauge".to_owned(),
        Kind::Histogram(bounds) => {
            let bounds: Vec<_> = bounds.iter().map(f64::to_string).collect();
            format!("histogram: {}", bounds.join(", "))
        }
    }
}

#[test]
fn the_documented_list_is_the_registry() {
    let (before, found) = LIST.split_once(MARK).expect("the mark above the table");
    let table = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        fs::write(file, format!("{before}{MARK}{table}")).expect("our own file");
        return;
    }
    let difference = table.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert_eq!(found, table, "first difference: {difference:?}; mend with UPDATE_DOCS=1");
}
