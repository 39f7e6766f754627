//! What a sender's data may not do to a text: break a line (and with it a header), turn the reading direction, or
//! smuggle in a link. A device's name is chosen by whoever logs in, and may be chosen by a thief.

use serde_json::Value;

use crate::event::EmailAddress;

/// Makes every string of an event's data safe to stand in a text.
pub fn sanitize(data: &mut Value) {
    match data {
        Value::String(text) => {
            if let Some(safe) = safe(text) {
                *text = safe;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sanitize),
        Value::Object(fields) => fields.values_mut().for_each(sanitize),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text without control and direction characters and with links broken up; `None` when it is safe as it is.
fn safe(text: &str) -> Option<String> {
    let hidden = text.chars().any(is_hidden);
    let linked = text.contains('.') && has_link(text) && EmailAddress::parse(text).is_err();
    if !hidden && !linked {
        return None;
    }
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() || is_line_break(c) { ' ' } else { c })
        .filter(|c| !is_hidden(*c))
        .collect();
    Some(if linked { break_links(&plain) } else { plain })
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Control characters, line separators, direction overrides and isolates.
fn is_hidden(c: char) -> bool {
    c.is_control() || is_line_break(c) || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A dot between a letter or digit and a label of two or more letters: what phones turn into something to tap.
/// Version numbers and IP addresses are not.
fn has_link(text: &str) -> bool {
    link_dots(text).next().is_some()
}

fn link_dots(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices('.').map(|(dot, _)| dot).filter(|dot| {
        let before = text[..*dot].chars().next_back().is_some_and(char::is_alphanumeric);
        let label: Vec<char> =
            text[dot + 1..].chars().take_while(|c| c.is_alphanumeric() || *c == '-').collect();
        before && label.len() >= 2 && label.iter().all(|c| c.is_alphabetic() || *c == '-')
    })
}

/// A space after each dot that makes a link: still readable, nothing to tap.
fn break_links(text: &str) -> String {
    let mut broken = text.to_owned();
    let dots: Vec<_> = link_dots(text).collect();
    for dot in dots.into_iter().rev() {
        broken.insert(dot + 1, ' ');
    }
    broken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn cleaned(text: &str) -> String {
        let mut value = json!({"device": {"name": [text]}});
        sanitize(&mut value);
        value["device"]["name"][0].as_str().expect("text").to_owned()
    }

    #[test]
    fn line_breaks_control_and_direction_characters_become_harmless() {
        assert_eq!(cleaned("iPhone\r\nBcc: x"), "iPhone  Bcc: x");
        assert_eq!(cleaned("a\u{2028}b\u{202E}c\u{0}"), "a bc ");
        assert_eq!(cleaned("山田 太郎"), "山田 太郎");
    }

    #[test]
    fn a_link_in_a_device_name_is_nothing_to_tap() {
        assert_eq!(cleaned("http://evil.example.com/x"), "http://evil. example. com/x");
        assert_eq!(cleaned("evil.jp"), "evil. jp");
    }

    #[test]
    fn versions_addresses_and_masks_stay_as_they_are() {
        for text in [
            "18.1.1",
            "Chrome 131.0.6778.70",
            "203.0.113.7",
            "2001:db8::1",
            "taro@example.jp",
            "Android 15.",
            "Ver.2",
        ] {
            assert_eq!(cleaned(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_data_brings_a_line_break_into_a_text(text in any::<String>()) {
            let cleaned = cleaned(&text);
            prop_assert!(!cleaned.chars().any(is_hidden));
        }
    }
}
