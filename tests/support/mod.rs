//! Real servers for tests, each private to the test that starts it: own ports, own folder, gone afterwards.
//!
//! - [`RabbitMq`]: a broker node that may be killed, stopped and started again
//! - [`RabbitCluster`]: three such nodes that are one broker
//! - [`Postfix`]: an SMTP relay that keeps every mail in a maildir, for tests to read back
//! - [`Postgres`]: a database server, with TLS if need be
//! - [`Collector`]: an OpenTelemetry collector that remembers the spans that it was sent
//! - [`Prometheus`]: one that scrapes a worker and evaluates the shipped rules, twenty times as fast
//! - [`Browser`]: a Chromium without a window, over WebDriver
//! - [`Authority`]: certificates made on the spot
//! - [`DkimKey`], [`dkim_verifies`]: keys as a house makes them, and a verifier that is not ours
//! - [`Workbench`]: the page on which texts are changed, as a process
//! - [`Worker`]: the shipped binary as a process, with a configuration file
//! - [`Scratch`] and [`Guard`]: why nothing is left behind, whatever becomes of the test process
//! - [`eventually`], [`within`], [`http_get`], [`free_port`]: the small things around them
//!
//! A test binary says `mod support;` and needs `std`, and rcgen for certificates.

#![allow(dead_code, reason = "several test binaries share this folder and each uses a part of it")]
#![allow(unused_imports, reason = "as above: the names below are for whoever needs them")]
#![allow(clippy::disallowed_methods, reason = "tests wait for real processes: by the real clock")]

pub mod browser;
mod certificates;
mod collector;
mod dkim;
mod guard;
mod http;
mod ports;
mod postfix;
mod postgres;
mod prometheus;
mod rabbitmq;
mod rabbitmq_cluster;
mod rabbitmq_home;
mod run;
mod scratch;
mod wait;
mod workbench;
mod worker;

pub use browser::Browser;
pub use certificates::Authority;
pub use collector::{Collector, Mood, Seen};
pub use dkim::{DkimKey, dkim_verifies};
pub use guard::Guard;
pub use http::{http_get, http_post, http_raw, http_request, try_http_get};
pub use ports::free_port;
pub use postfix::{Bounced, PASSWORD, Postfix, Submission, USER};
pub use postgres::Postgres;
pub use prometheus::{Firing, Prometheus};
pub use rabbitmq::RabbitMq;
pub use rabbitmq_cluster::RabbitCluster;
pub use scratch::Scratch;
pub use wait::{eventually, within};
pub use workbench::Workbench;
pub use worker::Worker;
