//! `shirase dead`: what whoever is on call sees of the dead-letter queue, and taking letters away. `replay.rs` puts them
//! back.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use jiff::SignedDuration;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde_json::{Value, json};

use crate::events::{ago, event, login, withdrawal};
use crate::house::{BINARY, House, PATIENCE, printed, run_in};
use crate::support::{RabbitMq, Scratch, Worker, eventually, free_port};

/// What the letters below carry and nobody may see.
const SECRETS: [&str; 5] = ["99998888", "9999-8888", "secret.person", "秘密", "U-SECRET"];

/// A house whose worker has declared its queues and runs no more.
pub struct Desk {
    pub house: House,
    pub worker: Worker,
}

impl Desk {
    pub fn new(name: &str) -> Self {
        Self::of(House::new(name))
    }

    pub fn of(house: House) -> Self {
        let worker = house.start();
        house.stop(&worker);
        Self { house, worker }
    }

    /// `shirase dead ARGUMENTS`
    pub fn dead(&self, arguments: &[&str]) -> Output {
        self.house.run(&self.worker, &[&["dead"], arguments].concat())
    }

    /// `shirase dead ARGUMENTS --json`: its lines, and that it ended with this exit code.
    #[track_caller]
    pub fn lines(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let ended = self.dead(&[arguments, &["--json"]].concat());
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {}", printed(&ended));
        let text = String::from_utf8(ended.stdout).expect("UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a JSON object")).collect()
    }

    /// The ids of the letters that `dead ARGUMENTS --json` tells of.
    #[track_caller]
    pub fn ids(&self, arguments: &[&str]) -> Vec<String> {
        field(&self.lines(arguments, 0), "event_id")
    }

    /// Waits until this many letters are in the queue, held by nobody.
    #[track_caller]
    pub fn wait_letters(&self, count: u32) {
        let queue = self.house.queue("dead");
        eventually(PATIENCE, &format!("{count} messages in {queue}"), || {
            self.house.amqp.look(&queue).filter(|look| look.messages == count)
        });
    }

    /// Puts a letter into the dead-letter queue, with these of our headers.
    #[track_caller]
    pub fn letter(&self, body: &[u8], headers: &[(&str, &str)]) {
        let headers = headers.iter().map(|(name, value)| (format!("x-shirase-{name}"), *value));
        self.publish(&self.house.queue("dead"), body, headers);
    }

    #[track_caller]
    pub fn publish<'a>(&self, queue: &str, body: &[u8], headers: impl Iterator<Item = (String, &'a str)>) {
        let mut table = FieldTable::default();
        for (name, value) in headers {
            table.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
        }
        let properties = BasicProperties::default().with_headers(table).with_message_id("m-1".into());
        self.house.amqp.publish_with("", queue, body, properties);
    }
}

pub fn field(lines: &[Value], name: &str) -> Vec<String> {
    lines.iter().map(|line| line[name].as_str().unwrap_or("-").to_owned()).collect()
}

pub fn bytes(event: &Value) -> Vec<u8> {
    event.to_string().into_bytes()
}

/// Six letters whose events all hold secrets, oldest first but for the last two, of which nobody knows.
fn put_six(desk: &Desk) {
    let recipient = json!({"user_id": "U-SECRET", "name": "秘密 太郎", "phone": "090-9999-8888"});
    let data = json!({"recipient": recipient, "email": "secret.person@example.jp"});
    let body = |kind: &str, id: &str| bytes(&event(kind, id, data.clone()));
    let died = |hours: i64| ago(SignedDuration::from_hours(hours));
    let long = format!("\u{1b}[31m/data/device: {}", "is required, ".repeat(20));
    for (body, reason, detail, died_at) in [
        (
            body("security.esim.reissued", "e-new"),
            "exhausted",
            "gateway-1: HTTP 500",
            ago(SignedDuration::ZERO),
        ),
        (body("security.login", "e-old"), "schema", long.as_str(), died(50)),
        (body("security.login", "e-middle"), "expired", "older than max_age", died(3)),
        (body("secret.person@example.jp", "e-type"), "unknown_type", "/type: not there", died(2)),
    ] {
        let headers =
            [("reason", reason), ("detail", detail), ("attempts", "4"), ("died-at", died_at.as_str())];
        desk.letter(&body, &headers);
    }
    desk.letter(&body("security.login", "e-undated"), &[("reason", "expired"), ("attempts", "1")]);
    desk.letter("{\"id\": \"秘密\", 090-9999-8888".as_bytes(), &[("reason", "not_json")]);
}

#[track_caller]
fn assert_tells_nothing(ended: &Output) {
    let text = printed(ended);
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character is in\n{text:?}");
}

#[test]
fn dead_letters_are_listed_and_shown_without_personal_data_and_stay_where_they_are() {
    let desk = Desk::new("dead-list");
    put_six(&desk);
    let listed = desk.dead(&["list"]);
    let text = printed(&listed);
    assert_eq!(listed.status.code(), Some(0), "{text}");
    for words in ["e-middle", "exhausted", "2d 2h", "      2  expired", "6 selected of 6", "  unknown  "] {
        assert!(text.contains(words), "no {words:?} in\n{text}");
    }
    let shown = desk.dead(&["show"]);
    let text = printed(&shown);
    assert_eq!(shown.status.code(), Some(0), "{text}");
    for words in ["source    /e2e", "lane      critical", &"is required, ".repeat(20), "reason    not_json"] {
        assert!(text.contains(words.trim_end()), "no {words:?} in\n{text}");
    }
    let json = desk.dead(&["show", "--json"]);
    for ended in [&listed, &shown, &json, &desk.dead(&["replay", "--all", "--dry-run"])] {
        assert_tells_nothing(ended);
    }
    let ids = desk.ids(&["list"]);
    assert_eq!(
        ids,
        ["-", "e-undated", "e-old", "e-middle", "e-type", "e-new"],
        "unknown ages, then oldest first"
    );
    desk.wait_letters(6);
}

#[test]
fn filters_narrow_down_by_reason_type_id_age_and_number() {
    let desk = Desk::new("dead-filters");
    put_six(&desk);
    for (filters, ids) in [
        (&["--reason", "expired"] as &[&str], &["e-undated", "e-middle"] as &[&str]),
        (&["--reason", "schema", "--reason", "exhausted"], &["e-old", "e-new"]),
        (&["--type", "security.login", "--reason", "schema"], &["e-old"]),
        (&["--type", "unknown"], &["e-type"]),
        (&["--type", "-"], &["-"]),
        (&["--id", "e-new", "--id", "e-old"], &["e-old", "e-new"]),
        (&["--older-than", "150m"], &["e-old", "e-middle"]),
        (&["--newer-than", "150m"], &["e-type", "e-new"]),
        (&["--older-than", "1h", "--newer-than", "1d", "--reason", "expired"], &["e-middle"]),
        // Twice: the broker's own order turns with every look.
        (&["--limit", "3"], &["-", "e-undated", "e-old"]),
        (&["--limit", "3"], &["-", "e-undated", "e-old"]),
        (&["--newer-than", "7d", "--limit", "1"], &["e-old"]),
        (&["--reason", "nonsense"], &[]),
    ] {
        assert_eq!(desk.ids(&[&["list"], filters].concat()), ids, "{filters:?}");
    }
    let old = printed(&desk.dead(&["list", "--older-than", "1h"]));
    assert!(old.contains("2 more of unknown age"), "{old}");
    let replayed = desk.lines(&["replay", "--newer-than", "7d", "--limit", "2"], 0);
    assert_eq!(field(&replayed, "event_id"), ["e-old", "e-middle"], "as `list` says");
    desk.wait_letters(4);
}

#[test]
fn a_letter_that_the_broker_itself_gave_up_is_dated_by_the_broker() {
    let desk = Desk::new("dead-by-broker");
    desk.house.publish(&login(1));
    desk.house.amqp.reject_one(&desk.house.queue("standard"));
    desk.wait_letters(1);
    let letter = &desk.lines(&["show", "--newer-than", "10m"], 0)[0];
    assert_eq!((&letter["reason"], &letter["event_id"]), (&json!("rejected"), &json!("login-1")), "{letter}");
    assert_eq!(letter["given_up_in"], json!(desk.house.queue("standard")), "{letter}");
    assert_eq!(letter["attempts"], Value::Null, "{letter}");
}

#[test]
fn dropping_needs_a_filter_and_a_yes_and_takes_away_what_was_selected_and_no_other() {
    let desk = Desk::new("dead-drop");
    put_six(&desk);
    for (arguments, words) in [
        (&["drop", "--yes"] as &[&str], "--all"),
        (&["drop", "--all"], "--yes"),
        (&["drop", "--all", "--reason", "schema", "--yes"], "--all"),
        (&["replay"], "--all"),
        (&["replay", "--limit", "1"], "--all"),
        (&["drop", "--older-than", "2x", "--yes"], "--older-than"),
    ] {
        let ended = desk.dead(arguments);
        assert_eq!(ended.status.code(), Some(2), "{arguments:?}: {}", printed(&ended));
        assert!(printed(&ended).contains(words), "{arguments:?}: {}", printed(&ended));
    }
    let would = desk.lines(&["drop", "--reason", "expired", "--dry-run"], 0);
    assert_eq!(field(&would, "outcome"), ["would_drop", "would_drop"]);
    desk.wait_letters(6);

    let dropped = desk.dead(&["drop", "--reason", "expired", "--yes"]);
    assert_eq!(dropped.status.code(), Some(0), "{}", printed(&dropped));
    assert!(printed(&dropped).contains("2 dropped"), "{}", printed(&dropped));
    assert_tells_nothing(&dropped);
    assert_eq!(desk.ids(&["list"]), ["-", "e-old", "e-type", "e-new"]);
    let dropped = desk.lines(&["drop", "--all", "--yes", "--limit", "1"], 0);
    assert_eq!(field(&dropped, "outcome"), ["dropped"]);
    desk.wait_letters(3);
}

#[test]
fn on_a_terminal_dropping_asks_and_anything_but_yes_drops_nothing() {
    let desk = Desk::new("dead-asks");
    put_six(&desk);
    for (answer, code, words, left) in [("y", 1, "nothing was dropped", 6), ("yes", 0, "2 dropped", 4)] {
        let ended = on_a_terminal(&desk, "drop --reason expired", answer);
        let text = printed(&ended);
        assert_eq!(ended.status.code(), Some(code), "{text}");
        assert!(text.contains("Drop these 2 dead letters") && text.contains(words), "{text}");
        desk.wait_letters(left);
    }
}

/// `shirase dead ARGUMENTS` on a terminal at which somebody types this line.
fn on_a_terminal(desk: &Desk, arguments: &str, line: &str) -> Output {
    let config = desk.worker.config_file();
    let command = format!("{BINARY} dead {arguments} --config {}", config.display());
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &command, "/dev/null"]);
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("on every Debian");
    let mut terminal = child.stdin.take().expect("a pipe");
    writeln!(terminal, "{line}").expect("it reads");
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_look_declares_nothing_and_a_broker_that_is_not_there_is_told_from_wrong_usage() {
    let house = House::new("dead-nothing");
    let scratch = Scratch::new("dead");
    let config = scratch.write("shirase.toml", &house.config());
    let ended = run_in(scratch.path(), &config, &["dead", "list"]);
    assert_eq!(ended.status.code(), Some(1), "{}", printed(&ended));
    assert!(printed(&ended).contains("no queue"), "{}", printed(&ended));
    assert!(house.amqp.look(&house.queue("dead")).is_none(), "it was declared");

    let nobody = house.config().replace(&house.amqp.port().to_string(), &free_port().to_string());
    let nobody = scratch.write("nobody.toml", &nobody);
    for command in [&["list"] as &[&str], &["replay", "--all"], &["drop", "--all", "--yes"]] {
        let ended = run_in(scratch.path(), &nobody, &[&["dead"], command].concat());
        assert_eq!(ended.status.code(), Some(1), "{}", printed(&ended));
        assert!(printed(&ended).contains("cannot look into"), "{}", printed(&ended));
    }
}

#[test]
fn an_empty_queue_is_in_order() {
    let desk = Desk::new("dead-empty");
    assert!(desk.lines(&["list"], 0).is_empty());
    let listed = desk.dead(&["list"]);
    assert_eq!(printed(&listed), format!("0 selected of 0 looked at in {}\n", desk.house.queue("dead")));
    assert!(desk.lines(&["replay", "--all"], 0).is_empty());
    assert!(desk.lines(&["drop", "--all", "--yes"], 0).is_empty());
}

/// The broker counts none for some seconds after its start.
#[test]
fn right_after_the_broker_s_restart_every_letter_is_still_found() {
    let broker = RabbitMq::start();
    let desk = Desk::of(House::on(&broker, "dead-restart"));
    for n in 0..3 {
        desk.letter(&bytes(&withdrawal(n)), &[("reason", "refused")]);
    }
    broker.kill();
    broker.start_again();
    let ids = eventually(PATIENCE, "the queue to have a leader", || {
        let ended = desk.dead(&["list", "--json"]);
        (ended.status.code() == Some(0)).then(|| printed(&ended).lines().count())
    });
    assert_eq!(ids, 3);
    assert_eq!(field(&desk.lines(&["replay", "--all"], 0), "outcome"), ["replayed"; 3]);
}
