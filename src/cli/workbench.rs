//! `shirase workbench`: the page on which ops change texts.

use std::process::ExitCode;

use anyhow::Context;
use tokio::net::TcpListener;

use super::house::House;
use super::{ConfigArg, signals};
use crate::clock::Clock;
use crate::loopback::Loopback;
use crate::workbench::Workbench;
use crate::worker::Stop;

/// Change texts in a page on this machine: findings and preview while you type; what passes can be saved.
///
/// Works on the folder that templates.dir names; without one on the built-in texts, in memory.
#[derive(clap::Args)]
pub(super) struct WorkbenchCommand {
    /// Where the page listens, loopback only; another port when this one is taken
    #[arg(long, default_value = "127.0.0.1:8026", value_name = "ADDRESS")]
    listen: Loopback,
    #[command(flatten)]
    config: ConfigArg,
}

impl WorkbenchCommand {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let stop = Stop::default();
        signals::listen(stop.clone())?;
        // Templates that do not load are what somebody comes here to mend.
        let (config, catalog) = House::without_templates(self.config.config.as_deref())?;
        let workbench = Workbench::new(&config, catalog, None, Clock::system());
        let listener = listen(self.listen).await?;
        match &config.templates.dir {
            Some(dir) => println!("Texts        {}", dir.display()),
            None => println!(
                "Texts        built-in: changes live until this process ends; `shirase init DIR` writes your own"
            ),
        }
        println!("Workbench    http://{}/   (Ctrl-C ends)", listener.local_addr()?);
        tokio::select! {
            served = workbench.serve(listener) => served?,
            () = stop.soft.cancelled() => {}
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// That port, or another when it is taken.
pub(super) async fn listen(Loopback(address): Loopback) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(_taken) => TcpListener::bind((address.ip(), 0)).await.context("--listen"),
    }
}
