//! `shirase demo` from an empty folder: every sample through the real pipeline, and the page's API.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{self, BINARY, CATALOG, Desk};
use crate::support::{Guard, eventually, free_port, http_get, http_post, try_http_get};

const SMS: &str = "ja/security.login/sms.hbs";

const PATIENCE: Duration = Duration::from_secs(60);

/// The demo with its page, ended with the value.
struct Demo {
    guard: Guard,
    port: u16,
    desk: Desk,
}

impl Demo {
    fn start() -> Self {
        let (desk, port) = (Desk::new(), free_port());
        let output = std::fs::File::create(desk.scratch.join("stdout")).expect("our folder");
        let errors = std::fs::File::create(desk.scratch.join("stderr")).expect("our folder");
        let mut command = desk.command(BINARY);
        command.args(["demo", "--listen", &format!("127.0.0.1:{port}"), "--workbench", "127.0.0.1:0"]);
        command.stdout(Stdio::from(output)).stderr(Stdio::from(errors));
        let guard = Guard::start(&desk.scratch, &mut command);
        let demo = Self { guard, port, desk };
        eventually(PATIENCE, "the demo's page", || {
            assert!(demo.guard.try_wait().is_none(), "ended: {}", demo.desk.scratch.read("stderr"));
            try_http_get(port, "/").is_ok().then_some(())
        });
        demo
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = http_get(self.port, path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    fn send(&self, body: &str) -> Value {
        let (status, answer) = http_post(self.port, "/api/events", "application/cloudevents+json", body);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).expect("JSON")
    }
}

#[test]
fn once_sends_every_sample_and_ends() {
    let ran = Desk::new().run(&["demo", "--once"]).expect(0);
    assert_eq!(ran.err, "");
    for kind in CATALOG.iter() {
        let count = ran.out.lines().filter(|line| line.split(' ').next() == Some(&kind.name)).count();
        assert_eq!(count, kind.schema.examples().len(), "{}\n{}", kind.name, ran.out);
    }
    for word in ["sms", "email", "segment(s)", "events", "arrived in the sandbox"] {
        assert!(ran.out.contains(word), "{word} is not in\n{}", ran.out);
    }
    for secret in ["taro@example.jp", "taro.auth", "09012345678", "090-1234-5678", "山田"] {
        assert!(!ran.out.contains(secret), "{secret} is in\n{}", ran.out);
    }
    assert!(!ran.out.contains('✗'), "{}", ran.out);
}

#[test]
fn once_leaves_nothing_in_the_folder() {
    let desk = Desk::new();
    desk.run(&["demo", "--once"]).expect(0);
    let left: Vec<_> = std::fs::read_dir(desk.path())
        .expect("our folder")
        .map(|file| file.expect("a file").file_name())
        .collect();
    assert_eq!(left, ["stdin"], "only what the test wrote");
}

#[test]
fn the_page_shows_the_samples_takes_events_and_says_what_became_of_them() {
    let demo = Demo::start();
    let state = demo.get("/api/state");
    let examples: usize = CATALOG.iter().map(|kind| kind.schema.examples().len()).sum();
    assert_eq!(state["events"].as_array().map(Vec::len), Some(examples));
    assert!(
        !state["sms"].as_array().expect("SMS").is_empty()
            && !state["mail"].as_array().expect("mails").is_empty()
    );
    for mail in state["mail"].as_array().expect("mails") {
        assert!(
            ["subject", "text", "html"]
                .iter()
                .all(|part| mail[part].as_str().is_some_and(|text| !text.is_empty())),
            "{mail}"
        );
    }
    for sms in state["sms"].as_array().expect("SMS") {
        assert!(
            sms["text"].as_str().is_some_and(|text| text.starts_with('【')) && sms["segments"].is_u64(),
            "{sms}"
        );
    }

    let samples = demo.get("/api/samples");
    let samples = samples.as_array().expect("samples");
    assert_eq!(samples.len(), examples);
    assert!(samples.iter().all(|sample| sample["title"].as_str().is_some_and(|title| !title.is_empty())));

    // A sample as it is was told already; with an id of its own it is news.
    let told_before = demo.send(&samples[0]["event"].to_string());
    assert_eq!(
        (&told_before["result"], &told_before["notifications"][0]["result"]),
        (&json!("done"), &json!("duplicate"))
    );
    let mut fresh = samples[0]["event"].clone();
    fresh["id"] = json!("fresh-1");
    fresh["data"]["recipient"] =
        json!({"user_id": "U9", "name": "新規 一郎", "phone": "080-7777-6666", "locale": "ja"});
    let outcome = demo.send(&fresh.to_string());
    assert_eq!((&outcome["result"], &outcome["event_id"]), (&json!("done"), &json!("fresh-1")), "{outcome}");
    assert_eq!(outcome["notifications"][0]["result"], "accepted", "{outcome}");
    let after = demo.get("/api/state");
    let arrived = after["sms"].as_array().expect("SMS").iter().any(|sms| sms["to"] == "08077776666");
    assert!(arrived, "{after}");
    assert_eq!(after["events"].as_array().map(Vec::len), Some(examples + 2));

    let mut bad = fresh;
    bad["data"]["recipient"]["phone"] = json!(17);
    for (body, reason) in [
        ("nonsense", "not_json"),
        ("", "not_json"),
        ("{}", "missing_attribute"),
        (bad.to_string().as_str(), "schema"),
    ] {
        let outcome = demo.send(body);
        assert_eq!(
            (&outcome["result"], &outcome["reason"]),
            (&json!("dead"), &json!(reason)),
            "{body}: {outcome}"
        );
        assert!(outcome["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{outcome}");
    }
    let huge = " ".repeat(400 * 1024);
    assert_eq!(demo.send(&huge)["reason"], "too_large");

    demo.guard.signal("TERM");
    let status = demo.guard.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", demo.desk.scratch.read("stderr"));
}

#[test]
fn a_text_saved_in_the_workbench_is_in_the_next_sample_that_is_sent() {
    let demo = Demo::start();
    let state = demo.get("/api/state");
    let address = state["workbench"].as_str().expect("an address").to_owned();
    let port = address.trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
    let port: u16 = port.unwrap_or_else(|| panic!("{address}"));
    let (status, texts) = http_get(port, "/api/state");
    assert_eq!(status, 200, "{texts}");
    let texts: Value = serde_json::from_str(&texts).expect("JSON");
    let file =
        texts["files"].as_array().expect("files").iter().find(|file| file["path"] == SMS).expect("there");
    let text =
        file["text"].as_str().expect("a text").replace("ログインがありました", "ログインを確認しました");
    let change = json!({"changes": [{"path": SMS, "text": text, "base": file["version"]}]});
    let (status, saved) = http_post(port, "/api/save", "application/json", &change.to_string());
    assert_eq!(status, 200, "{saved}");

    let samples = demo.get("/api/samples");
    let mut fresh =
        samples.as_array().expect("samples").iter().find(|one| one["type"] == "security.login").expect("one")
            ["event"]
            .clone();
    fresh["id"] = json!("after-saving");
    fresh["data"]["recipient"] = json!({"user_id": "U9", "phone": "080-7777-6666"});
    assert_eq!(demo.send(&fresh.to_string())["result"], "done");
    let state = demo.get("/api/state");
    let sms = state["sms"].as_array().expect("SMS").last().expect("one").clone();
    assert!(sms["text"].as_str().is_some_and(|text| text.contains("ログインを確認しました")), "{sms}");
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_takes_events_of_no_other_site() {
    house::provide_tls();
    let demo = tokio::task::spawn_blocking(Demo::start).await.expect("the demo");
    let client = reqwest::Client::new();
    let url = format!("http://127.0.0.1:{}", demo.port);
    let page = client.get(&url).send().await.expect("the page");
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("http"), "{policy}");
    assert!(page.headers()["content-type"].to_str().expect("text").starts_with("text/html"));
    let html = page.text().await.expect("HTML");
    assert!(
        !html.contains("src=\"http") && !html.contains("@import") && !html.contains("//cdn"),
        "loads from elsewhere"
    );

    // What a form of another site can send without asking first.
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let request =
            client.post(format!("{url}/api/events")).header("content-type", content_type).body("{}");
        assert_eq!(request.send().await.expect("an answer").status(), 415, "{content_type}");
    }
    assert_eq!(client.get(format!("{url}/nothing")).send().await.expect("an answer").status(), 404);
    let post = client.post(&url).send().await.expect("an answer");
    assert_eq!(post.status(), 405);
}

#[test]
fn a_taken_port_is_no_reason_to_stop() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let desk = Desk::new();
    let mut command = desk.command(BINARY);
    command.args(["demo", "--listen", &format!("127.0.0.1:{port}"), "--workbench", "127.0.0.1:0"]);
    let output = std::fs::File::create(desk.scratch.join("stdout")).expect("our folder");
    command.stdout(Stdio::from(output)).stderr(Stdio::null());
    let guard = Guard::start(&desk.scratch, &mut command);
    let page = eventually(PATIENCE, "the page's address", || {
        let printed = desk.scratch.read("stdout");
        let address = printed.split("http://127.0.0.1:").nth(1)?;
        address.split('/').next()?.parse::<u16>().ok()
    });
    assert_ne!(page, port);
    assert_eq!(http_get(page, "/").0, 200);
    guard.signal("INT");
    assert_eq!(guard.wait(PATIENCE).code(), Some(0));
}
