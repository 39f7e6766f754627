//! End to end: the shipped binary against real servers (RabbitMQ, PostgreSQL, Postfix, Prometheus), a real browser (Chromium) and gateways on loopback.
//!
//! Each file is one topic, each test's name a promise. Every test has a prefix, an exchange and ports of its own, so
//! they share a broker node; those that hurt the node start one of their own.

#[path = "../suites/protection.rs"]
mod protection_suite;
#[path = "../suites/ledger.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod amqp;
mod events;
mod gateway;
mod house;
mod reading;
#[path = "../trial/mod.rs"]
mod trial;
mod wording;

mod answers;
mod bad_input;
mod broker_faults;
mod canary;
mod check;
mod console;
mod dead;
mod deleted_queues;
mod depth;
mod drain;
mod duplicates;
mod email;
mod examples;
mod faults;
mod lanes;
mod ledger;
mod look_up;
mod modes;
mod outage;
mod postfix;
mod postgres;
mod privacy;
mod prometheus;
mod protection;
mod publish;
mod receipts;
mod reload;
mod replay;
mod retry;
#[path = "../support/script.rs"]
mod script;
mod servers;
mod stop;
mod tls;
mod topology;
mod trace;
mod traces;
mod workbench;
