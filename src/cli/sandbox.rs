//! `shirase sandbox`: the demo's servers on fixed ports, for a worker that runs elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use tokio::net::TcpListener;
use tracing::info;

use super::{Usage, signals};
use crate::clock::Clock;
use crate::config::Config;
use crate::sandbox::{Page, RandomFaults, Sandbox};
use crate::worker::Stop;

/// An SMS gateway and an SMTP server where the built-in configuration expects them, and a page that shows what they
/// were sent. For trying a configuration without sending anything to anybody, and with --faults, against trouble.
#[derive(clap::Args)]
pub(super) struct SandboxCommand {
    /// Where the SMS gateway listens (POST /sms)
    #[arg(long, default_value = "127.0.0.1:8025", value_name = "ADDRESS")]
    sms: SocketAddr,
    /// Where the SMTP server listens
    #[arg(long, default_value = "127.0.0.1:1025", value_name = "ADDRESS")]
    smtp: SocketAddr,
    /// Where the page listens
    #[arg(long, default_value = "127.0.0.1:8026", value_name = "ADDRESS")]
    page: SocketAddr,
    /// Append each message that it takes to FILE, a JSON line that is on disk before the sender is answered
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Give this share of the requests, 0 to 1, a fault: refused, taken and cut off, answered late or by half, never
    #[arg(long, value_name = "SHARE", value_parser = share)]
    faults: Option<f64>,
    /// Draws the faults: the same requests meet the same faults again
    #[arg(long, value_name = "N", default_value_t = 1, requires = "faults")]
    seed: u64,
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("has to be a number from 0 to 1, for example 0.1")
}

impl SandboxCommand {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Stop::default();
        signals::listen(stop.clone())?;
        let sandbox = self.sandbox()?;
        let taken = |option, address| move |error| Usage(format!("{option} {address}: {error}"));
        let sms = sandbox.start_sms(self.sms).await.map_err(taken("--sms", self.sms))?;
        let smtp = sandbox.start_smtp(self.smtp).await.map_err(taken("--smtp", self.smtp))?;
        let listener = TcpListener::bind(self.page).await.map_err(taken("--page", self.page))?;
        info!(%sms, %smtp, page = %listener.local_addr()?, "sandbox");
        println!(
            "SMS gateway  http://{sms}/sms\nSMTP server  smtp://{smtp}\npage         http://{}/",
            listener.local_addr()?
        );
        if let Some(share) = self.faults {
            println!("faults       {share} of the requests, seed {}", self.seed);
        }
        let page = Page {
            sandbox,
            brand: Config::built_in().brand,
            samples: Vec::new(),
            send: Arc::new(|_| {
                Box::pin(async {
                    json!({"result": "dead", "reason": "sandbox", "detail": "no worker here: publish to the broker", "notifications": []})
                })
            }),
        };
        tokio::select! {
            served = page.serve(listener) => served?,
            () = stop.soft.cancelled() => {}
        }
        Ok(ExitCode::SUCCESS)
    }

    /// As the options want it; nothing listens yet.
    fn sandbox(&self) -> anyhow::Result<Sandbox> {
        let mut sandbox = Sandbox::new(Clock::system());
        if let Some(path) = &self.journal {
            let unusable = |error| Usage(format!("--journal {}: {error}", path.display()));
            sandbox = sandbox.with_journal(path).map_err(unusable)?;
        }
        if let Some(share) = self.faults {
            sandbox.misbehave_at_random(RandomFaults::new(share, self.seed));
        }
        Ok(sandbox)
    }
}
