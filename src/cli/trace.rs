//! `shirase trace`: was this customer told, when, how, and if not why.
//!
//! It reads the ledger beside the workers that write it. Nothing personal is in there, and nothing personal is printed.

mod words;

use std::io::{Write, stdout};
use std::process::ExitCode;

use anyhow::anyhow;

use super::{ConfigArg, NOT_IN_ORDER, Usage};
use crate::clock::Clock;
use crate::config::{Config, process_environment};
use crate::event::{EmailAddress, PhoneNumber};
use crate::ledger::{Pseudonyms, Reader, Story};

/// `trace`
#[derive(clap::Args)]
pub(super) struct Trace {
    /// CloudEvents id of the event
    #[arg(required_unless_present = "recipient")]
    event_id: Option<String>,
    /// Events of a recipient, the newest first: a phone number in any usual writing, or an email address
    #[arg(long, value_name = "PHONE|EMAIL", conflicts_with = "event_id")]
    recipient: Option<String>,
    /// Of several events with the same id, the one from this source
    #[arg(long, requires = "event_id")]
    source: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Trace {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Catalog and templates are not needed: one that is broken must not keep anybody from looking.
        let config = Config::load(self.config.config.as_deref(), process_environment())?;
        let failed = |error: &dyn std::fmt::Display| anyhow!("ledger {}: {error}", config.ledger.url);
        let reader = Reader::open(&config.ledger).await.map_err(|error| failed(&error))?;
        let mut whose = None;
        let stories = match (&self.recipient, &self.event_id) {
            (Some(recipient), _) => {
                let pseudonyms = reader.pseudonyms().await.map_err(|error| failed(&error))?;
                let pseudonym = whose.insert(pseudonym(&pseudonyms, recipient)?);
                reader.by_recipient(pseudonym).await
            }
            (None, event_id) => reader.by_id(event_id.as_deref().unwrap_or_default()).await,
        };
        let mut stories = stories.map_err(|error| failed(&error))?;
        stories.retain(|story| self.source.as_ref().is_none_or(|source| story.source == *source));
        self.show(&stories, whose.as_deref())?;
        Ok(if stories.is_empty() { ExitCode::from(NOT_IN_ORDER) } else { ExitCode::SUCCESS })
    }

    fn show(&self, stories: &[Story], whose: Option<&str>) -> std::io::Result<()> {
        let (mut out, now) = (stdout().lock(), Clock::system().now());
        for (index, story) in stories.iter().enumerate() {
            if self.json {
                writeln!(out, "{}", serde_json::to_string(story)?)?;
                continue;
            }
            let separator = if index > 0 { "\n" } else { "" };
            write!(out, "{separator}{}", words::story(story, whose, now))?;
        }
        if stories.is_empty() {
            eprintln!("{}", self.nothing_known());
        }
        Ok(())
    }

    fn nothing_known(&self) -> String {
        let Some(id) = &self.event_id else {
            return "nothing is known of this recipient: no event within ledger.retention, or another ledger"
                .to_owned();
        };
        let id = super::printable::printable(id);
        format!(
            "nothing is known of {id}: not consumed yet, older than ledger.retention, another ledger, or an event that could \
             not be read (shirase dead list --id {id})"
        )
    }
}

/// What stands for a recipient in the ledger.
fn pseudonym(pseudonyms: &Pseudonyms, recipient: &str) -> Result<String, Usage> {
    if let Ok(phone) = PhoneNumber::parse(recipient) {
        return Ok(pseudonyms.of_phone(&phone));
    }
    match EmailAddress::parse(recipient) {
        Ok(email) => Ok(pseudonyms.of_email(&email)),
        Err(_) => Err(Usage("--recipient: is neither a phone number nor an email address".to_owned())),
    }
}
