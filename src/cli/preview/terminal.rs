//! Messages on a terminal: SMS as bubbles, mails with their headers, and under each what the checks say of its templates.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::super::house::House;
use super::super::printable;
use super::bubble::{BORDER, bubble};
use super::paint::Paint;
use super::sheet::Sheet;
use crate::lint::{Finding, Severity};
use crate::template::{Encoding, Message, Segments, segments, substituted};

/// Shows all of them; a finding once, under the first message that it is about.
pub(super) fn show(
    out: &mut impl Write,
    house: &House,
    shown: &[Sheet],
    findings: &[Finding],
    paint: Paint,
) -> io::Result<()> {
    let mut told = BTreeSet::new();
    for sheet in shown {
        writeln!(out, "{}", paint.bold(&printable(&format!("── {}", sheet.heading()))))?;
        match &sheet.message {
            Message::Sms { text } => sms(out, text, paint)?,
            Message::Email { .. } => mail(out, house, sheet, paint)?,
        }
        for (index, finding) in findings.iter().enumerate() {
            if sheet.is_concerned_by(finding) && told.insert(index) {
                writeln!(out, "   {}", colour(paint, finding)(&finding.to_string()))?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn colour(paint: Paint, finding: &Finding) -> impl Fn(&str) -> String {
    let is_error = finding.severity == Severity::Error;
    move |text| if is_error { paint.red(text) } else { paint.yellow(text) }
}

fn sms(out: &mut impl Write, text: &str, paint: Paint) -> io::Result<()> {
    let sent = substituted(text);
    for line in bubble(&sent) {
        writeln!(out, "   {}", line.replace(BORDER, &paint.yellow(BORDER)))?;
    }
    let size = in_words(segments(&sent));
    let changed = if sent != text { " · with substitutes for what breaks on Japanese routes" } else { "" };
    writeln!(out, "   {}", paint.dim(&format!("{size}{changed}")))
}

/// `1 segment · 58 of 70 units · 12 characters left · UCS-2`
pub(super) fn in_words(size: Segments) -> String {
    let Segments { segments, units, limit, left, encoding } = size;
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let place = if segments == 1 { "" } else { " in the last" };
    let encoding = match encoding {
        Encoding::Gsm7 => "GSM-7",
        Encoding::Ucs2 => "UCS-2",
    };
    let (s, c) = (plural(segments), plural(left));
    format!("{segments} segment{s} · {units} of {limit} units · {left} character{c} left{place} · {encoding}")
}

/// The headers that a reader or a mail system looks at.
pub(super) fn headers(house: &House, sheet: &Sheet) -> Vec<(&'static str, String)> {
    let Message::Email { language, subject, .. } = &sheet.message else { return Vec::new() };
    vec![
        ("From", house.config.email.from.to_string()),
        ("To", sheet.notification.address.to_string()),
        ("Subject", subject.clone()),
        ("Content-Language", language.clone()),
        ("Auto-Submitted", "auto-generated".to_owned()),
    ]
}

fn mail(out: &mut impl Write, house: &House, sheet: &Sheet, paint: Paint) -> io::Result<()> {
    let Message::Email { text, html, .. } = &sheet.message else { return Ok(()) };
    let rule = "─".repeat(60);
    writeln!(out, "   {}", paint.dim(&format!("┌{rule}")))?;
    let bar = paint.dim("│");
    for (name, value) in headers(house, sheet) {
        writeln!(out, "   {bar} {} {}", paint.dim(&format!("{name}:")), printable(&value))?;
    }
    writeln!(out, "   {}", paint.dim(&format!("├{rule}")))?;
    for line in text.lines().map(printable) {
        writeln!(out, "   {}", format!("{bar} {line}").trim_end())?;
    }
    let html =
        html.as_ref().map_or("no HTML part".to_owned(), |html| format!("HTML part of {} bytes", html.len()));
    let size = format!("text of {} bytes · {html}", text.len());
    writeln!(out, "   {}\n   {}", paint.dim(&format!("└{rule}")), paint.dim(&size))
}
