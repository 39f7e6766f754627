//! The workbench: a page on loopback for the people who write the texts. They see findings and what customers would read
//! while they type, and save what passes all checks.
//!
//! The page holds the changed texts and sends them with each question, so nothing here knows of an edit before it is saved.

mod api;
mod assets;
mod overview;
mod path;
mod preview;
mod save;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use tokio::net::TcpListener;

pub use self::path::{TemplatePath, TemplatePathError};
use self::store::Store;
use crate::assets::Files;
use crate::clock::Clock;
use crate::config::Config;
use crate::event::Catalog;
use crate::gateway::{Mailbox, SmsConfig};
use crate::lint::{self, CheckConfig, Premises, Report};
use crate::loopback::{json_only, own_names_only};
use crate::template::{Brand, TemplateSet};
use crate::wording::Wording;

/// All texts of a house at once, and more.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// The page and its API.
#[derive(Clone)]
pub struct Workbench(Arc<Bench>);

/// What the page works on.
struct Bench {
    catalog: Catalog,
    brand: Brand,
    sms: SmsConfig,
    check: CheckConfig,
    from: Mailbox,
    store: Store,
    /// The set that is sent from, where something is sent in this process.
    in_use: Option<Arc<Wording>>,
    clock: Clock,
}

impl Workbench {
    /// Works on a house's templates; on the built-in ones, in memory, where it has none of its own.
    ///
    /// What is saved goes into the set in use, where there is one.
    pub fn new(config: &Config, catalog: Catalog, in_use: Option<Arc<Wording>>, clock: Clock) -> Self {
        let dir: Option<PathBuf> = config.templates.dir.clone();
        let bench = Bench {
            catalog,
            brand: config.brand.clone(),
            sms: config.sms.clone(),
            check: config.templates.check.clone(),
            from: config.email.from.clone(),
            store: dir.map_or_else(Store::built_in, Store::folder),
            in_use,
            clock,
        };
        Self(Arc::new(bench))
    }

    /// Serves until the listener fails.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let router: Router<Self> = assets::routes().merge(api::routes());
        let router = router
            .route_layer(middleware::from_fn(json_only))
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
            .layer(middleware::from_fn(own_names_only))
            .with_state(self);
        axum::serve(listener, router).await
    }
}

impl Bench {
    fn premises(&self) -> Premises<'_> {
        Premises { catalog: &self.catalog, brand: &self.brand, sms: &self.sms, config: &self.check }
    }

    fn check(&self, files: &Files) -> Result<(TemplateSet, Report), Report> {
        lint::load(&self.premises(), files, self.clock.now())
    }
}
