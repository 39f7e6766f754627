//! The ledger on PostgreSQL: the suite of all engines, and what several workers and a server that goes away add to it.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use shirase::certificate::{Opening, Place, not_after};
use shirase::clock::Clock;
use shirase::config::Span;
use shirase::ledger::{ClaimAnswer, Controls, Held, Ledger, LedgerConfig, Reader, Settled};

use crate::house::PATIENCE;
use crate::protection_suite::{collapsing, protection_suite};
use crate::suite::{Bed, claim_of, claimed, event, granted, ledger_suite, settle_of};
use crate::support::{Postgres, Scratch, free_port};

const LONG: Duration = Duration::from_secs(600);

/// A database of a test's own on the shared server.
struct Database(String);

impl Database {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self(Postgres::shared().create_database(&format!("suite_{}", COUNT.fetch_add(1, Ordering::Relaxed))))
    }
}

fn config(url: &str) -> LedgerConfig {
    let url = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    LedgerConfig {
        url,
        pool: 2,
        retention: Span::seconds(60),
        device_retention: Span::seconds(60),
        recipient_key: None,
    }
}

fn open(url: &str) -> Ledger {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ledger::open(&config(url), &Clock::steady()).unwrap_or_else(|error| panic!("{error}"))
}

impl Bed for Database {
    async fn open(&mut self) -> Ledger {
        open(&self.0)
    }

    async fn reader(&self) -> Reader {
        Reader::open(&config(&self.0)).await.expect("readable")
    }

    async fn controls(&self) -> Controls {
        Controls::open(&config(&self.0)).await.expect("writable")
    }
}

ledger_suite!(Database::new());
protection_suite!(Database::new());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_count_one_recipient_at_once_tell_max_a_window_and_lose_none_of_the_rest() {
    let database = Database::new();
    let workers = [open(&database.0), open(&database.0)];
    let window = Duration::from_secs(1);
    let mut told = 0;
    // Many short windows, so that looks for summaries meet claims that still count.
    let (mut held, mut summed) = (0, 0);
    for round in 0..40 {
        let claim = |n: usize| workers[n % 2].claim(collapsing(&format!("{round}-{n}"), 0, 2, window));
        for answer in join_all((0..50).map(claim)).await {
            match answer.expect("open") {
                ClaimAnswer::Open { .. } => told += 1,
                ClaimAnswer::HeldBack { .. } => held += 1,
                ClaimAnswer::Duplicate => panic!("none comes twice"),
            }
        }
        let looks = join_all(workers.iter().map(|worker| worker.due_summaries(LONG))).await;
        for summary in looks.into_iter().flat_map(|due| due.expect("open")) {
            summed += summary.others + 1;
            workers[round % 2].summary_brought(summary).await.expect("open");
        }
    }
    assert_eq!(told + held, 2000);
    let deadline = Instant::now() + PATIENCE;
    while summed < held && Instant::now() < deadline {
        for summary in workers[0].due_summaries(LONG).await.expect("open") {
            summed += summary.others + 1;
            workers[1].summary_brought(summary).await.expect("open");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(summed, held, "each that was held back is in one summary");
    assert!(workers.iter().all(|worker| worker.trouble().is_none()), "nobody waited in a circle");
}

/// The first trouble that shows.
async fn trouble(ledger: &Ledger) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(trouble) = ledger.trouble() {
            return trouble;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no trouble within {PATIENCE:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_workers_that_claim_the_same_at_once_one_is_granted_each() {
    let database = Database::new();
    let workers = [open(&database.0), open(&database.0)];
    let claim = |n: usize| {
        let (ledger, id) = (&workers[n % 2], (n / 2 % 300).to_string());
        async move { claimed(ledger, claim_of(event(&id), &["current.sms", "current.email"], LONG)).await }
    };
    let held = join_all((0..1200).map(claim)).await;
    let grants = held.iter().flatten().filter(|held| matches!(held, Held::Granted(_))).count();
    assert_eq!(grants, 600, "300 events of two notifications");
    assert!(held.iter().flatten().all(|held| matches!(held, Held::Granted(_) | Held::Busy)));
    assert!(workers.iter().all(|worker| worker.trouble().is_none()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_workers_that_start_at_once_on_an_empty_database_make_its_tables_once_and_share_a_key() {
    let database = Database::new();
    let workers: Vec<_> = (0..10).map(|_| open(&database.0)).collect();
    let pseudonyms = join_all(workers.iter().map(Ledger::pseudonyms)).await;
    let names: Vec<_> = pseudonyms.into_iter().map(|one| one.expect("open").of(b"+819012345678")).collect();
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
    assert!(workers.iter().all(|worker| worker.trouble().is_none()));
    let grants = workers.iter().map(|worker| claimed(worker, claim_of(event("e"), &["current.sms"], LONG)));
    let granted =
        join_all(grants).await.into_iter().filter(|held| matches!(held[0], Held::Granted(_))).count();
    assert_eq!(granted, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_dies_or_freezes_costs_no_claim_and_grants_none_twice() {
    let server = Postgres::start();
    let ledger = open(&server.url());
    let first = granted(&ledger, claim_of(event("before"), &["current.sms"], LONG)).await;
    for (round, hurt) in ["restart", "kill", "freeze"].into_iter().enumerate() {
        let id = move |n: usize| format!("{round}-{n}");
        let claims = tokio::spawn({
            let ledger = ledger.clone();
            async move {
                // Over most of a second, so that what is done to the server falls into the middle.
                let claim = async |n: usize| {
                    tokio::time::sleep(Duration::from_millis(n as u64 * 4)).await;
                    claimed_of(&ledger, id(n)).await
                };
                join_all((0..200).map(claim)).await
            }
        });
        match hurt {
            "restart" => server.restart(),
            "kill" => {
                server.kill();
                server.start_again();
            }
            _ => {
                server.stop();
                let words = trouble(&ledger).await;
                assert!(words.contains("no answer") || words.contains("no connection"), "{words}");
                server.cont();
            }
        }
        let held = claims.await.expect("no panic");
        assert!(held.iter().all(|held| matches!(held, Held::Granted(_))), "{hurt}: {held:?}");
        let again = join_all((0..200).map(|n| claimed_of(&ledger, id(n)))).await;
        assert!(again.iter().all(|held| *held == Held::Busy), "{hurt}: granted twice");
        assert_eq!(ledger.trouble(), None, "{hurt}");
    }
    assert!(
        ledger
            .settle(settle_of("before", "current.sms", &first, Settled::Accepted))
            .await
            .expect("open")
            .is_written()
    );
    assert_eq!(claimed_of(&ledger, "before".to_owned()).await, Held::Accepted);
}

/// On-call may have a user who can read and nothing else; and a look is no reason to make tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_changes_nothing_and_needs_no_right_to_write() {
    let server = Postgres::shared();
    let database = Database::new();
    let error = Reader::open(&config(&database.0)).await.err().expect("no ledger yet");
    assert!(error.to_string().contains("a worker makes it"), "{error}");
    let name = database.0.rsplit('/').next().expect("a name");
    assert_eq!(
        server.query(name, "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'shirase%'").trim(),
        "0"
    );

    granted(&open(&database.0), claim_of(event("e"), &["current.sms"], LONG)).await;
    server.query(
        name,
        "CREATE ROLE looker LOGIN PASSWORD 'looks'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO looker",
    );
    let looker = database.0.replace("shirase:", "looker:").replace(server.password(), "looks");
    let reader = Reader::open(&config(&looker)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(reader.by_id("e").await.expect("readable").len(), 1);
}

async fn claimed_of(ledger: &Ledger, id: String) -> Held {
    claimed(ledger, claim_of(event(&id), &["current.sms"], LONG)).await.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_says_so_without_a_password_and_is_waited_for() {
    let url = format!("postgres://shirase:hunter2@127.0.0.1:{}/shirase", free_port());
    let ledger = open(&url);
    let waiting = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.oldest().await }
    });
    let words = trouble(&ledger).await;
    assert!(
        words.contains("127.0.0.1") && words.contains("refused") && !words.contains("hunter2"),
        "{words}"
    );
    assert!(!waiting.is_finished());
    ledger.abandon();
    assert!(waiting.await.expect("no panic").is_err());

    let server = Postgres::shared();
    let wrong = server.url().replace(server.password(), "hunter2");
    let words = trouble(&asked(&wrong)).await;
    assert!(words.contains("password authentication failed") && !words.contains("hunter2"), "{words}");
}

/// A ledger that was asked something, which makes it connect.
fn asked(url: &str) -> Ledger {
    let ledger = open(url);
    let asking = ledger.clone();
    tokio::spawn(async move { asking.oldest().await });
    ledger
}

/// A house's own authority, and a certificate of it for these names.
fn certificate(names: &[&str]) -> (String, String, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "a house's own authority");
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("signed");
    let key = KeyPair::generate().expect("a key");
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.signed_by(&key, &authority).expect("signed");
    (authority.pem(), certificate.pem(), key.serialize_pem())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_verified_against_the_given_authority_and_an_error_names_the_host_and_the_mend() {
    let (authority, certificate, key) = certificate(&["localhost", &Ipv4Addr::LOCALHOST.to_string()]);
    let server = Postgres::start_tls(&certificate, &key);
    let scratch = Scratch::new("authority");
    let trusted = scratch.write("trusted.pem", &authority);
    let stranger = scratch.write("stranger.pem", &self::certificate(&["localhost"]).0);
    let url = |rest: &str| format!("{}?{rest}", server.url());

    let ledger = open(&url(&format!("sslmode=verify-full&sslrootcert={}", trusted.display())));
    granted(&ledger, claim_of(event("e"), &["current.sms"], LONG)).await;
    assert_eq!(ledger.trouble(), None);

    let place = Place { host: "localhost".to_owned(), port: server.port(), opening: Opening::Postgres };
    assert!(not_after(&place).await.expect("a certificate") > Clock::system().now());
    let words = trouble(&asked(&url(&format!("sslmode=require&sslrootcert={}", stranger.display())))).await;
    for part in ["127.0.0.1", "certificate", "stranger.pem", "sslrootcert=FILE"] {
        assert!(words.contains(part), "{words}");
    }
    // The server takes nobody without TLS.
    let words = trouble(&asked(&url("sslmode=disable"))).await;
    assert!(words.contains("pg_hba") || words.contains("encryption"), "{words}");
}
