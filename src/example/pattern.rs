//! Strings that a regular expression of a schema matches, as short and as long as it allows.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};
use regex_syntax::parse;

/// Stands for any character: wide, in every alphabet of Japanese routes, and nothing that a link is made of.
pub(super) const FILLER: char = '国';

/// What to take of a class of characters, the best first: wide ones are the worst case of a text.
const PREFERRED: [char; 6] = [FILLER, 'ア', 'W', 'w', '0', '-'];

/// A string of about `length` characters that holds a match of the pattern: longer where the pattern needs more, shorter
/// where it allows no more. Nothing where the pattern is beyond what Rust's regular expressions know.
pub(super) fn matching(pattern: &str, length: usize) -> Option<String> {
    let hir = parse(&ascii_classes(pattern)).ok()?;
    let mut text = longest(&hir, length)?;
    if !hir.properties().look_set_suffix().contains(Look::End) {
        let missing = length.saturating_sub(text.chars().count());
        text.extend(std::iter::repeat_n(FILLER, missing));
    }
    Some(text)
}

/// JSON Schema's regular expressions are those of ECMA 262, where these are ASCII alone.
fn ascii_classes(pattern: &str) -> String {
    pattern.replace(r"\d", "[0-9]").replace(r"\w", "[A-Za-z0-9_]")
}

/// As long as it can be within `length`; never shorter than it has to be.
fn longest(hir: &Hir, length: usize) -> Option<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(String::new()),
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        HirKind::Class(class) => pick(class).map(String::from),
        HirKind::Capture(capture) => longest(&capture.sub, length),
        HirKind::Repetition(repetition) => repeated(repetition, length),
        HirKind::Concat(parts) => joined(parts, length),
        HirKind::Alternation(ways) => {
            let fits = |text: &String| text.chars().count() <= length;
            let texts: Vec<String> = ways.iter().filter_map(|way| longest(way, length)).collect();
            let size = |text: &&String| text.chars().count();
            let best = texts.iter().filter(|text| fits(text)).max_by_key(size);
            best.or_else(|| texts.iter().min_by_key(size)).cloned()
        }
    }
}

fn repeated(repetition: &Repetition, length: usize) -> Option<String> {
    let mut text = String::new();
    let most = repetition.max.map_or(length, |most| most as usize);
    for count in 0..most.max(repetition.min as usize) {
        let more = longest(&repetition.sub, length.saturating_sub(text.chars().count()))?;
        let fits = text.chars().count() + more.chars().count() <= length;
        if count >= repetition.min as usize && (!fits || more.is_empty()) {
            break;
        }
        text.push_str(&more);
    }
    Some(text)
}

/// The first part takes what the others do not need.
fn joined(parts: &[Hir], length: usize) -> Option<String> {
    let mut text = String::new();
    for (index, part) in parts.iter().enumerate() {
        let needed: usize = parts[index + 1..].iter().map(least).sum();
        text.push_str(&longest(part, length.saturating_sub(text.chars().count() + needed))?);
    }
    Some(text)
}

/// Characters that a part has at least; bytes would count too many.
fn least(part: &Hir) -> usize {
    longest(part, 0).map_or(0, |text| text.chars().count())
}

fn pick(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else { return None };
    let has = |c: &char| class.iter().any(|range| (range.start()..=range.end()).contains(c));
    PREFERRED.into_iter().find(has).or_else(|| class.iter().next().map(|range| range.start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_gives_its_shortest_and_its_longest_match() {
        for (pattern, least, most) in [
            ("^[0-9]{4,8}$", "0000", "00000000"),
            (r"^W-\d+$", "W-0", "W-0000000000"),
            ("^(ab|c)*$", "", "abababababab"),
            ("^.+様$", "国様", "国国国国国国国国国国国様"),
            ("^[a-z]", "w", "w国国国国国国国国国国国"),
        ] {
            let short = matching(pattern, 0).expect("known");
            let long = matching(pattern, 12).expect("known");
            assert_eq!((short.as_str(), long.as_str()), (least, most), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_beyond_rusts_expressions_gives_nothing() {
        assert_eq!(matching("^(?=a)b", 4), None);
    }
}
