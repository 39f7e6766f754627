//! What protects recipients, as people meet it: texts of summaries, the catalog's lines, `check` and `explain`.

use serde_json::Value;
use shirase::config::Config;
use shirase::event::Event;
use shirase::plan::{Channel, Notification, Plan, plan};
use shirase::template::{Message, segments};

use crate::house::{self, Desk};

const TYPES: [&str; 2] = ["security.login", "security.login.new_device"];

/// A desk with a house whose logins are protected by the lines that stand ready in its catalog.
fn protected() -> Desk {
    let desk = Desk::new().with("SHIRASE_CONFIG", "config/shirase.toml");
    desk.run(&["init", "."]).expect(0);
    let catalog = desk.scratch.read("config/events.toml");
    let ready =
        catalog.replace("\n# collapse = ", "\ncollapse = ").replace("\n# notify_when = ", "\nnotify_when = ");
    assert_eq!(ready.matches("\ncollapse = ").count(), 2, "each type of login has its line");
    assert_eq!(ready.matches("\nnotify_when = ").count(), 1);
    desk.scratch.write("config/events.toml", &ready);
    desk
}

/// Every text of an event on both channels, as its customer reads it.
fn texts(event: &Event) -> Vec<String> {
    let config = Config::built_in();
    let Ok(Plan::Send(planned)) = plan(event, &config.sms.prefixes, house::time()) else { panic!("told") };
    let fallback = planned.iter().filter_map(Notification::fallback).collect::<Vec<_>>();
    let both: Vec<Notification> = planned.into_iter().chain(fallback).collect();
    let channels: Vec<Channel> = both.iter().map(|one| one.address.channel()).collect();
    assert_eq!(channels.len(), 2, "SMS and mail");
    let rendered = house::templates().render(event, &both, &config.brand).expect("renders");
    let texts = rendered.into_iter().flat_map(|one| match one.message {
        Message::Sms { text } => vec![text],
        Message::Email { subject, text, html, .. } => {
            [Some(subject), Some(text), html].into_iter().flatten().collect()
        }
    });
    texts.collect()
}

#[test]
fn a_summary_says_how_many_others_in_every_text_and_one_more_event_reads_as_itself() {
    for name in TYPES {
        let kind = house::CATALOG.get(name).expect("built in");
        for (locale, words) in [("ja", "ほか12件"), ("en", "and 12 more")] {
            let mut event = house::events(kind).remove(0);
            event.recipient.locale = locale.to_owned();
            let alone = texts(&event);
            assert_eq!(alone.len(), 4, "SMS, subject, text, HTML");
            event.others = Some(0);
            assert_eq!(texts(&event), alone);
            event.others = Some(12);
            for (text, alone) in texts(&event).into_iter().zip(&alone) {
                let plain = text.replace('\n', " ");
                assert!(plain.contains(words) && !alone.contains(words), "{name} {locale}:\n{text}");
                if text.starts_with("【サンプル銀行】11/") {
                    assert_eq!(segments(&text).segments, 1, "{text}");
                }
            }
        }
    }
}

#[test]
fn the_lines_that_stand_ready_in_the_catalog_pass_every_check_with_the_shipped_texts() {
    let desk = protected();
    desk.run(&["check"]).expect(0);
    let shown = desk.run(&["preview", "security.login", "--others", "12"]).expect(0).out;
    assert!(shown.contains("ほか12件"), "{shown}");
    desk.scratch
        .write("templates/ja/security.login/sms.hbs", "{{> sms-head}} ログインがありました。{{> sms-call}}");
    let refused = desk.run(&["check"]).expect(1);
    for part in ["ja/security.login/sms.hbs", "does not say how many others", "{{#if event.others}}"] {
        assert!(refused.out.contains(part), "{part} is not in\n{}", refused.out);
    }
}

#[test]
fn explain_names_the_rules_of_an_event_and_none_as_shipped() {
    let event = |desk: &Desk, name: &str| {
        let event = house::envelope(name, "e", house::real_time(), &house::example(name, 1));
        desk.scratch.write("event.json", &event.to_string());
        let out = desk.run(&["explain", "--json", "event.json"]).expect(0).out;
        serde_json::from_str::<Value>(out.trim()).expect("a JSON object")["rules"].clone()
    };
    let desk = protected();
    let rules = event(&desk, "security.login");
    let text = desk.run(&["explain", "event.json"]).expect(0).out;
    let expected =
        ["told when the device differs", "3 told within 10m per recipient; what is over becomes one summary"];
    for (rule, words) in rules.as_array().expect("a list").iter().zip(expected) {
        assert!(
            rule.as_str().is_some_and(|rule| rule.contains(words) && text.contains(rule)),
            "{rules} {text}"
        );
    }
    let desk = desk.with("SHIRASE_SMS__DAY_LIMIT", "10");
    assert_eq!(event(&desk, "security.login")[2], "10 SMS per number and day, then the fallback");
    assert_eq!(event(&desk, "security.esim.reissued")[0], "exempt from sms.day_limit");
    let shipped = Desk::new();
    assert_eq!(event(&shipped, "security.login"), serde_json::json!([]));
}

#[test]
fn a_rule_that_cannot_be_is_refused_with_its_place_and_the_mend() {
    for (line, words) in [
        (
            "notify_when = \"new_device\"",
            "notify_when is \"new_device\", but the schema has no `device` to compare",
        ),
        ("collapse = { max = 3, window = \"25h\" }", "collapse.window is not between \"1ms\" and \"24h\""),
        ("collapse = { max = 0, window = \"1h\" }", "nonzero"),
        ("collapse = { max = 3 }", "window"),
    ] {
        let desk = protected();
        let catalog = desk.scratch.read("config/events.toml");
        let table = "[\"security.password.changed\"]\n";
        desk.scratch.write("config/events.toml", &catalog.replace(table, &format!("{table}{line}\n")));
        let refused = desk.run(&["check"]).expect(2).err;
        for part in ["config/events.toml", "[\"security.password.changed\"]", words] {
            assert!(refused.contains(part), "{part} is not in\n{refused}");
        }
    }
}
