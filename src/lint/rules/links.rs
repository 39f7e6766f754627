//! No link and no bare domain, in any width or spelling.

use super::super::finding::Found;
use super::super::html::{Attribute, Html, Tag, Token};
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{Link, Part, Traced, links, spelling};

pub const RULE: Rule = Rule {
    name: "links",
    severity: Severity::Error,
    about: "no link and no bare domain, however it is written: carriers block them, and a customer who is used to none can tell phishing",
    check: Check::Message(check),
};

const MEND: &str = "remove it, or have it approved and listed in templates.check.links; a blank before it keeps words out of it";

/// Attributes that lead or load somewhere.
const LEADING: [&str; 12] = [
    "href",
    "src",
    "srcset",
    "action",
    "formaction",
    "poster",
    "background",
    "cite",
    "data",
    "ping",
    "xlink:href",
    "longdesc",
];

/// Attributes that are shown or read out.
const SHOWN: [&str; 6] = ["alt", "title", "aria-label", "label", "placeholder", "value"];

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let found = texts.parts().into_iter().flat_map(|(part, text)| match part {
        Part::Html => specimen.html().map(|html| in_html(text, html)).unwrap_or_default(),
        _ => in_text(text, text.text(), |at| at),
    });
    found.map(|found| found.shown_by(specimen)).collect()
}

/// Links in what is read. `source` says where in the whole text its bytes are.
fn in_text(whole: &Traced, text: &str, source: impl Fn(usize) -> usize) -> Vec<Found> {
    let harmless = |link: &Link| {
        let at = source(link.range.start);
        // What the event is called looks like a host, and is the sender's.
        let event = !whole.is_own(at) && !whole.is_data(at);
        event || (link.masked && whole.is_data(at))
    };
    let links = links(text).into_iter().filter(|link| !harmless(link));
    links.map(|link| found(whole, source(link.range.start), link.spelling)).collect()
}

fn found(whole: &Traced, at: usize, link: String) -> Found {
    Found::new(whole.place(at), format!("has the link {link}"), MEND).of_link(link)
}

fn in_html(whole: &Traced, read: &Html) -> Vec<Found> {
    let html = whole.text();
    let shown = &read.visible;
    let mut all = in_text(whole, &shown.text, |at| shown.source(at));
    let mut in_style = false;
    for token in &read.tokens {
        match token {
            Token::Open(tag) => {
                in_style = tag.name == "style";
                if tag.name == "title" {
                    all.extend(title(whole, tag));
                }
                all.extend(tag.attributes.iter().flat_map(|attribute| in_attribute(whole, attribute)));
            }
            Token::Text(range) if in_style => {
                all.extend(in_style_sheet(whole, &html[range.clone()], range.start))
            }
            // Some mail programs read what stands in a comment.
            Token::Comment(range) => {
                let links =
                    links(&html[range.clone()]).into_iter().filter(|link| link.spelling.contains("://"));
                all.extend(links.map(|link| found(whole, range.start + link.range.start, link.spelling)));
            }
            _ => {}
        }
    }
    all
}

fn title(whole: &Traced, tag: &Tag) -> Vec<Found> {
    let rest = &whole.text()[tag.at..];
    let begin = rest.find('>').map_or(rest.len(), |end| end + 1);
    let end = rest.find("</").unwrap_or(rest.len()).max(begin);
    in_text(whole, &rest[begin..end], |at| tag.at + begin + at)
}

fn in_attribute(whole: &Traced, attribute: &Attribute) -> Vec<Found> {
    let Attribute { name, at, value, .. } = attribute;
    match name.as_str() {
        name if LEADING.contains(&name) => vec![found(whole, *at, spelling(value))],
        name if SHOWN.contains(&name) => in_text(whole, value, |_| *at),
        "style" => in_style_sheet(whole, value, *at),
        // `<meta http-equiv="refresh" content="0; url=…">`
        "content" => {
            let plain = spelling(value).replace(' ', "");
            let target = plain.split_once(";url=").map(|(_, target)| target.to_owned());
            target.map(|target| found(whole, *at, target)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// What CSS loads.
fn in_style_sheet(whole: &Traced, css: &str, begin: usize) -> Vec<Found> {
    let lower = css.to_ascii_lowercase();
    let loads =
        ["url(", "@import"].into_iter().flat_map(|word| lower.match_indices(word).collect::<Vec<_>>());
    loads
        .map(|(at, word)| {
            let rest = &css[at + word.len()..];
            let target = rest.split([')', ';']).next().unwrap_or_default();
            let target = target.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
            found(whole, begin + at, spelling(target))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, SMS, SUBJECT, TEXT};
    use super::*;

    #[test]
    fn a_text_without_links_passes_and_one_with_a_link_fails_whatever_its_spelling() {
        let data = json!({"os": "iOS 18.1.1", "ip": "203.0.113.7", "mail": "taro@example.jp"});
        let house = House::new(data);
        let good = "{{os}} {{ip}} Ver.2 3.5% {{mask_email mail}}";
        assert_eq!(house.findings(&RULE, &[(SMS, good), (TEXT, good), (HTML, good)]), [""; 0]);
        for link in [
            "https://example.jp",
            "ｅｘａｍｐｌｅ．ｊｐ",
            "hxxp://x",
            "example[.]jp",
            "exam\u{200B}ple.jp",
            "t***@example.jp",
        ] {
            for file in [SMS, SUBJECT, TEXT, HTML] {
                let found = house.findings(
                    &RULE,
                    &[(
                        file,
                        &format!("銀行\n{link}").replace('\n', if file == SUBJECT { " " } else { "\n" }),
                    )],
                );
                assert!(found.len() == 1 && found[0].starts_with(file), "{file} {link}: {found:?}");
            }
        }
        let found = house.findings(&RULE, &[(SMS, "一行目\n詳細は www.example.jp へ")]);
        assert_eq!(
            found,
            [format!(
                "{SMS}:2:5: error: has the link www.example.jp; {MEND} [links] (example security.login-1)"
            )]
        );
    }

    #[test]
    fn what_html_leads_to_or_loads_is_a_link_and_its_types_and_colours_are_none() {
        let house = House::new(json!({}));
        let good = "<!doctype html><html xmlns=\"http://www.w3.org/1999/xhtml\"><meta content=\"text/html; charset=utf-8\">\
                    <style>a.title{font:1.5em x.y}</style><p style=\"color:#fff\" class=\"a.bc\">可</p></html>";
        assert_eq!(house.findings(&RULE, &[(HTML, good)]), [""; 0]);
        for bad in [
            "<a href=\"/x\">可</a>",
            "<a HREF='tel:0120'>可</a>",
            "<img src=x>",
            "<td background=a.png>",
            "<p style=\"background:url(x.png)\">",
            "<style>@import 'x.css';</style>",
            "<p>exam<b>ple.jp</b></p>",
            "<p>example&#46;jp</p>",
            "<img alt=\"example.jp\">",
            "<title>example.jp</title>",
            "<meta http-equiv=refresh content=\"0;url=x\">",
            "<!--[if mso]><a href=\"http://example.jp\"></a><![endif]-->",
        ] {
            assert_eq!(house.findings(&RULE, &[(HTML, bad)]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn an_approved_link_passes_in_any_width_and_no_longer_host_does() {
        let approved = "[[links]]\ntext = \"www.example.jp/help\"\nreason = \"Legal, 2026-04-01\"\n";
        let house = House::new(json!({})).with(approved);
        for text in
            ["詳細 www.example.jp/help へ", "（ＷＷＷ．ｅｘａｍｐｌｅ．ｊｐ/help）", "www.example.jp/help。"]
        {
            assert_eq!(house.findings(&RULE, &[(SMS, text)]), [""; 0], "{text}");
        }
        for text in [
            "evil-www.example.jp/help",
            "www.example.jp",
            "www.example.jp.evil.com/help",
            "www.example.jp/help/x",
            "evil.www.example.jp/help",
            "https://evil.com/www.example.jp/help",
            "a@www.example.jp/help",
            "悪www.example.jp/help",
        ] {
            assert_eq!(house.findings(&RULE, &[(SMS, text)]).len(), 1, "{text}");
        }
    }
}
