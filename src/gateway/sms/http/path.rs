//! Where a JSON answer or callback holds something, and what of it may be kept.

use serde_json::Value;

/// What stands at `path`: names separated by dots, list positions as numbers. A name that holds dots itself is found, too.
pub(super) fn find<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    if let Some(found) = body.get(path) {
        return Some(found);
    }
    path.split('.').try_fold(body, |node, part| match node {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        node => node.get(part),
    })
}

/// A text, number or truth value as text.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// An id: text without control characters or a number, 1 to 200 bytes: what stands in a database and on a terminal is text.
pub(super) fn id(value: &Value) -> Option<String> {
    let id = text(value).filter(|_| !value.is_boolean())?;
    ((1..=200).contains(&id.len()) && !id.chars().any(char::is_control)).then_some(id)
}

/// A code as it may stand in a log: letters, digits and `-_.`, too few digits for a phone number.
pub(super) fn code(text: &str) -> Option<&str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    ((1..=32).contains(&text.len()) && text.chars().all(plain) && digits < 8).then_some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_id_is_found_at_its_path() {
        let body = json!({"messages": [{"id": "abc"}], "n": 17, "message_id": "", "a.b": "dots"});
        let found = |path| find(&body, path).and_then(id);
        assert_eq!(found("messages.0.id").as_deref(), Some("abc"));
        assert_eq!(found("n").as_deref(), Some("17"));
        assert_eq!(found("a.b").as_deref(), Some("dots"));
        assert_eq!((found("messages.1.id"), found("message_id"), found("messages")), (None, None, None));
        assert_eq!(id(&json!("a\u{0}b")), None, "no database takes it");
        assert_eq!(id(&json!("i".repeat(201))), None);
    }

    #[test]
    fn a_code_is_short_and_no_phone_number() {
        for text in ["E1021", "21211", "invalid_number", "no-credit", "4.1.1"] {
            assert_eq!(code(text), Some(text));
        }
        for text in ["", "09012345678", "090-1234-5678", "taro@example.jp", "山田", "a b"] {
            assert_eq!(code(text), None, "{text}");
        }
    }
}
