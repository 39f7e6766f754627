//! A house that names itself must not be called by the sample's English name: what a layer says anew of `[brand]`, the layers
//! below it have translated for somebody else.

use serde_json::Value;

/// Takes out of a merged tree what it says in other locales of these keys of `[brand]`.
pub(super) fn forget_translations<'a>(merged: &mut Value, said_anew: impl Iterator<Item = &'a str>) {
    let Some(locales) = merged.pointer_mut("/brand/locales").and_then(Value::as_object_mut) else { return };
    for key in said_anew {
        let key = key.strip_suffix("_file").unwrap_or(key);
        for own in locales.values_mut().filter_map(Value::as_object_mut) {
            own.remove(key);
            own.remove(&format!("{key}_file"));
        }
    }
}

/// The keys of `[brand]` that a layer has.
pub(super) fn keys(layer: &Value) -> Vec<String> {
    layer["brand"].as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// The key of `[brand]` that a path sets, if it sets one.
pub(super) fn key(path: &[String]) -> Option<&str> {
    match path {
        [section, key] if section == "brand" => Some(key),
        _ => None,
    }
}
