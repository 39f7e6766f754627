use serde_json::json;

use super::*;
use crate::assets::Files;
use crate::event::{Catalog, EmailAddress, PhoneNumber, RawEvent, decode};
use crate::plan::{Address, Contact, Why};

const TYPE: &str = "security.login";

fn catalog() -> Catalog {
    let schema = r#"{"type": "object", "examples": [{}, {}]}"#;
    let policy = format!(
        "[\"{TYPE}\"]\nlane = \"standard\"\nchannels = \"auto\"\nemail_to = \"auth\"\nuser_may_choose = true\n\
         user_may_mute = false\nfallback = true\nmax_age = \"6h\"\n"
    );
    let files = [("events.toml".to_owned(), policy), (format!("schemas/{TYPE}.json"), schema.to_owned())];
    Catalog::load(&files.into_iter().collect()).expect("in order")
}

/// A set of the given files over parts that render.
pub(super) fn set(files: &[(&str, &str)]) -> Result<TemplateSet, Vec<String>> {
    let parts = [
        ("sms.hbs", "短文"),
        ("email.subject.hbs", "件名"),
        ("email.txt.hbs", "本文"),
        ("email.html.hbs", "<p>本文</p>"),
    ];
    let parts = parts.iter().map(|(name, text)| (format!("ja/{TYPE}/{name}"), (*text).to_owned()));
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let merged: BTreeMap<String, String> = parts.chain(files).collect();
    let files: Files = merged.into_iter().filter(|(_, text)| text != "absent").collect();
    TemplateSet::load(&files, &catalog())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

pub(super) fn event(data: Value) -> Event {
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/t", "type": TYPE, "time": "2026-11-22T06:04:05Z", "data": data
    });
    let now = "2026-11-22T06:05:00Z".parse().expect("a time");
    decode(&RawEvent::structured(event.to_string()), &catalog(), now).expect("good")
}

pub(super) fn notification(channel: Channel) -> Notification {
    let address = match channel {
        Channel::Sms => Address::Sms(PhoneNumber::parse("090-1234-5678").expect("valid")),
        Channel::Email => Address::Email(EmailAddress::parse("taro@example.jp").expect("valid")),
    };
    Notification { contact: Contact::Current, address, why: Why::Policy, fallback: None }
}

pub(super) fn brand() -> Brand {
    let locales = BTreeMap::from([(
        "en".to_owned(),
        LocaleBrand { company: Some("A&B Bank".to_owned()), ..LocaleBrand::default() },
    )]);
    Brand { company: "A&B銀行".into(), phone: "0120-000-000".into(), hours: "24時間".into(), locales }
}

fn rendered(files: &[(&str, &str)], channel: Channel, data: Value) -> Result<Message, RenderError> {
    let set = set(files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let rendered = set.render(&event(data), &[notification(channel)], &brand())?;
    Ok(rendered.into_iter().next().expect("one notification").message)
}

pub(super) const SMS: &str = "ja/security.login/sms.hbs";
const SUBJECT: &str = "ja/security.login/email.subject.hbs";
pub(super) const TEXT: &str = "ja/security.login/email.txt.hbs";
pub(super) const HTML: &str = "ja/security.login/email.html.hbs";

fn sms(template: &str, data: Value) -> Result<String, RenderError> {
    match rendered(&[(SMS, template)], Channel::Sms, data)? {
        Message::Sms { text } => Ok(text),
        Message::Email { .. } => panic!("not an SMS"),
    }
}

#[test]
fn templates_see_data_event_brand_and_notification() {
    let text = sms(
        "{{brand.company}} {{event.id}} {{jst event.time}} {{device.name}} {{notification.channel}}/{{notification.contact}}",
        json!({"device": {"name": "iPhone"}, "brand": "forged", "event": {"id": "forged"}}),
    );
    assert_eq!(text.expect("renders"), "A&B銀行 1 2026年11月22日 15:04 iPhone sms/current");
}

#[test]
fn only_html_is_escaped() {
    let files = [(SUBJECT, "{{brand.company}}"), (TEXT, "{{x}}"), (HTML, "{{x}}")];
    let message = rendered(&files, Channel::Email, json!({"x": "<b>&"})).expect("renders");
    let Message::Email { subject, text, html, .. } = message else { panic!("a mail") };
    assert_eq!(
        (subject.as_str(), text.as_str(), html.as_deref()),
        ("A&B銀行", "<b>&", Some("&lt;b&gt;&amp;"))
    );
}

#[test]
fn a_line_break_in_data_reaches_neither_header_nor_text() {
    let files = [(SUBJECT, "件名 {{x}}")];
    let message = rendered(&files, Channel::Email, json!({"x": "a\r\nBcc: b@example.jp"})).expect("renders");
    let Message::Email { subject, .. } = message else { panic!("a mail") };
    assert_eq!(subject, "件名 a  Bcc: b@example. jp");
}

#[test]
fn a_variable_that_is_not_there_is_an_error_with_its_place_and_an_optional_one_is_guarded() {
    let error = sms("一行目\n{{device.nmae}}", json!({"device": {"name": "secret"}})).expect_err("fails");
    let text = error.to_string();
    assert!(text.contains("security.login/sms.hbs:2:") && text.contains("device.nmae"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(sms("x{{#if device.name}}y{{/if}}", json!({"device": {}})).expect("renders"), "x");
}

#[test]
fn what_renders_to_nothing_or_to_a_subject_of_two_lines_is_an_error() {
    assert!(matches!(sms(" {{#if x}}y{{/if}}\n", json!({})), Err(RenderError::Empty { .. })));
    let two_lines = rendered(&[(SUBJECT, "a\nb")], Channel::Email, json!({}));
    assert!(matches!(two_lines, Err(RenderError::Lines { .. })));
}

#[test]
fn one_failing_fallback_keeps_the_whole_event_from_being_sent() {
    let set = set(&[(TEXT, "{{missing}}")]).expect("loads");
    let fallback = Some(notification(Channel::Email).address);
    let with_fallback = Notification { fallback, ..notification(Channel::Sms) };
    assert!(set.render(&event(json!({})), &[with_fallback], &brand()).is_err());
}

#[test]
fn all_problems_of_a_set_come_at_once_each_with_file_and_line() {
    let files = [
        (SMS, "a\n{{#if x}}"),
        (TEXT, "absent"),
        ("ja/security.login/email.text.hbs", "x"),
        ("ja/stray.hbs", "x"),
    ];
    let problems = set(&files).expect_err("four problems");
    let all = problems.join("\n");
    for expected in [
        "sms.hbs:2:",
        "email.txt.hbs: not found",
        "email.text.hbs: is not a template",
        "ja/stray.hbs: is not a template",
    ] {
        assert!(all.contains(expected), "{expected} is not in\n{all}");
    }
}

#[test]
fn a_partial_belongs_to_text_to_html_or_to_both() {
    let files = [
        ("ja/_partials/both.hbs", "B"),
        ("ja/_partials/own.txt.hbs", "T"),
        ("ja/_partials/own.html.hbs", "H"),
        (TEXT, "{{> both}}{{> own}}"),
        (HTML, "{{> both}}{{> own}}"),
    ];
    let Message::Email { text, html, .. } = rendered(&files, Channel::Email, json!({})).expect("renders")
    else {
        panic!("a mail")
    };
    assert_eq!((text.as_str(), html.as_deref()), ("BT", Some("BH")));
}

#[test]
fn another_locale_is_used_where_the_type_has_it_and_japanese_otherwise() {
    let english = [
        ("en/security.login/sms.hbs", "sms"),
        ("en/security.login/email.subject.hbs", "s"),
        ("en/security.login/email.txt.hbs", "t"),
    ];
    let data = |locale: &str| json!({"recipient": {"user_id": "U", "locale": locale}});
    let text = |locale| match rendered(&english, Channel::Sms, data(locale)).expect("renders") {
        Message::Sms { text } => text,
        Message::Email { .. } => panic!("not an SMS"),
    };
    assert_eq!(
        (text("en-US"), text("ja"), text("fr")),
        ("sms".to_owned(), "短文".to_owned(), "短文".to_owned())
    );
    assert!(set(&english[..1]).is_err(), "a type translated in part is refused");
}

#[test]
fn the_brand_and_the_language_of_a_mail_are_its_locales() {
    let both = "{{brand.company}} {{brand.phone}}";
    let english = [
        ("en/security.login/sms.hbs", both),
        ("en/security.login/email.subject.hbs", both),
        ("en/security.login/email.txt.hbs", both),
        (SUBJECT, both),
    ];
    for (locale, language, expected) in [
        ("en", "en", "A&B Bank 0120-000-000"),
        ("ja", "ja", "A&B銀行 0120-000-000"),
        ("fr", "ja", "A&B銀行 0120-000-000"),
    ] {
        let data = json!({"recipient": {"user_id": "U", "locale": locale}});
        let message = rendered(&english, Channel::Email, data).expect("renders");
        let Message::Email { language: written_in, subject, .. } = message else { panic!("a mail") };
        assert_eq!((written_in.as_str(), subject.as_str()), (language, expected), "{locale}");
    }
}

#[test]
fn a_locale_folder_is_named_as_recipients_locales_are_read() {
    for name in ["en-US", "EN", "english", "j", "日本"] {
        let problems = set(&[(&format!("{name}/security.login/sms.hbs"), "x")]).expect_err(name).join("\n");
        assert!(problems.contains("two or three small letters"), "{name}: {problems}");
    }
}

#[test]
fn the_version_changes_with_any_text() {
    let version = |text| set(&[(SMS, text)]).expect("loads").version().to_owned();
    assert_eq!(version("a"), version("a"));
    assert_ne!(version("a"), version("b"));
}
