//! Which events are shown: a type's examples, a file's, or all there are.

use std::path::Path;

use clap::ValueEnum;
use jiff::Timestamp;

use super::super::house::House;
use super::super::{Usage, examples};
use crate::event::{Event, EventType, Rejected};
use crate::example;
use crate::plan::Channel;

/// What is to be shown.
#[derive(clap::Args)]
pub(super) struct Choice {
    /// An event type (security.login.new_device), or a file of events, `-` for standard input
    #[arg(value_name = "TYPE|FILE")]
    what: Option<String>,
    /// The examples of every type
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Also the shortest and longest that the schemas allow
    #[arg(long)]
    extremes: bool,
    /// In this language, whatever the recipient's is
    #[arg(long, value_name = "LOCALE")]
    locale: Option<String>,
    /// Only this channel
    #[arg(long)]
    pub channel: Option<ChannelArg>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ChannelArg {
    Sms,
    Email,
}

impl ChannelArg {
    pub fn channel(self) -> Channel {
        match self {
            Self::Sms => Channel::Sms,
            Self::Email => Channel::Email,
        }
    }
}

/// An event and where it came from, for messages.
type Found = (String, Result<Event, Rejected>);

impl Choice {
    /// The events.
    ///
    /// # Errors
    /// [`Usage`] when there is no such type, file or locale.
    pub async fn events(&self, house: &House, now: Timestamp) -> anyhow::Result<Vec<Found>> {
        let locale = self.locale.as_deref().map(|locale| known(house, locale)).transpose()?;
        let mut found = self.found(house, now).await?;
        if let Some(locale) = locale {
            for event in found.iter_mut().filter_map(|(_, event)| event.as_mut().ok()) {
                locale.clone_into(&mut event.recipient.locale);
            }
        }
        Ok(found)
    }

    async fn found(&self, house: &House, now: Timestamp) -> anyhow::Result<Vec<Found>> {
        let Some(what) = &self.what else {
            let all = house.catalog.iter().map(|kind| self.of_type(house, kind, now));
            let all = all.collect::<Result<Vec<_>, _>>()?;
            return Ok(all.into_iter().flatten().collect());
        };
        match house.catalog.get(what) {
            Some(kind) => Ok(self.of_type(house, kind, now)?),
            None if what == "-" || Path::new(what).exists() => {
                examples::of_file(house, Path::new(what), now).await
            }
            None => {
                let known: Vec<&str> = house.catalog.iter().map(|kind| kind.name.as_str()).collect();
                let known = known.join(", ");
                Err(Usage(format!("{what}: neither an event type nor a file; types: {known}")).into())
            }
        }
    }

    fn of_type(&self, house: &House, kind: &EventType, now: Timestamp) -> Result<Vec<Found>, Usage> {
        let mut events = examples::of_type(house, kind, now)?;
        if self.extremes {
            events.extend(example::extremes_of_type(kind, &house.catalog, now));
        }
        Ok(events.into_iter().map(|event| (event.id.clone(), Ok(event))).collect())
    }
}

/// A locale that the templates have: `en-US` is `en`.
fn known<'a>(house: &House, locale: &'a str) -> Result<&'a str, Usage> {
    let language = locale.split(['-', '_']).next().unwrap_or(locale);
    if house.templates.locales().any(|known| known == language) {
        return Ok(language);
    }
    let known = house.templates.locales().collect::<Vec<_>>().join(", ");
    Err(Usage(format!("--locale {locale}: the templates have no such folder; locales: {known}")))
}
