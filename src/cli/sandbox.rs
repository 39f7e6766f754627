//! `shirase sandbox`: the demo's servers on fixed ports, for a worker that runs elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tokio::net::TcpListener;
use tracing::info;
use url::Url;

use super::{Usage, signals};
use crate::clock::Clock;
use crate::config::{Config, Secret};
use crate::sandbox::{Page, RandomFaults, Receipts, Sandbox};
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
    #[arg(long, value_name = "SHARE", value_parser = share, group = "random")]
    faults: Option<f64>,
    /// Draws the faults: the same requests meet the same faults again
    #[arg(long, value_name = "N", default_value_t = 1, requires = "random")]
    seed: u64,
    /// Call back about each SMS at this address of a worker, as vendors do
    #[arg(long, value_name = "URL", requires = "receipt_secret")]
    receipts: Option<Url>,
    /// `Authorization: Bearer …` of these calls
    #[arg(long, value_name = "SECRET", requires = "receipts")]
    receipt_secret: Option<Secret>,
    /// The share of the SMS, 0 to 1, that it says did not arrive; drawn with --seed
    #[arg(long, value_name = "SHARE", value_parser = share, group = "random", requires = "receipts")]
    lost: Option<f64>,
}

/// Between an SMS and the call about it.
const RECEIPT_AFTER: Duration = Duration::from_millis(500);

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
        if let Some(url) = &self.receipts {
            println!("receipts     to {url}, {} of the SMS lost", self.lost.unwrap_or_default());
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
            workbench: None,
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
        if let Some((url, secret)) = self.receipts.clone().zip(self.receipt_secret.clone()) {
            let receipts = Receipts {
                url,
                secret,
                after: RECEIPT_AFTER,
                lost: self.lost.unwrap_or_default(),
                seed: self.seed,
            };
            sandbox = sandbox.with_receipts(receipts).context("--receipts")?;
        }
        Ok(sandbox)
    }
}
