//! `shirase validate`: would the worker take these events? For upstream's own tests.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use serde::Serialize;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, examples};
use crate::clock::Clock;
use crate::event::{Catalog, RawEvent, decode, peek};

/// Decode events as the worker does, and say for each that it is taken, or why not: reason and JSON pointer. Sends nothing.
///
/// Whether its customer can be reached is another question: `shirase explain` answers it.
#[derive(clap::Args)]
pub(super) struct Validate {
    /// A file of events, `-` for standard input: JSON Lines, one document, or an array
    file: PathBuf,
    /// A header that each message carries, for binary mode, where the file holds `data`: ce-id=1; may be given several times
    #[arg(long = "header", value_name = "NAME=VALUE")]
    headers: Vec<Header>,
    /// The messages' content type
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// One JSON object an event, each on a line of its own
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// `ce-id=1`
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header(String, String);

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').ok_or("is no header; write NAME=VALUE")?;
        Ok(Self(name.to_owned(), value.to_owned()))
    }
}

/// What is said of one event. Nothing of its data.
#[derive(Serialize)]
struct Judged {
    line: usize,
    ok: bool,
    event_id: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    reason: Option<&'static str>,
    pointer: Option<String>,
    detail: Option<String>,
}

impl Validate {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (_, catalog) = House::without_templates(self.config.config.as_deref())?;
        let headers: BTreeMap<String, String> =
            self.headers.iter().map(|Header(name, value)| (name.clone(), value.clone())).collect();
        let entries = examples::read(&self.file).await?;
        let mut out = stdout().lock();
        let (mut taken, count) = (0, entries.len());
        for (line, raw) in entries {
            let raw = RawEvent { content_type: self.content_type.clone(), headers: headers.clone(), ..raw };
            let judged = Judged::of(line, &raw, &catalog);
            taken += usize::from(judged.ok);
            if self.json {
                writeln!(out, "{}", serde_json::to_string(&judged)?)?;
            } else {
                writeln!(out, "{}:{}", self.file.display(), judged.in_words())?;
            }
        }
        if !self.json {
            writeln!(out, "{taken} of {count} events would be taken")?;
        }
        Ok(if taken == count { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }
}

impl Judged {
    fn of(line: usize, raw: &RawEvent, catalog: &Catalog) -> Self {
        let (event_id, event_type) = peek(raw);
        let judged = Self { line, ok: true, event_id, event_type, reason: None, pointer: None, detail: None };
        match decode(raw, catalog, Clock::system().now()) {
            Ok(_) => judged,
            Err(rejected) => Self {
                ok: false,
                reason: Some(rejected.reason.as_str()),
                pointer: rejected.pointer,
                detail: Some(rejected.detail),
                ..judged
            },
        }
    }

    /// `3: schema: /data/device/os: is not of type "string"`
    fn in_words(&self) -> String {
        let said = |text: &Option<String>| text.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        let Some(reason) = self.reason else {
            return format!("{}: ok:{}{}", self.line, said(&self.event_type), said(&self.event_id));
        };
        let place = self.pointer.as_ref().map(|pointer| format!(" {pointer}:")).unwrap_or_default();
        format!("{}: {reason}:{place}{}", self.line, said(&self.detail))
    }
}
