//! `shirase workbench`: the API behind the page, what it saves and what it refuses.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::house::{BINARY, CATALOG, Desk};
use crate::support::{Scratch, Workbench};

const SMS: &str = "ja/security.login/sms.hbs";
const HEAD: &str = "ja/_partials/sms-head.hbs";

fn house() -> Workbench {
    Workbench::of_a_house(BINARY)
}

fn state(bench: &Workbench) -> Value {
    let (status, state) = bench.ask("GET", "/api/state", &Value::Null);
    assert_eq!(status, 200, "{state}");
    state
}

/// The version of a file that the page began with.
fn version(bench: &Workbench, path: &str) -> Value {
    let state = state(bench);
    let files = state["files"].as_array().expect("files");
    files.iter().find(|file| file["path"] == path).unwrap_or_else(|| panic!("no {path}"))["version"].clone()
}

fn save(bench: &Workbench, changes: &[(&str, &str)]) -> (u16, Value) {
    let change =
        |(path, text): &(&str, &str)| json!({"path": path, "text": text, "base": version(bench, path)});
    bench.ask("POST", "/api/save", &json!({"changes": changes.iter().map(change).collect::<Vec<_>>()}))
}

fn preview(bench: &Workbench, changes: &[(&str, &str)], more: Value) -> (u16, Value) {
    let changes: serde_json::Map<String, Value> =
        changes.iter().map(|(path, text)| ((*path).to_owned(), json!(text))).collect();
    let mut asked = json!({"changes": changes, "locale": "ja", "type": "security.login"});
    asked.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    bench.ask("POST", "/api/preview", &asked)
}

/// The text of the SMS in a preview.
fn sms(preview: &Value) -> String {
    let messages = preview["messages"].as_array().expect("messages");
    let sms = messages.iter().find(|one| one["channel"] == "sms").expect("an SMS");
    let parts = sms["sms"]["parts"].as_array().unwrap_or_else(|| panic!("{sms}"));
    parts.iter().filter_map(Value::as_str).collect()
}

#[test]
fn it_lists_every_template_with_its_version_and_every_type_with_its_title_and_examples() {
    let state = state(&house());
    assert!(state["dir"].as_str().is_some_and(|dir| dir.ends_with("/templates")), "{}", state["dir"]);
    let files = state["files"].as_array().expect("files");
    let built_in = shirase::assets::Files::embedded("templates");
    assert_eq!(files.len(), built_in.iter().count());
    for file in files {
        assert_eq!(file["text"].as_str(), built_in.get(file["path"].as_str().expect("a path")));
    }
    for kind in CATALOG.iter() {
        let types = state["types"].as_array().expect("types");
        let listed = types.iter().find(|one| one["name"] == kind.name.as_str()).expect("every type");
        assert_eq!(listed["title"], kind.schema.title());
        let examples = listed["examples"].as_array().expect("examples");
        assert_eq!(
            examples.iter().filter(|one| one["extreme"] == false).count(),
            kind.schema.examples().len()
        );
    }
}

#[test]
fn what_is_typed_shows_at_once_and_changes_nothing() {
    let bench = house();
    let before = bench.file(SMS);
    let (status, shown) = preview(&bench, &[(SMS, "{{brand.company}} 新しい文面"), (HEAD, "x")], json!({}));
    assert_eq!((status, sms(&shown).as_str()), (200, "サンプル銀行 新しい文面"), "{shown}");
    assert_eq!(shown["example"], "security.login-1");
    let mail = shown["messages"].as_array().expect("messages").iter().find(|one| one["channel"] == "email");
    let mail = &mail.expect("a mail")["mail"];
    assert!(mail["html"].as_str().is_some_and(|html| html.contains("</html>")), "{mail}");
    assert!(mail["headers"].to_string().contains("no-reply@example.jp"), "{mail}");
    assert_eq!(bench.file(SMS), before);
}

#[test]
fn an_sms_is_counted_as_it_is_read_and_cut_where_its_segments_end() {
    let (_, shown) = preview(&house(), &[(SMS, &"あ".repeat(80))], json!({}));
    let sms = &shown["messages"][0]["sms"];
    assert_eq!((&sms["parts"][0], &sms["parts"][1]), (&json!("あ".repeat(67)), &json!("あ".repeat(13))));
    let size = &sms["size"];
    let counted = ["characters", "units", "segments", "left"].map(|name| size[name].as_u64());
    assert_eq!(counted, [Some(80), Some(80), Some(2), Some(54)], "{size}");
    assert_eq!(shown["longest"]["sms"]["size"]["units"], 80);
}

#[test]
fn ones_own_data_is_shown_and_data_that_is_no_event_is_refused_in_words() {
    let bench = house();
    let data =
        json!({"recipient": {"user_id": "U1", "phone": "090-1234-5678"}, "device": {"name": "私の端末"}});
    let (_, shown) = preview(&bench, &[(SMS, "{{device.name}}から")], json!({"data": data}));
    assert_eq!(sms(&shown), "私の端末から");
    let (status, refused) = preview(&bench, &[], json!({"data": {"recipient": 1}}));
    assert_eq!((status, &refused["reason"]), (422, &json!("data")), "{refused}");
}

#[test]
fn a_text_that_does_not_parse_shows_the_saved_one_and_a_finding_at_its_line() {
    let bench = house();
    let (_, good) = preview(&bench, &[], json!({}));
    let (status, shown) = preview(&bench, &[(SMS, "一行目\n{{#if location}}")], json!({}));
    assert_eq!((status, &shown["stale"]), (200, &json!(true)));
    assert_eq!(sms(&shown).split("】").next(), sms(&good).split("】").next());
    let (_, checked) =
        bench.ask("POST", "/api/check", &json!({"changes": {SMS: "一行目\n{{#if location}}"}}));
    let finding = &checked["findings"][0];
    assert_eq!(
        (&checked["passes"], &finding["path"], &finding["line"]),
        (&json!(false), &json!(SMS), &json!(2))
    );
}

#[test]
fn what_passes_is_saved_together_and_what_does_not_changes_no_file() {
    let bench = house();
    let (sms_before, head_before) = (bench.file(SMS), bench.file(HEAD));
    for broken in ["{{> nobody}}", "{{#if x}}", "{{nobody.knows}}", " "] {
        let (status, refused) = save(&bench, &[(SMS, broken), (HEAD, "【{{brand.company}}】 ")]);
        assert_eq!((status, &refused["reason"]), (422, &json!("findings")), "{broken}: {refused}");
        assert_eq!(refused["findings"][0]["severity"], "error", "{refused}");
        assert_eq!((bench.file(SMS), bench.file(HEAD)), (sms_before.clone(), head_before.clone()));
    }
    // Neither change would pass alone: one calls what the other brings.
    let fresh = "ja/_partials/fresh.hbs";
    let edited = sms_before.replace("ログインがありました", "ログインを確認しました{{> fresh}}");
    let changes = json!([
        {"path": SMS, "text": edited, "base": version(&bench, SMS)},
        {"path": fresh, "text": "！", "base": null},
    ]);
    let (status, saved) = bench.ask("POST", "/api/save", &json!({"changes": changes}));
    assert_eq!((status, &saved["passes"]), (200, &json!(true)), "{saved}");
    assert_eq!((bench.file(SMS), bench.file(fresh).as_str()), (edited, "！"));
    let left = std::fs::read_dir(bench.scratch.join("templates/ja/security.login")).expect("there").count();
    assert_eq!(left, 4, "nothing is left beside the files");
}

#[test]
fn a_file_that_somebody_else_changed_is_not_written_over() {
    let bench = house();
    let base = version(&bench, SMS);
    let theirs = format!("{} ", bench.file(SMS));
    bench.scratch.write(&format!("templates/{SMS}"), &theirs);
    let mine = theirs.replace("ログイン", "サインイン");
    let change = |base: &Value| json!({"changes": [{"path": SMS, "text": mine, "base": base}]});
    let (status, refused) = bench.ask("POST", "/api/save", &change(&base));
    assert_eq!((status, &refused["reason"]), (409, &json!("conflict")), "{refused}");
    assert_eq!(refused["conflicts"][0]["text"], json!(theirs));
    assert_eq!(bench.file(SMS), theirs);
    // Whoever has seen it may go on.
    let (status, saved) = bench.ask("POST", "/api/save", &change(&refused["conflicts"][0]["version"]));
    assert_eq!((status, bench.file(SMS)), (200, mine), "{saved}");
}

#[test]
fn a_draft_is_listed_opened_and_dropped_and_never_loaded() {
    let bench = house();
    let broken = "{{#if まだ途中}}";
    let (status, _) = bench.ask("PUT", "/api/draft", &json!({"path": SMS, "text": broken}));
    assert_eq!((status, bench.file(&format!(".drafts/{SMS}")).as_str()), (200, broken));
    let listed = state(&bench)["drafts"].clone();
    assert_eq!((&listed[0]["path"], &listed[0]["text"]), (&json!(SMS), &json!(broken)), "{listed}");

    // Neither the worker's checks nor the page's own see it.
    let mut check = bench.scratch.command(BINARY);
    let ended = check.args(["check", "--config", "config/shirase.toml"]).output().expect("it starts");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    let (_, checked) = bench.ask("POST", "/api/check", &json!({"changes": {}}));
    assert_eq!(checked["passes"], true, "{checked}");

    let (status, _) = bench.ask("DELETE", "/api/draft", &json!({"path": SMS}));
    assert_eq!((status, &state(&bench)["drafts"]), (200, &json!([])));
    // What becomes the text is a draft no longer.
    bench.ask("PUT", "/api/draft", &json!({"path": SMS, "text": broken}));
    let text = format!("{} ", bench.file(SMS));
    assert_eq!(save(&bench, &[(SMS, &text)]).0, 200);
    assert_eq!(state(&bench)["drafts"], json!([]));
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let bench = house();
    let config = bench.scratch.read("config/shirase.toml");
    for path in [
        "../config/shirase.toml",
        "ja/security.login/../../../config/shirase.toml",
        "/etc/passwd",
        "../_partials/x.hbs",
        "ja/../sms.hbs",
        ".drafts/_partials/x.hbs",
        "ja/nobody.knows/sms.hbs",
    ] {
        let change = json!({"changes": [{"path": path, "text": "x", "base": null}]});
        let asked = [
            ("POST", "/api/save", change),
            ("POST", "/api/check", json!({"changes": {path: "x"}})),
            ("PUT", "/api/draft", json!({"path": path, "text": "x"})),
            ("DELETE", "/api/draft", json!({"path": path})),
        ];
        for (method, url, body) in asked {
            let (status, refused) = bench.ask(method, url, &body);
            assert_eq!(
                (status, &refused["reason"]),
                (422, &json!("path")),
                "{method} {url} {path}: {refused}"
            );
        }
    }
    assert_eq!(bench.scratch.read("config/shirase.toml"), config);
    assert!(!bench.scratch.join("_partials").exists());
}

#[test]
fn nothing_is_written_through_a_symbolic_link() {
    let bench = house();
    let outside = Scratch::new("outside");
    let theirs = outside.write("sms.hbs", &bench.file(SMS));
    let link = bench.scratch.join(&format!("templates/{SMS}"));
    std::fs::remove_file(&link).expect("ours");
    symlink(&theirs, &link).expect("ours");
    let text = bench.file(SMS).replace("ログイン", "サインイン");
    let (status, refused) = save(&bench, &[(SMS, &text)]);
    assert_eq!((status, &refused["reason"]), (403, &json!("linked")), "{refused}");
    assert!(outside.read("sms.hbs").contains("ログイン") && link.is_symlink());
}

#[test]
fn a_folder_that_may_not_be_written_to_is_said_and_changes_nothing() {
    let bench = house();
    let before = bench.file(SMS);
    // Root may write anywhere, so a folder stands where the page would write beside the file.
    let beside = bench.scratch.join("templates/ja/security.login/.sms.hbs.saving/full");
    std::fs::create_dir_all(beside).expect("ours");
    let folder = bench.scratch.join("templates/ja/security.login");
    std::fs::set_permissions(&folder, Permissions::from_mode(0o555)).expect("ours");
    let (status, refused) = save(&bench, &[(SMS, &format!("{before} "))]);
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("ours");
    assert_eq!((status, &refused["reason"]), (500, &json!("storage")), "{refused}");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("sms.hbs")), "{refused}");
    assert_eq!(bench.file(SMS), before);
}

#[test]
fn built_in_texts_change_in_memory_and_no_file_is_written() {
    let bench = Workbench::built_in(BINARY);
    assert_eq!(state(&bench)["dir"], Value::Null);
    let text = "【{{brand.company}}】ログイン {{brand.phone}}";
    let (status, saved) = save(&bench, &[(SMS, text)]);
    assert_eq!(status, 200, "{saved}");
    let (_, shown) = preview(&bench, &[], json!({}));
    assert_eq!(sms(&shown), "【サンプル銀行】ログイン 0120-000-000");
    let names: Vec<_> = std::fs::read_dir(bench.scratch.path())
        .expect("ours")
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(names, ["output"], "only what the test wrote");
}

#[test]
fn a_set_that_does_not_load_is_what_it_opens_with() {
    let bench = house();
    bench.scratch.write(&format!("templates/{SMS}"), "{{#if x}}");
    let (_, checked) = bench.ask("POST", "/api/check", &json!({"changes": {}}));
    assert_eq!((&checked["passes"], &checked["findings"][0]["path"]), (&json!(false), &json!(SMS)));
    let (status, shown) = preview(&bench, &[], json!({}));
    assert_eq!((status, &shown["stale"], &shown["messages"]), (200, &json!(true), &json!([])));
    assert_eq!(save(&bench, &[(SMS, "【{{brand.company}}】ログイン {{brand.phone}}")]).0, 200);
}

#[test]
fn it_answers_its_own_names_alone_and_takes_nothing_that_another_site_can_send() {
    let bench = Workbench::built_in(BINARY);
    let json = "Content-Type: application/json\r\n";
    for (host, expected) in
        [("evil.example", 403), ("evil.example:8026", 403), ("localhost:8026", 200), ("[::1]:8026", 200)]
    {
        let (status, _) = bench.raw("GET", "/api/state", &format!("Host: {host}\r\n"), "");
        assert_eq!(status, expected, "{host}");
        let (status, _) =
            bench.raw("POST", "/api/check", &format!("Host: {host}\r\n{json}"), r#"{"changes":{}}"#);
        assert_eq!(status, expected, "{host}");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        for (method, path) in
            [("POST", "/api/save"), ("POST", "/api/check"), ("PUT", "/api/draft"), ("DELETE", "/api/draft")]
        {
            let headers = format!("Host: localhost\r\nContent-Type: {content_type}\r\n");
            let (status, _) = bench.raw(method, path, &headers, r#"{"changes":[]}"#);
            assert_eq!(status, 415, "{method} {path} {content_type}");
        }
    }
}

#[tokio::test]
async fn the_page_is_its_own_files_alone() {
    crate::house::provide_tls();
    let bench = tokio::task::spawn_blocking(|| Workbench::built_in(BINARY)).await.expect("the workbench");
    let page = reqwest::get(bench.url()).await.expect("the page");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"), "{policy}");
    assert!(!policy.contains("http"), "{policy}");
    let html = page.text().await.expect("HTML");
    assert!(html.contains("lang=\"ja\"") && !html.contains("//cdn") && !html.contains("src=\"http"));
    assert!(!html.contains("<script>") && !html.contains(" onclick="), "scripts are files");
}

#[test]
fn it_refuses_to_listen_where_others_reach_it_and_says_how_they_may_come() {
    let ran = Desk::new().run(&["workbench", "--listen", "0.0.0.0:8026"]).expect(2);
    assert!(ran.err.contains("ssh -L 8026:127.0.0.1:8026"), "{}", ran.err);
}
