//! What nobody may see: values that stand nowhere but in the events, and the search for them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shirase::assets::Files;
use shirase::event::Catalog;

use crate::events::now;

/// Parts of the values below, none of which anything else would hold by chance.
const MARKS: [&str; 9] =
    ["zqx", "秘匿", "77788877", "7778-8877", "7778887", "8887778", "203.0.113.177", "7887-7787", "78877787"];

/// A marked event of every type of the catalog for each `n` of the count: its first example, every value of it changed.
pub fn marked_events(count: usize) -> Vec<Value> {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let of = |n: usize| {
        let kinds: Vec<_> = catalog.iter().collect();
        kinds.into_iter().map(move |kind| {
            let mut data = kind.schema.examples()[n % kind.schema.examples().len()].clone();
            mark(&mut data, "");
            data["recipient"] = recipient();
            json!({
                "specversion": "1.0", "id": format!("{}-{n}", kind.name), "source": "/privacy",
                "type": kind.name, "time": now().to_string(), "data": data
            })
        })
    };
    (0..count).flat_map(of).collect()
}

fn recipient() -> Value {
    json!({
        "user_id": "U-zqx", "name": "秘匿 太郎", "phone": "090-7778-8877", "email": "zqx.taro@example.jp",
        "auth_email": "auth.zqx@example.jp", "settings": {"channel": "both"}
    })
}

/// Changes every value that a schema leaves free.
fn mark(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| mark(value, name)),
        Value::Array(values) => values.iter_mut().for_each(|value| mark(value, name)),
        Value::String(text) => {
            if let Some(marked) = marked(name) {
                *text = marked.to_owned();
            }
        }
        Value::Number(_) if name == "amount" => *value = json!(77_788_877),
        Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

fn marked(name: &str) -> Option<&'static str> {
    Some(match name {
        "phone" | "line" => "080-7887-7787",
        "email" => "old.zqx@example.jp",
        "account_number" => "7778887",
        "code" => "8887778",
        "ip" => "203.0.113.177",
        "bank" => "秘匿銀行",
        "location" => "秘匿県",
        "name" | "os" | "os_version" | "browser" | "browser_version" | "service" | "reference" => "zqx 1",
        _ => return None,
    })
}

/// What is no event, or none that fits; each holds marks where it can.
pub fn marked_bad_events() -> Vec<Vec<u8>> {
    let good = marked_events(1).remove(0);
    let changed = |pointer: &str, value: Value| {
        let mut event = good.clone();
        *event.pointer_mut(pointer).expect("in the event") = value;
        event.to_string().into_bytes()
    };
    vec![
        b"zqx 090-7778-8877".to_vec(),
        good.to_string().into_bytes()[..200].to_vec(),
        changed("/type", json!("zqx@example.jp")),
        changed("/time", json!("秘匿")),
        changed("/source", json!(["090-7778-8877"])),
        changed("/data", json!("秘匿")),
        changed("/data/recipient", json!({"user_id": "U-zqx", "phone": {"zqx": "秘匿"}})),
        changed(
            "/data/recipient",
            json!({"user_id": "U-zqx", "settings": {"by_type": {"zqx@秘匿": "秘匿"}}}),
        ),
        changed("/data/recipient", json!({"user_id": "U-zqx", "phone": "03-7778-8877", "email": "zqx"})),
    ]
}

/// Finds a mark in a text, as it is or as programs write it: escaped in JSON, in percent, in upper case.
pub fn find(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let forms = MARKS.iter().flat_map(|mark| {
        let escaped: String = mark.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let percent = utf8_percent_encode(mark, NON_ALPHANUMERIC).to_string().to_lowercase();
        [(*mark).to_owned(), escaped, percent]
    });
    let found = forms.into_iter().find(|form| lower.contains(form.as_str()))?;
    let line = lower.lines().find(|line| line.contains(&found)).unwrap_or_default();
    Some(format!("{found:?} in {line}"))
}

#[track_caller]
pub fn assert_none(text: &str, place: &str) {
    assert!(!text.is_empty(), "{place} is empty: nothing was searched");
    let found = find(text);
    assert!(found.is_none(), "{place} holds {}", found.unwrap_or_default());
}
