//! A house's configuration, catalog and templates, loaded together; and the dispatcher made of them.
//!
//! Whoever is on call needs less to look at what is there already: `trace` loads the configuration alone, and `dead`
//! no templates, so that a broken one keeps nobody from looking.

use std::path::Path;
use std::sync::Arc;

use super::Usage;
use crate::assets::Files;
use crate::canary::{Canary, CanaryError};
use crate::clock::Clock;
use crate::config::{Config, process_environment};
use crate::dispatch::{Dispatcher, Protection, Schedule, Underway};
use crate::event::Catalog;
use crate::gateway::{BuildError, GatewayUrl, Gateways};
use crate::ledger::Ledger;
use crate::lint::{self, Premises};
use crate::template::TemplateSet;
use crate::traces::Traces;
use crate::wording::{self, Wording};

/// Everything that is read before anything runs.
pub(super) struct House {
    pub config: Config,
    pub catalog: Catalog,
    pub templates: TemplateSet,
}

impl House {
    /// Loads all of it.
    ///
    /// # Errors
    /// [`crate::config::ConfigError`] or [`Usage`] with every problem found, a line each.
    pub fn load(config: Option<&Path>) -> anyhow::Result<Self> {
        let (config, catalog) = Self::without_templates(config)?;
        let template_files = match config.templates.dir.as_deref() {
            Some(dir) => wording::read(dir).map_err(|error| Usage(error.to_string()))?,
            None => Files::embedded("templates"),
        };
        let templates = TemplateSet::load(&template_files, &catalog).map_err(|problems| listed(&problems))?;
        Ok(Self { config, catalog, templates })
    }

    /// Configuration and catalog alone, for whoever renders nothing.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn without_templates(config: Option<&Path>) -> anyhow::Result<(Config, Catalog)> {
        let config = Config::load(config, process_environment())?;
        let catalog_files = files(config.catalog.dir.as_deref(), "config")?;
        let catalog = Catalog::load(&catalog_files).map_err(|problems| listed(&problems))?;
        Ok((config, catalog))
    }

    /// What the rules of wording look at beside the templates.
    pub fn premises(&self) -> Premises<'_> {
        let (brand, sms, config) = (&self.config.brand, &self.config.sms, &self.config.templates.check);
        Premises { catalog: &self.catalog, brand, sms, config }
    }

    /// What changed templates have to pass while the house runs: what they pass at its start.
    pub fn check(&self, clock: Clock) -> wording::Check {
        let (catalog, brand, sms) =
            (self.catalog.clone(), self.config.brand.clone(), self.config.sms.clone());
        let config = self.config.templates.check.clone();
        Arc::new(move |files| {
            let premises = Premises { catalog: &catalog, brand: &brand, sms: &sms, config: &config };
            lint::load(&premises, files, clock.now())
        })
    }

    /// The ways out.
    ///
    /// # Errors
    /// When one of them cannot be built from the configuration.
    pub fn gateways(&self) -> Result<Gateways, BuildError> {
        gateways(&self.config)
    }

    /// What the worker is to send itself, if anything.
    ///
    /// # Errors
    /// When configuration and catalog do not go together.
    pub fn canary(&self) -> Result<Option<Canary>, CanaryError> {
        self.config.canary.as_ref().map(|config| Canary::new(config, &self.catalog)).transpose()
    }

    /// The pipeline.
    ///
    /// # Errors
    /// When the ledger cannot be opened or a gateway cannot be built, or traces cannot be exported.
    pub fn dispatcher(self, clock: Clock) -> anyhow::Result<Arc<Dispatcher>> {
        let gateways = self.gateways().map_err(|error| Usage(error.to_string()))?;
        let canary = self.canary().map_err(|error| Usage(error.to_string()))?;
        let ledger = Ledger::open(&self.config.ledger, &Clock::steady())
            .map_err(|error| Usage(format!("ledger.url: {error}")))?;
        let traces = self.config.traces.as_ref().map(Traces::start).transpose();
        let traces = traces.map_err(|error| Usage(error.to_string()))?.unwrap_or_default();
        Ok(Arc::new(Dispatcher {
            catalog: self.catalog,
            templates: Arc::new(Wording::new(self.templates)),
            gateways,
            ledger,
            clock,
            brand: self.config.brand,
            prefixes: self.config.sms.prefixes,
            schedule: Schedule::new(&self.config.retry),
            fallback_after: self.config.retry.fallback_after.0,
            keep_for: self.config.receipts.keep.0,
            protection: Protection {
                sms_day_limit: self.config.sms.day_limit,
                device_retention: self.config.ledger.device_retention.0,
            },
            underway: Underway::default(),
            canary,
            traces,
        }))
    }
}

/// The ways out of a configuration.
///
/// # Errors
/// When one of them cannot be built.
pub(super) fn gateways(config: &Config) -> Result<Gateways, BuildError> {
    let receipts = config.receipts.public_url.as_ref().map(GatewayUrl::url);
    let gateways = Gateways::new(&config.sms, &config.email, receipts)?;
    Ok(gateways.shared_by(config.worker.replicas, config.lanes.standard.share))
}

fn files(dir: Option<&Path>, embedded: &str) -> Result<Files, Usage> {
    let Some(dir) = dir else { return Ok(Files::embedded(embedded)) };
    Files::from_dir(dir).map_err(|error| Usage(error.to_string()))
}

fn listed<P: ToString>(problems: &[P]) -> Usage {
    Usage(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
