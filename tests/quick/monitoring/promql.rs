//! What of PromQL can be held against a list of metrics without parsing it as a whole.

use std::collections::BTreeSet;

/// A series with what is asked of its labels: `name{label="value",…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector<'a> {
    pub name: &'a str,
    /// Label and value, which may be a pattern.
    pub matchers: Vec<(&'a str, &'a str)>,
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// The names that begin so, wherever they stand in a text.
pub fn names<'a>(text: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let words = text.split(|c| !in_name(c));
    words.filter(|word| word.starts_with(prefix) && word.len() > prefix.len()).collect()
}

/// The series of ours that are asked for by their labels.
pub fn selectors(text: &str) -> Vec<Selector<'_>> {
    let mut found = Vec::new();
    for (open, _) in text.match_indices('{') {
        let name = text[..open].rsplit(|c| !in_name(c)).next().unwrap_or_default();
        let Some(body) = text[open + 1..].split('}').next().filter(|_| name.starts_with("shirase")) else {
            continue;
        };
        let matchers = body.split(',').filter_map(|matcher| {
            let label = matcher[..matcher.find(['=', '!'])?].trim();
            Some((label, matcher.split('"').nth(1)?))
        });
        found.push(Selector { name, matchers: matchers.collect() });
    }
    found
}

/// The labels by which something is grouped or joined.
pub fn grouping(text: &str) -> BTreeSet<&str> {
    let mut labels = BTreeSet::new();
    for word in ["by (", "on (", "without (", "ignoring (", "group_left (", "group_right ("] {
        let begins = |(at, _): &(usize, &str)| !text[..*at].ends_with(in_name);
        for (at, _) in text.match_indices(word).filter(begins) {
            let list = text[at + word.len()..].split(')').next().unwrap_or_default();
            labels.extend(list.split(',').map(str::trim).filter(|label| !label.is_empty()));
        }
    }
    labels
}

#[test]
fn names_selectors_and_grouping_are_found_where_they_stand() {
    let text =
        r#"sum by (lane, le) (rate(shirase_a_bucket{lane="critical",reason=~"x|y"}[5m])) / shirase:b:rate5m"#;
    assert_eq!(names(text, "shirase_"), BTreeSet::from(["shirase_a_bucket"]));
    assert_eq!(names(text, "shirase:"), BTreeSet::from(["shirase:b:rate5m"]));
    assert_eq!(grouping(text), BTreeSet::from(["lane", "le"]));
    let matchers = vec![("lane", "critical"), ("reason", "x|y")];
    assert_eq!(selectors(text), [Selector { name: "shirase_a_bucket", matchers }]);
    assert!(selectors("{{ $labels.lane }}").is_empty());
    assert!(grouping("the reason (in words)").is_empty());
}
