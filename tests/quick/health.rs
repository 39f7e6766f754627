//! `/healthz`, `/readyz` and `/metrics` as probes, people and Prometheus read them: the routes alone, over HTTP.

use std::sync::{Arc, Mutex};

use metrics::counter;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use shirase::admin::{Admin, State, serve};
use shirase::telemetry::metrics_builder;
use shirase::wording::Wording;
use shirase::worker::Check;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::house;

/// The pages of a worker that is as the test says.
struct Pages {
    url: String,
    state: Arc<Mutex<State>>,
    client: reqwest::Client,
}

impl Pages {
    async fn start() -> Self {
        house::provide_tls();
        let checks = ["broker.critical", "ledger"].map(|name| Check { name: name.to_owned(), problem: None });
        let state = Arc::new(Mutex::new(State { stopping: false, checks: checks.into(), stuck: None }));
        let asked = Arc::clone(&state);
        let recorder = metrics_builder().expect("every histogram has buckets").build_recorder();
        metrics::with_local_recorder(&recorder, || {
            counter!("shirase_dead_letters_total", "reason" => "schema").increment(2);
        });
        let admin = Admin {
            metrics: recorder.handle(),
            health: Arc::new(move || asked.lock().expect("whole").clone()),
            wording: Arc::new(Wording::new(house::templates())),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(serve(listener, admin, axum::Router::new(), CancellationToken::new()));
        Self { url, state, client: reqwest::Client::new() }
    }

    fn now(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("whole"));
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        self.client.request(method, format!("{}{path}", self.url)).send().await.expect("an answer")
    }

    async fn text(&self, path: &str) -> (u16, String) {
        let answer = self.ask(Method::GET, path).await;
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn json(&self, path: &str) -> (u16, Value) {
        let answer = self.ask(Method::GET, path).await;
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }
}

#[tokio::test]
async fn a_probe_reads_a_status_and_people_a_line_a_problem() {
    let pages = Pages::start().await;
    assert_eq!(pages.text("/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(pages.text("/healthz").await, (200, "ok\n".to_owned()));

    pages.now(|state| state.checks[1].problem = Some("ledger: the disk is full".to_owned()));
    assert_eq!(pages.text("/readyz").await, (503, "not ready\nledger: the disk is full\n".to_owned()));
    assert_eq!(pages.text("/healthz").await.0, 200, "no reason to take the worker away");

    pages.now(|state| state.stopping = true);
    assert_eq!(
        pages.text("/readyz").await,
        (503, "not ready\nstopping\nledger: the disk is full\n".to_owned())
    );
    assert_eq!(pages.text("/healthz").await.0, 200);

    pages.now(|state| state.stuck = Some("the ledger's writer has ended".to_owned()));
    assert_eq!(pages.text("/healthz").await, (503, "stuck\nthe ledger's writer has ended\n".to_owned()));
}

#[tokio::test]
async fn with_verbose_each_check_is_named_with_what_is_wrong() {
    let pages = Pages::start().await;
    let (status, ready) = pages.json("/readyz?verbose").await;
    assert_eq!((status, &ready["status"], &ready["warnings"]), (200, &json!("ready"), &json!([])));
    assert_eq!(
        ready["checks"],
        json!([
            {"name": "process", "ok": true, "detail": null},
            {"name": "broker.critical", "ok": true, "detail": null},
            {"name": "ledger", "ok": true, "detail": null},
        ])
    );
    assert_eq!(ready["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ready["templates"], house::templates().version());

    pages.now(|state| state.checks[1].problem = Some("ledger: the disk is full".to_owned()));
    let (status, unready) = pages.json("/readyz?verbose=1&exclude=nothing").await;
    assert_eq!((status, &unready["status"]), (503, &json!("not_ready")));
    let ledger = json!({"name": "ledger", "ok": false, "detail": "ledger: the disk is full"});
    assert_eq!(unready["checks"][2], ledger);
    let (status, alive) = pages.json("/healthz?verbose").await;
    assert_eq!((status, &alive["status"], &alive["checks"][2]), (200, &json!("alive"), &ledger));

    pages.now(|state| state.stopping = true);
    assert_eq!(pages.json("/readyz?verbose").await.1["status"], "stopping");
    pages.now(|state| state.stuck = Some("the ledger's writer has ended".to_owned()));
    let (status, stuck) = pages.json("/healthz?verbose").await;
    assert_eq!((status, &stuck["status"], &stuck["checks"][0]["ok"]), (503, &json!("stuck"), &json!(false)));
}

#[tokio::test]
async fn a_head_is_answered_as_a_get_without_a_body_and_nothing_else_is_taken() {
    let pages = Pages::start().await;
    pages.now(|state| state.checks[0].problem = Some("broker: away".to_owned()));
    for (path, status) in [("/healthz", 200), ("/readyz", 503), ("/readyz?verbose", 503), ("/metrics", 200)] {
        let answer = pages.ask(Method::HEAD, path).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(answer.text().await.expect("no body"), "", "{path}");
        assert_eq!(pages.ask(Method::POST, path).await.status().as_u16(), 405, "{path}");
    }
}

#[tokio::test]
async fn the_metrics_page_is_what_prometheus_takes() {
    let pages = Pages::start().await;
    let answer = pages.ask(Method::GET, "/metrics").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = answer.text().await.expect("text");
    assert!(page.contains("shirase_dead_letters_total{reason=\"schema\"} 2\n"), "{page}");
    let version = format!("shirase_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&version), "{page}");
    assert!(page.ends_with('\n'));
    let named = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    for series in page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(named) {
        assert!(page.contains(&format!("# TYPE {series} ")), "{series} has no type:\n{page}");
    }
}
