//! One message of an event, with all that is shown of it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::examples;
use super::super::house::House;
use super::choice::ChannelArg;
use crate::event::Event;
use crate::example::Fate;
use crate::lint::Finding;
use crate::plan::{Contact, Notification};
use crate::template::{Message, Part, RenderError, TemplateSet, segments};

/// A message to look at.
pub(super) struct Sheet {
    pub event: Arc<Event>,
    pub locale: String,
    pub notification: Notification,
    pub fate: Fate,
    pub message: Message,
}

/// Every message of an event, or those on one channel.
///
/// # Errors
/// When one of them does not render.
pub(super) fn sheets(
    house: &House,
    event: Event,
    channel: Option<ChannelArg>,
    now: Timestamp,
) -> Result<Vec<Sheet>, RenderError> {
    let wanted = |notification: &Notification| {
        channel.is_none_or(|wanted| notification.address.channel() == wanted.channel())
    };
    let shown = examples::on_every_channel(house, &event, now).into_iter();
    let (all, fates): (Vec<_>, Vec<_>) =
        shown.filter(|one| wanted(&one.notification)).map(|one| (one.notification, one.fate)).unzip();
    let rendered = examples::render(house, &event, &all)?;
    let locale = house.templates.locale_of(&event).to_owned();
    let event = Arc::new(event);
    let sheet = |((notification, fate), message)| Sheet {
        event: Arc::clone(&event),
        locale: locale.clone(),
        notification,
        fate,
        message,
    };
    let messages = rendered.into_iter().map(|rendered| rendered.message);
    Ok(all.into_iter().zip(fates).zip(messages).map(sheet).collect())
}

impl Sheet {
    /// `security.login-1 · sms · ja · to 090-****-5678, current: …`
    pub fn heading(&self) -> String {
        let (to, why) = self.address();
        let to = to.map(|to| format!("to {to}, ")).unwrap_or_default();
        format!("{} · {} · {} · {to}{why}", self.event.id, self.channel(), self.locale)
    }

    pub fn channel(&self) -> &'static str {
        self.notification.address.channel().as_str()
    }

    /// Told at the old contact of a contact change.
    pub fn is_to_previous(&self) -> bool {
        self.notification.contact == Contact::Previous
    }

    /// The masked address, unless it is nobody's, and why the message goes there or not.
    fn address(&self) -> (Option<String>, String) {
        let to = self.notification.address.to_string();
        let (contact, why) = (self.notification.contact.as_str(), &self.notification.why);
        match &self.fate {
            Fate::Sent => (Some(to), format!("{contact}: {why}")),
            Fate::Fallback => (Some(to), format!("only if {why}")),
            Fate::NotSent(why) => (None, format!("would not be sent: {why}")),
        }
    }

    /// Each part as it is rendered.
    pub fn parts(&self) -> Vec<(Part, &str)> {
        parts(&self.message)
    }

    /// The same message of another set; where it does not render, why not.
    pub fn of_set(&self, set: &TemplateSet, house: &House) -> Result<Message, RenderError> {
        let notifications = [Notification { fallback: None, ..self.notification.clone() }];
        let rendered = set.render(&self.event, &notifications, &house.config.brand)?;
        Ok(rendered.into_iter().map(|one| one.message).next().unwrap_or_else(|| self.message.clone()))
    }

    /// Whether a finding is about a template that this message is made of.
    pub fn is_concerned_by(&self, finding: &Finding) -> bool {
        let (event_type, path) = (&self.event.kind.name, &*finding.place.path);
        let own =
            |(part, _): &(Part, &str)| path == format!("{}/{event_type}/{}", self.locale, part.file_name());
        let shared = || path.starts_with(&format!("{}/_partials/", self.locale));
        self.parts().iter().any(own) || (finding.event_type.as_ref() == Some(event_type) && shared())
    }

    pub fn in_json(&self) -> Value {
        let size = match &self.message {
            Message::Sms { text } => Some(segments(text)),
            Message::Email { .. } => None,
        };
        let (to, why) = self.address();
        json!({
            "event_id": self.event.id, "type": self.event.kind.name, "locale": self.locale, "channel": self.channel(),
            "contact": self.notification.contact.as_str(), "sent": matches!(self.fate, Fate::Sent), "to": to,
            "why": why, "message": self.message, "size": size
        })
    }
}

/// Each part of a message.
pub(super) fn parts(message: &Message) -> Vec<(Part, &str)> {
    match message {
        Message::Sms { text } => vec![(Part::Sms, text)],
        Message::Email { subject, text, html, .. } => {
            let html = html.as_deref().map(|html| (Part::Html, html));
            [(Part::Subject, subject.as_str()), (Part::Text, text)].into_iter().chain(html).collect()
        }
    }
}
