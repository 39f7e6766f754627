//! Templates that are reloaded while a command runs.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Notify;

use super::house::House;
use crate::clock::Clock;
use crate::config::TemplatesConfig;
use crate::telemetry;
use crate::wording::{Check, Pace, Reloader, Watch, Wording};

/// What a house reloads: its folder of templates, if it has one.
pub(super) struct Reloads {
    dir: Option<PathBuf>,
    pace: Pace,
    check: Check,
}

impl Reloads {
    /// As configured.
    pub fn of(house: &House) -> Self {
        let TemplatesConfig { dir, watch, .. } = house.config.templates.clone();
        let pace = if watch { Pace::USUAL } else { Pace::ASKED };
        Self { dir, pace, check: house.check(Clock::system()) }
    }

    /// Keeps the wording as the folder has it, for ever; `asked` has it read at once. The built-in set never changes.
    pub async fn run(self, wording: Arc<Wording>, asked: Arc<Notify>) {
        let Some(dir) = self.dir else { return pending().await };
        let by_itself = self.pace.look.is_some();
        telemetry::wording_watched(&dir.display().to_string(), wording.current().version(), by_itself);
        let reloader = Reloader { dir, wording, check: self.check };
        Watch::new(reloader, self.pace, asked).run().await;
    }
}
