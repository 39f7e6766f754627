//! `shirase preview` as ops see it: on a terminal, in a folder for a review, and against the set in use.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::json;
use shirase::assets::Files;

use crate::house::{self, CATALOG, Desk};

const SMS: &str = "templates/ja/security.login/sms.hbs";

/// A desk with a house of its own in it.
fn desk() -> Desk {
    let desk = Desk::new().with("SHIRASE_CONFIG", "config/shirase.toml");
    desk.run(&["init", "."]).expect(0);
    desk
}

/// An event of a time that stands still, and that is still to be told.
fn event(event_type: &str, number: usize) -> String {
    let data = house::example(event_type, number);
    let mut event = house::envelope(event_type, "p-1", house::time(), &data);
    event["expires"] = json!("2999-01-01T00:00:00Z");
    event.to_string()
}

fn replace(desk: &Desk, file: &str, from: &str, to: &str) {
    let text = desk.scratch.read(file);
    assert!(text.contains(from), "{from} is not in {file}");
    desk.scratch.write(file, &text.replace(from, to));
}

#[track_caller]
fn assert_snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_snapshot_path("previews");
    settings.bind(|| insta::assert_snapshot!(name.to_owned(), text));
}

#[test]
fn an_sms_is_a_bubble_with_its_segments_and_what_is_left_of_the_last() {
    let desk = Desk::new();
    let mut page = String::new();
    for number in [1, 3] {
        let event = event("security.account.linked", number);
        page += &desk.run_with_input(&["preview", "-", "--channel", "sms"], &event).expect(0).out;
    }
    let english = ["preview", "-", "--channel", "sms", "--locale", "en-GB"];
    page += &desk.run_with_input(&english, &event("security.account.linked", 3)).expect(0).out;
    assert_snapshot("sms", &page);
}

#[test]
fn a_mail_is_shown_with_its_headers() {
    let event = event("security.login.new_device", 1);
    let ran = Desk::new().run_with_input(&["preview", "-", "--channel", "email"], &event).expect(0);
    assert_snapshot("mail", &ran.out);
}

#[test]
fn what_is_piped_is_plain_and_the_same_twice() {
    let desk = Desk::new().with("CLICOLOR_FORCE", "1");
    let event = event("security.login", 1);
    let shown = || desk.run_with_input(&["preview", "-"], &event).expect(0).out;
    assert!(!shown().contains('\u{1b}'));
    assert_eq!(shown(), shown());
}

#[test]
fn all_examples_of_all_types_are_shown_in_the_language_asked_for() {
    let desk = Desk::new();
    for (locale, arguments) in [
        ("ja", &["preview", "--all", "--json"][..]),
        ("en", &["preview", "--all", "--json", "--locale", "en"]),
    ] {
        let messages = desk.run(arguments).expect(0).json_lines();
        for kind in CATALOG.iter() {
            let of_type = messages.iter().filter(|message| message["type"] == kind.name);
            assert!(of_type.count() >= 2 * kind.schema.examples().len(), "{}", kind.name);
        }
        for message in &messages {
            assert_eq!(message["locale"], locale);
            let language = &message["message"]["email"]["language"];
            assert!(message["channel"] == "sms" || language == locale, "{message}");
        }
    }
    let ran = desk.run(&["preview", "--all", "--locale", "fr"]).expect(2);
    assert!(ran.err.contains("--locale fr") && ran.err.contains("en, ja"), "{}", ran.err);
    desk.run(&["preview"]).expect(2);
    desk.run(&["preview", "security.login", "--all"]).expect(2);
}

#[test]
fn what_the_checks_say_of_a_text_stands_under_it_once() {
    let desk = Desk::new().with("SHIRASE_TEMPLATES__CHECK__MAX_SEGMENTS", "1");
    let ran = desk.run(&["preview", "security.account.linked"]).expect(0);
    let found = "ja/security.account.linked/sms.hbs: error: takes 2 segments";
    assert_eq!(ran.out.matches(found).count(), 1, "{}", ran.out);
    let other = desk.run(&["preview", "security.login"]).expect(0);
    assert!(!other.out.contains("error: "), "{}", other.out);
}

#[test]
fn a_folder_holds_every_text_and_a_page_that_loads_and_runs_nothing() {
    let desk = Desk::new();
    desk.run(&["preview", "--all", "--out", "review"]).expect(0);
    for kind in CATALOG.iter() {
        let stem = format!("review/{0}/{0}-1", kind.name);
        assert!(desk.scratch.read(&format!("{stem}.sms.txt")).contains("【サンプル銀行】"));
        assert!(desk.scratch.read(&format!("{stem}.email.txt")).contains("Content-Language: ja\n"));
        assert!(desk.scratch.read(&format!("{stem}.email.html")).starts_with("<!doctype html>"));
    }
    assert!(
        desk.scratch
            .read("review/security.contact.changed/security.contact.changed-2.sms-previous.txt")
            .contains("previous")
    );
    let page = desk.scratch.read("review/index.html");
    assert!(page.contains("default-src 'none'") && page.contains("<iframe sandbox=\"\""));
    for forbidden in ["<script", "src=\"", "href=\"http", "url("] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn a_folder_is_written_again_and_nothing_of_others_is_touched() {
    let desk = Desk::new();
    let out = |what: &str| desk.run(&["preview", what, "--out", "review"]);
    out("security.login").expect(0);
    desk.scratch.write("review/notes.txt", "mine");
    out("security.esim.reissued").expect(0);
    assert_eq!(desk.scratch.read("review/notes.txt"), "mine");
    assert!(!desk.scratch.join("review/security.login/security.login-1.sms.txt").exists());
    assert!(desk.scratch.join("review/security.esim.reissued/security.esim.reissued-1.sms.txt").exists());

    fs::create_dir(desk.scratch.join("other")).expect("our folder");
    desk.scratch.write("other/index.html", "mine");
    let ran = desk.run(&["preview", "security.login", "--out", "other"]).expect(2);
    assert!(ran.err.contains("--out: other: holds files that this did not write"), "{}", ran.err);
    assert_eq!(fs::read_dir(desk.scratch.join("other")).expect("there").count(), 1);
    assert_eq!(desk.scratch.read("other/index.html"), "mine");
}

#[test]
fn a_difference_from_another_set_is_shown_and_is_exit_code_1_as_of_diff() {
    let desk = desk();
    let same = desk.run(&["preview", "--diff=built-in"]).expect(0);
    assert!(same.out.ends_with("messages, 0 other than built-in\n"), "{}", same.out);
    replace(&desk, SMS, "ログインがありました", "ログインを確認しました");
    let ran = desk.run(&["preview", "security.login", "--diff=built-in"]).expect(1);
    for expected in
        ["--- built-in ja/security.login/sms.hbs", "+++ ja/security.login/sms.hbs", "ログインを確認"]
    {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    assert!(
        ran.out.lines().any(|line| line.starts_with('-') && line.contains("ログインがありました")),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("email.txt.hbs"), "{}", ran.out);
    desk.run(&["preview", "security.esim.reissued", "--diff=built-in"]).expect(0);
    desk.run(&["preview", "security.login", "--diff=templates"]).expect(0);
    assert!(desk.run(&["preview", "--diff=nowhere"]).expect(2).err.contains("nowhere"));
}

/// A worker that says which templates it uses; its address.
fn worker(files: BTreeMap<String, String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let body = json!({"version": "0123456789ab", "files": files}).to_string();
        for stream in listener.incoming() {
            let stream = stream.expect("a connection");
            let lines = BufReader::new(&stream).lines().map(|line| line.expect("a line"));
            let asked: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let status = if asked[0].starts_with("GET /templates ") { "200 OK" } else { "404 Not Found" };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = (&stream).write_all((head + &body).as_bytes());
        }
    });
    address
}

fn built_in() -> BTreeMap<String, String> {
    Files::embedded("templates").iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

#[test]
fn the_set_in_use_is_what_the_running_worker_says() {
    let mut files = built_in();
    files.insert("ja/security.login/sms.hbs".to_owned(), "前の文面 {{brand.phone}}".to_owned());
    files.retain(|path, _| !path.starts_with("ja/security.esim.reissued/"));
    let desk = Desk::new().with("SHIRASE_HTTP__LISTEN", &worker(files));
    let ran = desk.run(&["preview", "security.login", "--diff"]).expect(1);
    for expected in
        ["--- in use (0123456789ab) ja/security.login/sms.hbs", "-前の文面 0120-000-000", "+【サンプル銀行】"]
    {
        assert!(ran.out.contains(expected), "{expected}\n{}", ran.out);
    }
    let new = desk.run(&["preview", "security.esim.reissued", "--diff"]).expect(1);
    assert!(new.out.contains("-(no such template)"), "{}", new.out);
    desk.run(&["preview", "security.password.changed", "--diff"]).expect(0);
}

#[test]
fn where_no_worker_answers_its_address_is_named_and_the_other_way() {
    let address = format!("127.0.0.1:{}", crate::support::free_port());
    let desk = Desk::new().with("SHIRASE_HTTP__LISTEN", &address);
    let ran = desk.run(&["preview", "--diff"]).expect(2);
    assert!(
        ran.err.contains(&format!("http://{address}/templates")) && ran.err.contains("--diff=DIR"),
        "{}",
        ran.err
    );

    let broken = BTreeMap::from([("ja/security.login/sms.hbs".to_owned(), "{{#if".to_owned())]);
    let desk = Desk::new().with("SHIRASE_HTTP__LISTEN", &worker(broken));
    let ran = desk.run(&["preview", "--diff"]).expect(2);
    assert!(ran.err.contains("in use (0123456789ab): "), "{}", ran.err);
}
