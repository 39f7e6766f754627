//! A message as the page draws it.

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;

use crate::event::Event;
use crate::example;
use crate::example::Fate;
use crate::template::{Place, RenderError, Segments, Texts, borders, segments};

/// One message, and to whom it would go.
#[derive(Serialize)]
pub(super) struct Shown {
    channel: &'static str,
    contact: &'static str,
    /// Nobody's where it would not be sent.
    to: Option<String>,
    /// `sent`, `fallback`, `not_sent`.
    fate: &'static str,
    why: String,
    #[serde(flatten)]
    text: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Text {
    /// The texts of its segments, and how long it is.
    Sms {
        parts: Vec<String>,
        size: Size,
    },
    Mail {
        headers: Vec<(&'static str, String)>,
        subject: String,
        text: String,
        html: Option<String>,
    },
    /// It would be a dead letter.
    Failed {
        #[serde(flatten)]
        place: Place,
        what: String,
    },
}

/// How long a text is, as people and as gateways count.
#[derive(Serialize)]
pub(super) struct Size {
    /// What a reader calls characters.
    characters: usize,
    #[serde(flatten)]
    segments: Segments,
}

impl Size {
    pub fn of(text: &str) -> Self {
        Self { characters: text.graphemes(true).count(), segments: segments(text) }
    }

    pub fn units(&self) -> usize {
        self.segments.units
    }
}

/// The text of each segment.
fn parts(text: &str) -> Vec<String> {
    let ends = borders(text).into_iter().chain([text.len()]);
    let mut start = 0;
    ends.map(|end| text[std::mem::replace(&mut start, end)..end].to_owned()).collect()
}

impl Shown {
    pub fn new(event: &Event, one: &example::Shown, texts: Result<Texts, RenderError>, from: &str) -> Self {
        let notification = &one.notification;
        let to = notification.address.to_string();
        let text = match texts {
            Ok(Texts::Sms(text)) => Text::Sms { parts: parts(text.text()), size: Size::of(text.text()) },
            Ok(Texts::Email { subject, text, html }) => Text::Mail {
                headers: headers(event, from, &to, subject.text()),
                subject: subject.text().to_owned(),
                text: text.text().to_owned(),
                html: html.map(|html| html.text().to_owned()),
            },
            Err(error) => failed(error),
        };
        let (fate, to, why) = match &one.fate {
            Fate::Sent => ("sent", Some(to), notification.why.to_string()),
            Fate::Fallback => ("fallback", Some(to), notification.why.to_string()),
            Fate::NotSent(why) => ("not_sent", None, why.clone()),
        };
        let (channel, contact) = (notification.address.channel().as_str(), notification.contact.as_str());
        Self { channel, contact, to, fate, why, text }
    }
}

/// What a customer's mail program shows of them; the worker adds what relays want.
fn headers(event: &Event, from: &str, to: &str, subject: &str) -> Vec<(&'static str, String)> {
    let date = event.time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    [
        ("From", from.to_owned()),
        ("To", to.to_owned()),
        ("Subject", subject.to_owned()),
        ("Date", date),
        ("Auto-Submitted", "auto-generated".to_owned()),
    ]
    .into()
}

fn failed(error: RenderError) -> Text {
    match error {
        RenderError::Failed { place, detail } => Text::Failed { place, what: detail },
        RenderError::Empty { place } => Text::Failed { place, what: "renders to nothing".to_owned() },
        RenderError::Lines { place } => {
            Text::Failed { place, what: "renders to more than one line".to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_counts_to_the_end_of_the_last_segment() {
        for (text, characters, left) in [
            ("あ".repeat(68), 68, 2),
            ("あ".repeat(70), 70, 0),
            ("あ".repeat(71), 71, 63),
            ("か\u{3099}".repeat(10), 10, 50),
            // The pair does not fit behind 66 characters, so the second part begins with it.
            (format!("{}𠮷{}", "あ".repeat(66), "あ".repeat(5)), 72, 60),
        ] {
            let size = Size::of(&text);
            assert_eq!((size.characters, size.segments.left), (characters, left), "{text}");
        }
    }
}
