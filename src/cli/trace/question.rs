//! What is asked: an event by its id, or everything that one recipient was told.

use std::collections::BTreeSet;
use std::io::stdin;
use std::path::Path;

use anyhow::bail;

use super::shell;
use crate::cli::{Usage, age, printable};
use crate::dispatch;
use crate::ledger::{LedgerConfig, Reader, Story, ViewError};
use crate::plan::Address;

/// As many digits of a pseudonym tell customers apart for a person.
const SHOWN: usize = 12;

/// What is asked.
pub(super) enum Question {
    Event {
        id: String,
        source: Option<String>,
    },
    /// Never printed, not even masked.
    Recipient(Address),
}

impl Question {
    /// # Errors
    /// When the recipient is neither a phone number nor an email address; the error does not hold it.
    pub fn of(
        event_id: Option<String>,
        source: Option<String>,
        recipient: Option<&str>,
    ) -> Result<Self, Usage> {
        match (event_id, recipient) {
            (Some(id), _) => Ok(Self::Event { id, source }),
            (None, Some("-")) => address(&line()?).map(Self::Recipient),
            (None, Some(text)) => address(text).map(Self::Recipient),
            (None, None) => Err(Usage("say which EVENT_ID, or --recipient PHONE|EMAIL".to_owned())),
        }
    }

    /// The pseudonym that the ledger knows the recipient by.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn pseudonym(&self, reader: &Reader) -> Result<Option<String>, ViewError> {
        let Self::Recipient(address) = self else { return Ok(None) };
        let pseudonyms = reader.pseudonyms().await?;
        Ok(Some(dispatch::pseudonym(&pseudonyms, address)))
    }

    /// Asks the ledger.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn ask(&self, reader: &Reader, pseudonym: Option<&str>) -> Result<Vec<Story>, ViewError> {
        match (self, pseudonym) {
            (Self::Event { id, .. }, _) => reader.by_id(id).await,
            (Self::Recipient(_), pseudonym) => reader.by_recipient(pseudonym.unwrap_or_default()).await,
        }
    }

    /// The answer, safe to print.
    ///
    /// # Errors
    /// When nothing is known, with what that may mean.
    pub fn answered(
        &self,
        stories: Vec<Story>,
        ledger: &LedgerConfig,
        config: Option<&Path>,
    ) -> anyhow::Result<Vec<Story>> {
        if stories.is_empty() {
            bail!(self.nothing(ledger, config));
        }
        let mut stories: Vec<Story> = stories.into_iter().map(Story::stripped).collect();
        if let Self::Event { source: Some(source), .. } = self {
            let known: BTreeSet<_> = stories.iter().map(|story| story.source.clone()).collect();
            stories.retain(|story| story.source == printable(source));
            if stories.is_empty() {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                bail!("nothing is known of an event with this id of this source, but of {known}");
            }
        }
        Ok(stories)
    }

    fn nothing(&self, ledger: &LedgerConfig, config: Option<&Path>) -> String {
        let retention = age::in_words(ledger.retention.signed());
        let mut words = format!("nothing is known of it in {}. What that may mean:\n", ledger.url);
        let mut may_be = |meaning: &str| words.push_str(&format!("  - {meaning}\n"));
        may_be("no worker has consumed it yet");
        may_be(&format!("it is longer ago than ledger.retention ({retention})"));
        may_be("another worker's ledger has it: see ledger.url");
        match self {
            Self::Event { id, .. } if address(id).is_ok() => {
                may_be("it is no event's id but a number or an address: --recipient looks for these");
            }
            Self::Event { id, .. } => {
                let list = shell::list(&printable(id), config);
                may_be(&format!("it was bad and never got so far: {list}"));
            }
            Self::Recipient(_) => {
                may_be("the customer was told at another number or address");
                may_be("ledger.recipient_key is not the one that the worker has");
            }
        }
        words.trim_end().to_owned()
    }
}

fn line() -> Result<String, Usage> {
    let mut line = String::new();
    stdin().read_line(&mut line).map_err(|error| Usage(format!("standard input: {error}")))?;
    Ok(line)
}

fn address(text: &str) -> Result<Address, Usage> {
    text.parse().map_err(|error| Usage(format!("--recipient: {error}")))
}

/// The first digits of a pseudonym.
pub(super) fn shortened(pseudonym: &str) -> &str {
    pseudonym.get(..SHOWN).unwrap_or(pseudonym)
}

/// Above the events of a recipient.
pub(super) fn heading(pseudonym: &str, count: usize) -> String {
    let recipient = shortened(pseudonym);
    match count {
        1 => format!("recipient {recipient}: 1 event\n"),
        Reader::MAX_BY_RECIPIENT => {
            format!("recipient {recipient}: the {count} newest events; older ones are not shown\n")
        }
        _ => format!("recipient {recipient}: {count} events, newest first\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_is_a_number_or_an_address_and_an_error_does_not_hold_it() {
        for text in ["090-1234-5678", "+81 90 1234 5678", "０９０１２３４５６７８\n", "Taro@Example.JP "]
        {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in ["090-1234-567", "taro", "taro@", ""] {
            let error = address(text).err().map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| text.is_empty() || !error.contains(text)),
                "{text}: {error:?}"
            );
        }
    }

    #[test]
    fn the_heading_says_when_there_may_be_more() {
        let pseudonym = "0123456789abcdef0123456789abcdef";
        assert_eq!(heading(pseudonym, 2), "recipient 0123456789ab: 2 events, newest first\n");
        assert!(heading(pseudonym, 100).contains("older ones are not shown"));
    }
}
