//! Log lines: their fields are a closed list, an outcome is one line, and what fails a thousand times is not logged a thousand
//! times.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shirase::sandbox::{SmsFault, StatusCode};

use crate::house::{self, Desk, RunningSandbox};

/// The fields that the formatter adds.
const OF_EVERY_LINE: [&str; 4] = ["timestamp", "level", "target", "message"];

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn event(id: &str, event_type: &str) -> Value {
    house::envelope(event_type, id, house::real_time(), &house::example(event_type, 1))
}

/// Somebody with a mobile number and no other address.
fn by_sms_alone(id: &str) -> Value {
    let mut event = event(id, "security.login.new_device");
    event["data"]["recipient"] = json!({"user_id": "U1000001", "phone": "090-1234-5678"});
    event
}

/// Our own log lines of a run over these events; libraries' warnings have fields of their own.
fn log_of(desk: &Desk, level: &str, events: &[Value]) -> Vec<Value> {
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    desk.scratch.write("events.jsonl", &lines);
    let ran = desk.run(&["--log", level, "run", "--events", "events.jsonl"]);
    let records = ran.err.lines().filter(|line| line.starts_with('{'));
    let records =
        records.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    let ours = |record: &Value| record["target"].as_str().is_some_and(|target| target.starts_with("shirase"));
    records.filter(ours).collect()
}

fn of<'a>(log: &'a [Value], message: &str) -> Vec<&'a Value> {
    log.iter().filter(|record| record["message"] == message).collect()
}

/// The first column of the table below `## Fields`.
fn documented() -> BTreeSet<String> {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/logs.md")).expect("a page");
    let fields = page.split("\n## ").find(|section| section.starts_with("Fields\n")).expect("a section");
    let names = fields.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn every_field_of_a_log_line_is_documented_and_every_documented_one_is_used() {
    let mut used: BTreeSet<String> = OF_EVERY_LINE.map(str::to_owned).into();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let source = fs::read_to_string(&file).expect("readable");
        used.extend(["trace", "debug", "info", "warn", "error", "$level", "say", "line_at"].iter().flat_map(
            |name| calls(&source, &format!("{name}!(")).into_iter().flat_map(|call| fields(&call)),
        ));
    }
    assert!(used.len() > 30, "the test finds few fields: {used:?}");
    let documented = documented();
    let missing: Vec<_> = used.difference(&documented).collect();
    let idle: Vec<_> = documented.difference(&used).collect();
    assert!(missing.is_empty() && idle.is_empty(), "docs/logs.md lacks {missing:?} and has unused {idle:?}");
}

fn sources(dir: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.into_iter().chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// What stands between the parentheses of each call.
fn calls(source: &str, opening: &str) -> Vec<String> {
    let is_one = |at: usize| !source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let starts = source.match_indices(opening).filter(|(at, _)| is_one(*at));
    starts.map(|(at, _)| up_to_the_end(&source[at + opening.len()..]).to_owned()).collect()
}

fn up_to_the_end(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Names of fields among the arguments: `name`, `name = value`, `%name`. Also those within brackets, which our own macros
/// hand on.
fn fields(arguments: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0, false);
    for c in arguments.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' | '{' if !quoted => depth += 1,
            ')' | '}' if !quoted => depth -= 1,
            _ => {}
        }
        match c {
            ',' | '[' | ']' if depth == 0 && !quoted => parts.push(String::new()),
            _ => parts.last_mut().expect("one").push(c),
        }
    }
    let name = |part: &String| {
        let (name, value) = part.split_once('=').unwrap_or((part.as_str(), "a value"));
        let name = name.trim().trim_start_matches(['%', '?']);
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        // The trouble itself, and the level of a line.
        let is_none = ["trouble", "error", "warn", "info", "debug"].contains(&name) && value == "a value";
        (is_name && (!is_none || part.contains('%'))).then(|| name.to_owned())
    };
    parts.iter().filter_map(name).collect()
}

#[test]
fn a_line_has_documented_fields_only_and_none_without_a_value() {
    let sandbox = RunningSandbox::start();
    let mut events: Vec<_> = house::CATALOG.iter().map(|kind| event(&kind.name, &kind.name)).collect();
    events.push(events[0].clone());
    let mut muted = event("muted", "security.login");
    muted["data"]["recipient"]["settings"] = json!({"channel": "none"});
    events.extend([muted, json!({"id": "bad"})]);
    let documented = documented();
    let log = log_of(&sandbox.desk(), "trace", &events);
    assert!(log.len() > events.len(), "{log:?}");
    for record in &log {
        for (name, value) in record.as_object().expect("an object") {
            assert!(documented.contains(name), "{name} is not in docs/logs.md: {record}");
            assert!(*value != json!("") && !value.is_null(), "{name} is empty: {record}");
        }
    }
}

#[test]
fn an_outcome_is_one_line_that_says_of_which_event_template_attempt_and_trace() {
    let sandbox = RunningSandbox::start();
    let mut traced = event("traced", "security.login.new_device");
    traced["traceparent"] = json!(format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let mut muted = event("muted", "security.login");
    muted["data"]["recipient"]["settings"] = json!({"channel": "none"});
    let log = log_of(&sandbox.desk(), "info", &[traced, muted, event("untraced", "security.login")]);

    let told = of(&log, "notification");
    assert_eq!(told.len(), 2, "{log:?}");
    let traced = told.iter().find(|record| record["event_id"] == "traced").expect("told");
    assert_eq!(traced["trace_id"], TRACE);
    assert_eq!((&traced["lane"], &traced["channel"]), (&json!("standard"), &json!("sms")));
    assert_eq!((&traced["result"], &traced["attempt"]), (&json!("accepted"), &json!(1)));
    assert!(traced["gateway"].is_string() && traced["template_version"].is_string(), "{traced}");
    assert!(traced["ms"].is_u64() && traced["since_event_ms"].is_u64(), "{traced}");
    let untraced = told.iter().find(|record| record["event_id"] == "untraced").expect("told");
    assert_eq!(untraced.get("trace_id"), None);

    let done = of(&log, "done");
    assert_eq!(done.len(), 1, "what was told has its line: {done:?}");
    assert_eq!((&done[0]["event_id"], &done[0]["result"]), (&json!("muted"), &json!("muted")));
    assert_eq!(of(&log_of(&sandbox.desk(), "debug", &[event("d", "security.login")]), "done").len(), 1);
}

#[test]
fn a_thousand_refused_messages_are_a_handful_of_lines_and_their_sums_are_right() {
    const MANY: u64 = 1000;
    let sandbox = RunningSandbox::start();
    sandbox.sandbox.misbehave_sms(|_| Some(SmsFault::refuse(StatusCode::UNPROCESSABLE_ENTITY)));
    let desk = sandbox.desk().with("SHIRASE_SMS__GATEWAYS__0__RATE_PER_SECOND", "100000");
    let events: Vec<_> = (0..MANY).map(|number| by_sms_alone(&format!("refused-{number}"))).collect();
    let log = log_of(&desk, "info", &events);
    assert!(log.len() < 20, "{} lines: {:?}", log.len(), &log[..20]);
    for (message, fields) in [
        ("attempt failed", ["lane", "channel", "gateway", "outcome", "reason"].as_slice()),
        ("notification", ["lane", "channel", "gateway", "result", "reason"].as_slice()),
        ("dead letter", ["lane", "result", "reason"].as_slice()),
    ] {
        let first = of(&log, message);
        assert_eq!(first.len(), 1, "{message}: {log:?}");
        let sums: Vec<_> = log.iter().filter(|record| record["repeated"] == message).collect();
        let more: u64 = sums.iter().filter_map(|sum| sum["more"].as_u64()).sum();
        assert_eq!(more + 1, MANY, "{message}: {sums:?}");
        for (field, sum) in fields.iter().flat_map(|field| sums.iter().map(move |sum| (field, sum))) {
            assert!(first[0][field].is_string(), "{field}: {}", first[0]);
            assert_eq!(first[0][field], sum[field], "{message}: {field}");
        }
        assert!(sums[0]["message"].as_str().is_some_and(|text| text.contains(" more in the last ")));
    }
    assert_eq!(first_event(&log), Some("refused-"), "the first is whole");

    // At debug each is there.
    let few: Vec<_> = (0..10).map(|number| by_sms_alone(&format!("again-{number}"))).collect();
    assert_eq!(of(&log_of(&desk, "debug", &few), "attempt failed").len(), 10);
}

fn first_event(log: &[Value]) -> Option<&str> {
    let id = of(log, "dead letter").first()?["event_id"].as_str()?;
    id.find(|c: char| c.is_ascii_digit()).map(|at| &id[..at])
}
