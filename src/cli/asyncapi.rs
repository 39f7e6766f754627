//! `shirase asyncapi`: the contract for upstream.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::ConfigArg;
use super::house::House;
use crate::asyncapi::{self, Intake};

/// Print what upstream publishes, and where, as an AsyncAPI 3 document in JSON: made of catalog, schemas and `[broker]`.
#[derive(clap::Args)]
pub(super) struct AsyncApi {
    #[command(flatten)]
    config: ConfigArg,
}

impl AsyncApi {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (config, catalog) = House::without_templates(self.config.config.as_deref())?;
        let nodes = config.broker.urls.iter().map(|url| url.node()).collect();
        let document = asyncapi::document(&catalog, &Intake { exchange: &config.broker.exchange, nodes });
        writeln!(stdout(), "{document:#}")?;
        Ok(ExitCode::SUCCESS)
    }
}
