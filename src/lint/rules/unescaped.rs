//! HTML escapes every value.

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity};
use crate::template::{Place, TemplateSet};

pub const RULE: Rule = Rule {
    name: "unescaped",
    severity: Severity::Error,
    about: "no {{{…}}} and no {{& …}} in what becomes HTML: a value could bring tags of its own",
    check: Check::Set(check),
};

fn check(_: &Premises<'_>, set: &TemplateSet) -> Vec<Found> {
    let files = set.files().iter().filter(|(path, _)| becomes_html(path));
    let found = files.flat_map(|(path, text)| {
        let file = Place::file(path, &set.files().place(path));
        unescaped(text).into_iter().map(move |at| file.at(1, 1).behind(&text[..at]))
    });
    found.map(|place| Found::new(place, "shows a value without escaping it", "write {{…}}")).collect()
}

/// A partial without `.txt` belongs to HTML, too.
fn becomes_html(path: &str) -> bool {
    path.ends_with("/email.html.hbs") || (path.contains("/_partials/") && !path.ends_with(".txt.hbs"))
}

/// Where tags that do not escape begin.
fn unescaped(text: &str) -> Vec<usize> {
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find("{{").map(|found| at + found) {
        let tag = text[begin + 2..].trim_start_matches('~');
        let (end, escapes) = match tag {
            // `\{{` and `{{{{raw}}}}` show braces as they stand.
            _ if text[..begin].ends_with('\\') => ("}}", true),
            tag if tag.starts_with("{{") => ("}}}}", true),
            tag if tag.starts_with("!--") => ("--", true),
            tag => ("}}", !tag.starts_with(['{', '&'])),
        };
        if !escapes {
            all.push(begin);
        }
        let inside = begin + 2 + if end == "--" { "!--".len() } else { 0 };
        at = text[inside..].find(end).map_or(text.len(), |found| inside + found + end.len());
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, TEXT};
    use super::*;

    #[test]
    fn escaped_values_pass_and_unescaped_ones_fail_in_html_alone() {
        let house = House::new(json!({"x": "<b>"}));
        let good = "<p>{{x}} {{~x~}} {{!-- {{{x}}} --}} {{! {x} }}</p>";
        assert_eq!(house.findings(&RULE, &[(HTML, good), (TEXT, "{{{x}}}{{&x}}")]), [""; 0]);
        for bad in ["{{{x}}}", "{{~{x}~}}", "{{&x}}", "{{& x}}"] {
            let found = house.findings(&RULE, &[(HTML, &format!("<p>\n {bad}</p>"))]);
            assert!(found.len() == 1 && found[0].starts_with(&format!("{HTML}:2:2:")), "{bad}: {found:?}");
        }
        let partial = |name| House::new(json!({"x": "<b>"})).findings(&RULE, &[(name, "{{{x}}}")]).len();
        assert_eq!((partial("ja/_partials/a.hbs"), partial("ja/_partials/a.txt.hbs")), (1, 0));
    }
}
