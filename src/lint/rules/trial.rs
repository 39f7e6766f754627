//! A house with one event type, in which a rule is tried.

use serde_json::{Value, json};

use super::super::walk::sightings;
use super::super::{Check, Premises, Rule};
use crate::assets::Files;
use crate::config::Config;
use crate::event::{Catalog, RawEvent, decode};
use crate::example::{envelope, extremes, on_every_channel};
use crate::template::{RenderError, TemplateSet};

pub const SMS: &str = "ja/t.x/sms.hbs";
pub const HTML: &str = "ja/t.x/email.html.hbs";

/// `note`, `how`, `previous` and `previous.old` may be missing.
fn schema() -> Value {
    let text = json!({"type": "string", "minLength": 1, "maxLength": 8});
    let account = json!({"type": "object", "required": ["bank"], "properties": {"bank": text}});
    let mut previous = account.clone();
    previous["properties"]["old"] = text.clone();
    json!({
        "type": "object", "required": ["recipient", "amount", "kind", "list", "rows", "account"],
        "properties": {
            "recipient": {"type": "object", "required": ["user_id"], "properties": {"user_id": text}},
            "amount": {"type": "integer", "minimum": 1, "maximum": 999}, "note": text,
            "kind": {"enum": ["a", "b", "c"]}, "how": {"enum": ["x", "y"]},
            "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"enum": ["x", "phone"]}},
            "rows": {"type": "array", "maxItems": 2, "items": account}, "account": account, "previous": previous
        },
        "examples": [whole(), whole()]
    })
}

fn whole() -> Value {
    json!({"recipient": {"user_id": "U"}, "amount": 1, "kind": "a", "list": ["x"], "rows": [], "account": {"bank": "b"}})
}

fn house(schema: &Value, files: &[(&str, &str)]) -> (Catalog, TemplateSet) {
    let policy = "[\"t.x\"]\nlane = \"standard\"\nchannels = \"auto\"\nemail_to = \"auth\"\nuser_may_choose = true\n\
                  user_may_mute = false\nfallback = true\nmax_age = \"6h\"\n";
    let config = [("events.toml", policy.to_owned()), ("schemas/t.x.json", schema.to_string())];
    let catalog = Catalog::load(&config.map(|(name, text)| (name.to_owned(), text)).into_iter().collect());
    let catalog = catalog.unwrap_or_else(|problems| panic!("{problems:?}"));
    let parts =
        ["sms", "email.subject", "email.txt", "email.html"].map(|part| (format!("ja/t.x/{part}.hbs"), "文"));
    let parts = parts.iter().map(|(name, text)| (name.as_str(), *text)).chain(files.iter().copied());
    let parts: std::collections::BTreeMap<_, _> = parts.collect();
    let files: Files = parts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let set = TemplateSet::load(&files, &catalog).unwrap_or_else(|problems| panic!("{problems:?}"));
    (catalog, set)
}

/// What a rule finds in a set of the given files over parts that are in order: `path:line:column: what; mend`.
pub fn trial(rule: &Rule, files: &[(&str, &str)]) -> Vec<String> {
    trial_with(rule, &schema(), files)
}

/// The same with another schema.
pub fn trial_with(rule: &Rule, schema: &Value, files: &[(&str, &str)]) -> Vec<String> {
    let (catalog, set) = house(schema, files);
    let config = Config::built_in();
    let premises = Premises {
        catalog: &catalog,
        brand: &config.brand,
        sms: &config.sms,
        config: &config.templates.check,
    };
    let found = match rule.check {
        Check::Set(check) => check(&premises, &set),
        Check::Names(check) => check(&sightings(&premises, &set)),
        _ => panic!("{} looks at messages", rule.name),
    };
    let line = |found: super::super::Found| {
        let place = found.place.to_string();
        let place = place.strip_prefix("given/").unwrap_or(&place);
        format!("{place}: {}; {}", found.what, found.mend)
    };
    found.into_iter().map(line).collect()
}

/// Whether every extreme of the schema renders, and the longest also without each field that may be missing.
pub fn renders(files: &[(&str, &str)]) -> Result<(), String> {
    let (catalog, set) = house(&schema(), files);
    let now = "2026-11-22T06:05:00Z".parse().expect("a time");
    let kind = catalog.get("t.x").expect("the type");
    for data in with_gaps(extremes::of(&kind.schema).data) {
        let event = RawEvent::structured(envelope(kind, "1", now, &data).to_string());
        let event = decode(&event, &catalog, now).expect("fits");
        let notifications: Vec<_> =
            on_every_channel(&event, &[], now).into_iter().map(|one| one.notification).collect();
        match set.render(&event, &notifications, &Config::built_in().brand) {
            // Of a text that is only a condition, nothing may be left.
            Ok(_) | Err(RenderError::Empty { .. }) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

fn with_gaps(extremes: Vec<(String, Value)>) -> Vec<Value> {
    let mut all = Vec::new();
    for (_, data) in extremes {
        for gap in ["", "/note", "/how", "/previous", "/previous/old"] {
            let (owner, name) = gap.rsplit_once('/').unwrap_or_default();
            let mut data = data.clone();
            if let Some(owner) = data.pointer_mut(owner).and_then(Value::as_object_mut) {
                owner.remove(name);
            }
            all.push(data);
        }
    }
    all
}
