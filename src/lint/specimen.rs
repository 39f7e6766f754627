//! A message as a customer would read it, and the event that it is made of.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::Premises;
use super::html::Html;
use crate::event::{Event, EventType};
use crate::example;
use crate::plan::Notification;
use crate::template::{RenderError, Texts, Traced, TracedSet};

/// One rendered message of an example or an extreme.
pub struct Specimen {
    /// Whose locale's templates it is made of.
    pub locale: String,
    /// Made of an extreme of the schema, not of an example.
    pub extreme: bool,
    /// The event; its `id` names the example.
    pub event: Event,
    /// To whom.
    pub notification: Notification,
    /// The texts, or why there are none.
    pub texts: Result<Texts, RenderError>,
    /// The HTML part, read when the first rule asks for it.
    html: OnceCell<Html>,
}

impl Specimen {
    /// The HTML part as mail programs read it, if there is one.
    pub fn html(&self) -> Option<&Html> {
        match &self.texts {
            Ok(Texts::Email { html: Some(html), .. }) => {
                Some(self.html.get_or_init(|| Html::read(html.text())))
            }
            _ => None,
        }
    }

    /// The SMS, if it is one and renders.
    pub fn sms(&self) -> Option<&Traced> {
        match &self.texts {
            Ok(Texts::Sms(text)) => Some(text),
            _ => None,
        }
    }
}

/// Every message of a type in a locale: each example and each extreme on each channel.
pub(super) fn specimens(
    premises: &Premises<'_>,
    set: &TracedSet<'_>,
    kind: &EventType,
    locale: &str,
    now: Timestamp,
) -> Vec<Specimen> {
    let events = example::all_of_type(kind, premises.catalog, now).into_iter();
    // The longest summary too, where there are any.
    let summary = |(event, extreme): (Event, bool)| {
        let summary = kind.policy.collapse.filter(|_| extreme).map(|_| summary_of(&event));
        [(event, extreme)].into_iter().chain(summary.map(|summary| (summary, true)))
    };
    let events = events.flat_map(summary);
    events.flat_map(|(event, extreme)| of_event(premises, set, locale, &event, extreme, now)).collect()
}

/// As many as will ever be held back within a window.
const MANY: u32 = 999;

fn summary_of(event: &Event) -> Event {
    Event { id: format!("{}-and-{MANY}-others", event.id), others: Some(MANY), ..event.clone() }
}

/// Every message of one event in a locale.
fn of_event(
    premises: &Premises<'_>,
    set: &TracedSet<'_>,
    locale: &str,
    event: &Event,
    extreme: bool,
    now: Timestamp,
) -> Vec<Specimen> {
    let shown = example::on_every_channel(event, &premises.sms.prefixes, now);
    let specimen = |one: example::Shown| Specimen {
        texts: set.render(locale, event, &one.notification, premises.brand),
        locale: locale.to_owned(),
        extreme,
        event: event.clone(),
        notification: one.notification,
        html: OnceCell::new(),
    };
    shown.into_iter().map(specimen).collect()
}
