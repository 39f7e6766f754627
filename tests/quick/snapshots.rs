//! Every message of every example: its wording as a snapshot, and what must hold for all of them.
//!
//! A changed text shows as a changed snapshot: `INSTA_UPDATE=always cargo test --test quick snapshots`, then read the
//! difference.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::Value;
use shirase::config::Config;
use shirase::event::{EmailAddress, Event, PhoneNumber};
use shirase::plan::{Address, Channel, Contact, Notification, Plan, Why, plan};
use shirase::template::{Encoding, Message, TemplateSet, Voice, segments};

use crate::house;

/// The locales that are complete.
const LOCALES: [&str; 2] = ["ja", "en"];

/// A message and where it came from.
struct Shown {
    locale: &'static str,
    event_type: String,
    /// Which example, from 1.
    number: usize,
    event_id: String,
    data: Value,
    notification: Notification,
    /// Why it is sent, or that it is not.
    why: String,
    message: Message,
}

impl Shown {
    fn name(&self) -> String {
        let Self { event_type, number, locale, notification, .. } = self;
        format!("{event_type} example {number} ({locale}) to {}", notification.address)
    }

    fn is_first_example(&self) -> bool {
        self.number == 1
    }

    /// Each part as it goes out, with its name.
    fn parts(&self) -> Vec<(&'static str, &str)> {
        match &self.message {
            Message::Sms { text } => vec![("SMS", text)],
            Message::Email { subject, text, html, .. } => {
                let html = html.as_deref().unwrap_or_else(|| panic!("{}: no HTML", self.name()));
                vec![("subject", subject), ("text", text), ("HTML", html)]
            }
        }
    }

    fn sms(&self) -> Option<&str> {
        match &self.message {
            Message::Sms { text } => Some(text),
            Message::Email { .. } => None,
        }
    }

    fn mail(&self) -> Option<(&str, &str, &str)> {
        match &self.message {
            Message::Sms { .. } => None,
            Message::Email { subject, text, html, .. } => {
                Some((subject, text, html.as_deref().unwrap_or_default()))
            }
        }
    }
}

static CONFIG: LazyLock<Config> = LazyLock::new(Config::built_in);

/// Every message in every locale: what the plan sends, what its fallbacks would send, and what the channel not taken would
/// say.
static MESSAGES: LazyLock<Vec<Shown>> = LazyLock::new(|| {
    let templates = house::templates();
    let mut messages = Vec::new();
    for (kind, locale) in house::CATALOG.iter().flat_map(|kind| LOCALES.map(|locale| (kind, locale))) {
        for (index, mut event) in house::events(kind).into_iter().enumerate() {
            if locale == "en" {
                event = read_in_english(event, index);
            }
            assert_eq!(templates.locale_of(&event), locale);
            messages.extend(all_of(&templates, &event, locale, index + 1));
        }
    }
    messages
});

/// The same event for a customer who reads English, the first example with a service that has a Latin name.
fn read_in_english(mut event: Event, index: usize) -> Event {
    event.recipient.locale = "en".to_owned();
    if index == 0 && event.data["service"].is_string() {
        event.data["service"] = "Sample Pay".into();
    }
    event
}

fn all_of(templates: &TemplateSet, event: &Event, locale: &'static str, number: usize) -> Vec<Shown> {
    let (notifications, whys): (Vec<_>, Vec<_>) = everything(event).into_iter().unzip();
    let rendered = templates.render(event, &notifications, &CONFIG.brand);
    let rendered = rendered.unwrap_or_else(|error| panic!("{error}"));
    let all = notifications.into_iter().zip(whys).zip(rendered);
    all.map(|((notification, why), rendered)| Shown {
        locale,
        event_type: event.kind.name.clone(),
        number,
        event_id: event.id.clone(),
        data: event.data.clone(),
        notification,
        why,
        message: rendered.message,
    })
    .collect()
}

fn everything(event: &Event) -> Vec<(Notification, String)> {
    let planned = match plan(event, &CONFIG.sms.prefixes, house::time()) {
        Ok(Plan::Send(notifications)) => notifications,
        Ok(Plan::Muted) => Vec::new(),
        Err(error) => panic!("{}: {error}", event.id),
    };
    let fallbacks: Vec<_> = planned.iter().filter_map(Notification::fallback).collect();
    let sent = planned.into_iter().map(|one| (one.clone(), one.why.to_string()));
    let later = fallbacks.into_iter().map(|one| (one.clone(), format!("only if {}", one.why)));
    let mut all: Vec<_> = sent.chain(later).collect();
    for address in [
        Address::Sms(PhoneNumber::parse("090-9999-0000").expect("a number")),
        Address::Email(EmailAddress::parse("nobody@example.jp").expect("an address")),
    ] {
        if all.iter().all(|(one, _)| one.address.channel() != address.channel()) {
            let stand_in =
                Notification { contact: Contact::Current, address, why: Why::Policy, fallback: None };
            all.push((stand_in, "never sent: the plan has no such address".to_owned()));
        }
    }
    all
}

fn of_type(locale: &str, event_type: &str) -> impl Iterator<Item = &'static Shown> {
    MESSAGES.iter().filter(move |shown| shown.locale == locale && shown.event_type == event_type)
}

/// Every page of snapshots: its locale, its type and its name.
fn pages(part: &str) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let kinds = house::CATALOG.iter().map(|kind| kind.name.as_str());
    let pages = kinds.flat_map(|kind| LOCALES.map(|locale| (locale, kind)));
    pages.map(move |(locale, kind)| (locale, kind, snapshot_name(part, locale, kind)))
}

fn snapshot_name(part: &str, locale: &str, event_type: &str) -> String {
    match locale {
        "ja" => format!("{part}-{event_type}"),
        locale => format!("{part}-{locale}-{event_type}"),
    }
}

fn heading(shown: &Shown) -> String {
    let (to, contact) = (&shown.notification.address, shown.notification.contact.as_str());
    format!("── example {} · {to} ({contact}) · {}", shown.number, shown.why)
}

fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), text));
}

#[test]
fn every_sms_reads_as_agreed() {
    for (locale, kind, name) in pages("sms") {
        let mut page = String::new();
        for (shown, text) in of_type(locale, kind).filter_map(|shown| Some((shown, shown.sms()?))) {
            let size = segments(text);
            let (count, units, limit) = (size.segments, size.units, size.limit);
            let encoding = serde_json::to_value(size.encoding).expect("a name");
            let encoding = encoding.as_str().unwrap_or_default();
            writeln!(page, "{} · {count} segment(s), {units}/{limit} {encoding}\n{text}\n", heading(shown))
                .unwrap();
        }
        assert_snapshot(&name, &page);
    }
}

#[test]
fn every_mail_text_reads_as_agreed() {
    for (locale, kind, name) in pages("mail") {
        let mut page = String::new();
        for (shown, (subject, text, _)) in
            of_type(locale, kind).filter_map(|shown| Some((shown, shown.mail()?)))
        {
            writeln!(page, "{}\nSubject: {subject}\n\n{text}\n", heading(shown)).unwrap();
        }
        assert_snapshot(&name, &page);
    }
}

#[test]
fn every_mail_html_reads_as_agreed() {
    for (locale, kind, name) in pages("html") {
        let mut page = String::new();
        for (shown, (_, _, html)) in of_type(locale, kind).filter_map(|shown| Some((shown, shown.mail()?))) {
            writeln!(page, "{}\n{html}\n", heading(shown)).unwrap();
        }
        assert_snapshot(&name, &page);
    }
}

#[test]
fn there_is_no_snapshot_of_a_type_that_is_gone() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quick/snapshots");
    let known: Vec<_> =
        ["sms", "mail", "html"].into_iter().flat_map(pages).map(|(_, _, name)| name).collect();
    for file in std::fs::read_dir(folder).expect("snapshots") {
        let name = file.expect("a file").file_name().into_string().expect("UTF-8");
        let known = name.strip_suffix(".snap").is_some_and(|name| known.iter().any(|one| one == name));
        // What insta leaves of a failure is no snapshot yet.
        assert!(known || name.ends_with(".snap.new"), "{name}");
    }
}

#[test]
fn every_type_is_seen_on_both_channels_in_both_languages() {
    for (locale, kind, _) in pages("sms") {
        let examples = house::CATALOG.get(kind).expect("in the catalog").schema.examples().len();
        for (number, channel) in (1..=examples).flat_map(|it| [(it, Channel::Sms), (it, Channel::Email)]) {
            let seen = of_type(locale, kind)
                .any(|shown| shown.number == number && shown.notification.address.channel() == channel);
            assert!(seen, "{kind} example {number} ({locale}) {channel:?}");
        }
    }
}

#[test]
fn the_sms_of_an_ordinary_example_is_one_segment() {
    for shown in MESSAGES.iter().filter(|shown| shown.is_first_example()) {
        let Some(text) = shown.sms() else { continue };
        assert_eq!(segments(text).segments, 1, "{}: {text}", shown.name());
    }
}

#[test]
fn the_sms_for_who_reads_english_is_of_the_gsm_alphabet() {
    for shown in MESSAGES.iter().filter(|shown| shown.locale == "en") {
        let Some(text) = shown.sms().filter(|_| shown.data["service"].as_str().is_none_or(str::is_ascii))
        else {
            continue;
        };
        let size = segments(text);
        assert_eq!((size.segments, size.encoding), (1, Encoding::Gsm7), "{}: {text}", shown.name());
    }
}

#[test]
fn every_sms_says_who_when_and_whom_to_call() {
    for (shown, text) in MESSAGES.iter().filter_map(|shown| Some((shown, shown.sms()?))) {
        let Voice { company, phone, .. } = CONFIG.brand.voice(shown.locale);
        let (head, time) = match shown.locale {
            "ja" => (format!("【{company}】"), house::SHORT_JST),
            _ => (company.to_owned(), "22 Nov 15:04 JST"),
        };
        assert!(text.starts_with(&head), "{}: {text}", shown.name());
        assert!(text.contains(phone), "{}: {text}", shown.name());
        assert!(text.contains(time), "{}: {text}", shown.name());
        assert!(segments(text).units <= 660, "{}: carriers stop at 660", shown.name());
    }
}

#[test]
fn every_mail_says_who_when_whom_to_call_and_which_event() {
    for (shown, (subject, text, html)) in MESSAGES.iter().filter_map(|shown| Some((shown, shown.mail()?))) {
        let Voice { company, phone, hours } = CONFIG.brand.voice(shown.locale);
        let (time, longest) = match shown.locale {
            "ja" => ("2026年11月22日 15:04", 40),
            _ => ("22 Nov 2026, 15:04 JST", 60),
        };
        for (part, body) in [("text", text), ("HTML", html)] {
            for needed in [company, phone, hours, &shown.event_id, time] {
                assert!(body.contains(needed), "{} {part}: no {needed}\n{body}", shown.name());
            }
        }
        assert!(html.contains(&format!("<html lang=\"{}\">", shown.locale)), "{}", shown.name());
        assert!(subject.contains(company), "{}: {subject}", shown.name());
        assert!(!subject.contains(['\r', '\n']), "{}: {subject}", shown.name());
        assert!(subject.chars().count() <= longest, "{}: {subject}", shown.name());
    }
}

#[test]
fn no_word_of_the_english_texts_is_japanese() {
    let japanese = |c: char| matches!(c, '\u{3000}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    for (path, text) in house::templates().files().iter().filter(|(path, _)| path.starts_with("en/")) {
        assert!(!text.chars().any(japanese), "{path}: {text}");
    }
}

#[test]
fn no_message_holds_a_link() {
    for shown in MESSAGES.iter() {
        for (part, text) in shown.parts() {
            let text = text.to_lowercase();
            for link in ["http", "www.", "://", "mailto:", "tel:"] {
                assert!(!text.contains(link), "{} {part} holds {link}\n{text}", shown.name());
            }
        }
    }
}

#[test]
fn no_html_loads_or_links_anything() {
    for (shown, (_, _, html)) in MESSAGES.iter().filter_map(|shown| Some((shown, shown.mail()?))) {
        let html = html.to_lowercase();
        for forbidden in [
            "<a ",
            "<a>",
            "<img",
            "src=",
            "href=",
            "url(",
            "<link",
            "<script",
            "<iframe",
            "@import",
            "background=",
        ] {
            assert!(!html.contains(forbidden), "{} holds {forbidden}\n{html}", shown.name());
        }
    }
}

/// What is masked wherever it is shown: account numbers, lines and contacts, as given and as their digits.
fn secrets(data: &Value) -> Vec<String> {
    let mut secrets = Vec::new();
    collect(data, &mut secrets);
    secrets
}

fn collect(data: &Value, secrets: &mut Vec<String>) {
    for (name, value) in data.as_object().into_iter().flatten() {
        let secret =
            ["account_number", "phone", "email", "auth_email", "line", "user_id"].contains(&name.as_str());
        match value {
            Value::String(text) if secret => {
                secrets.push(text.clone());
                if let Ok(phone) = PhoneNumber::parse(text) {
                    secrets.extend([phone.national(), phone.e164(), phone.e164_digits()]);
                }
            }
            value => collect(value, secrets),
        }
    }
}

#[test]
fn nothing_that_is_masked_appears_whole() {
    for shown in MESSAGES.iter() {
        let secrets = secrets(&shown.data);
        assert!(!secrets.is_empty(), "{}", shown.name());
        for (part, text) in shown.parts() {
            for secret in &secrets {
                assert!(!text.contains(secret.as_str()), "{} {part} holds {secret}\n{text}", shown.name());
            }
            // However it is written: no digits of a number stand together, whatever is between them.
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            for phone in secrets.iter().filter(|secret| secret.len() == 11 && secret.starts_with('0')) {
                assert!(!digits.contains(phone.as_str()), "{} {part} holds {phone}\n{text}", shown.name());
            }
        }
    }
}

#[test]
fn no_message_has_a_hole_or_a_trace_of_its_template() {
    for shown in MESSAGES.iter() {
        for (part, text) in shown.parts() {
            for trace in ["{{", "}}", "undefined", "null", "[object", "true", "false", "&amp;amp;"] {
                assert!(!text.contains(trace), "{} {part} holds {trace}\n{text}", shown.name());
            }
            if part == "HTML" {
                continue;
            }
            assert!(!text.contains('\t') && !text.contains('\r'), "{} {part}", shown.name());
            assert!(
                !text.contains("&lt;") && !text.contains("&amp;"),
                "{} {part} is escaped\n{text}",
                shown.name()
            );
            assert!(!text.contains("\n\n\n"), "{} {part} has a gap\n{text}", shown.name());
            for line in text.lines() {
                assert_eq!(line.trim_end(), line, "{} {part}: blanks at a line's end\n{text}", shown.name());
            }
        }
    }
}

#[test]
fn an_sms_is_one_paragraph_that_shift_jis_can_hold() {
    for (shown, text) in MESSAGES.iter().filter_map(|shown| Some((shown, shown.sms()?))) {
        assert!(!text.contains("\n\n"), "{}: {text}", shown.name());
        for c in ['〜', '‖', '—', '−', '¥', '\u{3099}', '\u{309a}'] {
            assert!(!text.contains(c), "{}: {c} breaks on domestic routes: {text}", shown.name());
        }
    }
}
