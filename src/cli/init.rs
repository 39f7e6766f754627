//! `shirase init DIR`: what the binary carries, written out.

use std::fs;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::Usage;
use crate::assets::EMBEDDED;

/// Write configuration, catalog, schemas and templates into a folder.
///
/// Nothing that is there is overwritten: then nothing is written at all.
#[derive(clap::Args)]
pub(super) struct Init {
    /// The folder; made when it is not there
    dir: PathBuf,
}

impl Init {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let there: Vec<&str> =
            EMBEDDED.iter().map(|(name, _)| *name).filter(|name| self.dir.join(name).exists()).collect();
        if let Some(first) = there.first() {
            let dir = self.dir.display();
            let message = format!(
                "{dir}: {first} is there already ({} files in all); choose another folder or move it away",
                there.len()
            );
            return Err(Usage(message).into());
        }
        for (name, text) in EMBEDDED {
            let path = self.dir.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)
                    .map_err(|error| Usage(format!("{}: {error}", folder.display())))?;
            }
            fs::write(&path, text).with_context(|| path.display().to_string())?;
        }
        let (dir, count) = (self.dir.display(), EMBEDDED.len());
        writeln!(
            stdout(),
            "{count} files in {dir}\nNext:  cd {dir} && shirase check --config config/shirase.toml"
        )?;
        Ok(ExitCode::SUCCESS)
    }
}
