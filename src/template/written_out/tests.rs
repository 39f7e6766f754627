use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::{SMS, TEXT, brand, event, notification, set};
use super::super::{TemplateSet, address, context};
use crate::assets::Files;
use crate::event::{Catalog, RawEvent, decode};
use crate::plan::Channel;

/// Both renderings of every template that is written out, as `Err` where handlebars fails.
fn both(set: &TemplateSet, data: &Value) -> Vec<(String, Result<String, ()>, Option<String>)> {
    let event = event(data.clone());
    let mut renderings = Vec::new();
    for (language, locale) in &set.locales {
        let mut context = handlebars::Context::from(context(&event, brand().voice(language)));
        address(&mut context, &notification(Channel::Email));
        for registry in [&locale.text, &locale.html] {
            for (name, whole) in &registry.written_out {
                let written = registry.templates.render_with_context(name, &context).map_err(drop);
                renderings.push((name.clone(), written, registry.render_whole(&context, whole)));
            }
        }
    }
    renderings
}

fn text(files: &[(&str, &str)], data: Value) -> (Result<String, ()>, Option<String>) {
    let set = set(files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let found = both(&set, &data).into_iter().find(|(name, ..)| name.ends_with("email.txt.hbs"));
    let (_, written, whole) = found.expect("it is written out");
    (written, whole)
}

#[test]
fn a_block_with_parameters_and_calls_within_calls_read_the_same() {
    let files = [
        ("ja/_partials/box.hbs", "[{{title}}{{#if pad}}-{{pad}}{{/if}}|{{> @partial-block}}]"),
        ("ja/_partials/inner.hbs", "({{title}} {{device.name}})"),
        ("ja/_partials/outer.hbs", "{{#> box title=\"外\" pad=name}}{{> @partial-block}}{{> inner}}{{/box}}"),
        (
            TEXT,
            "{{#> outer name=device.name}}中{{#each all}}{{this}}{{@index}}{{> inner title=../label}}{{/each}}{{/outer}}",
        ),
    ];
    // The path `..` of the loop cannot be written out: then nothing of the template is.
    let set_of = |files: &[(&str, &str)]| set(files).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(!set_of(&files).locales["ja"].text.written_out.contains_key("security.login/email.txt.hbs"));

    let body = "{{#> outer name=device.name}}中{{#each all}}{{this}}{{@index}}{{/each}}{{/outer}}";
    let files = [files[0], files[1], files[2], (TEXT, body)];
    let (written, whole) = text(&files, json!({"device": {"name": "A&B"}, "all": ["x", "y"]}));
    assert_eq!(whole.as_deref(), Some("[外-A&B|中x0y1(外 A&B)]"));
    assert_eq!(written.ok(), whole);
}

#[test]
fn what_fails_fails_and_is_told_with_the_partial_s_own_place() {
    let files = [("ja/_partials/gone.hbs", "一\n{{nothing}}"), (SMS, "{{> gone}}")];
    let set = set(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let rendered = set.render(&event(json!({})), &[notification(Channel::Sms)], &brand());
    let error = rendered.err().expect("there is no such variable").to_string();
    assert!(error.contains("ja/_partials/gone.hbs:2:"), "{error}");
}

#[test]
fn partials_without_end_are_left_to_handlebars() {
    let twice = "{{> b}}{{> b}}";
    let files = [
        ("ja/_partials/a.hbs", "{{> b}}"),
        ("ja/_partials/b.hbs", "{{> a}}"),
        ("ja/_partials/wide.hbs", &twice.replace('b', "wider").repeat(64)),
        ("ja/_partials/wider.hbs", &"{{> widest}}".repeat(64)),
        ("ja/_partials/widest.hbs", "x"),
        (TEXT, "{{> a}}"),
        (SMS, "{{> wide}}"),
    ];
    let set = set(&files).unwrap_or_else(|problems| panic!("{problems:?}"));
    let written_out: Vec<_> = set.locales["ja"].text.written_out.keys().collect();
    assert_eq!(written_out, ["security.login/email.subject.hbs"]);
}

#[test]
fn the_shipped_templates_are_written_out_and_read_the_same() {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let set = TemplateSet::load(&Files::embedded("templates"), &catalog).expect("built-in");
    let mut compared = 0;
    for kind in catalog.iter() {
        for (index, example) in kind.schema.examples().iter().enumerate() {
            let event = json!({
                "specversion": "1.0", "id": index.to_string(), "source": "/t", "type": kind.name,
                "time": "2026-11-22T06:04:05Z", "data": example
            });
            let now = "2026-11-22T06:05:00Z".parse().expect("a time");
            let event = decode(&RawEvent::structured(event.to_string()), &catalog, now).expect("an example");
            for (language, locale) in &set.locales {
                for channel in [Channel::Sms, Channel::Email] {
                    let mut context = handlebars::Context::from(context(&event, brand().voice(language)));
                    address(&mut context, &notification(channel));
                    for registry in [&locale.text, &locale.html] {
                        let of_type = |(name, _): &(&String, _)| name.starts_with(&format!("{}/", kind.name));
                        for (name, whole) in registry.written_out.iter().filter(of_type) {
                            let written = registry.templates.render_with_context(name, &context).ok();
                            assert_eq!(registry.render_whole(&context, whole), written, "{language}/{name}");
                            compared += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(compared > 250, "{compared}");
    let left = set.locales.iter().flat_map(|(language, locale)| {
        let of = |registry: &super::super::Registry| {
            let whole = registry.places.keys().filter(|name| name.contains('/'));
            let left = whole.filter(|name| !registry.written_out.contains_key(*name));
            left.map(|name| format!("{language}/{name}")).collect::<Vec<_>>()
        };
        [of(&locale.text), of(&locale.html)].concat()
    });
    // `{{> account previous}}`: for a call with another context there is nothing to write out.
    let left: Vec<_> = left.filter(|name| !name.contains("security.withdrawal.account_changed")).collect();
    assert_eq!(left, Vec::<String>::new(), "rendered the long way");
}

/// A piece of a template: text, values, helpers, loops, conditions, calls with and without blocks and parameters.
fn piece() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "文",
            " ",
            "\n",
            "&",
            "{{device.name}}",
            "{{{device.name}}}",
            "{{given}}",
            "{{other}}",
            "{{this}}",
            "{{eq given \"x\"}}",
            "{{safe device.name}}",
            "{{@index}}",
            "{{> @partial-block}}",
            "{{> leaf}}",
            "{{!-- nichts --}}",
            "{{given.deep}}",
            "{{label}}",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let several = prop::collection::vec(inner, 0..4).prop_map(|pieces| pieces.concat());
        let opening = prop::sample::select(vec![
            ("{{#if given}}", "{{/if}}"),
            ("{{#if (eq label \"x\")}}", "{{else}}nein{{/if}}"),
            ("{{#unless device.os}}", "{{/unless}}"),
            ("{{#each all}}", "{{/each}}"),
            ("{{#with device}}", "{{/with}}"),
            ("{{#> leaf}}", "{{/leaf}}"),
            ("{{#> leaf given=\"<x>\"}}", "{{/leaf}}"),
            ("{{#> node given=device.name label=\"x\"}}", "{{/node}}"),
            ("{{#> node other=given}}", "{{/node}}"),
            ("{{#> node label=7 given=(eq 1 1)}}", "{{/node}}"),
        ]);
        (opening, several).prop_map(|((open, close), inner)| format!("{open}{inner}{close}"))
    })
}

proptest! {
    #[test]
    fn written_out_is_never_another_text(
        body in prop::collection::vec(piece(), 1..5), leaf in piece(), node in piece(),
        given in prop::option::of(prop::sample::select(vec!["x", "<&>", ""])),
    ) {
        // A partial that calls itself or the other ends in handlebars' own stack; no rule lets it pass.
        let (leaf, node) = (leaf.replace("> leaf", "> end").replace("> node", "> end"), node.replace("> node", "> leaf"));
        let (leaf, node) = (leaf.replace("/leaf", "/end").replace("/node", "/end"), node.replace("/node", "/leaf"));
        let files = [
            ("ja/_partials/end.hbs", "終{{device.os}}"),
            ("ja/_partials/leaf.hbs", leaf.as_str()),
            ("ja/_partials/node.hbs", node.as_str()),
            (TEXT, &body.concat()),
        ];
        let mut data = json!({"device": {"name": "A<B", "os": ""}, "all": ["x", {"given": 1}], "label": "l"});
        if let Some(given) = given {
            data["given"] = json!(given);
        }
        if let Ok(set) = set(&files) {
            for (name, written, whole) in both(&set, &data) {
                // One that fails is rendered as it was written.
                if let Some(whole) = whole {
                    prop_assert_eq!(written, Ok(whole), "{}", name);
                }
            }
        }
    }
}
