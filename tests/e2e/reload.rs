//! Wording that changes under a worker that is sending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};
use shirase::lint::RULES;
use shirase::sandbox::Sandbox;

use crate::events::{event, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::reading::metric;
use crate::support::{Postgres, Worker, eventually, http_get};
use crate::trace::{lines, words};
use crate::wording::{Folder, Set, TYPE, Way, generation, path, version};

/// Published a second.
const RATE: usize = 200;

/// Published at once.
const BATCH: usize = 20;

/// Fifteen seconds of publishing, at least.
const EVENTS: usize = 3_000;

/// The sandbox keeps ten thousand of a kind. Where edits take that long, so many are still waiting to be sent.
const EVENTS_AT_MOST: usize = 9_800;

#[test]
fn wording_edited_under_a_worker_that_sends_two_hundred_events_a_second_is_never_empty_half_or_mixed() {
    let mut generations = Generations::default();
    let mut folder = Folder::new(&generations.next());
    let (house, sandbox) = House::new("reload")
        .set("templates", &folder.config())
        .set("lanes.critical", "prefetch = 64")
        .sandbox();
    let worker = house.start();
    let done = AtomicBool::new(false);
    let published = thread::scope(|scope| {
        let publishing = scope.spawn(|| publish(&house, &done));
        for (round, bad) in bad_sets().into_iter().enumerate() {
            let set = generations.next();
            folder.change(Way::ALL[round % Way::ALL.len()], &set);
            wait_in_use(&house, &version(&set));
            refuse(&house, &mut folder, &bad, round, &set);
            folder.change(Way::Mount, &set);
            wait_put_back(&house);
        }
        vanish(&house, &folder);
        done.store(true, Ordering::Relaxed);
        publishing.join().expect("every event was confirmed")
    });
    // A busy machine is behind by then: it has its time for each part of the rest.
    (0..=published).step_by(500).chain([published]).for_each(|count| house.wait_ended(count));
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
    let seen = assert_whole(&sandbox, published);
    assert!(seen.values().collect::<BTreeSet<_>>().len() >= 3, "generations did not change");
    assert_versions(&worker, &seen, &generations);
}

/// Generations so far, by their version.
#[derive(Default)]
struct Generations {
    count: usize,
    by_version: BTreeMap<String, usize>,
}

impl Generations {
    fn next(&mut self) -> Set {
        self.count += 1;
        let set = generation(self.count);
        self.by_version.insert(version(&set), self.count);
        set
    }
}

/// Publishes at a steady pace until it is `done` and has published enough; how many.
fn publish(house: &House, done: &AtomicBool) -> usize {
    let mut due = Instant::now();
    let mut published = 0;
    while published < EVENTS || (!done.load(Ordering::Relaxed) && published < EVENTS_AT_MOST) {
        let batch: Vec<Value> = (published..published + BATCH).map(reissued).collect();
        house.publish_all(&batch);
        published += BATCH;
        due += Duration::from_secs(1) * BATCH as u32 / RATE as u32;
        sleep(due.saturating_duration_since(Instant::now()));
    }
    published
}

fn reissued(n: usize) -> Value {
    let recipient =
        json!({"user_id": format!("U{n}"), "phone": mobile(n), "email": format!("c{n}@example.jp")});
    event(TYPE, &format!("esim-{n}"), json!({"recipient": recipient, "line": mobile(n)}))
}

/// A set that must not be sent from, and what is said of it.
struct Bad {
    change: fn(&mut Set),
    words: &'static str,
}

fn bad_sets() -> Vec<Bad> {
    let mut all = vec![
        Bad {
            change: |set| edit(set, "sms.hbs", |text| text + "{{#if via}}"),
            words: "security.esim.reissued/sms.hbs:",
        },
        Bad {
            change: |set| edit(set, "email.txt.hbs", |_| String::new()),
            words: "security.esim.reissued/email.txt.hbs",
        },
        Bad {
            change: |set| drop(set.remove("ja/_partials/generation.hbs").expect("there")),
            words: "generation",
        },
        Bad {
            change: |set| {
                edit(set, "email.html.hbs", |text| text[..text.find("esim").expect("a tag")].to_owned())
            },
            words: "security.esim.reissued/email.html.hbs:",
        },
        Bad {
            change: |set| edit(set, "email.subject.hbs", |text| format!("{text}\n{text}")),
            words: "security.esim.reissued/email.subject.hbs",
        },
    ];
    // Where there is a rule against links, one is refused.
    if RULES.iter().any(|rule| rule.name.contains("link")) {
        all.push(Bad {
            change: |set| edit(set, "sms.hbs", |text| format!("https://login.example.com/ {text}")),
            words: "security.esim.reissued/sms.hbs:",
        });
    }
    all
}

fn edit(set: &mut Set, file: &str, change: impl FnOnce(String) -> String) {
    let text = set.get_mut(&path(file)).expect("there");
    *text = change(std::mem::take(text));
}

/// Puts a bad set, with a generation of its own, in the place of a good one, and sees it refused.
#[track_caller]
fn refuse(house: &House, folder: &mut Folder, bad: &Bad, round: usize, good: &Set) {
    let mut set = generation(900 + round);
    (bad.change)(&mut set);
    // At once: of files changed one after the other, an earlier state may be refused than the last.
    folder.change(Way::Mount, &set);
    eventually(PATIENCE, &format!("a warning about {}", bad.words), || {
        let (status, body) = http_get(house.http, "/readyz");
        let warned = body.starts_with("ready\nwarning: templates: the set on disk was refused: ");
        (status == 200 && warned && body.contains(bad.words)).then_some(())
    });
    let metrics = http_get(house.http, "/metrics").1;
    assert_eq!(versions(&metrics), [version(good)]);
    assert!((metric(&metrics, "shirase_template_refused", &[]) - 1.0).abs() < f64::EPSILON);
}

#[track_caller]
fn vanish(house: &House, folder: &Folder) {
    folder.vanish();
    eventually(PATIENCE, "a warning about the folder", || {
        http_get(house.http, "/readyz").1.contains("cannot be read").then_some(())
    });
    folder.come_back();
    wait_put_back(house);
}

#[track_caller]
fn wait_put_back(house: &House) {
    eventually(PATIENCE, "the warning to go away", || {
        (http_get(house.http, "/readyz") == (200, "ready\n".to_owned())).then_some(())
    });
    assert!(house.metric("shirase_template_refused", &[]).abs() < f64::EPSILON);
}

#[track_caller]
fn wait_in_use(house: &House, version: &str) {
    eventually(PATIENCE, &format!("{version} to be in use"), || {
        let metrics = http_get(house.http, "/metrics").1;
        (versions(&metrics) == [version]).then_some(())
    });
}

/// Every series of the metric that says which templates are in use.
fn versions(metrics: &str) -> Vec<&str> {
    metrics
        .lines()
        .filter(|line| line.starts_with("shirase_template_version{"))
        .filter_map(|line| line.split('"').nth(1))
        .collect()
}

/// Each event was told by one SMS and one mail, whole and of one generation: which, by event.
#[track_caller]
fn assert_whole(sandbox: &Sandbox, published: usize) -> BTreeMap<String, usize> {
    let (all_sms, mails) = (sandbox.sms(), sandbox.mail());
    assert_eq!((all_sms.len(), mails.len()), (published, published), "SMS and mails");
    let mut seen = BTreeMap::new();
    for sms in &all_sms {
        assert!(sms.text.contains("0120-000-000"), "{}", sms.text);
        let n: usize = sms.to[4..].parse().expect("the customer's number");
        assert_eq!(seen.insert(format!("esim-{n}"), mark(&sms.text)), None, "told twice");
    }
    for mail in &mails {
        let html = mail.html.as_deref().expect("HTML");
        assert!(mail.text.contains("0120-000-000") && html.trim_end().ends_with("</html>"), "{}", mail.text);
        let n = mail.to.trim_start_matches('c').split('@').next().expect("the customer's address");
        let marks = [mark(&mail.subject), mark(&mail.text), mark(html)];
        assert_eq!(marks, [seen[&format!("esim-{n}")]; 3], "the SMS and the mail of esim-{n}");
    }
    let customers: BTreeSet<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(customers.len(), published, "mailed twice");
    seen
}

/// The generation of a text, which its file and its partial agree on.
#[track_caller]
fn mark(text: &str) -> usize {
    let all = |sign: char| -> Vec<usize> {
        let sign = format!("({sign}");
        let behind = text.split(&sign).skip(1);
        behind.map(|rest| rest.split(')').next().unwrap_or_default().parse().expect("a number")).collect()
    };
    let (file, partial) = (all('G'), all('P'));
    assert!(file.len() == 1 && file == partial, "mixed or half: {file:?} {partial:?}\n{text}");
    file[0]
}

/// The ledger names for each notification the version that its text is of.
#[track_caller]
fn assert_versions(worker: &Worker, seen: &BTreeMap<String, usize>, generations: &Generations) {
    let ledger = Connection::open(worker.path().join("shirase.db")).expect("the ledger");
    let mut query = ledger
        .prepare("SELECT id, template_version FROM notification JOIN event ON key = event_key")
        .expect("the tables");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    let rows: Vec<(String, String)> = rows.map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), seen.len() * 2, "notifications in the ledger");
    for (id, version) in rows {
        assert_eq!(generations.by_version.get(&version), seen.get(&id), "{id}: {version}");
    }
}

#[test]
fn a_retry_after_a_reload_is_written_down_with_the_version_that_it_was_made_of() {
    retried_after_a_reload(House::new("reload-retry"));
}

#[test]
fn on_postgresql_too() {
    let url = format!("url = \"{}\"", Postgres::shared().create_database("reload"));
    retried_after_a_reload(House::new("reload-pg").set("ledger", &url));
}

#[track_caller]
fn retried_after_a_reload(house: House) {
    let (first, second) = (generation(1), generation(2));
    let mut folder = Folder::new(&first);
    let reloaded = Arc::new(AtomicBool::new(false));
    let works = Arc::clone(&reloaded);
    let gateway =
        Gateway::scripted(
            move |_, _| {
                if works.load(Ordering::SeqCst) { Answer::Accept } else { Answer::Status(503) }
            },
        );
    let house = house
        .gateways(&[gateway.url()])
        .set("templates", &folder.config())
        .set(
            "retry",
            r#"schedule = ["1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s", "1s"]"#,
        )
        .breakers("enabled = false");
    let worker = house.start();
    house.publish(&withdrawal(1));
    gateway.wait_asked(1);
    assert!(words(&house, &worker, &["withdrawal-1"]).contains(&version(&first)));
    folder.change(Way::Rename, &second);
    wait_in_use(&house, &version(&second));
    reloaded.store(true, Ordering::SeqCst);
    house.wait_ended(1);
    let told = lines(&house, &worker, &["withdrawal-1"]);
    assert_eq!(told[0]["notifications"][0]["template_version"], json!(version(&second)));
    assert!(words(&house, &worker, &["withdrawal-1"]).contains(&version(&second)));
    house.stop(&worker);
}
