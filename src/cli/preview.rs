//! `shirase preview`: the texts that customers would get.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, Usage, examples};
use crate::clock::Clock;
use crate::event::Event;
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
        let events = match house.catalog.get(&self.what) {
            Some(kind) => examples::of_type(&house, kind, now)?,
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
        let mut failed = false;
        for event in &events {
            let notifications: Vec<Notification> = examples::on_every_channel(&house, event, now)
                .into_iter()
                .filter(|one| self.wants(one))
                .collect();
            match examples::render(&house, event, &notifications) {
                Ok(rendered) => {
                    for (notification, rendered) in notifications.iter().zip(rendered) {
                        self.show(event, notification, &rendered.message)?;
                    }
                }
                Err(error) => {
                    failed = true;
                    eprintln!("{}: {error}", event.id);
                }
            }
        }
        Ok(if failed { ExitCode::from(NOT_IN_ORDER) } else { ExitCode::SUCCESS })
    }

    fn wants(&self, notification: &Notification) -> bool {
        match self.channel {
            None => true,
            Some(ChannelArg::Sms) => notification.address.channel() == Channel::Sms,
            Some(ChannelArg::Email) => notification.address.channel() == Channel::Email,
        }
    }

    fn show(&self, event: &Event, notification: &Notification, message: &Message) -> std::io::Result<()> {
        let mut out = stdout().lock();
        let contact = notification.contact.as_str();
        if self.json {
            let size = match message {
                Message::Sms { text } => Some(segments(text)),
                Message::Email { .. } => None,
            };
            let line = json!({
                "event_id": event.id, "type": event.kind.name, "channel": notification.address.channel().as_str(),
                "contact": contact, "message": message, "size": size
            });
            return writeln!(out, "{line}");
        }
        match message {
            Message::Sms { text } => {
                let size = segments(text);
                writeln!(
                    out,
                    "── {} · SMS · {contact} · {} segment(s), {}/{}",
                    event.id, size.segments, size.units, size.limit
                )?;
                writeln!(out, "{text}\n")
            }
            Message::Email { subject, text, html } => {
                let html = html.as_ref().map_or(0, String::len);
                writeln!(out, "── {} · email · {contact} · HTML part: {html} bytes", event.id)?;
                writeln!(out, "Subject: {subject}\n\n{text}\n")
            }
        }
    }
}
