//! Events made of the schemas' examples, and events read from a file: what preview, check, explain and demo work on.

use std::path::Path;

use jiff::Timestamp;

use super::Usage;
use super::house::House;
use crate::broker::EventFile;
use crate::event::{Event, EventType, RawEvent, Rejected, decode};
use crate::example::{self, Shown};
use crate::plan::Notification;
use crate::template::Rendered;

/// The examples of one type, decoded as if they had just happened.
pub(super) fn of_type(house: &House, kind: &EventType, now: Timestamp) -> Result<Vec<Event>, Usage> {
    let name = &kind.name;
    example::of_type(kind, &house.catalog, now).map_err(|error| Usage(format!("{name}: {error}")))
}

/// The notifications of an event, and one on each channel that it would not take.
pub(super) fn on_every_channel(house: &House, event: &Event, now: Timestamp) -> Vec<Shown> {
    example::on_every_channel(event, &house.config.sms.prefixes, now)
}

/// The entries of a file, `-` for standard input, with their places; what is no event is rejected there.
pub(super) async fn of_file(
    house: &House,
    file: &Path,
    now: Timestamp,
) -> anyhow::Result<Vec<(String, Result<Event, Rejected>)>> {
    let entries = read(file).await?.into_iter();
    let place = |line: usize| format!("{}:{line}", file.display());
    Ok(entries.map(|(line, raw)| (place(line), decode(&raw, &house.catalog, now))).collect())
}

/// The entries of a file, undecoded, with their lines.
pub(super) async fn read(file: &Path) -> anyhow::Result<Vec<(usize, RawEvent)>> {
    let failed = |error: std::io::Error| Usage(format!("{}: {error}", file.display()));
    let input: Box<dyn tokio::io::AsyncBufRead + Unpin> = if file == Path::new("-") {
        Box::new(tokio::io::BufReader::new(tokio::io::stdin()))
    } else {
        Box::new(tokio::io::BufReader::new(tokio::fs::File::open(file).await.map_err(failed)?))
    };
    let mut entries = EventFile::new(input);
    let mut events = Vec::new();
    while let Some(entry) = entries.next().await.map_err(failed)? {
        events.push((entry.line, RawEvent::structured(entry.body)));
    }
    if events.is_empty() {
        return Err(Usage(format!("{}: holds no event", file.display())).into());
    }
    Ok(events)
}

/// Renders notifications of an event.
pub(super) fn render(
    house: &House,
    event: &Event,
    notifications: &[Notification],
) -> Result<Vec<Rendered>, crate::template::RenderError> {
    house.templates.render(event, notifications, &house.config.brand)
}
