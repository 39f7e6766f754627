//! What protects recipients from too much: storms become one summary, known devices are not told, and a number gets so many SMS a
//! day; over restarts and across workers.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use shirase::sandbox::Sandbox;

use crate::events::{event, mobile, reachable, withdrawal_to};
use crate::house::{BINARY, House, PATIENCE};
use crate::support::{Postgres, Scratch, Worker, eventually};
use crate::trace::{assert_in_order, lines, with_mail, words};

const LOGIN: &str = "security.login";

const USER: &str = "U-2041-customer";

/// A house whose catalog says this of logins.
fn house(name: &str, of_logins: &str) -> (House, Sandbox, Scratch) {
    let (house, sandbox) = with_mail(name);
    let (config, folder) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), Scratch::new("catalog"));
    fs::create_dir(folder.join("schemas")).expect("a folder");
    for schema in fs::read_dir(config.join("schemas")).expect("schemas") {
        let schema = schema.expect("an entry");
        fs::copy(schema.path(), folder.join("schemas").join(schema.file_name())).expect("a copy");
    }
    let events = fs::read_to_string(config.join("events.toml")).expect("the catalog");
    let table = "[\"security.login\"]\n";
    assert!(events.contains(table));
    folder.write("events.toml", &events.replacen(table, &format!("{table}{of_logins}\n"), 1));
    let house = house.set("catalog", &format!("dir = {:?}", folder.path()));
    (house, sandbox, folder)
}

/// A login of one customer, who has a number alone.
fn login(n: usize, device: Value) -> Value {
    let recipient = json!({"user_id": USER, "phone": mobile(1)});
    event(LOGIN, &format!("login-{n}"), json!({"recipient": recipient, "device": device}))
}

fn logins(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| login(n, json!({"os": "iOS"}))).collect()
}

#[track_caller]
fn wait_sms(sandbox: &Sandbox, count: usize) -> Vec<String> {
    eventually(PATIENCE * 2, &format!("{count} SMS"), || {
        Some(sandbox.sms()).filter(|sms| sms.len() >= count)
    });
    sandbox.sms().into_iter().map(|sms| sms.text).collect()
}

/// How many of the texts say so.
fn saying(texts: &[String], what: &str) -> usize {
    texts.iter().filter(|text| text.contains(what)).count()
}

#[test]
fn twenty_logins_are_three_notices_and_one_summary_also_over_a_restart_within_the_window() {
    let (house, sandbox, _catalog) = house("collapse", "collapse = { max = 3, window = \"25s\" }");
    let worker = house.start();
    house.publish_all(&logins(0..10));
    house.wait_metric("shirase_held_back_total", &[("type", LOGIN), ("reason", "collapsed")], 7.0);
    house.wait_ended(10);
    assert_eq!(saying(&wait_sms(&sandbox, 3), "ほか"), 0);
    house.stop(&worker);
    house.start_again(&worker);
    house.publish_all(&logins(10..20));
    house.wait_metric("shirase_held_back_total", &[("type", LOGIN), ("reason", "collapsed")], 10.0);
    assert_eq!(sandbox.sms().len(), 3, "the window is open still");
    let held = words(&house, &worker, &["login-15"]);
    assert_in_order(
        &held,
        &["login-15: held back: collapsed (one of many: told by a summary)\n", "16 others so far, due"],
    );

    house.wait_metric("shirase_summaries_total", &[("type", LOGIN)], 1.0);
    house.wait_ended(11);
    let texts = wait_sms(&sandbox, 4);
    assert_eq!((texts.len(), saying(&texts, "ほか16件")), (4, 1), "{texts:?}");
    let part = &lines(&house, &worker, &["login-15"])[0];
    let (made_of, others) = (&part["summary"]["event_id"], &part["summary"]["others"]);
    assert_eq!((part["state"].as_str(), others), (Some("held_back"), &json!(16)));
    let of_it = words(&house, &worker, &[made_of.as_str().expect("an id")]);
    assert_in_order(&of_it, &["(summary): told\n", "one notice for this event and 16 held back beside it"]);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
    assert_eq!(sandbox.sms().len(), 4);
}

#[test]
fn two_workers_on_one_ledger_count_as_one_and_send_one_summary() {
    let url = format!("url = \"{}\"", Postgres::shared().create_database("collapse"));
    let (house, sandbox, _catalog) = house("collapse-pg", "collapse = { max = 3, window = \"10s\" }");
    let house = house.set("ledger", &url).set("lanes.standard", "prefetch = 3");
    let (worker, twin) = (house.start(), house.twin());
    let other = twin.start();
    house.publish_all(&logins(0..20));
    let texts = wait_sms(&sandbox, 4);
    assert_eq!(saying(&texts, "ほか16件"), 1, "{texts:?}");
    let brought = |house: &House| house.metric("shirase_summaries_total", &[("type", LOGIN)]);
    eventually(PATIENCE, "the summary to be counted", || {
        (brought(&house) + brought(&twin) == 1.0).then_some(())
    });
    let held = |house: &House| house.metric("shirase_held_back_total", &[("reason", "collapsed")]);
    assert_eq!(held(&house) + held(&twin), 17.0);
    house.stop_twin(&other);
    house.stop_and_assert_empty(&worker);
    assert_eq!(sandbox.sms().len(), 4);
}

#[test]
fn a_worker_that_ends_between_bringing_a_summary_and_noting_it_has_it_sent_once() {
    let (house, sandbox, _catalog) = house("collapse-crash", "collapse = { max = 1, window = \"2s\" }");
    let crash = [("SHIRASE_CRASH_AT", "SummaryBrought")];
    let worker = Worker::start(BINARY, &house.config(), &["run"], &crash);
    worker.wait_ready(house.http, PATIENCE);
    house.publish_all(&logins(0..2));
    let ended = worker.wait_exit(PATIENCE);
    assert_eq!(ended.code(), None, "by a signal of its own: {}", worker.log());
    house.wait_unconsumed();
    worker.forget_environment();
    house.start_again(&worker);
    // Brought by the first, and once more by the second, which cannot know.
    house.wait_metric("shirase_summaries_total", &[("type", LOGIN)], 1.0);
    house.wait_ended(2);
    house.stop_and_assert_empty(&worker);
    let texts: Vec<String> = sandbox.sms().into_iter().map(|sms| sms.text).collect();
    assert_eq!((texts.len(), saying(&texts, "ほか")), (2, 0), "one more is the event itself: {texts:?}");
}

#[test]
fn a_number_over_its_sms_of_the_day_is_told_by_mail_or_not_at_all_and_critical_events_are_exempt() {
    let (house, sandbox) = with_mail("day-limit");
    let house = house.set("sms", "day_limit = 2");
    let worker = house.start();
    let login = |id: &str, recipient| event(LOGIN, id, json!({"recipient": recipient, "device": {}}));
    for n in 0..4 {
        house.publish(&login(&format!("login-{n}"), reachable(1, "taro@example.jp")));
        house.wait_ended(n + 1);
    }
    assert_eq!((sandbox.sms().len(), sandbox.mail().len()), (2, 2));
    let text = words(&house, &worker, &["login-3"]);
    assert_in_order(
        &text,
        &["login-3: told\n", "current.sms: given up: sms_day_limit", "current.email: accepted"],
    );

    house.publish(&login("no-mail", json!({"user_id": "U1", "phone": mobile(1)})));
    house.wait_ended(5);
    let text = words(&house, &worker, &["no-mail"]);
    assert_in_order(&text, &["no-mail: held back: sms_day_limit (the number has had its SMS of the day"]);
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.publish(&login("somebody-else", json!({"user_id": "U1", "phone": mobile(2)})));
    house.wait_ended(7);
    assert_eq!((sandbox.sms().len(), sandbox.mail().len()), (4, 2));
    assert_eq!(house.metric("shirase_held_back_total", &[("type", LOGIN), ("reason", "sms_day_limit")]), 3.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn of_the_logins_the_first_and_those_from_another_device_are_told() {
    let (house, sandbox, _catalog) =
        house("new-device", "notify_when = \"new_device\"\ncollapse = { max = 9, window = \"1h\" }");
    let worker = house.start();
    let safari = json!({"name": "Taros-iPhone", "os": "iOS", "os_version": "18.1", "browser": "Safari"});
    let newer = json!({"name": "Taros-iPhone", "os": "iOS", "os_version": "18.2", "browser": "Safari"});
    let take = |from: usize, steps: &[(&Value, usize)]| {
        for (n, (device, told)) in steps.iter().enumerate() {
            house.publish(&login(from + n, (*device).clone()));
            house.wait_ended(n + 1);
            assert_eq!(sandbox.sms().len(), *told, "login {}", from + n);
        }
    };
    take(0, &[(&safari, 1), (&safari, 1), (&newer, 2), (&newer, 2)]);
    house.stop(&worker);
    house.start_again(&worker);
    // The last device is known over the restart, and a login that says nothing of itself does not become it.
    take(4, &[(&newer, 2), (&safari, 3), (&json!({}), 4), (&safari, 4)]);
    let text = words(&house, &worker, &["login-1"]);
    assert_in_order(&text, &["login-1: held back: known_device (the same device as at the login before)"]);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
    let files = fs::read_dir(worker.path()).expect("its folder").map(|file| file.expect("an entry").path());
    let ledger: Vec<u8> = files
        .filter(|file| file.to_string_lossy().contains("shirase.db"))
        .flat_map(|file| fs::read(file).expect("readable"))
        .collect();
    let holds = |what: &str| ledger.windows(what.len()).any(|part| part == what.as_bytes());
    assert!(holds("device.") && holds("login-1"), "the ledger is there");
    for personal in [USER, "Taros-iPhone", "Safari", &mobile(1)] {
        assert!(!holds(personal), "{personal} is in the ledger");
    }
}
