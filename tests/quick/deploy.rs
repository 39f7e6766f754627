//! What is deployed fits the program: `tests/run.sh deploy` has the tools that read these files, and they know nothing of Shirase.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use shirase::config::Config;
use shirase::ledger::LedgerUrl;

use crate::support::Scratch;

const DOCKERFILE: &str = include_str!("../../Dockerfile");
const DOCKERIGNORE: &str = include_str!("../../.dockerignore");
const UNIT: &str = include_str!("../../deploy/systemd/shirase.service");
const CONFIG: &str = include_str!("../../deploy/kubernetes/shirase.toml");
const DEPLOYMENT: &str = include_str!("../../deploy/kubernetes/deployment.yaml");
const SECRET: &str = include_str!("../../deploy/kubernetes/secret.example.yaml");
const SERVICE: &str = include_str!("../../deploy/kubernetes/service.yaml");
const AUTOSCALING: &str = include_str!("../../deploy/kubernetes/autoscaling.yaml");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

/// Where the pod finds the Secret's values.
const SECRETS: &str = "/etc/shirase/secrets/";

/// What stands behind `key` at its first place, up to the end of the line.
#[track_caller]
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(key));
    line.unwrap_or_else(|| panic!("{key} is not there")).trim().trim_matches('"')
}

#[track_caller]
fn seconds(text: &str, key: &str) -> Duration {
    let count = value(text, key).trim_end_matches('s');
    Duration::from_secs(count.parse().unwrap_or_else(|_| panic!("{key}: {count}")))
}

/// Names and values of the first Secret.
fn secrets() -> Vec<(&'static str, &'static str)> {
    let (_, data) = SECRET.split_once("stringData:\n").expect("a Secret");
    let lines = data.lines().take_while(|line| line.starts_with(' '));
    lines.filter_map(|line| line.trim().split_once(": ")).filter(|(name, _)| !name.starts_with('#')).collect()
}

/// The configuration as the pod has it, its secrets in a folder of the test.
fn in_the_pod() -> Config {
    let scratch = Scratch::new("deploy");
    for (name, value) in secrets() {
        scratch.write(name, value);
    }
    let text = CONFIG.replace(SECRETS, &format!("{}/", scratch.path().display()));
    let file = scratch.write("shirase.toml", &text);
    Config::load(Some(&file), []).unwrap_or_else(|error| panic!("{error}"))
}

/// `word` and what follows it, up to where a name or path ends.
fn names<'a>(text: &'a str, word: &str) -> BTreeSet<&'a str> {
    let end = |rest: &'a str| {
        let ends = |c: char| !(c.is_alphanumeric() || "._-/".contains(c));
        &rest[..rest.find(ends).unwrap_or(rest.len())]
    };
    text.match_indices(word).map(|(at, _)| end(&text[at + word.len()..])).collect()
}

#[test]
fn the_pods_configuration_is_accepted_and_shares_a_ledger() {
    let config = in_the_pod();
    assert!(
        matches!(config.ledger.url, LedgerUrl::Postgres(_)),
        "replicas share it: {:?}",
        config.ledger.url
    );
    assert!(config.ledger.recipient_key.is_some(), "receipts want a key that is not beside what it encrypts");
    assert!(CONFIG.contains("urls_file"), "the broker's password is a secret, too");
    assert_eq!(config.broker.urls.len(), 1);
}

#[test]
fn every_secret_that_the_configuration_reads_is_in_the_secret_and_mounted_and_no_other() {
    let read = names(CONFIG, SECRETS);
    let given: BTreeSet<&str> = secrets().into_iter().map(|(name, _)| name).collect();
    assert!(read.len() > 5);
    assert_eq!(read, given);
    assert_eq!(read, names(DEPLOYMENT, "path: secrets/"));
    assert_eq!(read, names(DEPLOYMENT, "- { key: "));
}

#[test]
fn whoever_stops_a_worker_waits_longer_than_it_drains() {
    let (built_in, pod) = (Config::built_in().worker.drain.0, in_the_pod().worker.drain.0);
    let margin = Duration::from_secs(10);
    assert!(seconds(UNIT, "TimeoutStopSec=") >= built_in + margin);
    assert!(seconds(DEPLOYMENT, "terminationGracePeriodSeconds:") >= pod + margin);
    let docker = value(DOCKERFILE, "# In flight is finished within worker.drain: `docker stop --time ");
    let docker: u64 = docker.split('`').next().and_then(|count| count.parse().ok()).expect("seconds");
    assert!(Duration::from_secs(docker) >= built_in + margin);
}

#[test]
fn the_ports_are_those_that_it_listens_on() {
    let config = in_the_pod();
    let listens = [config.http.listen, config.receipts.listen.expect("configured")].map(|listen| listen.0);
    for address in listens {
        assert!(address.ip().is_unspecified(), "{address}: reached from outside the pod");
    }
    let built_in = Config::built_in().http.listen.0.port();
    let [http, receipts] = listens.map(|address| address.port());
    assert_eq!(http, built_in);
    assert_eq!(value(DOCKERFILE, "EXPOSE "), format!("{http} {receipts}"));
    for (name, port) in [("http", http), ("receipts", receipts)] {
        assert!(DEPLOYMENT.contains(&format!("{{ name: {name}, containerPort: {port} }}")), "{name}");
        assert!(SERVICE.contains(&format!("{{ name: {name}, port: {port}, targetPort: {name} }}")), "{name}");
    }
}

#[test]
fn there_are_never_more_workers_than_the_rates_are_divided_by_and_their_queues_are_watched() {
    let config = in_the_pod();
    let most = config.worker.replicas.to_string();
    assert_eq!(value(AUTOSCALING, "maxReplicaCount:"), most);
    assert!(AUTOSCALING.contains(&format!("fallback: {{ failureThreshold: 3, replicas: {most} }}")));
    assert!(DEPLOYMENT.contains("maxSurge: 0"), "not for a moment");
    let prefix = &config.broker.prefix;
    let lanes = [format!("{prefix}.critical"), format!("{prefix}.standard")];
    assert_eq!(names(AUTOSCALING, "queueName: "), lanes.iter().map(String::as_str).collect());
}

#[test]
fn the_image_copies_what_there_is_and_the_build_gets_to_see_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let lines = DOCKERFILE.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: BTreeSet<&str> = lines
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split(' ').rev().skip(1))
        .collect();
    for path in &copied {
        assert!(root.join(path).exists(), "{path}");
    }
    let let_in: BTreeSet<&str> = DOCKERIGNORE.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert_eq!(copied, let_in);
    assert!(
        ["Cargo.lock", "build.rs", "config", "src", "templates"].iter().all(|path| copied.contains(path))
    );
    let toolchain = format!("FROM rust:{}-", env!("CARGO_PKG_RUST_VERSION"));
    assert!(DOCKERFILE.contains(&toolchain), "{toolchain}");
}

#[test]
fn the_unit_is_hardened_waits_for_ready_and_watches_with_time_for_a_database_that_is_away() {
    assert_eq!(value(UNIT, "Type="), "notify");
    // Three signs of life in this time, and an engine needs up to half a minute to know that nobody answers.
    assert!(seconds(UNIT, "WatchdogSec=") >= Duration::from_secs(60));
    // Some are implied by others, so that no tool misses them.
    for line in ["NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes", "PrivateTmp=yes"] {
        assert!(UNIT.lines().any(|there| there == line), "{line}");
    }
    assert_eq!(value(UNIT, "LimitCORE="), "0", "the watchdog's SIGABRT must not write customers' data down");
}

#[test]
fn the_manual_names_files_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = names(OPERATIONS, "deploy/");
    assert!(named.len() > 2, "{named:?}");
    for path in named {
        assert!(root.join("deploy").join(path.trim_end_matches('.')).exists(), "deploy/{path}");
    }
}
