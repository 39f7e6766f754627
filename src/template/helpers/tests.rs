use proptest::prelude::*;
use serde_json::json;

use super::*;

fn registry() -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    register(&mut registry);
    registry
}

/// What the documentation's examples are given.
fn data() -> Value {
    json!({
        "event": {"time": "2026-11-22T06:04:05Z"}, "amount": 1_234_567, "account_number": "12345678",
        "line": "090-1234-5678", "previous": {"email": "taro@example.jp"}, "device": {"name": "太郎のｉＰｈｏｎｅ📱"}
    })
}

fn error(template: &str) -> String {
    let error = registry().render_template(template, &data()).expect_err(template);
    error.reason().to_string()
}

/// A tag with a helper's usual value, and a form.
fn tag(helper: &Helper, form: &str) -> String {
    helper.usage.replace("}}", &format!(" \"{form}\"}}}}"))
}

#[test]
fn the_documentation_shows_every_helper_in_every_form_and_what_it_gives() {
    let docs = include_str!("../../../docs/templates.md");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `{{")?.strip_suffix("` |"));
    let rows: Vec<(String, &str)> = rows
        .filter_map(|row| row.split_once("` | `"))
        .map(|(tag, result)| (format!("{{{{{tag}"), result))
        .collect();
    for helper in HELPERS {
        let forms = helper.forms.iter().map(|form| tag(helper, form));
        for tag in forms.chain([helper.usage.to_owned()]) {
            let (_, result) = rows.iter().find(|(shown, _)| *shown == tag).unwrap_or_else(|| panic!("{tag}"));
            assert_eq!(registry().render_template(&tag, &data()).expect("renders"), *result, "{tag}");
        }
    }
}

#[test]
fn every_form_is_another_text() {
    for helper in HELPERS {
        let forms = helper.forms.iter().map(|form| tag(helper, form)).chain([helper.usage.to_owned()]);
        let texts = forms.map(|tag| registry().render_template(&tag, &data()).expect("renders"));
        let texts: std::collections::BTreeSet<String> = texts.collect();
        assert_eq!(texts.len(), helper.forms.len() + 1, "{}: {texts:?}", helper.name);
    }
}

#[test]
fn a_wrong_call_is_told_what_is_right() {
    for (template, told) in [
        (r#"{{jst event.time "long"}}"#, r#"jst: no such form; it has "short", "date""#),
        ("{{jst event.time 1}}", "jst: no such form"),
        (r#"{{mask_phone line "short"}}"#, "mask_phone: it has no forms"),
        ("{{yen}}", "yen: it needs a value; write {{yen amount}}"),
        ("{{yen amount \"en\" 3}}", "yen: it takes one value and a form at most"),
        (r#"{{jst event.time form="short"}}"#, "jst: it has no named parameters"),
        ("{{#jst event.time}}x{{/jst}}", "jst: it is no block"),
        ("{{jst amount}}", "jst: the value is no RFC 3339 time"),
        ("{{yen line}}", "yen: the value is no whole number"),
        ("{{plain previous}}", "plain: the value is no text"),
    ] {
        let error = error(template);
        assert!(error.starts_with(told), "{template}: {error}");
    }
    assert!(error("{{jst evnt.time}}").contains("evnt.time"), "{}", error("{{jst evnt.time}}"));
}

#[test]
fn a_helper_can_be_asked_inside_another_tag_and_html_escapes_what_it_gives() {
    let inside = r#"{{#if (eq (weekday event.time) "日")}}休{{/if}}"#;
    assert_eq!(registry().render_template(inside, &data()).expect("renders"), "休");
    let html = registry().render_template("{{plain x}}", &json!({"x": "<b>&"}));
    assert_eq!(html.expect("renders"), "&lt;b&gt;&amp;");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "-?[0-9]{1,6}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](Z|[+-][0-9]{2}:[0-9]{2})"
            .prop_map(Value::from),
        "[0-9a-z０-９ｦ-ﾟ@. +-]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_value_makes_a_helper_panic_or_tell_what_it_was_given(value in any_json()) {
        let registry = registry();
        let data = json!({"x": value});
        for helper in HELPERS {
            let forms = helper.forms.iter().map(|form| format!(" \"{form}\"")).chain([String::new()]);
            for form in forms {
                let template = format!("{{{{{} x{form}}}}}", helper.name);
                if let Err(error) = registry.render_template(&template, &data) {
                    let told = error.reason().to_string();
                    prop_assert!(told.starts_with(helper.name) && told.len() < 80, "{}", told);
                }
            }
        }
    }
}
