//! What a sender's data may not do to a text: break a line (and with it a header), turn the reading direction, or
//! smuggle in a link. A device's name is chosen by whoever logs in, and may be chosen by a thief.

use std::net::Ipv4Addr;
use std::ops::Range;

use serde_json::Value;

use super::character::is_invisible;
use super::link::{is_wide_dot, links};
use crate::event::EmailAddress;

/// Makes every string of an event's data safe to stand in a text.
pub fn sanitize(data: &mut Value) {
    match data {
        Value::String(text) => replace(text, false),
        Value::Array(items) => items.iter_mut().for_each(sanitize),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    // Addresses are shown masked, by a helper that has to be able to read them.
                    Value::String(text) if matches!(name.as_str(), "email" | "auth_email") => {
                        replace(text, true)
                    }
                    value => sanitize(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Makes one text safe to stand in another, after a helper has changed its characters: `．` is not a link's dot, `.` is.
pub fn sanitized(mut text: String) -> String {
    replace(&mut text, false);
    text
}

fn replace(text: &mut String, is_address: bool) {
    let is_address = is_address && EmailAddress::parse(text).is_ok();
    if let Some(safe) = safe(text, is_address) {
        *text = safe;
    }
}

/// The text without control and direction characters and with links broken up; `None` when it is safe as it is.
fn safe(text: &str, is_address: bool) -> Option<String> {
    let hidden = text.chars().any(is_hidden);
    let visible = |c: char| if c.is_control() || is_line_break(c) { ' ' } else { c };
    let plain: Option<String> =
        hidden.then(|| text.chars().map(visible).filter(|c| !is_hidden(*c)).collect());
    // Only now: what is hidden may stand in the middle of a link.
    let text = plain.as_deref().unwrap_or(text);
    let linked = has_scheme(text) || has_host_path(text) || has_link(text);
    if linked && !is_address { Some(break_links(text)) } else { plain }
}

fn is_line_break(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// Control characters, line separators, direction marks, zero-width characters; what emoji are joined with stays.
fn is_hidden(c: char) -> bool {
    let joins = matches!(c, '\u{200D}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E01EF}');
    c.is_control() || is_line_break(c) || (is_invisible(c) && !joins)
}

fn has_scheme(text: &str) -> bool {
    text.contains("://")
}

/// An IP address with a path or port behind it.
fn has_host_path(text: &str) -> bool {
    if !text.contains(['/', ':']) {
        return false;
    }
    let host =
        |word: &str| word.split(['/', ':']).next().map(str::to_owned).filter(|host| host.len() < word.len());
    text.split_whitespace().filter_map(host).any(|host| host.parse::<Ipv4Addr>().is_ok())
}

fn has_link(text: &str) -> bool {
    text.contains(|c| c == '.' || is_wide_dot(c)) && !link_dots(text).is_empty()
}

/// Where dots make links: what phones turn into something to tap.
fn link_dots(text: &str) -> Vec<usize> {
    let mut dots: Vec<usize> = plain_dots(text).collect();
    if text.contains(is_wide_dot) {
        let wide = |link: Range<usize>| {
            let dots = text[link.clone()].match_indices(is_wide_dot).map(move |(at, _)| link.start + at);
            dots.collect::<Vec<_>>()
        };
        dots.extend(links(text).into_iter().flat_map(|link| wide(link.range)));
        dots.sort_unstable();
    }
    dots
}

/// Dots between a letter or digit and a label that begins with a letter, wider than [`links`]: a space too many in a value does
/// no harm. Version numbers and IP addresses have none.
fn plain_dots(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices('.').map(|(dot, _)| dot).filter(|dot| {
        let before = text[..*dot].chars().next_back().is_some_and(char::is_alphanumeric);
        let mut label = text[dot + 1..].chars();
        before
            && label.next().is_some_and(char::is_alphabetic)
            && label.next().is_some_and(char::is_alphanumeric)
    })
}

/// Schemes go, and a space follows each dot that makes a link, or every dot where something else says that it is one: still
/// readable, nothing to tap.
fn break_links(text: &str) -> String {
    let every_dot = has_scheme(text) || has_host_path(text);
    let mut broken = without_schemes(text);
    let mut dots = link_dots(&broken);
    if every_dot {
        dots.extend(broken.match_indices('.').map(|(dot, _)| dot));
        dots.sort_unstable();
        dots.dedup();
    }
    for dot in dots.into_iter().rev() {
        let behind = broken[dot..].chars().next().map_or(0, char::len_utf8);
        broken.insert(dot + behind, ' ');
    }
    broken
}

fn without_schemes(text: &str) -> String {
    let scheme =
        |part: &str| part.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c)).len();
    let mut parts: Vec<&str> = text.split("://").collect();
    let last = parts.pop().unwrap_or_default();
    parts.iter().map(|part| &part[..scheme(part)]).chain([last]).collect()
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
        for (text, safe) in [
            ("http://evil.example.com/x", "evil. example. com/x"),
            ("see HTTPS://203.0.113.7/login", "see 203. 0. 113. 7/login"),
            ("http://localhost/x", "localhost/x"),
            ("203.0.113.7/login", "203. 0. 113. 7/login"),
            ("evil.jp/login?x=@a.jp", "evil. jp/login?x=@a. jp"),
            ("evil.jp", "evil. jp"),
            ("evil.xn--q9jyb4c", "evil. xn--q9jyb4c"),
            ("evil.example", "evil. example"),
            ("evil．jp", "evil． jp"),
            ("evil。jp", "evil。 jp"),
            ("ｗｗｗ．ｅｖｉｌ．ｊｐ", "ｗｗｗ． ｅｖｉｌ． ｊｐ"),
            ("evil\u{202E}.j\u{200B}p", "evil. jp"),
        ] {
            assert_eq!(cleaned(text), safe);
        }
    }

    #[test]
    fn versions_addresses_and_masks_stay_as_they_are() {
        for text in [
            "18.1.1",
            "Chrome 131.0.6778.70",
            "203.0.113.7",
            "2001:db8::1",
            "Android 15.",
            "Ver.2",
            "東京。大阪",
            "👨\u{200D}👩",
        ] {
            assert_eq!(cleaned(text), text);
        }
    }

    #[test]
    fn an_address_stays_readable_for_its_mask_and_nowhere_else() {
        let mut data = json!({"previous": {"email": "old@example.jp"}, "device": {"name": "old@example.jp"}});
        sanitize(&mut data);
        assert_eq!(data["previous"]["email"], "old@example.jp");
        assert_eq!(data["device"]["name"], "old@example. jp");
    }

    proptest! {
        #[test]
        fn no_data_brings_a_line_break_into_a_text(text in any::<String>()) {
            let cleaned = cleaned(&text);
            prop_assert!(!cleaned.chars().any(is_hidden));
            prop_assert!(!has_link(&cleaned) && !has_scheme(&cleaned));
        }
    }
}
