//! `shirase preview`: the texts that customers would get.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use jiff::Timestamp;
use serde_json::json;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, Usage, examples};
use crate::clock::Clock;
use crate::event::Event;
use crate::example::Fate;
use crate::plan::{Channel, Notification};
use crate::template::{Message, segments};

/// Show the texts of an event type's examples, or of the events in a file.
#[derive(clap::Args)]
pub(super) struct Preview {
    /// An event type (security.login.new_device), or a file of events, `-` for standard input
    #[arg(value_name = "TYPE|FILE")]
    what: String,
    /// Only this channel
    #[arg(long)]
    channel: Option<ChannelArg>,
    /// One JSON object a message
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum ChannelArg {
    Sms,
    Email,
}

impl Preview {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let house = House::load(self.config.config.as_deref())?;
        let now = Clock::system().now();
        let mut in_order = true;
        let events = match house.catalog.get(&self.what) {
            Some(kind) => {
                let events = examples::of_type(&house, kind, now)?;
                events.into_iter().map(|event| (event.id.clone(), Ok(event))).collect()
            }
            None if self.what == "-" || Path::new(&self.what).exists() => {
                examples::of_file(&house, &PathBuf::from(&self.what), now).await?
            }
            None => {
                let known: Vec<&str> = house.catalog.iter().map(|kind| kind.name.as_str()).collect();
                let message =
                    format!("{}: neither an event type nor a file; types: {}", self.what, known.join(", "));
                return Err(Usage(message).into());
            }
        };
        for (place, event) in &events {
            let shown = match event {
                Ok(event) => self.event(&house, event, now)?,
                Err(rejected) => Err(rejected.to_string()),
            };
            if let Err(problem) = shown {
                in_order = false;
                eprintln!("{place}: {problem}");
            }
        }
        Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }

    /// Shows the texts of one event; the inner error is the event's, the outer one the terminal's.
    fn event(&self, house: &House, event: &Event, now: Timestamp) -> std::io::Result<Result<(), String>> {
        let shown = examples::on_every_channel(house, event, now).into_iter();
        let (all, fates): (Vec<_>, Vec<_>) =
            shown.filter(|one| self.wants(&one.notification)).map(|one| (one.notification, one.fate)).unzip();
        let rendered = match examples::render(house, event, &all) {
            Ok(rendered) => rendered,
            Err(error) => return Ok(Err(error.to_string())),
        };
        for ((notification, fate), rendered) in all.iter().zip(&fates).zip(rendered) {
            self.show(event, notification, fate, &rendered.message)?;
        }
        Ok(Ok(()))
    }

    fn wants(&self, notification: &Notification) -> bool {
        match self.channel {
            None => true,
            Some(ChannelArg::Sms) => notification.address.channel() == Channel::Sms,
            Some(ChannelArg::Email) => notification.address.channel() == Channel::Email,
        }
    }

    fn show(
        &self,
        event: &Event,
        notification: &Notification,
        fate: &Fate,
        message: &Message,
    ) -> std::io::Result<()> {
        let mut out = stdout().lock();
        let (channel, contact) = (notification.address.channel().as_str(), notification.contact.as_str());
        let size = match message {
            Message::Sms { text } => Some(segments(text)),
            Message::Email { .. } => None,
        };
        let to = notification.address.to_string();
        let (to, why) = match fate {
            Fate::Sent => (Some(to), format!("{contact}: {}", notification.why)),
            Fate::Fallback => (Some(to), format!("only if {}", notification.why)),
            Fate::NotSent(why) => (None, format!("would not be sent: {why}")),
        };
        if self.json {
            let line = json!({
                "event_id": event.id, "type": event.kind.name, "channel": channel, "contact": contact,
                "sent": matches!(fate, Fate::Sent), "to": to, "why": why, "message": message, "size": size
            });
            return writeln!(out, "{line}");
        }
        let to = to.map(|to| format!("to {to}, ")).unwrap_or_default();
        writeln!(out, "── {} · {channel} · {to}{why}", event.id)?;
        match (message, size) {
            (Message::Sms { text }, Some(size)) => {
                writeln!(
                    out,
                    "{text}\n[{} segment(s), {} of {} units]\n",
                    size.segments, size.units, size.limit
                )
            }
            (Message::Sms { text }, None) => writeln!(out, "{text}\n"),
            (Message::Email { subject, text, html, .. }, _) => {
                let html = html
                    .as_ref()
                    .map_or("no HTML part".to_owned(), |html| format!("HTML part of {} bytes", html.len()));
                writeln!(out, "Subject: {subject}\n\n{text}\n[{html}]\n")
            }
        }
    }
}
