//! The shipped binary, from an empty folder: what it says, where, and with which exit code.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Value, json};
use shirase::assets::EMBEDDED;

use crate::house::{self, CATALOG, Desk, Findings, Ran, RunningSandbox};

const COMMANDS: [&str; 14] = [
    "run", "demo", "init", "check", "preview", "explain", "validate", "asyncapi", "publish", "trace", "dead",
    "bounce", "sandbox", "gateway",
];
const DEAD_COMMANDS: [&str; 4] = ["list", "show", "replay", "drop"];
const GATEWAY_COMMANDS: [&str; 3] = ["list", "drain", "resume"];

/// A desk with a house of its own in it, which is also its working directory.
fn desk_with_house() -> Desk {
    let desk = Desk::new().with("SHIRASE_CONFIG", "config/shirase.toml");
    desk.run(&["init", "."]).expect(0);
    desk
}

#[track_caller]
fn assert_contains(text: &str, expected: &[&str]) {
    for part in expected {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

/// Each of the lines is there, and no other but records of the log.
#[track_caller]
fn assert_lines(text: &str, expected: &[&str]) {
    let words: Vec<_> = text.lines().filter(|line| !line.starts_with('{')).collect();
    assert_contains(&words.join("\n"), expected);
    assert_eq!(words.len(), expected.len(), "{text}");
}

fn replace(desk: &Desk, file: &str, from: &str, to: &str) {
    let text = desk.scratch.read(file);
    assert!(text.contains(from), "{from} is not in {file}");
    desk.scratch.write(file, &text.replace(from, to));
}

/// An event of now, for the binary's own clock.
fn event(id: &str, event_type: &str, number: usize) -> Value {
    house::envelope(event_type, id, house::real_time(), &house::example(event_type, number))
}

fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

#[track_caller]
fn assert_nothing_personal(text: &str) {
    for secret in [
        "1234-5678",
        "12345678",
        "taro",
        "hanako",
        "example.jp",
        "example.com",
        "山田",
        "佐藤",
        "サンプル銀行",
        "U100",
        "1234567",
    ] {
        let found: Vec<_> = text.lines().filter(|line| line.contains(secret)).take(2).collect();
        assert!(found.is_empty(), "{secret} is in\n{}", found.join("\n"));
    }
}

#[test]
fn every_command_helps_a_newcomer() {
    let desk = Desk::new();
    let top = desk.run(&["--help"]).expect(0);
    assert_eq!(top.err, "");
    assert_contains(&top.out, &["shirase demo", "shirase init", "Exit codes: 0", "--version"]);
    for command in COMMANDS {
        assert!(
            top.out.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))),
            "{command}\n{}",
            top.out
        );
        assert_helps(&desk, &[command], !["init", "sandbox", "dead", "gateway"].contains(&command));
    }
    for command in DEAD_COMMANDS {
        assert_helps(&desk, &["dead", command], true);
    }
    for command in GATEWAY_COMMANDS {
        assert_helps(&desk, &["gateway", command], true);
    }
    assert_contains(&desk.run(&["--version"]).expect(0).out, &[env!("CARGO_PKG_VERSION")]);
    assert_contains(&desk.run(&[]).expect(2).err, &["Usage: shirase"]);
    assert_contains(&desk.run(&["nonsense"]).expect(2).err, &["nonsense", "--help"]);
    assert_contains(&desk.run(&["run", "--json"]).expect(2).err, &["--events"]);
    assert_contains(&desk.run(&["trace"]).expect(2).err, &["EVENT_ID"]);
    assert_contains(&desk.run(&["trace", "e", "--recipient", "x"]).expect(2).err, &["--recipient"]);
}

#[track_caller]
fn assert_helps(desk: &Desk, command: &[&str], takes_config: bool) {
    let usage = format!("Usage: shirase {}", command.join(" "));
    assert_contains(&desk.run(&[command, &["--help"]].concat()).expect(0).out, &[&usage]);
    // The short form has an option's words on its own line.
    let help = desk.run(&[command, &["-h"]].concat()).expect(0);
    assert_contains(&help.out, &[&usage]);
    let without_words =
        help.out.lines().filter(|line| line.trim_start().starts_with("--") && !line.trim().contains(' '));
    assert_eq!(without_words.count(), 0, "an option without an explanation\n{}", help.out);
    if takes_config {
        assert_contains(&help.out, &["--config <FILE>", "SHIRASE_CONFIG"]);
    }
}

#[test]
fn init_writes_what_the_binary_carries_and_overwrites_nothing() {
    let desk = Desk::new();
    let ran = desk.run(&["init", "deep/house"]).expect(0);
    assert_contains(&ran.out, &["deep/house", "shirase check --config config/shirase.toml"]);
    for (name, text) in EMBEDDED {
        assert_eq!(&desk.scratch.read(&format!("deep/house/{name}")), text, "{name}");
    }
    assert_eq!(files_below(&desk.scratch.join("deep/house")), EMBEDDED.len());

    desk.scratch.write("deep/house/config/events.toml", "mine");
    fs::remove_file(desk.scratch.join("deep/house/config/shirase.toml")).expect("there");
    let again = desk.run(&["init", "deep/house"]).expect(2);
    assert_contains(&again.err, &["deep/house", "is there already", "another folder"]);
    assert_eq!(desk.scratch.read("deep/house/config/events.toml"), "mine");
    assert!(
        !desk.scratch.join("deep/house/config/shirase.toml").exists(),
        "nothing is written when something is there"
    );
}

#[test]
fn init_into_a_file_is_wrong_usage() {
    let desk = Desk::new();
    desk.scratch.write("file", "x");
    assert_contains(&desk.run(&["init", "file"]).expect(2).err, &["file"]);
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

#[test]
fn check_finds_the_built_in_and_a_fresh_house_in_order() {
    let built_in = Desk::new().run(&["check"]).expect(0);
    assert_contains(&built_in.out, &["10 event types", "in order"]);
    assert_eq!(built_in.err, "");
    let house = desk_with_house().run(&["check"]).expect(0);
    assert_eq!(house.out, built_in.out);
    let json = Desk::new().run(&["check", "--json"]).expect(0).json_lines().remove(0);
    assert_eq!((&json["types"], &json["findings"]), (&json!(10), &json!([])));
    assert!(json["messages"].as_u64().is_some_and(|count| count >= 40), "{json}");
}

#[test]
fn check_names_file_and_line_of_every_template_that_does_not_load() {
    let desk = desk_with_house();
    desk.scratch.write("templates/ja/security.login/sms.hbs", "一行目\n{{#if device}}\nno end\n");
    desk.scratch.write("templates/ja/security.login/email.txt.hbs", "{{ unclosed");
    desk.scratch.write("templates/ja/security.login/notes.txt", "stray");
    fs::remove_file(desk.scratch.join("templates/ja/security.esim.reissued/email.subject.hbs"))
        .expect("there");
    let ran = desk.run(&["check"]).expect(2);
    assert_lines(
        &ran.err,
        &[
            "templates/ja/security.login/sms.hbs:",
            "templates/ja/security.login/email.txt.hbs:1:",
            "templates/ja/security.login/notes.txt: is not a template",
            "templates/ja/security.esim.reissued/email.subject.hbs: not found",
        ],
    );
    assert_eq!(ran.out, "");
    // The worker does not start with it either, and nothing is sent.
    desk.run_with_input(&["run", "--events", "-"], &lines(&[event("1", "security.login", 1)])).expect(2);
}

#[test]
fn check_names_the_place_of_what_fails_only_when_it_is_rendered() {
    for (text, line, word) in [
        ("一行目\n{{brand.company}} {{device.nme}}\n", 2, "device.nme"),
        ("{{no_such_helper device}}", 1, "no_such_helper"),
        ("{{> no-such-partial}}", 1, "no-such-partial"),
        ("{{jst event.time \"long\"}}", 1, "short"),
    ] {
        let desk = desk_with_house();
        desk.scratch.write("templates/ja/security.login/sms.hbs", text);
        let ran = desk.run(&["check"]);
        assert!([1, 2].contains(&ran.code), "{text}: {ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert_contains(&said, &[&format!("templates/ja/security.login/sms.hbs:{line}"), word]);
    }
    let desk = desk_with_house();
    desk.scratch.write("templates/ja/security.login/sms.hbs", " \n");
    assert_contains(
        &desk.run(&["check"]).expect(1).out,
        &["templates/ja/security.login/sms.hbs: error: renders to nothing", "[renders]"],
    );
    let desk = desk_with_house();
    desk.scratch.write("templates/ja/security.login/sms.hbs", &"あ".repeat(700));
    assert_contains(&desk.run(&["check"]).expect(1).out, &["sms.hbs", "700", "660"]);
}

#[test]
fn check_lists_its_rules_with_what_each_wants() {
    let listed = Desk::new().run(&["check", "--rules"]).expect(0).out;
    for rule in shirase::lint::RULES {
        assert_contains(&listed, &[&format!("{} ({})\n  {}\n", rule.name, rule.severity, rule.about)]);
    }
}

#[test]
fn check_says_of_each_finding_where_it_is_what_it_is_and_which_example_shows_it() {
    let desk = desk_with_house();
    let sms = "templates/ja/security.login/sms.hbs";
    replace(&desk, sms, "ログインがありました。", "\n①ログイン 詳細ｗｗｗ．ｅｘａｍｐｌｅ．ｊｐ ");
    let ran = desk.run(&["check"]).expect(1);
    assert_contains(
        &ran.out,
        &[
            &format!("{sms}:2:1: error: has ① (U+2460), 機種依存文字; write it with other characters"),
            &format!("{sms}:2:7: error: has the link 詳細www.example.jp; remove it"),
            "[links] (example security.login-1 and ",
            " messages: 2 finding(s)",
        ],
    );
    let json = desk.run(&["check", "--json"]).expect(1).json_lines().remove(0);
    let finding = &json["findings"][1];
    for (key, value) in [
        ("rule", json!("links")),
        ("severity", json!("error")),
        ("path", json!("ja/security.login/sms.hbs")),
        ("line", json!(2)),
        ("column", json!(7)),
        ("type", json!("security.login")),
        ("example", json!("security.login-1")),
    ] {
        assert_eq!(finding[key], value, "{key}: {finding}");
    }
    assert!(finding["shown_by"].as_u64().is_some_and(|count| count > 1), "{finding}");
    assert!(finding["mend"].as_str().is_some_and(|mend| mend.contains("templates.check.links")), "{finding}");
    desk.run(&["run", "--events", "-"]).expect(2);
}

#[test]
fn a_link_that_is_approved_and_a_rule_that_is_excepted_pass_until_nothing_needs_them() {
    let desk = desk_with_house();
    let sms = "templates/ja/security.login/sms.hbs";
    let original = desk.scratch.read(sms);
    replace(&desk, sms, "ログインがありました。", "①ログイン www.example.jp ");
    let config = desk.scratch.read("config/shirase.toml");
    let allowed = "[[templates.check.links]]\ntext = \"www.example.jp\"\nreason = \"Legal\"\n\
                   [[templates.check.exceptions]]\nrule = \"characters\"\ntemplate = \"ja/security.login/*\"\n\
                   reason = \"the step is called so\"\n";
    desk.scratch.write("config/shirase.toml", &format!("{config}\n{allowed}"));
    assert_contains(&desk.run(&["check"]).expect(0).out, &["in order"]);
    desk.scratch.write(sms, &original);
    assert_contains(
        &desk.run(&["check"]).expect(0).out,
        &[
            "templates.check.exceptions.0: warning: fits no finding",
            "templates.check.links.0: warning: is in no text",
            "2 finding(s)",
        ],
    );
}

#[test]
fn a_place_in_a_partial_is_the_partial() {
    let desk = desk_with_house();
    let partial = desk.scratch.read("templates/ja/_partials/sms-head.hbs");
    desk.scratch.write("templates/ja/_partials/sms-head.hbs", &format!("{partial}{{{{brand.compny}}}}"));
    let ran = desk.run(&["check"]);
    assert!([1, 2].contains(&ran.code), "{ran:?}");
    assert_contains(
        &format!("{}{}", ran.out, ran.err),
        &["templates/ja/_partials/sms-head.hbs:", "brand.compny"],
    );
}

#[test]
fn check_names_what_is_wrong_with_the_catalog() {
    let desk = desk_with_house();
    replace(
        &desk,
        "config/events.toml",
        "[\"security.login\"]\nlane = \"standard\"",
        "[\"security.login\"]\nlane = \"fast\"",
    );
    let events = desk.scratch.read("config/events.toml");
    let more = "[\"security.mine\"]\nlane = \"standard\"\nchannels = \"auto\"\nemail_to = \"auth\"\nuser_may_choose = true\n\
                user_may_mute = false\nfallback = true\nmax_age = \"6h\"\n";
    desk.scratch.write("config/events.toml", &format!("{events}{more}"));
    desk.scratch.write("config/schemas/security.esim.reissued.json", "{");
    replace(
        &desk,
        "config/schemas/security.auth_code.issued.json",
        "\"code\": \"0042\"",
        "\"code\": \"secret\"",
    );
    let ran = desk.run(&["check"]).expect(2);
    assert_contains(
        &ran.err,
        &[
            "config/events.toml",
            "[\"security.login\"]",
            "fast",
            "config/schemas/security.mine.json: not found",
            "config/schemas/security.esim.reissued.json: not JSON",
            "config/schemas/security.auth_code.issued.json: examples/1",
        ],
    );
}

#[test]
fn a_new_event_type_needs_no_rust() {
    let desk = desk_with_house();
    let policy = "\n[\"security.card.frozen\"]\nlane = \"critical\"\nchannels = \"both\"\nemail_to = \"auth\"\n\
                  user_may_choose = false\nuser_may_mute = false\nfallback = false\nmax_age = \"1h\"\n";
    let events = desk.scratch.read("config/events.toml");
    desk.scratch.write("config/events.toml", &format!("{events}{policy}"));
    let example = json!({"recipient": {"user_id": "U1", "phone": "090-1234-5678", "email": "taro@example.jp"}, "card": "青"});
    let schema = json!({
        "title": "カードの停止", "type": "object", "required": ["recipient", "card"],
        "properties": {"recipient": {"$ref": "recipient.json"}, "card": {"type": "string"}},
        "examples": [example, example]
    });
    desk.scratch.write("config/schemas/security.card.frozen.json", &schema.to_string());
    fs::create_dir(desk.scratch.join("templates/ja/security.card.frozen")).expect("our folder");
    for (part, text) in [
        ("sms.hbs", "【{{brand.company}}】{{card}}のカードを止めました。{{> sms-call}}"),
        ("email.subject.hbs", "カードの停止"),
        ("email.txt.hbs", "{{recipient.name}}{{card}}のカードを止めました。\n{{> call}}{{brand.company}}"),
    ] {
        desk.scratch.write(&format!("templates/ja/security.card.frozen/{part}"), text);
    }
    // A customer without a name is plausible, so the mail as written is not in order.
    assert_contains(
        &desk.run(&["check"]).expect(1).out,
        &["security.card.frozen/email.txt.hbs:1", "recipient.name"],
    );
    desk.scratch.write(
        "templates/ja/security.card.frozen/email.txt.hbs",
        "{{card}}のカードを止めました。\n{{> call}}{{brand.company}}",
    );
    assert_contains(&desk.run(&["check"]).expect(0).out, &["11 event types"]);
    let preview = desk.run(&["preview", "security.card.frozen"]).expect(0);
    assert_contains(&preview.out, &["【サンプル銀行】青のカードを止めました。", "Subject: カードの停止"]);
}

#[test]
fn preview_shows_every_type_on_both_channels() {
    let desk = Desk::new();
    for kind in CATALOG.iter() {
        let ran = desk.run(&["preview", &kind.name]).expect(0);
        assert_eq!(ran.err, "");
        let count = kind.schema.examples().len();
        let of_channel = |channel: &str| headings(&ran).iter().filter(|line| line.contains(channel)).count();
        assert!(of_channel("· sms ·") >= count && of_channel("· email ·") >= count, "{}", ran.out);
        assert!(ran.out.matches("【サンプル銀行】").count() >= 2 * count, "{}", ran.out);
        assert!(ran.out.matches("Subject: ").count() >= count, "{}", ran.out);
    }
    let sms = desk.run(&["preview", "security.login", "--channel", "sms"]).expect(0);
    assert!(!sms.out.contains("Subject: ") && sms.out.contains("segment"), "{}", sms.out);
    let email = desk.run(&["preview", "security.login", "--channel", "email"]).expect(0);
    assert!(email.out.contains("Subject: ") && !email.out.contains("· sms ·"), "{}", email.out);
}

#[test]
fn preview_in_json_is_an_object_a_message() {
    let messages = Desk::new().run(&["preview", "security.esim.reissued", "--json"]).expect(0).json_lines();
    assert!(messages.len() >= 6, "{messages:?}");
    for message in &messages {
        assert_eq!(message["type"], "security.esim.reissued");
        assert!(message["event_id"].is_string() && message["contact"] == "current");
        match message["channel"].as_str() {
            Some("sms") => {
                assert!(message["message"]["sms"]["text"].is_string(), "{message}");
                assert_eq!(
                    (&message["size"]["segments"], &message["size"]["encoding"]),
                    (&json!(1), &json!("UCS-2"))
                );
            }
            Some("email") => {
                let mail = &message["message"]["email"];
                assert!(["subject", "text", "html"].iter().all(|part| mail[part].is_string()), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn preview_takes_events_from_a_file_or_standard_input() {
    let desk = Desk::new();
    let mut one = event("mine-1", "security.withdrawal.requested", 1);
    one["data"]["amount"] = json!(777_000);
    desk.scratch.write("one.json", &serde_json::to_string_pretty(&one).expect("JSON"));
    assert_contains(&desk.run(&["preview", "one.json"]).expect(0).out, &["mine-1", "777,000円"]);
    let both = lines(&[one, event("mine-2", "security.login", 1)]);
    let ran = desk.run_with_input(&["preview", "-", "--channel", "sms"], &both).expect(0);
    assert_contains(&ran.out, &["mine-1", "mine-2"]);
}

/// The headings of a preview: one a message.
fn headings(ran: &Ran) -> Vec<&str> {
    ran.out.lines().filter(|line| line.starts_with("──")).collect()
}

#[test]
fn preview_of_an_event_says_what_is_sent_what_is_not_and_why() {
    let desk = Desk::new();
    let by_sms = event("by-sms", "security.login.new_device", 1);
    let ran = desk.run_with_input(&["preview", "-"], &by_sms.to_string()).expect(0);
    let shown = headings(&ran);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_contains(shown[0], &["by-sms", "sms", "090-****-5678", "mobile number with prefix 090"]);
    assert_contains(shown[1], &["by-sms", "email", "t***@example.jp", "sms failed for good"]);
    let json = desk.run_with_input(&["preview", "--json", "-"], &by_sms.to_string()).expect(0).json_lines();
    assert_eq!((&json[0]["sent"], &json[0]["to"]), (&json!(true), &json!("090-****-5678")));
    assert_eq!((&json[1]["sent"], &json[1]["to"]), (&json!(false), &json!("t***@example.jp")));

    let mut muted = event("muted", "security.login", 1);
    muted["data"]["recipient"]["settings"] = json!({"channel": "none"});
    let mut expired = event("expired", "security.login", 1);
    expired["time"] = json!("2020-01-01T00:00:00Z");
    for (event, why) in [(muted, "settings"), (expired, "max_age")] {
        let ran = desk.run_with_input(&["preview", "-"], &event.to_string());
        let said = format!("{}\n{}", headings(&ran).join("\n"), ran.err);
        assert_contains(&said, &["would not be sent", why]);
    }
}

#[test]
fn preview_names_a_wrong_type_and_a_wrong_line() {
    let desk = Desk::new();
    let ran = desk.run(&["preview", "security.logins"]).expect(2);
    assert_eq!(ran.out, "");
    assert_contains(&ran.err, &["security.logins"]);
    for kind in CATALOG.iter() {
        assert_contains(&ran.err, &[&kind.name]);
    }
    let good = event("good", "security.login", 1);
    desk.scratch.write("mixed.jsonl", &format!("{good}\n\n{{\"x\": 1}}\n{good}\n"));
    let ran = desk.run(&["preview", "mixed.jsonl"]);
    assert!([1, 2].contains(&ran.code), "{ran:?}");
    assert_contains(&ran.err, &["mixed.jsonl:3: missing_attribute: /specversion: is missing"]);
    desk.scratch.write("empty", "\n \n");
    for command in ["preview", "explain", "publish"] {
        assert_contains(&desk.run(&[command, "empty"]).expect(2).err, &["empty: holds no event"]);
        if command != "preview" {
            assert_contains(
                &desk.run(&[command, "nowhere.json"]).expect(2).err,
                &["nowhere.json: No such file"],
            );
        }
        fs::create_dir_all(desk.scratch.join("folder")).expect("our folder");
        assert_contains(&desk.run(&[command, "folder"]).expect(2).err, &["folder: Is a directory"]);
    }
}

#[test]
fn explain_tells_route_address_gateways_and_segments() {
    let desk = Desk::new();
    desk.scratch.write("e.json", &event("x-1", "security.login.new_device", 1).to_string());
    let ran = desk.run(&["explain", "e.json"]).expect(0);
    let expected = [
        "x-1",
        "security.login.new_device",
        "standard",
        "090-****-5678",
        "prefix 090",
        "primary",
        "1 segment",
        "t***@example.jp",
    ];
    assert_contains(&ran.out, &expected);
    assert!(!ran.out.contains("1234-5678") && !ran.out.contains("taro"), "{}", ran.out);

    let json = desk.run(&["explain", "--json", "e.json"]).expect(0).json_lines().remove(0);
    assert_eq!(
        (&json["result"], &json["line"], &json["lane"]),
        (&json!("send"), &json!(1), &json!("standard"))
    );
    let route = &json["notifications"][0];
    assert_eq!(
        (&route["channel"], &route["gateways"], &route["size"]["segments"]),
        (&json!("sms"), &json!(["primary"]), &json!(1))
    );
    assert_eq!(route["fallback"], "email t***@example.jp");
}

#[test]
fn explain_says_in_which_language_a_customer_is_told_and_check_that_the_company_has_no_name_in_it() {
    let desk = Desk::new();
    for (locale, language) in [("en-US", "en"), ("ja", "ja"), ("fr", "ja")] {
        let mut event = event("x-1", "security.login", 1);
        event["data"]["recipient"]["locale"] = json!(locale);
        let ran = desk.run_with_input(&["explain", "-"], &event.to_string()).expect(0);
        assert_contains(&ran.out, &[&format!("locale    {language}\n")]);
    }
    let desk = desk.with("SHIRASE_BRAND__COMPANY", "青空銀行");
    assert_contains(
        &desk.run(&["check"]).expect(0).out,
        &["texts in en say 青空銀行", "brand.locales.en.company"],
    );
}

#[test]
fn explain_says_why_a_number_gets_no_sms() {
    let desk = Desk::new();
    for (phone, why) in [
        (json!(null), "no phone"),
        (json!("0800-123-4567"), "not a mobile number"),
        (json!("03-1234-5678"), "not a mobile number"),
        (json!("0900-123-4567"), "no valid number"),
        (json!("090-1234-567"), "no valid number"),
        (json!("+1 202-555-0143"), "foreign"),
        (json!("060-1234-5678"), "prefix 060"),
    ] {
        let mut event = event("why", "security.login", 1);
        event["data"]["recipient"]["phone"] = phone.clone();
        if phone.is_null() {
            event["data"]["recipient"].as_object_mut().expect("a recipient").remove("phone");
        }
        let ran = desk.run_with_input(&["explain", "-"], &event.to_string()).expect(0);
        assert_contains(&ran.out, &[why, "h***@example.com"]);
    }
    let mut event = event("060", "security.login", 1);
    event["data"]["recipient"]["phone"] = json!("060-1234-5678");
    let desk = desk.with("SHIRASE_SMS__PREFIXES", "060,070");
    assert_contains(
        &desk.run_with_input(&["explain", "-"], &event.to_string()).expect(0).out,
        &["prefix 060", "sms to"],
    );
}

#[test]
fn explain_of_what_would_die_has_reason_line_and_id() {
    let desk = Desk::new();
    let mut old = event("old", "security.login", 1);
    old["time"] = json!("2020-01-01T00:00:00Z");
    let mut nobody = event("nobody", "security.login", 1);
    nobody["data"]["recipient"] = json!({"user_id": "U1", "phone": "秘密090", "email": "taro@"});
    let mut wrong = event("wrong", "security.login", 1);
    wrong["data"]["device"] = json!("taro@example.jp");
    let mut unknown = event("unknown-type", "security.login", 1);
    unknown["type"] = json!("security.unheard");
    let good = event("good", "security.login", 1);
    let input = format!("{}{{\"broken\": taro\n", lines(&[good, old, nobody, wrong, unknown]));
    let ran = desk.run_with_input(&["explain", "-"], &input).expect(1);
    assert_nothing_personal(&ran.out.replace("h***@example.com", "").replace("080-****-5678", ""));
    let json = desk.run_with_input(&["explain", "--json", "-"], &input).expect(1).json_lines();
    let reasons: Vec<_> =
        json.iter().map(|one| (one["line"].as_u64().unwrap_or(0), one["reason"].as_str())).collect();
    let expected =
        [None, Some("expired"), Some("no_address"), Some("schema"), Some("unknown_type"), Some("not_json")];
    assert_eq!(reasons, (1..).zip(expected).collect::<Vec<_>>(), "{json:?}");
    let ids: Vec<_> = json.iter().map(|one| one["event_id"].as_str()).collect();
    assert_eq!(ids, [Some("good"), Some("old"), Some("nobody"), Some("wrong"), Some("unknown-type"), None]);
}

#[test]
fn all_problems_of_a_configuration_come_at_once() {
    let desk = Desk::new()
        .with("SHIRASE_LEDGER__RETENTION", "long")
        .with("SHIRASE_TYPO__X", "1")
        .with("SHIRASE_SMS__GATEWAYS__7__URL", "http://127.0.0.1/");
    let text = "[broker]\nprefx = \"x\"\n\n[retry]\nschedule = [\"soon\"]\njitter = 7\n\n[[sms.gateways]]\nname = \"a\"\n\
                kind = \"pigeon\"\nurl = \"http://127.0.0.1/\"\nauthorization_file = \"/nowhere/secret\"\n";
    desk.scratch.write("house.toml", text);
    for command in [&["check"][..], &["run"], &["demo", "--once"], &["preview", "security.login"]] {
        let arguments = [command, &["--config", "house.toml"]].concat();
        let ran = desk.run(&arguments).expect(2);
        assert_eq!(ran.out, "", "{command:?}");
        assert_lines(
            &ran.err,
            &[
                "house.toml:2: broker.prefx: is not a key; did you mean `prefix`?",
                "house.toml:5: retry.schedule.0: is no length of time; write",
                "house.toml:6: retry.jitter: ",
                "house.toml:10: sms.gateways.0.kind: is not among \"http\"",
                "house.toml:12: sms.gateways.0.authorization_file: /nowhere/secret",
                "environment SHIRASE_LEDGER__RETENTION: ledger.retention: ",
                "environment SHIRASE_TYPO__X: ",
                "environment SHIRASE_SMS__GATEWAYS__7__URL: ",
            ],
        );
    }
    let ran = Desk::new().run(&["check", "--config", "nowhere.toml"]).expect(2);
    assert_contains(&ran.err, &["nowhere.toml: cannot be read"]);
    desk.scratch.write("syntax.toml", "[broker]\n\nprefix = = 1\n");
    assert_contains(&desk.run(&["check", "--config", "syntax.toml"]).expect(2).err, &["syntax.toml:3: "]);
}

#[test]
fn the_environment_goes_over_the_file() {
    let desk = desk_with_house().with("SHIRASE_BRAND__COMPANY", "環境銀行");
    replace(&desk, "config/shirase.toml", "company = \"サンプル銀行\"", "company = \"ファイル銀行\"");
    let company = |desk: &Desk| desk.run(&["preview", "security.login", "--channel", "sms"]).expect(0).out;
    assert_contains(&company(&desk), &["【環境銀行】"]);
    assert_contains(&company(&desk.with("SHIRASE_BRAND__COMPANY", "後の銀行")), &["【後の銀行】"]);
}

#[test]
fn a_house_from_another_folder_says_what_is_relative_to_what() {
    let desk = Desk::new();
    desk.run(&["init", "house"]).expect(0);
    let ran = desk.run(&["check", "--config", "house/config/shirase.toml"]);
    // Either it works, or it says where the key stands and where relative paths start.
    if ran.code != 0 {
        assert_eq!(ran.code, 2, "{ran:?}");
        assert_contains(
            &ran.err,
            &["house/config/shirase.toml:", "catalog.dir", "templates.dir", "working directory"],
        );
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let desk = Desk::new();
    desk.scratch.write("e.jsonl", &lines(&vec![event("x", "security.login", 1); 200]));
    let commands = [
        "preview security.login",
        "preview security.login --json",
        "explain e.jsonl",
        "explain --json e.jsonl",
        "check",
        "check --json",
        "init house",
        "demo --once",
        "--help",
        "preview --help",
        "--version",
    ];
    let findings = Findings::default();
    for command in commands {
        // The reader has gone before the first word; the exit code must not say "usage" or "bug".
        let line = format!("(sleep 0.2; $shirase {command}; echo \"code $?\" >&2) | true");
        let ran = desk.shell(&line).expect(0);
        findings.equal(command, &ran.err.as_str(), &"code 0\n");
        let _ = fs::remove_dir_all(desk.scratch.join("house"));
    }
    findings.assert_none();
    assert_eq!(desk.shell("set -o pipefail; $shirase preview security.login | head -1").expect(0).err, "");
}

fn run_file(desk: &Desk, arguments: &[&str], events: &str) -> Ran {
    desk.scratch.write("events.jsonl", events);
    desk.run(&[&["run", "--events", "events.jsonl"], arguments].concat())
}

#[test]
fn run_takes_a_file_and_sends_it_once() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let events = lines(&[
        event("f-1", "security.login.new_device", 1),
        event("f-2", "security.esim.reissued", 1),
        event("f-3", "security.password.changed", 1),
    ]);
    let ran = run_file(&desk, &[], &events).expect(0);
    assert_eq!(ran.out, "");
    assert_lines(&ran.err, &["3 events: sent 2 email, 2 sms; 0 told before, 0 muted, 0 dead"]);
    let kept = || (sandbox.sandbox.sms().len(), sandbox.sandbox.mail().len());
    assert_eq!(kept(), (2, 2));
    assert_eq!(sandbox.sandbox.sms()[0].to, "09012345678");

    let again = run_file(&desk, &[], &events).expect(0);
    assert_lines(&again.err, &["3 events: sent nothing; 4 told before, 0 muted, 0 dead"]);
    assert_eq!(kept(), (2, 2), "nothing is sent twice");
    let by_pipe = desk.run_with_input(&["run", "--events", "-"], &events).expect(0);
    assert_lines(&by_pipe.err, &["4 told before"]);
    assert_eq!(kept(), (2, 2));
}

#[test]
fn run_takes_standard_input_in_every_form() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let three = |name: &str| {
        (1..=3).map(|number| event(&format!("{name}-{number}"), "security.login", 1)).collect::<Vec<_>>()
    };
    let pretty: String = three("pretty").iter().map(|one| format!("{one:#}\n")).collect();
    for (form, input) in [
        ("lines", lines(&three("lines"))),
        ("array", Value::from(three("array")).to_string()),
        ("pretty array", format!("{:#}", Value::from(three("pretty-array")))),
        ("documents", pretty),
        (
            "CRLF, blank lines and a BOM",
            format!("\u{feff}{}", lines(&three("crlf")).replace('\n', "\r\n\r\n")),
        ),
    ] {
        let before = sandbox.sandbox.sms().len();
        let ran = desk.run_with_input(&["run", "--events", "-"], &input).expect(0);
        assert_contains(&ran.err, &["3 events: sent 3 sms"]);
        assert_eq!(sandbox.sandbox.sms().len() - before, 3, "{form}");
    }
    let nothing = desk.run_with_input(&["run", "--events", "-"], "").expect(0);
    assert_contains(&nothing.err, &["0 events"]);
}

#[test]
fn run_names_every_bad_line_and_sends_the_good_ones() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let mut nobody = event("b-3", "security.login", 1);
    nobody["data"]["recipient"] = json!({"user_id": "U1000001", "name": "山田 太郎"});
    let mut old = event("b-4", "security.login", 1);
    old["time"] = json!((house::real_time() - SignedDuration::from_hours(7)).to_string());
    let mut schema = event("b-5", "security.login", 1);
    schema["data"]["device"] = json!("taro@example.jp");
    let mut muted = event("b-6", "security.login", 1);
    muted["data"]["recipient"]["settings"] = json!({"channel": "none"});
    let events = format!(
        "{}\n\"taro@example.jp\" 090-1234-5678\n{nobody}\n{old}\n{schema}\n{muted}\n{}\n",
        event("b-1", "security.login", 1),
        event("b-7", "security.login", 1)
    );
    let ran = run_file(&desk, &[], &events).expect(1);
    assert_lines(
        &ran.err,
        &[
            "7 events: sent 2 sms; 0 told before, 1 muted, 4 dead",
            "line 2: not_json: ",
            "line 3: no_address: ",
            "line 4: expired: ",
            "line 5: schema: /data/device: ",
        ],
    );
    assert_nothing_personal(&ran.err);
    assert_eq!(sandbox.sandbox.sms().len(), 2);

    let mut json = run_file(&desk, &["--json"], &events).expect(1).json_lines();
    // Reports come as events end, in any order.
    json.sort_by_key(|one| one["line"].as_u64());
    let seen: Vec<_> = json
        .iter()
        .map(|one| (one["line"].as_u64().unwrap_or(0), one["result"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(
        seen,
        [(1, "done"), (2, "dead"), (3, "dead"), (4, "dead"), (5, "dead"), (6, "done"), (7, "done")]
    );
    assert_eq!(json[0]["notifications"][0]["result"], "duplicate");
    assert_eq!(sandbox.sandbox.sms().len(), 2);
}

#[test]
fn run_retries_what_can_be_retried_and_says_what_could_not_be_sent() {
    let desk = Desk::new()
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &format!("http://127.0.0.1:{}/", crate::support::free_port()))
        .with("SHIRASE_EMAIL__RELAYS__0__URL", &format!("smtp://127.0.0.1:{}", crate::support::free_port()))
        .with("SHIRASE_RETRY__SCHEDULE", "[\"1s\"]");
    let events = lines(&[event("r-1", "security.login.new_device", 1)]);
    let ran = run_file(&desk, &["--log", "error"], &events).expect(1);
    assert_contains(
        &ran.err,
        &[
            "1 events: sent nothing",
            "1 dead",
            "line 1: exhausted: current.sms: connect",
            "current.email: connect",
        ],
    );

    // The gateways are back: what was given up is sent when the same file is run again.
    let sandbox = RunningSandbox::start();
    let desk = desk
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &sandbox.sms)
        .with("SHIRASE_EMAIL__RELAYS__0__URL", &sandbox.smtp);
    let again = run_file(&desk, &[], &events).expect(0);
    assert_contains(&again.err, &["0 told before", "0 dead"]);
    assert_eq!(sandbox.sandbox.sms().len() + sandbox.sandbox.mail().len(), 1, "told once");
}

#[test]
fn the_log_is_json_lines_without_anything_personal_at_any_level() {
    let sandbox = RunningSandbox::start();
    let mut events: Vec<_> =
        CATALOG.iter().map(|kind| event(&format!("log-{}", kind.name), &kind.name, 1)).collect();
    let mut bad = event("log-bad", "security.login", 1);
    bad["data"]["recipient"]["phone"] = json!({"090-1234-5678": "taro@example.jp"});
    events.push(bad);
    for level in ["info", "debug", "trace"] {
        let desk = sandbox.desk().with("SHIRASE_LOG", level);
        let ran = run_file(&desk, &[], &lines(&events)).expect(1);
        assert_nothing_personal(&ran.err);
        let (records, words): (Vec<_>, Vec<_>) = ran.err.lines().partition(|line| line.starts_with('{'));
        assert_eq!(words.len(), 2, "{level}: the summary and the dead event, not {words:?}");
        for line in &records {
            let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(
                ["timestamp", "level", "message", "target"].iter().all(|key| record[key].is_string()),
                "{line}"
            );
        }
        let expected = ["\"event_id\":\"log-security.login\"", "\"result\":\"accepted\"", "dead letter"];
        assert_contains(&records.join("\n"), &expected);
    }
}

#[test]
fn a_log_on_a_terminal_is_text() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk().with("SHIRASE_LOG", "info");
    desk.scratch.write("events.jsonl", &lines(&[event("t-1", "security.login.new_device", 1)]));
    // `script` of util-linux gives a command a terminal.
    let ran = desk
        .shell("script --quiet --return --command \"$shirase run --events events.jsonl\" /dev/null")
        .expect(0);
    assert!(!ran.out.contains("{\""), "{}", ran.out);
    assert_contains(&ran.out, &["t-1", "1 events: sent 1 sms"]);
    assert_nothing_personal(&ran.out);
}

#[test]
fn a_ledger_belongs_to_one_process() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    // The first keeps its standard input open until the second has ended.
    let line = format!(
        "until [ -e done ]; do sleep 0.05; done | $shirase run --events - & until [ -e shirase.db ]; do sleep 0.05; done; \
         $shirase run --events {}; code=$?; touch done; wait; exit $code",
        desk.scratch.write("events.jsonl", &lines(&[event("l-1", "security.login", 1)])).display()
    );
    let ran = desk.shell(&line).expect(2);
    assert_contains(&ran.err, &["ledger.url", "in use by another worker"]);
}

#[test]
fn the_ledger_holds_nothing_personal() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let events: Vec<_> = CATALOG.iter().map(|kind| event(&kind.name, &kind.name, 1)).collect();
    run_file(&desk, &[], &lines(&events)).expect(0);
    let mut whole = String::new();
    for file in fs::read_dir(desk.path()).expect("our folder") {
        let path = file.expect("a file").path();
        if path.to_string_lossy().contains("shirase.db") {
            whole.push_str(&String::from_utf8_lossy(&fs::read(&path).expect("readable")));
        }
    }
    assert_contains(&whole, &["security.login.new_device", "current.sms"]);
    for secret in ["1234-5678", "12345678", "taro", "hanako", "example.com", "山田", "サンプル", "iPhone"]
    {
        assert!(!whole.contains(secret), "the ledger holds {secret}");
    }
}

#[test]
fn trace_reads_a_number_from_standard_input_and_never_prints_one_back() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let mut told = event("t-1", "security.login.new_device", 1);
    told["data"]["recipient"]["phone"] = json!("090-1234-5678");
    run_file(&desk, &[], &lines(&[told])).expect(0);
    let ran = desk.run_with_input(&["trace", "--recipient", "-"], "+81 90 1234 5678\n").expect(0);
    assert_contains(&ran.out, &["1 event\n", "t-1: told", "the one asked about"]);
    assert_nothing_personal(&ran.out);
    for text in ["090-1234-567", "taro@", ""] {
        let ran = desk.run(&["trace", "--recipient", text]).expect(2);
        assert_contains(&ran.err, &["--recipient: "]);
        assert_nothing_personal(&ran.err);
    }
}

#[test]
fn run_on_a_folder_names_it() {
    let desk = Desk::new();
    fs::create_dir(desk.scratch.join("folder")).expect("our folder");
    let ran = desk.run(&["run", "--events", "folder"]).expect(2);
    assert_contains(&ran.err, &["folder: Is a directory"]);
}

#[test]
fn a_stop_in_the_middle_of_a_file_says_what_is_left_and_the_next_run_sends_it() {
    let desk = Desk::new()
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &format!("http://127.0.0.1:{}/", crate::support::free_port()))
        .with("SHIRASE_RETRY__SCHEDULE", "[\"1h\"]")
        .with("SHIRASE_RETRY__FALLBACK_AFTER", "2h");
    let events = lines(&[event("s-1", "security.login.new_device", 1)]);
    desk.scratch.write("events.jsonl", &events);
    let line = "$shirase run --events events.jsonl 2>log & until grep -q 'attempt failed' log; do sleep 0.05; done; \
                kill -TERM $!; wait $!; code=$?; cat log >&2; exit $code";
    let ran = desk.shell(line).expect(1);
    assert_contains(
        &ran.err,
        &["1 events: sent nothing", "1 events not finished", "run the same file again"],
    );

    let sandbox = RunningSandbox::start();
    let desk = desk.with("SHIRASE_SMS__GATEWAYS__0__URL", &sandbox.sms);
    assert_contains(&run_file(&desk, &[], &events).expect(0).err, &["1 events: sent 1 sms"]);
}

/// A gateway that thinks for two seconds; its URL, and how many requests it has been given.
fn slow_gateway() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}/sms", listener.local_addr().expect("an address"));
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, count) = (stream.expect("a connection"), Arc::clone(&count));
            thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                count.fetch_add(1, Ordering::SeqCst);
                thread::sleep(Duration::from_secs(2));
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
            });
        }
    });
    (url, given)
}

#[test]
fn a_stop_lets_what_is_being_sent_arrive_and_the_next_run_sends_nothing_twice() {
    let (url, given) = slow_gateway();
    let desk = Desk::new().with("SHIRASE_SMS__GATEWAYS__0__URL", &url);
    let events: Vec<Value> =
        (1..=3).map(|number| event(&format!("s-{number}"), "security.login.new_device", 1)).collect();
    desk.scratch.write("events.jsonl", &lines(&events));
    let mut command = desk.command(house::BINARY);
    command.args(["run", "--events", "events.jsonl"]);
    command.stderr(fs::File::create(desk.scratch.join("stderr")).expect("our folder"));
    let guard = crate::support::Guard::start(&desk.scratch, &mut command);
    let patience = Duration::from_secs(30);
    let all = || (given.load(Ordering::SeqCst) == 3).then_some(());
    crate::support::eventually(patience, "three requests at the gateway", all);
    guard.signal("TERM");
    assert_eq!(guard.wait(patience).code(), Some(0), "everything ended");
    assert_contains(&desk.scratch.read("stderr"), &["3 events: sent 3 sms"]);

    let again = run_file(&desk, &[], &lines(&events)).expect(0);
    assert_contains(&again.err, &["3 events: sent nothing; 3 told before"]);
    assert_eq!(given.load(Ordering::SeqCst), 3);
}

#[test]
fn a_worker_does_not_begin_with_a_text_that_check_refuses() {
    let desk = desk_with_house();
    replace(&desk, "templates/ja/security.login/sms.hbs", "{{> sms-head}}", "{{> sms-head}}{{device.nmae}}");
    assert_contains(&desk.run(&["check"]).expect(1).out, &["security.login/sms.hbs:1:", "device.nmae"]);
    let ran = run_file(&desk, &[], &lines(&[event("s-1", "security.login.new_device", 1)])).expect(2);
    assert_contains(&ran.err, &["security.login/sms.hbs:1:", "device.nmae"]);
}

#[test]
fn check_connect_names_what_cannot_be_reached_and_sends_nothing() {
    let sandbox = RunningSandbox::start();
    let broker = format!("amqp://guest:hunter2@127.0.0.1:{}/%2f", crate::support::free_port());
    let desk = sandbox.desk().with("SHIRASE_BROKER__URLS", &broker);
    let ran = desk.run(&["check", "--connect"]).expect(1);
    assert_contains(&ran.out, &["broker.urls: ", "1 finding"]);
    assert!(!ran.out.contains("hunter2"), "{}", ran.out);

    let closed = format!("127.0.0.1:{}", crate::support::free_port());
    let desk = desk
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &format!("http://{closed}/sms"))
        .with("SHIRASE_EMAIL__RELAYS__0__URL", &format!("smtp://{closed}"))
        .with("SHIRASE_LEDGER__URL", "sqlite:/nowhere/at/all.db")
        .with("SHIRASE_TRACES__ENDPOINT", &format!("http://{closed}"));
    let ran = desk.run(&["check", "--connect"]).expect(1);
    assert_contains(
        &ran.out,
        &[
            "broker.urls: ",
            "sms.gateways \"primary\": ",
            "email.relays \"mta\": ",
            "ledger.url: ",
            &format!("traces.endpoint: no connection to {closed}"),
            "5 finding",
        ],
    );
    assert_eq!((sandbox.sandbox.sms().len(), sandbox.sandbox.mail().len()), (0, 0));
}

#[test]
fn the_sandbox_takes_what_a_worker_elsewhere_sends_and_shows_it() {
    let [sms, smtp, page] = std::array::from_fn(|_| crate::support::free_port());
    let desk = Desk::new();
    let mut command = desk.command(house::BINARY);
    command.arg("sandbox");
    for (option, port) in [("--sms", sms), ("--smtp", smtp), ("--page", page)] {
        command.args([option, &format!("127.0.0.1:{port}")]);
    }
    let output = fs::File::create(desk.scratch.join("stdout")).expect("our folder");
    command.stdout(output).stderr(std::process::Stdio::null());
    let guard = crate::support::Guard::start(&desk.scratch, &mut command);
    let patience = std::time::Duration::from_secs(60);
    crate::support::eventually(patience, "the page", || crate::support::try_http_get(page, "/").ok());
    assert_contains(
        &desk.scratch.read("stdout"),
        &[&format!("http://127.0.0.1:{sms}/sms"), &format!("smtp://127.0.0.1:{smtp}")],
    );

    let worker = Desk::new()
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &format!("http://127.0.0.1:{sms}/sms"))
        .with("SHIRASE_EMAIL__RELAYS__0__URL", &format!("smtp://127.0.0.1:{smtp}"));
    run_file(&worker, &[], &lines(&[event("s-1", "security.esim.reissued", 1)])).expect(0);
    let state: Value = serde_json::from_str(&crate::support::http_get(page, "/api/state").1).expect("JSON");
    assert_eq!(
        (state["sms"].as_array().map(Vec::len), state["mail"].as_array().map(Vec::len)),
        (Some(1), Some(1))
    );
    assert_eq!(state["mail"][0]["to"], "taro.auth@example.jp");

    let taken = Desk::new().run(&["sandbox", "--sms", &format!("127.0.0.1:{sms}")]).expect(2);
    assert_contains(&taken.err, &["--sms", &format!("127.0.0.1:{sms}")]);
    guard.signal("TERM");
    assert_eq!(guard.wait(patience).code(), Some(0));
}
