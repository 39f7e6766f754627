//! The page of `--out`: every message as a customer sees it. No scripts, nothing from elsewhere; mails in sandboxed frames.

use std::fmt::Write as _;

use super::super::house::House;
use super::sheet::Sheet;
use super::terminal::{headers, in_words};
use crate::lint::{Finding, Severity};
use crate::template::{Message, segments, substituted};

const HEAD: &str = include_str!("page.html");

/// The whole page.
pub(super) fn page(house: &House, shown: &[Sheet], findings: &[Finding]) -> String {
    let types = types(shown);
    let mut page = HEAD.to_owned();
    let (count, version) = (shown.len(), house.templates.version());
    let company = escaped(&house.config.brand.company);
    page.push_str(&format!(
        "<h1>{company}</h1>\n<p class=\"soft\">{count} messages, templates {version}</p>\n<nav>\n"
    ));
    for name in types.iter().map(|name| escaped(name)) {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "<div><a href=\"#{name}\">{name}</a></div>");
    }
    page.push_str("</nav>\n");
    for name in types {
        let _ = writeln!(page, "<h2 id=\"{0}\">{0}</h2>\n<div class=\"row\">", escaped(name));
        for sheet in shown.iter().filter(|sheet| sheet.event.kind.name == name) {
            page.push_str(&article(house, sheet, findings));
        }
        page.push_str("</div>\n");
    }
    page + "</body>\n</html>\n"
}

/// In the order in which they are shown first.
fn types(shown: &[Sheet]) -> Vec<&str> {
    let mut types: Vec<&str> = Vec::new();
    for sheet in shown {
        if !types.contains(&sheet.event.kind.name.as_str()) {
            types.push(&sheet.event.kind.name);
        }
    }
    types
}

fn article(house: &House, sheet: &Sheet, findings: &[Finding]) -> String {
    let heading = escaped(&sheet.heading());
    let body = match &sheet.message {
        Message::Sms { text } => sms(text),
        Message::Email { text, html, .. } => {
            let row = |(name, value): (&str, String)| {
                format!("<tr><th>{name}</th><td>{}</td></tr>\n", escaped(&value))
            };
            let headers: String = headers(house, sheet).into_iter().map(row).collect();
            let frame = html.as_ref().map(|html| frame(html)).unwrap_or_default();
            format!("<table>\n{headers}</table>\n<pre>{}</pre>\n{frame}", escaped(text))
        }
    };
    let concerned = findings.iter().filter(|finding| sheet.is_concerned_by(finding));
    let findings: String = concerned.map(of_finding).collect();
    let class = if sheet.channel() == "email" { "mail" } else { "sms" };
    format!("<article class=\"{class}\">\n<div class=\"soft\">{heading}</div>\n{body}{findings}</article>\n")
}

fn sms(text: &str) -> String {
    let sent = substituted(text);
    let size = in_words(segments(&sent));
    format!("<div class=\"bubble\">{}</div>\n<div class=\"soft\">{size}</div>\n", escaped(&sent))
}

/// No script runs in it and no link leads out of it; the page's policy, which it inherits, loads nothing.
fn frame(html: &str) -> String {
    format!("<iframe sandbox=\"\" title=\"HTML\" srcdoc=\"{}\"></iframe>\n", escaped(html))
}

fn of_finding(finding: &Finding) -> String {
    let class = if finding.severity == Severity::Error { "finding" } else { "finding warning" };
    format!("<p class=\"{class}\">{}</p>\n", escaped(&finding.to_string()))
}

fn escaped(text: &str) -> String {
    handlebars::html_escape(text)
}
