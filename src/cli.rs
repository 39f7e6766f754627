//! The command line: one file a command.
//!
//! Exit codes: 0 done; 1 the thing asked about is not in order; 2 wrong usage or configuration. `bounce` alone has others,
//! which a mail system understands.

mod age;
mod asyncapi;
mod at_worker;
mod bounce;
mod check;
mod dead;
mod demo;
mod examples;
mod explain;
mod gateway;
mod house;
mod init;
mod preview;
mod publish;
mod reload;
mod run;
mod sandbox;
mod send_test;
mod signals;
mod table;
mod trace;
mod validate;
mod workbench;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::ConfigError;
use crate::printable::printable;
use crate::telemetry;

/// Notification dispatch worker: security events from RabbitMQ to customers by SMS and email.
///
/// Begin with `shirase demo`: everything in one process, no broker needed. `shirase init DIR` writes the configuration,
/// schemas and templates out for a house to make its own.
#[derive(Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 the thing asked about is not in order, 2 wrong usage or configuration."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What to log, in tracing's syntax: error, warn, info, debug, shirase::broker=debug
    #[arg(long, global = true, env = "SHIRASE_LOG", value_name = "FILTER", hide_env_values = true)]
    log: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// The worker: consume events from RabbitMQ and deliver them
    Run(run::Run),
    /// Everything in one process, no broker: sample events into a sandbox, with a page to see them
    Demo(demo::Demo),
    /// Write configuration, schemas and templates into a folder, for a house to make its own
    Init(init::Init),
    /// Check configuration, catalog, schemas and templates
    Check(check::Check),
    /// Send one real message, which says that it is a test, through one gateway or relay
    SendTest(send_test::SendTest),
    /// Show what would be sent
    Preview(preview::Preview),
    /// Show why: route, address, gateway order, segments
    Explain(explain::Explain),
    /// Would the worker take these events? The reason and the place if not; for upstream's own tests
    Validate(validate::Validate),
    /// The contract for upstream as an AsyncAPI 3 document
    Asyncapi(asyncapi::AsyncApi),
    /// Publish events to RabbitMQ, with confirms
    Publish(publish::Publish),
    /// What became of an event, or of all that a customer was told: when, how, and if not, why
    ///
    /// Reads the ledger beside the worker, and the dead-letter queue not at all. Exit code 1 means that the ledger knows
    /// nothing of it; a ledger that cannot be read is 2.
    Trace(trace::Trace),
    /// The dead-letter queue: list, show, replay, drop
    ///
    /// Looking changes nothing: every letter goes back to the queue. While one of these commands runs, another one does
    /// not see the letters that it is looking at.
    Dead(dead::Dead),
    /// Gateways and relays: list them, leave one alone for a while, in every worker
    ///
    /// Exit code 1 means that a channel's last way out was to be drained; a ledger that cannot be asked is 2.
    Gateway(gateway::Gateway),
    /// Read a bounce from standard input and tell the worker: for a pipe from the mail system
    ///
    /// In Postfix's master.cf: shirase-bounce unix - n n - 4 pipe flags=DRhu user=shirase argv=/usr/bin/shirase bounce
    /// --config /etc/shirase/bounce.toml --recipient ${recipient}
    Bounce(bounce::Bounce),
    /// An SMS gateway and an SMTP server on loopback that keep what they are sent, with a page to see it
    Sandbox(sandbox::SandboxCommand),
    /// Change texts in a page on this machine: findings and preview while you type
    Workbench(workbench::WorkbenchCommand),
}

/// `--config`, for every command that needs a configuration.
#[derive(Args, Clone)]
struct ConfigArg {
    /// Configuration file; the built-in configuration without one
    #[arg(long, short, env = "SHIRASE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Something that the user has to mend before the command can do anything: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// The thing asked about is not in order.
const NOT_IN_ORDER: u8 = 1;

/// Wrong usage or configuration.
const WRONG_USAGE: u8 = 2;

impl Command {
    /// A worker tells what it does; a command that answers a question tells only what is wrong; the demo also what becomes
    /// of a changed text.
    fn default_filter(&self) -> &'static str {
        match self {
            Self::Run(run) if run.events.is_none() => "info",
            Self::Run(_) | Self::Publish(_) => "warn",
            Self::Sandbox(_) => "info",
            Self::Demo(_) => "error,shirase::telemetry::wording=info",
            _ => "error",
        }
    }

    fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(async {
            match self {
                Self::Run(run) => run.run().await,
                Self::Demo(demo) => demo.run().await,
                Self::Init(init) => init.run(),
                Self::Check(check) => check.run().await,
                Self::SendTest(send_test) => send_test.run().await,
                Self::Preview(preview) => preview.run().await,
                Self::Explain(explain) => explain.run().await,
                Self::Validate(validate) => validate.run().await,
                Self::Asyncapi(asyncapi) => asyncapi.run(),
                Self::Publish(publish) => publish.run().await,
                Self::Trace(trace) => trace.run().await,
                Self::Dead(dead) => dead.run().await,
                Self::Gateway(gateway) => gateway.run().await,
                Self::Bounce(bounce) => Ok(bounce.run().await),
                Self::Sandbox(sandbox) => sandbox.run().await,
                Self::Workbench(workbench) => workbench.run().await,
            }
        });
        // A read from standard input or a connection that never answers must not hold the exit.
        runtime.shutdown_background();
        ended
    }
}

/// Parses the arguments, runs the command and gives its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    telemetry::start_logging(cli.log.as_deref().unwrap_or(cli.command.default_filter()));
    // One provider for all of TLS; installing fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.command.run() {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            let usage = error.is::<ConfigError>() || error.is::<Usage>();
            ExitCode::from(if usage { WRONG_USAGE } else { NOT_IN_ORDER })
        }
    }
}

/// `shirase preview … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
