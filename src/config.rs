//! Configuration: built-in, then the file, then the environment; all problems at once.
//!
//! The structs are the schema: `schemars` derives a JSON Schema from them, the merged layers are checked against it as
//! a whole, and only then read. So an unknown key, a wrong type and a bad value are found together, each with its
//! place. A section's struct lives beside its owner.

mod brand;
mod check;
mod layers;
mod values;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

pub use self::check::{ConfigError, Problem};
pub use self::layers::process_environment;
pub(crate) use self::values::text_value;
pub use self::values::{Certificates, Secret, Span, TextValue};
use crate::admin::HttpConfig;
use crate::broker::BrokerConfig;
use crate::canary::CanaryConfig;
use crate::console::ConsoleConfig;
use crate::dispatch::RetryConfig;
use crate::gateway::{EmailConfig, SmsConfig};
use crate::ledger::LedgerConfig;
use crate::lint::CheckConfig;
use crate::receipts::ReceiptsConfig;
use crate::template::Brand;
use crate::traces::TracesConfig;
use crate::worker::{LanesConfig, WorkerConfig};

/// All of `shirase.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// RabbitMQ.
    pub broker: BrokerConfig,
    /// Queues and how much of each is taken at once.
    pub lanes: LanesConfig,
    /// When a failed delivery is tried again.
    pub retry: RetryConfig,
    /// The process.
    pub worker: WorkerConfig,
    /// The durable memory.
    pub ledger: LedgerConfig,
    /// Who speaks.
    pub brand: Brand,
    /// SMS gateways.
    pub sms: SmsConfig,
    /// SMTP relays.
    pub email: EmailConfig,
    /// Event types and schemas.
    #[serde(default)]
    pub catalog: CatalogConfig,
    /// Wording.
    #[serde(default)]
    pub templates: TemplatesConfig,
    /// An event that the worker sends itself; none without it.
    pub canary: Option<CanaryConfig>,
    /// Metrics, health and the console.
    pub http: HttpConfig,
    /// Who may see and do what on the console.
    #[serde(default)]
    pub console: ConsoleConfig,
    /// What gateways and the mail system say later of a message.
    #[serde(default)]
    pub receipts: ReceiptsConfig,
    /// OpenTelemetry; no traces without it.
    #[serde(default)]
    pub traces: Option<TracesConfig>,
}

/// `[catalog]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogConfig {
    /// The folder of `events.toml` and `schemas/`; the built-in catalog without it.
    pub dir: Option<PathBuf>,
}

/// `[templates]`
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplatesConfig {
    /// The folder of templates; the built-in ones without it.
    pub dir: Option<PathBuf>,
    /// Load changed templates while running.
    #[serde(default)]
    pub watch: bool,
    /// What a set has to pass before it is used.
    #[serde(default)]
    pub check: CheckConfig,
}

impl Config {
    /// Reads the built-in configuration, `file` over it, and `SHIRASE_…__…` from `environment` over both.
    ///
    /// # Errors
    /// Every problem found, each with its place, its key and the mend.
    pub fn load(
        file: Option<&std::path::Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        check::read(layers::Layers::collect(file, environment)?)
    }

    /// The built-in configuration alone.
    pub fn built_in() -> Self {
        Self::load(None, []).expect("a test reads the built-in configuration")
    }
}

#[cfg(test)]
mod tests;
