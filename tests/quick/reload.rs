//! Wording that changes beneath a worker: what it says of it, with no broker that it could reach, and what its ledger does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde_json::{Value, json};
use shirase::assets::Files;
use shirase::config::Span;
use shirase::gateway::OnUnknown;
use shirase::template::TemplateSet;

use crate::house::{self, BINARY};
use crate::pipeline::{assert_results, cut_once, login, sms_through, world};
use crate::support::{Scratch, Worker, eventually, free_port, http_get, try_http_get};

const PATIENCE: Duration = Duration::from_secs(60);

const SMS: &str = "ja/security.login/sms.hbs";

/// A worker that reloads its folder when it is told to, and nobody to send anything to.
struct Watched {
    worker: Worker,
    templates: Scratch,
    http: u16,
}

/// The built-in set in a folder.
fn templates() -> Scratch {
    let templates = Scratch::new("templates");
    for (name, text) in Files::embedded("templates").iter() {
        let path = templates.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }
    templates
}

impl Watched {
    fn start() -> Self {
        let templates = templates();
        let (http, nobody) = (free_port(), free_port());
        let config = format!(
            "[broker]\nurls = [\"amqp://127.0.0.1:{nobody}/%2f\"]\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
             [ledger]\nurl = \"sqlite::memory:\"\n[templates]\nwatch = false\ndir = \"{}\"\n",
            templates.path().display()
        );
        let worker = Worker::start(BINARY, &config, &["run"], &[]);
        eventually(PATIENCE, "the worker to watch its templates", || {
            try_http_get(http, "/healthz").ok().filter(|_| worker.log().contains("on SIGHUP"))
        });
        Self { worker, templates, http }
    }

    fn get(&self, path: &str) -> String {
        http_get(self.http, path).1
    }

    /// SIGHUP, until so many reloads ended like this.
    #[track_caller]
    fn reload(&self, result: &str, count: usize) {
        self.worker.signal("HUP");
        let series = format!("shirase_template_reloads_total{{result=\"{result}\"}} {count}\n");
        eventually(PATIENCE, &series, || self.get("/metrics").contains(&series).then_some(()));
    }

    fn write_sms(&self, text: &str) {
        self.templates.write(SMS, text);
    }

    fn version_on_disk(&self) -> String {
        TemplateSet::version_of(&Files::from_dir(self.templates.path()).expect("readable"))
    }

    /// The metric of the version in use, with what describes it.
    fn version_in_metrics(&self) -> String {
        let metrics = self.get("/metrics");
        let of_it = metrics.lines().filter(|line| line.contains("shirase_template_version"));
        of_it.collect::<Vec<_>>().join("\n")
    }
}

fn described(version: &str) -> String {
    format!(
        "# HELP shirase_template_version The version of the templates in use\n\
         # TYPE shirase_template_version gauge\n\
         shirase_template_version{{version=\"{version}\"}} 1"
    )
}

#[test]
fn a_refused_set_is_a_warning_beside_what_keeps_the_worker_from_being_ready_and_its_mistakes_are_logged_once()
{
    let watched = Watched::start();
    let first = watched.version_on_disk();
    let good = Files::embedded("templates").get(SMS).expect("built in").to_owned();
    assert!(!watched.get("/readyz").contains("warning"));

    watched.write_sms("{{#if");
    watched.reload("refused", 1);
    let ready = watched.get("/readyz");
    let warning = ready.lines().last().unwrap_or_default();
    assert!(ready.starts_with("not ready\nbroker: "), "{ready}");
    assert!(warning.starts_with("warning: templates: the set on disk was refused: "), "{ready}");
    assert!(warning.contains(&format!("{}/{SMS}:1:", watched.templates.path().display())), "{ready}");
    assert_eq!(watched.version_in_metrics(), described(&first));
    assert!(watched.get("/metrics").contains("shirase_template_refused 1\n"));
    let mistakes = || watched.worker.log().matches("mistake in a template").count();
    assert_eq!(mistakes(), 1, "{}", watched.worker.log());

    // Whoever asks again is told again.
    watched.reload("refused", 2);
    assert_eq!(mistakes(), 2, "{}", watched.worker.log());

    watched.write_sms(&good);
    watched.reload("unchanged", 1);
    assert!(!watched.get("/readyz").contains("warning"));
    assert!(watched.get("/metrics").contains("shirase_template_refused 0\n"));
    assert!(watched.worker.log().contains("put back as they were"), "{}", watched.worker.log());
}

#[test]
fn there_is_one_version_in_use_whatever_was_loaded_and_its_texts_can_be_read() {
    let watched = Watched::start();
    let good = Files::embedded("templates").get(SMS).expect("built in").to_owned();
    for (count, words) in ["がありました。", "が確認されました。"].into_iter().enumerate() {
        watched.write_sms(&good.replace("がありました。", &format!("（変更）{words}")));
        watched.reload("loaded", count + 1);
        assert_eq!(watched.version_in_metrics(), described(&watched.version_on_disk()));
    }
    let page: Value = serde_json::from_str(&watched.get("/templates")).expect("JSON");
    let on_disk = Files::from_dir(watched.templates.path()).expect("readable");
    let files: BTreeMap<&str, &str> = on_disk.iter().collect();
    assert_eq!(page, json!({ "version": watched.version_on_disk(), "files": files }));
}

#[test]
fn without_a_folder_there_is_nothing_to_reload_and_a_hangup_ends_nothing() {
    let (http, nobody) = (free_port(), free_port());
    let config = format!(
        "[broker]\nurls = [\"amqp://127.0.0.1:{nobody}/%2f\"]\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
         [ledger]\nurl = \"sqlite::memory:\"\n"
    );
    let worker = Worker::start(BINARY, &config, &["run"], &[]);
    eventually(PATIENCE, "the worker", || try_http_get(http, "/healthz").ok());
    worker.signal("HUP");
    eventually(PATIENCE, "the worker to hear of it", || worker.log().contains("SIGHUP").then_some(()));
    let built_in = TemplateSet::version_of(&Files::embedded("templates"));
    assert!(http_get(http, "/metrics").1.contains(&described(&built_in)));
    assert!(!http_get(http, "/readyz").1.contains("warning"));
}

#[test]
fn the_demo_follows_its_folder_and_says_so() {
    let templates = templates();
    let config = format!("[templates]\ndir = \"{}\"\n", templates.path().display());
    let demo = Worker::start(BINARY, &config, &["demo", "--listen", "127.0.0.1:0"], &[]);
    let says = |words: &str| eventually(PATIENCE, words, || demo.log().contains(words).then_some(()));
    says("templates are reloaded");
    let good = Files::embedded("templates").get(SMS).expect("built in").to_owned();
    templates.write(SMS, "{{#if");
    says("mistake in a template");
    templates.write(SMS, &good.replace("がありました。", "が確認されました。"));
    says("templates loaded");
}

#[tokio::test]
async fn a_claim_that_tried_nothing_leaves_the_version_of_the_text_that_may_have_arrived() {
    let scratch = Scratch::new("ledger");
    let file = scratch.join("shirase.db");
    let gateway = cut_once().await;
    let world = world(|config| {
        sms_through(config, &[&gateway]);
        config.sms.gateways[0].common.on_unknown = OnUnknown::Wait;
        config.sms.gateways[0].common.unknown_wait = Span::seconds(100);
        config.retry.fallback_after = Span::seconds(20);
        config.ledger.url = format!("sqlite:{}", file.display()).parse().expect("a URL");
    })
    .await;
    let wording = &world.dispatcher.templates;
    let first = wording.current().version().to_owned();
    assert_results(&world.dispatch(&login(true), 0).await, &["current.sms unknown"]);
    wording.replace(other_set());
    let report = world.dispatch(&login(true), 1).await;
    assert_results(&report, &["current.sms unknown", "current.email accepted"]);
    let second = wording.current().version().to_owned();
    assert_ne!(first, second);
    let expected = [("current.email".to_owned(), second), ("current.sms".to_owned(), first)];
    assert_eq!(versions_in(&file), expected);
}

fn other_set() -> TemplateSet {
    let built_in = Files::embedded("templates");
    let changed = |(name, text): (&str, &str)| {
        (name.to_owned(), text.replace("ログインがありました", "ログインを確認しました"))
    };
    TemplateSet::load(&built_in.iter().map(changed).collect(), &house::CATALOG).expect("in order")
}

/// Targets and the versions that the ledger has of them.
fn versions_in(ledger: &Path) -> Vec<(String, String)> {
    let ledger = Connection::open(ledger).expect("the ledger");
    let mut query = ledger
        .prepare("SELECT target, template_version FROM notification ORDER BY target")
        .expect("the table");
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}
