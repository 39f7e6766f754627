//! No HTML where text belongs, and HTML that is whole and harmless where HTML belongs.

use super::super::finding::Found;
use super::super::html::{Tag, Token, VOID, reference, tokens};
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{Part, Traced};

pub const RULE: Rule = Rule {
    name: "html",
    severity: Severity::Error,
    about: "no HTML in SMS, subject and text; HTML closes what it opens, in order, and neither runs, asks for nor loads anything: mail programs mend the rest differently, or refuse it",
    check: Check::Message(check),
};

/// Elements that run, ask for or load something.
const REFUSED: [&str; 12] = [
    "applet", "base", "button", "embed", "form", "frame", "frameset", "iframe", "input", "link", "object",
    "script",
];

/// Attributes that load something.
const LOADING: [&str; 5] = ["src", "srcset", "background", "poster", "data"];

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let found = texts.parts().into_iter().flat_map(|(part, text)| match part {
        Part::Html => {
            let tokens = specimen.html().map(|html| html.tokens.as_slice()).unwrap_or_default();
            [nesting(text, tokens), harm(text, tokens)].concat()
        }
        _ => in_text(text),
    });
    found.map(|found| found.shown_by(specimen)).collect()
}

/// Tags and references in what is read as it stands. A value may hold such things: it is shown as it is.
fn in_text(whole: &Traced) -> Vec<Found> {
    let text = whole.text();
    let tags = tokens(text).into_iter().filter_map(|token| match token {
        Token::Open(tag) | Token::Close(tag) => Some((tag.at, "a tag of HTML")),
        Token::Comment(range) => Some((range.start, "a comment of HTML")),
        _ => None,
    });
    let ampersands = text.match_indices('&').filter(|(at, _)| reference(&text[*at..]).is_some());
    let all = tags.chain(ampersands.map(|(at, _)| (at, "a character reference of HTML")));
    let own = all.filter(|(at, _)| whole.is_own(*at));
    own.map(|(at, what)| {
        let end = text[at..].find(['>', ';']).map_or(text.len(), |end| at + end + 1);
        let mend = "it would be read as it stands: remove it, or write the character itself";
        Found::new(whole.place(at), format!("has {what}: {}", &text[at..end]), mend)
    })
    .collect()
}

/// Elements that are not closed, or not in order.
fn nesting(whole: &Traced, tokens: &[Token]) -> Vec<Found> {
    let mut open: Vec<&Tag> = Vec::new();
    let mut all = Vec::new();
    let mut found = |at: usize, what: String, mend: String| all.push(Found::new(whole.place(at), what, mend));
    for token in tokens {
        match token {
            Token::Open(tag) if !VOID.contains(&tag.name.as_str()) => open.push(tag),
            Token::Close(tag) => match open.iter().rposition(|it| it.name == tag.name) {
                None => found(
                    tag.at,
                    format!("</{}> closes nothing", tag.name),
                    "remove it, or open it".to_owned(),
                ),
                Some(index) => {
                    for inner in open.drain(index..).skip(1) {
                        let mend = format!("write </{}> before </{}>", inner.name, tag.name);
                        found(inner.at, format!("<{}> is not closed where it belongs", inner.name), mend);
                    }
                }
            },
            Token::Unfinished(at) => {
                found(
                    *at,
                    "a tag or comment that never ends".to_owned(),
                    "write its > or -->, and its closing quote".to_owned(),
                );
            }
            _ => {}
        }
    }
    for tag in open {
        found(tag.at, format!("<{}> is never closed", tag.name), format!("write </{}>", tag.name));
    }
    all
}

/// What runs, asks for or loads something.
fn harm(whole: &Traced, tokens: &[Token]) -> Vec<Found> {
    let tags = tokens.iter().filter_map(|token| match token {
        Token::Open(tag) => Some(tag),
        _ => None,
    });
    let mend = "remove it: mail programs block it, and customers are not to be used to it";
    let found = |(at, what)| Found::new(whole.place(at), what, mend);
    tags.flat_map(harms).map(found).collect()
}

fn harms(tag: &Tag) -> Vec<(usize, String)> {
    let mut all = Vec::new();
    if REFUSED.contains(&tag.name.as_str()) {
        all.push((tag.at, format!("has <{}>", tag.name)));
    }
    for attribute in &tag.attributes {
        let (name, value) = (attribute.name.as_str(), attribute.value.trim().to_ascii_lowercase());
        let inside = value.is_empty() || value.starts_with("cid:") || value.starts_with("data:image/");
        if name.len() > 2 && name.starts_with("on") {
            all.push((attribute.at, format!("has the event handler {name}")));
        } else if LOADING.contains(&name) && !inside {
            all.push((attribute.at, format!("loads something from outside ({name})")));
        } else if value.split(|c: char| c.is_whitespace()).collect::<String>().starts_with("javascript:") {
            all.push((attribute.at, format!("has a script in {name}")));
        } else if name == "http-equiv" && value == "refresh" {
            all.push((attribute.at, "leads elsewhere by itself (refresh)".to_owned()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, SMS, SUBJECT, TEXT};
    use super::*;

    #[test]
    fn text_without_html_passes_with_any_value_and_tags_and_references_fail() {
        let house = House::new(json!({"name": "<b>&amp;"}));
        let good = "A&B銀行 3 < 5 > 2 <重要> & {{name}};";
        assert_eq!(house.findings(&RULE, &[(SMS, good), (SUBJECT, good), (TEXT, good)]), [""; 0]);
        for bad in ["<b>", "</p>", "<br />", "&nbsp;", "&amp;", "&#12354;", "<!-- a -->"] {
            for file in [SMS, SUBJECT, TEXT] {
                let found = house.findings(&RULE, &[(file, &format!("見本{bad}"))]);
                assert!(
                    found.len() == 1 && found[0].starts_with(&format!("{file}:1:3:")),
                    "{bad}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn html_that_closes_what_it_opens_passes_and_other_fails_where_it_was_opened() {
        let house = House::new(json!({"name": "</p><b>"}));
        let good = "<!doctype html><html><head><meta charset=utf-8><style>a>b{}</style></head>\
                    <body><p>{{name}}<br>A<br/><b><i>銀</i></b></p><!-- <p> --><img alt=\"\"></body></html>";
        assert_eq!(house.findings(&RULE, &[(HTML, good)]), [""; 0]);
        for (bad, place) in [
            ("<div>\n<p>x</div>", ":2:1: error: <p> is not closed"),
            ("<b><i>x</b></i>", ":1:4: error: <i>"),
            ("<p>x", ":1:1: error: <p> is never closed"),
            ("x</td>", ":1:2: error: </td> closes nothing"),
            ("<p>x</p><a class=\"x", ":1:9: error: a tag or comment that never ends"),
        ] {
            let found = house.findings(&RULE, &[(HTML, bad)]);
            assert!(found.iter().any(|it| it.contains(place)), "{bad}: {found:?}");
        }
    }

    #[test]
    fn what_runs_or_loads_fails_and_an_image_of_the_mail_itself_passes() {
        let house = House::new(json!({}));
        assert_eq!(
            house.findings(&RULE, &[(HTML, "<img src=\"cid:logo\" alt=\"見本銀行\"><p once=x>可</p>")]).len(),
            1
        );
        assert_eq!(house.findings(&RULE, &[(HTML, "<img src=\"cid:logo\" alt=\"見本銀行\">")]), [""; 0]);
        for bad in [
            "<script>x</script>",
            "<form></form>",
            "<iframe></iframe>",
            "<p onclick=\"x\">x</p>",
            "<img src=\"https://example.jp/x\">",
            "<a href=\"java script:x\">x</a>",
            "<meta http-equiv=refresh content=0>",
            "<link rel=stylesheet>",
            "<td background=x></td>",
        ] {
            assert_eq!(house.findings(&RULE, &[(HTML, bad)]).len(), 1, "{bad}");
        }
    }
}
