//! Nothing personal shows: marked events of every type, good and bad, through gateways and a relay that say everything
//! back; then every place is searched that people, programs or other companies read.

mod echo;
mod marks;

use std::fs;

use serde_json::Value;

use self::echo::Echo;
use self::marks::{assert_none, find, marked_bad_events, marked_events};
use crate::house::{BINARY, House, PATIENCE, printed};
use crate::support::{Collector, Worker, http_get, http_post, http_raw, http_request};

/// So many events of every type: each gateway gives each of its answers at least once.
const ROUNDS: usize = 12;

#[test]
fn marked_events_through_echoing_gateways_leave_no_mark_anywhere() {
    let (echo, collector) = (Echo::start(), Collector::start());
    let house = House::new("privacy")
        .gateways(&[])
        .relay(&echo.relay.url())
        .breakers("enabled = false")
        .set("sms", "balance = \"weight\"")
        .set("traces", &format!("endpoint = \"{}\"", collector.endpoint()));
    let events = marked_events(ROUNDS);
    let panics = events[3]["id"].as_str().expect("an id").to_owned();
    let config = house.config() + &echo.config();
    let environment = [("SHIRASE_LOG", "trace"), ("SHIRASE_PANIC_ON", &panics)];
    let worker = Worker::start(BINARY, &config, &["run"], &environment);
    worker.wait_ready(house.http, PATIENCE);

    house.publish_all(&events);
    let bad = marked_bad_events();
    for body in &bad {
        house.amqp.publish("", &house.queue("standard"), body);
    }
    for (name, _) in echo::KINDS {
        for said in ["{\"to\": \"090-7778-8877\", \"status\": \"秘匿\"}", "zqx"] {
            http_post(house.http, &format!("/receipts/{name}?to=09077788877"), "application/json", said);
        }
    }
    house.wait_ended(events.len() + bad.len());

    assert_the_marks_were_sent(&echo);
    assert_none(&http_get(house.http, "/metrics").1, "the page of metrics");
    assert_none(&http_get(house.http, "/readyz?verbose").1, "/readyz");
    assert_the_console_says_nothing(&house, &events);
    assert_commands_say_nothing(&house, &worker, &events);
    for dead in house.dead_letters(bad.len() + 1) {
        let ours = dead.headers.iter().filter(|(name, _)| name.starts_with("x-shirase-"));
        assert_none(&format!("{:?}", ours.collect::<Vec<_>>()), "our headers of a dead letter");
    }
    house.stop(&worker);
    assert!(worker.log().contains("panic: this is a bug"), "nothing panicked:\n{}", worker.log());
    assert_none(&worker.log(), "the log");
    assert_none(&ledger(&worker), "the ledger's file");
    let spans = collector.spans();
    assert!(spans.len() > events.len(), "only {} spans", spans.len());
    for span in spans {
        // Not times and ids, whose digits are thousands and may be a mark's by chance.
        let said = format!("{} {} {:?} {:?}", span.name, span.service, span.attributes, span.failed);
        assert_none(&said, "a span");
    }
}

/// The search is worth something only if there was something to find.
#[track_caller]
fn assert_the_marks_were_sent(echo: &Echo) {
    for (name, gateway) in &echo.gateways {
        let requests = gateway.requests();
        assert!(requests.len() >= 12, "{name} was asked only {} times", requests.len());
        let decoded =
            |body: &str| percent_encoding::percent_decode_str(body).decode_utf8_lossy().into_owned();
        assert!(requests.iter().all(|request| find(&decoded(&request.body)).is_some()), "{name}: no marks");
    }
    assert!(!echo.relay.mails().is_empty());
}

#[track_caller]
fn assert_commands_say_nothing(house: &House, worker: &Worker, events: &[Value]) {
    let commands: [&[&str]; 4] = [
        &["dead", "list", "--json"],
        &["dead", "list"],
        &["trace", "--recipient", "090-7778-8877", "--json"],
        &["trace", events[0]["id"].as_str().expect("an id")],
    ];
    for command in commands {
        assert_none(&printed(&house.run(worker, command)), &format!("{command:?}"));
    }
}

/// What the page asks for: the stream with each gateway's last error, the dead letters, and the stories of a search.
#[track_caller]
fn assert_the_console_says_nothing(house: &House, events: &[Value]) {
    let host = format!("Host: 127.0.0.1:{}\r\n", house.http);
    let live = format!("GET /console/live HTTP/1.0\r\n{host}\r\n");
    let live = http_raw(house.http, &live, |text| text.matches("event: state\n").count() >= 2);
    assert!(live.contains("\"last_error\":{"), "no gateway's last error is shown:\n{live}");
    assert_none(&live, "the console's stream");
    let by_id = format!("/console/search?event={}", events[0]["id"].as_str().expect("an id"));
    let recipient = r#"{"recipient": "090-7778-8877"}"#;
    for (method, path, body, shows) in [
        ("GET", "/console/dead?limit=50", "", "\"key\":"),
        ("GET", by_id.as_str(), "", "\"attempts\":[{"),
        ("POST", "/console/search", recipient, "\"attempts\":[{"),
    ] {
        let headers = format!("{host}Content-Type: application/json\r\n");
        let (status, answer) = http_request(house.http, method, path, &headers, body);
        assert!(status == 200 && answer.contains(shows), "{method} {path}: {status} {answer}");
        assert_none(&answer, path);
    }
}

/// Every byte of the ledger, its journal included.
fn ledger(worker: &Worker) -> String {
    let files = fs::read_dir(worker.path()).expect("its folder").map(|file| file.expect("a file").path());
    let ledger = files.filter(|path| path.to_string_lossy().contains("shirase.db"));
    ledger.map(|path| String::from_utf8_lossy(&fs::read(path).expect("readable")).into_owned()).collect()
}
