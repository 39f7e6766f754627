//! Quick tests: what users see and what the pipeline promises, with nothing but loopback servers of the test process.
//!
//! - `snapshots`: every message of every example, and what holds for all of them
//! - `commands`, `demo`: the shipped binary, from an empty folder
//! - `console`: the page for whoever is on call, its answers, and who may see and do what
//! - `certificates`: HTTPS gateways with a private authority, and a look at the end of whatever certificate is shown
//! - `canary`: the event that a worker sends itself, and where it counts
//! - `contract`: what upstream tests itself against: `validate` and `asyncapi`
//! - `conformance`: one table of answers for every kind of SMS gateway
//! - `drain`: gateways that somebody has drained, and `shirase gateway`
//! - `gateways`: SMTP relays against scripted servers
//! - `vendors`: the kinds twilio, vonage and infobip over real HTTP
//! - `http_kind`: what a house can configure of kind `http`
//! - `operation`: `check --connect` and `send-test`, before a gateway goes into operation
//! - `bounce`: `shirase bounce` at the end of a mail system's pipe
//! - `preview`: `shirase preview` on a terminal, into a folder, and against another set
//! - `pipeline`: the dispatcher with a ledger in memory
//! - `route_text`: texts as a route can carry them
//! - `protection`: what protects recipients, in texts, catalog, `check` and `explain`
//! - `receipts`: what gateways say later, over HTTP
//! - `reload`: wording that changes under a worker
//! - `breaker`: gateways in trouble, and back again
//! - `monitoring`: rules, dashboard and runbook fit the metrics that there are
//! - `ledger`: the ledger's suite, on SQLite
//! - `smtp`: the dialogue with a relay, and what can go wrong at each of its stages
//! - `systemd`: what the service manager hears of a worker
//! - `deploy`: Dockerfile, unit and manifests fit the program
//! - `sandbox`: its faults as the worker's gateways meet them, and its journal
//! - `traces`: what a collector gets of an event, and what becomes of it when it does not take it
//! - `workbench`: the page on which texts are changed, its API and what it refuses
//! - `logs`: fields of log lines, and how often a failure is one
//! - `health`: `/healthz`, `/readyz` and `/metrics` over HTTP
//! - `series`: the number of series, whatever is thrown at the worker
//! - `house`, `script`: what they are made of

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod bounce;
mod breaker;
mod canary;
mod certificates;
mod commands;
mod conformance;
mod console;
mod contract;
mod demo;
mod deploy;
mod drain;
mod gateways;
mod health;
mod house;
mod http_kind;
mod ledger;
mod logs;
mod monitoring;
mod operation;
mod pipeline;
mod preview;
mod protection;
#[path = "../suites/protection.rs"]
mod protection_suite;
mod receipts;
mod reload;
mod route_text;
mod sandbox;
#[path = "../support/script.rs"]
mod script;
mod series;
mod smtp;
mod snapshots;
#[path = "../suites/ledger.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;
mod systemd;
mod traces;
mod vendors;
mod workbench;
