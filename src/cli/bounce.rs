//! `shirase bounce`: from a mail system's pipe to the worker.

use std::io::{self, Read, Write, stdin, stdout};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use reqwest::{Client, StatusCode, redirect};

use super::ConfigArg;
use crate::bounce;
use crate::config::{Config, Secret, process_environment};
use crate::gateway::GatewayUrl;
use crate::receipts;

/// The report stands at a mail's beginning; what comes back after it may be any length.
const MAX_BYTES: u64 = 1024 * 1024;

/// A mail system waits longer than this, and the worker answers within a second or two.
const PATIENCE: Duration = Duration::from_secs(20);

/// `EX_TEMPFAIL` of sysexits.h: the mail system keeps the mail and tries again. Also where a person has to mend something
/// first: with any other code the report would be gone.
const LATER: u8 = 75;

/// Read a bounce from standard input and tell the worker.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes, of sysexits.h: 0 the worker knows it, or there is nothing in it for us; 75 the worker could not be \
reached or said \"later\", or something has to be mended first: the mail system keeps the mail and tries again."
)]
pub(super) struct Bounce {
    /// The address that the mail came to; its headers tell where this is left out
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// The worker's receipts listener, http://HOST:PORT; receipts.listen or http.listen of the configuration without it
    #[arg(long, value_name = "URL")]
    worker: Option<GatewayUrl>,
    #[command(flatten)]
    config: ConfigArg,
}

/// Why the worker does not know it yet.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Configuration(String),
    #[error("{0}; later")]
    Later(String),
}

impl Bounce {
    pub async fn run(self) -> ExitCode {
        match self.settle().await {
            Ok(words) => {
                // Whether the mail system wants to know or not.
                let _ = writeln!(stdout(), "{words}");
                ExitCode::SUCCESS
            }
            Err(trouble) => {
                eprintln!("{trouble}");
                ExitCode::from(LATER)
            }
        }
    }

    async fn settle(self) -> Result<String, Trouble> {
        let config = Config::load(self.config.config.as_deref(), process_environment())
            .map_err(|error| Trouble::Configuration(error.to_string()))?;
        let secret = config.receipts.bounce_secret.as_ref().ok_or_else(|| {
            Trouble::Configuration(
                "receipts.bounce_secret: is missing; the worker believes nobody without it".to_owned(),
            )
        })?;
        let mail =
            read(stdin().lock()).map_err(|error| Trouble::Later(format!("standard input: {error}")))?;
        match bounce::read(&mail, self.recipient.as_deref()) {
            Err(nothing) => Ok(format!("nothing in it for us: {nothing}")),
            Ok(report) => {
                let worker = match &self.worker {
                    Some(url) => url.clone(),
                    None => listener(&config)?,
                };
                if let Some(told) = receipts::Bounce::of(&report) {
                    tell(&worker, secret, &told).await?;
                }
                Ok(format!(
                    "{} {}",
                    report.status.as_str(),
                    report.code.as_deref().unwrap_or("without a code")
                ))
            }
        }
    }
}

/// The mail's beginning. The rest is read and forgotten, because a mail system takes a closed pipe for a failure.
fn read(mut input: impl Read) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    input.by_ref().take(MAX_BYTES).read_to_end(&mut mail)?;
    io::copy(&mut input, &mut io::sink())?;
    Ok(mail)
}

/// Where the worker of this configuration takes receipts, seen from this machine.
fn listener(config: &Config) -> Result<GatewayUrl, Trouble> {
    let mut address = config.receipts.listen.unwrap_or(config.http.listen).0;
    if address.ip().is_unspecified() {
        let v4 = address.is_ipv4();
        address.set_ip(if v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let url = format!("http://{address}");
    url.parse::<GatewayUrl>().map_err(|error| Trouble::Configuration(format!("receipts.listen: {error}")))
}

/// Tells the worker. Its answer's text is not read: the code says all.
async fn tell(worker: &GatewayUrl, secret: &Secret, report: &receipts::Bounce) -> Result<(), Trouble> {
    let mut url = worker.url().clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push("bounces");
    }
    // A proxy of the mail system's environment has no business with what is on this machine.
    let client = Client::builder().no_proxy().timeout(PATIENCE).redirect(redirect::Policy::none()).build();
    let client = client.map_err(|error| Trouble::Configuration(error.to_string()))?;
    let asked = client.post(url).bearer_auth(secret.reveal()).json(&report).send().await;
    let status =
        asked.map_err(|_| Trouble::Later(format!("no answer from the worker at {worker}")))?.status();
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Trouble::Configuration(format!(
            "the worker at {worker} has another receipts.bounce_secret ({status})"
        ))),
        status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
            Err(Trouble::Later(format!("the worker at {worker} answered {status}")))
        }
        status => Err(Trouble::Configuration(format!("{worker} takes no bounces ({status}); see --worker"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worker_is_where_receipts_are_taken_as_seen_from_this_machine() {
        let mut config = Config::built_in();
        let url = |config: &Config| listener(config).expect("a URL").to_string();
        assert_eq!(url(&config), "http://127.0.0.1:9464/");
        for (listen, seen) in [
            ("10.0.0.7:9465", "http://10.0.0.7:9465/"),
            ("0.0.0.0:9465", "http://127.0.0.1:9465/"),
            ("[::]:9465", "http://[::1]:9465/"),
        ] {
            config.receipts.listen = Some(listen.parse().expect("an address"));
            assert_eq!(url(&config), seen);
        }
    }

    #[test]
    fn a_mail_is_read_to_its_end_and_kept_to_its_bound() {
        let endless = io::repeat(b'x').take(MAX_BYTES * 3);
        assert_eq!(read(endless).expect("no error").len() as u64, MAX_BYTES);
    }
}
