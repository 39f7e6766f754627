//! `GET /healthz` and `GET /readyz`, as an orchestrator's probes and people read them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{self, RawQuery};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Admin;
use crate::worker::Check;

/// Asked at every probe.
pub type Health = Arc<dyn Fn() -> State + Send + Sync>;

/// How the worker is at the moment.
#[derive(Debug, Clone)]
pub struct State {
    /// It was told to stop: it takes nothing more and finishes what is in flight.
    pub stopping: bool,
    /// What it depends on.
    pub checks: Vec<Check>,
    /// What only a restart mends.
    pub stuck: Option<String>,
}

impl State {
    /// What keeps it from being ready, in words.
    pub(crate) fn problems(&self) -> Vec<&str> {
        let stopping = self.stopping.then_some("stopping");
        stopping.into_iter().chain(self.checks.iter().filter_map(|check| check.problem.as_deref())).collect()
    }

    fn status(&self) -> &'static str {
        match (self.stopping, self.problems().is_empty()) {
            (true, _) => "stopping",
            (false, true) => "ready",
            (false, false) => "not_ready",
        }
    }
}

/// 200 while the process can do its work at all, whatever is wrong around it: a broker or gateway that is away is no reason
/// to take a worker away. That it answers shows that its runtime is alive.
pub(super) async fn alive(extract::State(admin): extract::State<Admin>, query: RawQuery) -> Response {
    let state = (admin.health)();
    let code = if state.stuck.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    if is_verbose(&query) {
        let status = if state.stuck.is_some() { "stuck" } else { "alive" };
        return in_detail(code, status, &state, &admin);
    }
    let text = state.stuck.map_or_else(|| "ok\n".to_owned(), |stuck| format!("stuck\n{stuck}\n"));
    never_stored(code, text)
}

/// 200 while events are consumed, the ledger can be written and every channel has a way out. A warning is for whoever
/// changed something; the worker goes on, so that no orchestrator may take it away.
pub(super) async fn ready(extract::State(admin): extract::State<Admin>, query: RawQuery) -> Response {
    let state = (admin.health)();
    let problems = state.problems();
    let code = if problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if is_verbose(&query) {
        return in_detail(code, state.status(), &state, &admin);
    }
    let warnings: String = warnings(&admin).iter().map(|warning| format!("warning: {warning}\n")).collect();
    let text = if problems.is_empty() {
        format!("ready\n{warnings}")
    } else {
        format!("not ready\n{}\n{warnings}", problems.join("\n"))
    };
    never_stored(code, text)
}

fn warnings(admin: &Admin) -> Vec<String> {
    admin.wording.refusal().map(|refusal| refusal.in_a_line()).into_iter().collect()
}

/// `?verbose`, as Kubernetes' own components have it: its value does not matter.
fn is_verbose(RawQuery(query): &RawQuery) -> bool {
    let query = query.as_deref().unwrap_or_default();
    query.split('&').any(|part| part.split('=').next() == Some("verbose"))
}

fn in_detail(code: StatusCode, status: &str, state: &State, admin: &Admin) -> Response {
    let stuck = state.stuck.as_deref();
    let process = check("process", stuck);
    let checks = state.checks.iter().map(|one| check(&one.name, one.problem.as_deref()));
    let details = json!({
        "status": status,
        "checks": std::iter::once(process).chain(checks).collect::<Vec<_>>(),
        "warnings": warnings(admin),
        "version": env!("CARGO_PKG_VERSION"),
        "templates": admin.wording.current().version(),
    });
    never_stored(code, Json(details))
}

fn check(name: &str, problem: Option<&str>) -> Value {
    json!({ "name": name, "ok": problem.is_none(), "detail": problem })
}

/// No proxy may answer in the worker's place.
fn never_stored(code: StatusCode, body: impl IntoResponse) -> Response {
    (code, [(header::CACHE_CONTROL, "no-store")], body).into_response()
}
