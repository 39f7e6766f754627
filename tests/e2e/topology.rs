//! Who makes the queues, and when.

use serde_json::Value;

use crate::events::{login, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{BINARY, House, PATIENCE};
use crate::support::{Worker, eventually, http_get, try_http_get};

#[test]
fn what_is_published_while_no_worker_runs_is_delivered_when_one_does() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("nobody-there").gateways(&[gateway.url()]);
    let worker = house.start();
    house.stop(&worker);
    let events: Vec<Value> = (0..50).map(withdrawal).chain((50..100).map(login)).collect();
    house.publish_all(&events);
    house.start_again(&worker);
    house.wait_ended(100);
    assert_eq!((gateway.asked().len(), gateway.by_number().len()), (100, 100));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_passive_worker_says_what_is_missing_and_begins_when_it_is_there() {
    let gateway = Gateway::always(Answer::Accept);
    let passive = House::new("passive").gateways(&[gateway.url()]).set("broker", r#"topology = "passive""#);
    // Each of its tries is a line at debug only: that they fail alike is no news.
    let worker = Worker::start(BINARY, &passive.config(), &["run"], &[("SHIRASE_LOG", "debug")]);
    let missing = format!("no exchange '{}'", passive.exchange());
    eventually(PATIENCE, "the log to name what is missing", || worker.log().contains(&missing).then_some(()));
    // It must not hammer the broker for as long as nobody declares anything.
    eventually(PATIENCE, "pauses to grow", || longest_pause(&worker.log()).filter(|pause| *pause >= 1000));
    let (status, body) = eventually(PATIENCE, "/readyz", || try_http_get(passive.http, "/readyz").ok());
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("lane critical is not being consumed"), "{body}");
    assert!(body.contains(&missing), "/readyz says that, but not why:\n{body}");
    assert_eq!(http_get(passive.http, "/healthz").0, 200);
    assert!(passive.amqp.look(&passive.queue("critical")).is_none(), "it has declared something");

    let declaring = House::new("passive");
    let first = declaring.start();
    first.signal("TERM");
    first.wait_exit(PATIENCE);
    worker.wait_ready(passive.http, PATIENCE);
    passive.publish_all(&[withdrawal(1), login(2)]);
    passive.wait_ended(2);
    assert_eq!(gateway.accepted().len(), 2);
    passive.stop_and_assert_empty(&worker);
    passive.assert_no_dead_letters();
}

fn longest_pause(log: &str) -> Option<u64> {
    let pauses =
        log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()?["retry_ms"].as_u64());
    pauses.max()
}
