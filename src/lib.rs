//! Shirase (知らせ): a notification dispatch worker. It takes security events from RabbitMQ, decides for each recipient
//! whether SMS or email carries the news, renders Japanese text, and hands it to an SMS gateway or an SMTP relay.
//!
//! # Layout, in the order in which an event meets it
//!
//! | module | what it may do |
//! |---|---|
//! | [`broker`] | RabbitMQ: consume, acknowledge, publish retries and dead letters. The only one that names lapin |
//! | [`worker`] | lanes, limits, an orderly stop |
//! | [`dispatch`] | the pipeline, and what becomes of a delivery |
//! | [`event`] | decode: envelope, catalog, schema, recipient. Pure |
//! | [`plan`] | event type policy × recipient → notifications. Pure |
//! | [`canary`] | the event that a worker sends itself: what it looks like and how it is known again. Pure but for its memory |
//! | [`template`] | render: notifications → messages. Pure once loaded |
//! | [`example`] | events made of the schemas' examples and extremes. Pure |
//! | [`asyncapi`] | the contract for upstream, made of catalog and schemas. Pure |
//! | [`lint`] | the rules that a set of templates has to pass. Pure |
//! | [`wording`] | the set of templates in use, and its reload |
//! | [`ledger`] | durable claims and settlements. The only one that names SQL |
//! | [`drain`] | whether a gateway may be drained: left alone because somebody says so. Pure |
//! | [`gateway`] | hand a message to a vendor or relay, and classify its answer |
//! | [`bounce`] | what a mail to the return path says of one of ours. Pure |
//! | [`receipts`] | what gateways say later of a message, over HTTP |
//! | [`telemetry`] | one function a happening: log line and metric |
//! | [`traces`] | how long each step of an event took, for an OpenTelemetry collector |
//! | [`admin`] | metrics, health and the texts in use over HTTP |
//! | [`systemd`] | whether the worker is ready, alive or stopping, for the service manager that started it |
//! | [`console`] | the page for whoever is on call: live, search, dead letters, who may see and do what |
//! | [`sandbox`] | an SMS gateway and an SMTP server that keep what they are sent and misbehave when told to; the demo's page |
//! | [`workbench`] | the page on which ops change texts: preview, findings, drafts, saving what passes |
//! | [`loopback`] | what pages on loopback answer, and what they refuse |
//! | [`dead`] | the dead-letter queue as people see it: letters, filters, a look, what became of each |
//! | [`printable`] | text from elsewhere without what a terminal or a page might obey. Pure |
//! | `hex` | bytes in hex digits. Pure |
//! | `http_client` | what all clients have in common that ask others over HTTP |
//! | [`tls`] | certificate errors in words that name the host and the mend. Pure |
//! | [`certificate`] | when the certificates end that gateways, relays, broker and database show |
//! | [`config`] | built-in, file, environment; all problems at once |
//! | [`cli`] | one file a command |
//! | `crash` | points at which a debug build ends itself, for the fault tests |
//!
//! Dependencies point one way: `event ← {plan, template, gateway, ledger, broker} ← dispatch ← worker ← cli`,
//! `plan ← drain ← {gateway, ledger}`, and `{plan, template, gateway} ← example ← lint ← wording ← {dispatch, workbench}`.
//!
//! # Follow one event
//!
//! 1. `broker::consume` takes a delivery when a permit is free and gives it to the worker's handler.
//! 2. [`dispatch::Dispatcher::dispatch`] is the rest of the way on one screen: [`event::decode`], [`plan::plan`],
//!    [`template::TemplateSet::render`], [`ledger::Ledger::claim`], then each notification gateway by gateway
//!    (`dispatch::deliver`), settled in the ledger.
//! 3. The [`dispatch::Disposition`] goes back: acknowledge, or publish to a delay queue or the dead-letter queue and
//!    then acknowledge.

pub mod admin;
pub mod assets;
pub mod asyncapi;
pub mod bounce;
pub mod broker;
pub mod canary;
pub mod certificate;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
mod crash;
pub mod dead;
pub mod dispatch;
pub mod drain;
pub mod event;
pub mod example;
pub mod gateway;
mod hex;
mod http_client;
pub mod ledger;
pub mod lint;
pub mod loopback;
pub mod plan;
pub mod printable;
pub mod receipts;
pub mod sandbox;
pub mod systemd;
pub mod telemetry;
pub mod template;
pub mod tls;
pub mod traces;
pub mod wording;
pub mod workbench;
pub mod worker;
