//! What a customer would read of one event, with the texts as they are typed; while those do not parse, with the saved ones.

mod shown;

use std::cmp::Reverse;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::shown::{Shown, Size};
use super::Bench;
use super::api::{Texts, edited};
use super::overview::events;
use super::save::Refusal;
use crate::event::{Event, EventType, RawEvent, decode};
use crate::example::{envelope, on_every_channel};
use crate::template::{TemplateSet, Texts as Rendered, TracedSet};

/// What the page wants to see.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// What was typed and not saved.
    changes: Texts,
    locale: String,
    #[serde(rename = "type")]
    event_type: String,
    /// Of an example or an extreme; the first without one.
    example: Option<String>,
    /// Instead of an example: an event's `data`.
    data: Option<Value>,
}

/// The events of a type that make its longest texts.
#[derive(Serialize)]
struct Longest {
    sms: Option<Worst>,
    mail: Option<Worst>,
}

#[derive(Serialize)]
struct Worst {
    example: String,
    size: Size,
}

pub(super) fn preview(bench: &Bench, asked: &Asked) -> Result<Value, Refusal> {
    let kind = bench.catalog.get(&asked.event_type).ok_or_else(|| unknown("type", &asked.event_type))?;
    let event = event(bench, kind, asked)?;
    let files = edited(bench, &asked.changes)?;
    let parsed = TemplateSet::load(&files, &bench.catalog).ok();
    let stale = parsed.is_none();
    let saved = || TemplateSet::load(&bench.store.files().ok()?, &bench.catalog).ok();
    let Some(set) = parsed.or_else(saved) else {
        return Ok(json!({"stale": true, "messages": []}));
    };
    let Some(locale) = set.locales_of(&kind.name).find(|locale| *locale == asked.locale) else {
        return Err(unknown("locale", &asked.locale));
    };
    let traced = TracedSet::new(&set);
    let shown: Vec<Shown> = shown(bench, &traced, locale, &event);
    Ok(json!({
        "stale": stale, "example": event.id, "messages": shown,
        "longest": longest(bench, &traced, locale, kind)
    }))
}

fn event(bench: &Bench, kind: &Arc<EventType>, asked: &Asked) -> Result<Event, Refusal> {
    if let Some(data) = &asked.data {
        let now = bench.clock.now();
        let raw = RawEvent::structured(envelope(kind, "own-data", now, data).to_string());
        let decoded = decode(&raw, &bench.catalog, now);
        return decoded.map_err(|error| Refusal::Unknown { what: "data", detail: error.to_string() });
    }
    let mut events = events(bench, kind).into_iter().map(|(event, _)| event);
    let wanted = asked.example.as_deref();
    let found = events.find(|event| wanted.is_none_or(|wanted| event.id == wanted));
    found.ok_or_else(|| unknown("example", wanted.unwrap_or_default()))
}

fn shown(bench: &Bench, set: &TracedSet<'_>, locale: &str, event: &Event) -> Vec<Shown> {
    let all = on_every_channel(event, &bench.sms.prefixes, bench.clock.now()).into_iter();
    let from = bench.from.to_string();
    all.map(|one| {
        let texts = set.render(locale, event, &one.notification, &bench.brand);
        Shown::new(event, &one, texts, &from)
    })
    .collect()
}

/// Renders every example and extreme: what is not the longest is of no use here.
fn longest(bench: &Bench, set: &TracedSet<'_>, locale: &str, kind: &EventType) -> Longest {
    let mut longest = Longest { sms: None, mail: None };
    for (event, _) in events(bench, kind) {
        for one in on_every_channel(&event, &bench.sms.prefixes, bench.clock.now()) {
            // What does not render is a finding, with its example.
            let Ok(texts) = set.render(locale, &event, &one.notification, &bench.brand) else { continue };
            let (place, text) = match &texts {
                Rendered::Sms(text) => (&mut longest.sms, text),
                Rendered::Email { text, .. } => (&mut longest.mail, text),
            };
            let worst = Worst { example: event.id.clone(), size: Size::of(text.text()) };
            // Of equals the first: examples come ahead of extremes.
            let all = place.take().into_iter().chain([worst]);
            *place = all.min_by_key(|worst| Reverse(worst.size.units()));
        }
    }
    longest
}

fn unknown(what: &'static str, name: &str) -> Refusal {
    Refusal::Unknown { what, detail: format!("{name}: there is none of that name") }
}
