//! The set that texts are compared with: what a running worker says that it uses, a folder, or the built-in one.

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::super::house::House;
use super::super::{Usage, at_worker};
use crate::assets::Files;
use crate::event::Catalog;
use crate::template::{TemplateProblem, TemplateSet};

/// What to compare with.
#[derive(Clone)]
pub(super) enum Against {
    /// What the worker at `http.listen` uses.
    Worker,
    /// What the binary carries.
    BuiltIn,
    /// A folder of templates.
    Folder(PathBuf),
}

impl FromStr for Against {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "" => Self::Worker,
            "built-in" => Self::BuiltIn,
            folder => Self::Folder(folder.into()),
        })
    }
}

/// Another set, and its name in what is shown.
pub(super) struct Other {
    pub name: String,
    pub templates: TemplateSet,
}

/// `GET /templates`
#[derive(Deserialize)]
struct InUse {
    version: String,
    files: std::collections::BTreeMap<String, String>,
}

impl Against {
    /// Loads that set.
    ///
    /// # Errors
    /// [`Usage`] when there is none, or when it does not load here.
    pub async fn load(&self, house: &House) -> anyhow::Result<Other> {
        let (name, files) = match self {
            Self::BuiltIn => ("built-in".to_owned(), Files::embedded("templates")),
            Self::Folder(folder) => {
                let files = Files::from_dir(folder).map_err(|error| Usage(format!("--diff: {error}")))?;
                (folder.display().to_string(), files)
            }
            Self::Worker => {
                let InUse { version, files } = ask(house).await?;
                (format!("in use ({version})"), files.into_iter().collect())
            }
        };
        let templates = load(files, &house.catalog).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(|problem| format!("{name}: {problem}")).collect();
            Usage(problems.join("\n"))
        })?;
        Ok(Other { name, templates })
    }
}

/// Loads a set that may be older than the catalog: a type that it does not have yet has a text that says so.
fn load(files: Files, catalog: &Catalog) -> Result<TemplateSet, Vec<TemplateProblem>> {
    let problems = match TemplateSet::load(&files, catalog) {
        Ok(set) => return Ok(set),
        Err(problems) => problems,
    };
    let absent = problems.iter().filter_map(|problem| match problem {
        TemplateProblem::Missing(place) => Some((place.path.to_string(), "(no such template)".to_owned())),
        _ => None,
    });
    let there = files.iter().map(|(path, text)| (path.to_owned(), text.to_owned()));
    TemplateSet::load(&there.chain(absent).collect(), catalog)
}

async fn ask(house: &House) -> Result<InUse, Usage> {
    let url = at_worker::url(house.config.http.listen, "/templates");
    let failed = |error: reqwest::Error| {
        let mend = "start it, set http.listen to where it is, or compare with a folder: --diff=DIR";
        Usage(format!(
            "--diff: no worker says at {url} which templates it uses ({}); {mend}",
            error.without_url()
        ))
    };
    let answer = at_worker::get(&url).await.map_err(failed)?;
    answer.json().await.map_err(failed)
}
