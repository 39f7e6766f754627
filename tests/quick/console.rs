//! The console of a worker without a broker: who may see and do what, search, the live stream, drains.

use std::fs::File;
use std::time::Duration;

use serde_json::{Value, json};

use crate::house::{BINARY, Desk, RunningSandbox, envelope, real_time};
use crate::support::{Guard, eventually, free_port, http_raw, try_http_get};

const READER: &str = "reader-0123456789abcdef";
const ONCALL: &str = "oncall-0123456789abcdef";

/// A customer's number, in the spellings in which it must never be seen.
const NUMBER: &str = "090-9876-5432";
const SECRETS: [&str; 5] = [NUMBER, "09098765432", "819098765432", "9876-5432", "secret.person"];

/// For whatever a busy machine may delay; no assertion about speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker whose broker is away. One event has gone through its ledger.
struct Running {
    port: u16,
    desk: Desk,
    _sandbox: RunningSandbox,
    _guard: Guard,
}

/// An answer.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Status and the error's code.
    fn code(&self) -> (u16, String) {
        let code = serde_json::from_str::<Value>(&self.body).ok();
        let code = code.and_then(|body| body["error"]["code"].as_str().map(str::to_owned));
        (self.status, code.unwrap_or_default())
    }
}

impl Running {
    fn start() -> Self {
        let sandbox = RunningSandbox::start();
        let (desk, port) = (sandbox.desk(), free_port());
        let config = format!(
            "[http]\nlisten = \"127.0.0.1:{port}\"\n[ledger]\nurl = \"sqlite:shirase.db\"\nretention = \"7d\"\n\
             [broker]\nurls = [\"amqp://guest:guest@127.0.0.1:{}/%2f\"]\n\
             [[console.tokens]]\nname = \"reader\"\ntoken = \"{READER}\"\nscopes = [\"read\"]\n\
             [[console.tokens]]\nname = \"oncall\"\ntoken = \"{ONCALL}\"\nscopes = [\"read\", \"act\"]\n",
            free_port()
        );
        desk.scratch.write("house.toml", &config);
        let data = json!({"recipient": {"user_id": "U-1", "phone": NUMBER}, "device": {"os": "iOS"}});
        let event = envelope("security.login", "e-1", real_time(), &data);
        desk.run_with_input(&["run", "--events", "-", "--config", "house.toml"], &event.to_string())
            .expect(0);
        let mut command = desk.command(BINARY);
        let log = File::create(desk.path().join("log")).expect("our folder");
        command.args(["run", "--config", "house.toml"]).stderr(log);
        let guard = Guard::start(&desk.scratch, &mut command);
        eventually(PATIENCE, "the worker's pages", || try_http_get(port, "/healthz").ok());
        Self { port, desk, _sandbox: sandbox, _guard: guard }
    }

    fn log(&self) -> String {
        self.desk.scratch.read("log")
    }

    /// A request with these header lines beside `Host`.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        self.ask_host(&format!("127.0.0.1:{}", self.port), method, path, headers, body)
    }

    #[track_caller]
    fn ask_host(&self, host: &str, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let json = if method == "POST" && !headers.contains("Content-Type") {
            "Content-Type: application/json\r\n"
        } else {
            ""
        };
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\n{json}{headers}Content-Length: {length}\r\n\r\n{body}"
        );
        let answer = http_raw(self.port, &request, |_| false);
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    #[track_caller]
    fn session(&self, headers: &str) -> (Value, Value, Value) {
        let answer = self.ask("GET", "/console/session", headers, "");
        assert_eq!(answer.status, 200);
        let session = answer.json();
        (session["who"].clone(), session["reads"].clone(), session["acts"].clone())
    }

    /// Signs in; the cookie as a browser sends it back.
    #[track_caller]
    fn sign_in(&self, token: &str) -> String {
        let answer = self.ask("POST", "/console/session", "", &json!({ "token": token }).to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
        let set = answer.head.split("set-cookie: ").nth(1).and_then(|rest| rest.lines().next());
        let set = set.unwrap_or_else(|| panic!("no cookie in {}", answer.head));
        for part in ["; path=/", "; httponly", "; samesite=strict", "; max-age=43200"] {
            assert!(set.contains(part), "{part} is not in {set}");
        }
        format!("Cookie: {}\r\n", set.split(';').next().unwrap_or_default())
    }

    /// The stream's last state, as soon as it fits.
    #[track_caller]
    fn wait_state(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let host = format!("127.0.0.1:{}", self.port);
        let request = format!("GET /console/live HTTP/1.0\r\nHost: {host}\r\n\r\n");
        let answer =
            http_raw(self.port, &request, |text| event(text, "state").is_some_and(|state| fits(&state)));
        event(&answer, "state").unwrap_or_else(|| panic!("no state in {answer}"))
    }
}

/// The last whole event of that name in a stream.
fn event(stream: &str, name: &str) -> Option<Value> {
    let (whole, _) = stream.rsplit_once("\n\n")?;
    let begins = format!("event: {name}\ndata: ");
    let last = whole.split("\n\n").filter_map(|event| event.split_once(&begins)).last()?;
    serde_json::from_str(last.1).ok()
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

const PROXIED: &str = "X-Forwarded-For: 192.0.2.7\r\n";

#[test]
fn only_this_machine_and_tokens_read_and_only_a_token_with_that_scope_acts() {
    let running = Running::start();
    let cookie = running.sign_in(ONCALL);
    let reading = running.sign_in(READER);
    let drop = "{\"keys\":[\"0123456789abcdef0123456789abcdef\"],\"reason\":\"test\"}";
    let (ok, broker) = ((200, String::new()), (503, "broker".to_owned()));
    let (unknown, forbidden) = ((401, "unauthorised".to_owned()), (403, "forbidden".to_owned()));
    for (headers, reads, acts) in [
        (String::new(), &ok, &forbidden),
        (PROXIED.to_owned(), &unknown, &unknown),
        (bearer(READER), &ok, &forbidden),
        (bearer(READER) + PROXIED, &ok, &forbidden),
        (bearer(ONCALL) + PROXIED, &ok, &broker),
        (bearer("wrong-0123456789abcdef"), &unknown, &unknown),
        (reading.clone() + PROXIED, &ok, &forbidden),
        (cookie.clone() + PROXIED, &ok, &broker),
        (cookie.clone() + "Sec-Fetch-Site: same-origin\r\n", &ok, &broker),
        (cookie.clone() + "Sec-Fetch-Site: cross-site\r\n", &forbidden, &forbidden),
        (cookie.clone() + "Origin: https://evil.example.com\r\n", &forbidden, &forbidden),
    ] {
        assert_eq!(running.ask("GET", "/console/search?event=e-1", &headers, "").code(), *reads, "{headers}");
        assert_eq!(running.ask("POST", "/console/dead/drop", &headers, drop).code(), *acts, "{headers}");
    }
    let rebound = running.ask_host("evil.example.com", "GET", "/console/search?event=e-1", "", "");
    assert_eq!(rebound.code(), unknown, "another name that leads to this machine");
    let log = running.log();
    assert!(log.contains("an action without the right to act") && log.contains("\"by\":\"reader\""), "{log}");
    assert!(!log.contains("0123456789abcdef\""), "a token is in {log}");
}

#[test]
fn who_signs_in_stays_so_until_signing_out_and_guessing_is_not_heard_for_long() {
    let running = Running::start();
    assert_eq!(running.session(""), (json!("loopback"), json!(true), json!(false)));
    assert_eq!(running.session(PROXIED), (Value::Null, json!(false), json!(false)));
    let cookie = running.sign_in(ONCALL);
    assert_eq!(running.session(&(cookie.clone() + PROXIED)), (json!("oncall"), json!(true), json!(true)));
    let session = running.ask("GET", "/console/session", &cookie, "").json();
    assert_eq!((&session["controls"], &session["company"]), (&json!(true), &json!("サンプル銀行")));
    assert_eq!(running.ask("DELETE", "/console/session", &cookie, "").status, 204);
    assert_eq!(running.session(&(cookie + PROXIED)), (Value::Null, json!(false), json!(false)));

    let form = running.ask("POST", "/console/session", "Content-Type: text/plain\r\n", "{}");
    assert_eq!(form.code(), (400, "bad_request".to_owned()));
    let guess = json!({"token": "wrong-0123456789abcdef"}).to_string();
    for _ in 0..10 {
        assert_eq!(
            running.ask("POST", "/console/session", "", &guess).code(),
            (401, "unauthorised".to_owned())
        );
    }
    assert_eq!(running.ask("POST", "/console/session", "", &guess).code(), (429, "busy".to_owned()));
    assert_eq!(running.session(""), (json!("loopback"), json!(true), json!(false)), "reading goes on");
    let page = try_http_get(running.port, "/metrics").expect("metrics").1;
    assert!(
        page.contains("shirase_console_actions_total{action=\"sign_in\",result=\"refused\"} 10"),
        "{page}"
    );
}

#[test]
fn every_answer_of_the_console_keeps_to_a_policy_that_lets_nothing_in_from_elsewhere() {
    let running = Running::start();
    let page = running.ask("GET", "/", "Accept: text/html,*/*\r\n", "");
    assert!(page.head.contains("content-type: text/html; charset=utf-8"), "{}", page.head);
    assert!(page.body.contains("/console/assets/page.js"));
    for (path, headers) in [
        ("/", "Accept: text/html\r\n"),
        ("/console/assets/page.js", ""),
        ("/console/session", ""),
        ("/console/search?event=e-1", PROXIED),
        ("/console/search", ""),
    ] {
        let head = running.ask("GET", path, headers, "").head;
        for expected in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
             img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-",
        ] {
            assert!(head.contains(expected), "{path}: {expected} is not in\n{head}");
        }
    }
    let index = running.ask("GET", "/", "", "");
    assert!(index.body.starts_with("shirase ") && index.body.contains("/metrics"), "{}", index.body);
    assert_eq!(running.ask("GET", "/console", "", "").status, 308);
    for open in ["/metrics", "/healthz", "/templates"] {
        assert_eq!(running.ask("GET", open, PROXIED, "").status, 200, "{open} asks for no token");
    }
}

#[test]
fn an_event_is_found_by_its_id_or_by_a_number_in_any_spelling_that_is_never_said_again() {
    let running = Running::start();
    let by_id = running.ask("GET", "/console/search?event=e-1", "", "").json();
    let story = &by_id["stories"][0];
    assert_eq!((&story["event_id"], &story["state"]), (&json!("e-1"), &json!("done")));
    assert_eq!(story["notifications"][0]["attempts"][0]["outcome"], "accepted");
    let mut said = by_id.to_string();
    for spelling in [NUMBER, "09098765432", "+81 90 9876 5432", "０９０９８７６５４３２"] {
        let found = running.ask("POST", "/console/search", "", &json!({ "recipient": spelling }).to_string());
        assert_eq!(found.json()["stories"], by_id["stories"], "{spelling}");
        said += &found.body;
    }
    let others = [json!({"recipient": "secret.person@example.jp"}), json!({"recipient": "090-1111-2222"})];
    for body in others {
        assert_eq!(
            running.ask("POST", "/console/search", "", &body.to_string()).json()["stories"],
            json!([])
        );
    }
    for nobody in [
        json!({"recipient": "secret.person"}),
        json!({"recipient": "090-9876-543"}),
        json!({ "recipient": 9_098_765_432_u64 }),
        json!({ "wrong": NUMBER }),
    ] {
        let answer = running.ask("POST", "/console/search", "", &nobody.to_string());
        assert_eq!(answer.code(), (400, "bad_request".to_owned()), "{nobody}");
        said += &answer.body;
    }
    let log = running.log();
    let looked: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let looked: Vec<&Value> = looked.iter().filter(|line| line["message"] == "console: looked up").collect();
    assert_eq!(looked.len(), 7, "each that was answered, none that was refused: {log}");
    assert!(looked.iter().all(|line| line["by"] == "loopback" && line["from"] == "127.0.0.1"), "{log}");
    assert_eq!((&looked[0]["event_id"], &looked[0]["recipient"]), (&json!("e-1"), &Value::Null));
    let pseudonym = &story["notifications"][0]["recipient"];
    assert!(looked[1..5].iter().all(|line| &line["recipient"] == pseudonym), "{pseudonym} in {log}");
    said += &log;
    said += &try_http_get(running.port, "/metrics").expect("metrics").1;
    for secret in SECRETS.iter().chain(&["9098765432"]) {
        assert!(!said.contains(secret), "{secret} is in\n{said}");
    }
}

#[test]
fn how_things_stand_comes_at_once_and_every_second_and_says_what_is_wrong() {
    let running = Running::start();
    let host = format!("127.0.0.1:{}", running.port);
    let request = format!("GET /console/live HTTP/1.0\r\nHost: {host}\r\n\r\n");
    let times = |text: &str| text.matches("event: state\n").count();
    let stream = http_raw(running.port, &request, |text| times(text) >= 3 && text.ends_with("\n\n"));
    assert!(stream.to_ascii_lowercase().contains("content-type: text/event-stream"), "{stream}");
    let history = event(&stream, "history").expect("a history");
    assert_eq!(history["lanes"][0]["channels"][0]["accepted"][0], Value::Null, "nobody knows the first step");
    assert_eq!((&history["step_seconds"], &history["gateways"][0]["name"]), (&json!(5), &json!("primary")));
    let state = event(&stream, "state").expect("a state");
    assert_eq!(state["ready"], false);
    let problems = state["problems"].to_string();
    assert!(problems.contains("broker: lane critical is not being consumed"), "{problems}");
    assert_eq!((&state["ledger"]["up"], &state["canary"]), (&json!(true), &Value::Null));
    assert_eq!(state["dead"]["waiting"], Value::Null, "the broker is away");
    assert_eq!(running.ask("GET", "/console/live", PROXIED, "").code(), (401, "unauthorised".to_owned()));
    assert_eq!(running.ask("GET", "/console/dead", "", "").code(), (503, "broker".to_owned()));
}

#[test]
fn a_gateway_is_drained_and_resumed_by_whoever_may_act_and_the_log_says_who_and_why() {
    let running = Running::start();
    let oncall = bearer(ONCALL);
    let ask = |what: &str, body: Value| {
        running.ask("POST", &format!("/console/gateways/{what}"), &oncall, &body.to_string())
    };
    let drain = |last: bool| json!({"for": "15m", "reason": "業者の保守", "even_the_last": last});
    assert_eq!(
        ask("primary/drain", drain(false)).code(),
        (409, "conflict".to_owned()),
        "nothing else carries SMS"
    );
    assert_eq!(ask("second/drain", drain(false)).code(), (404, "not_found".to_owned()));
    assert_eq!(
        ask("primary/drain", json!({"for": "15m", "reason": ""})).code(),
        (400, "bad_request".to_owned())
    );
    assert_eq!(ask("primary/drain", json!({"for": "8d", "reason": "x", "even_the_last": true})).status, 400);
    let drained = ask("primary/drain", drain(true)).json()["drained"].clone();
    assert_eq!((&drained["by"], &drained["reason"]), (&json!("oncall"), &json!("業者の保守")));
    let state = running.wait_state(|state| !state["gateways"][0]["drained"].is_null());
    assert_eq!(state["gateways"][0]["drained"]["by"], "oncall");

    assert_eq!(ask("primary/resume", json!({})).json(), json!({"drained": null}));
    running.wait_state(|state| state["gateways"][0]["drained"].is_null());
    assert_eq!(ask("second/resume", json!({})).code(), (404, "not_found".to_owned()));
    let log = running.log();
    let line =
        log.lines().find(|line| line.contains("console: acted") && line.contains("\"result\":\"done\""));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    for part in [
        "\"by\":\"oncall\"",
        "\"from\":\"127.0.0.1\"",
        "\"action\":\"drain\"",
        "\"gateway\":\"primary\"",
        "業者の保守",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}
