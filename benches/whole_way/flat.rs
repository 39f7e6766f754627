//! The worker's own texts as the raw pipeline has them: one flat template a text. They are made of what the shipped templates
//! say of an event whose values are tags, so that both sides send the same.

use handlebars::{Handlebars, no_escape};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shirase::assets::Files;
use shirase::config::Config;
use shirase::event::{Catalog, RawEvent, decode};
use shirase::plan::{Plan, plan};
use shirase::template::{Message, TemplateSet};

use crate::events::TYPE;

/// In the flat templates a tag takes its place.
const TIME: &str = "2026-11-22T06:04:05Z";

/// What the texts say of an event.
#[derive(Serialize, Deserialize)]
pub struct Facts {
    device: Device,
    ip: String,
    location: String,
}

#[derive(Serialize, Deserialize)]
struct Device {
    name: String,
    os: String,
    os_version: String,
    browser: String,
    browser_version: String,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    device: &'a Device,
    ip: &'a str,
    location: &'a str,
    id: &'a str,
    time: String,
}

/// The four templates.
pub struct Flat {
    text: Handlebars<'static>,
    html: Handlebars<'static>,
}

impl Flat {
    pub fn new() -> Self {
        let (Message::Sms { text: sms }, Message::Email { subject, text, html, .. }) =
            (shipped(json!({"phone": "090-1234-5678"})), shipped(json!({"email": "a@example.jp"})))
        else {
            panic!("an SMS and a mail");
        };
        let mut flat = Self { text: Handlebars::new(), html: Handlebars::new() };
        flat.text.register_escape_fn(no_escape);
        for (name, text) in [("sms", sms), ("subject", subject), ("text", text)] {
            flat.text.register_template_string(name, tagged(&text)).expect("a template");
        }
        let html = tagged(&html.expect("the type has HTML"));
        flat.html.register_template_string("html", html).expect("a template");
        flat
    }

    pub fn sms(&self, facts: &Facts, time: Timestamp) -> String {
        self.text.render("sms", &told(facts, "", time, SHORT)).expect("renders")
    }

    /// Subject, text and HTML.
    pub fn mail(&self, facts: &Facts, id: &str, time: Timestamp) -> (String, String, String) {
        let told = told(facts, id, time, LONG);
        let of = |templates: &Handlebars<'_>, name| templates.render(name, &told).expect("renders");
        (of(&self.text, "subject"), of(&self.text, "text"), of(&self.html, "html"))
    }
}

const SHORT: &str = "%-m/%-d %-H:%M";
const LONG: &str = "%Y年%-m月%-d日 %-H時%M分";

fn told<'a>(facts: &'a Facts, id: &'a str, time: Timestamp, form: &str) -> Told<'a> {
    let time = time.to_zoned(TimeZone::fixed(jiff::tz::offset(9))).strftime(form).to_string();
    Told { device: &facts.device, ip: &facts.ip, location: &facts.location, id, time }
}

/// The text with a tag in the place of its time.
fn tagged(text: &str) -> String {
    let time: Timestamp = TIME.parse().expect("a time");
    let time = time.to_zoned(TimeZone::fixed(jiff::tz::offset(9)));
    let forms = [SHORT, LONG].map(|form| time.strftime(form).to_string());
    forms.iter().fold(text.to_owned(), |text, form| text.replace(form, "{{time}}"))
}

/// What the worker would send of an event whose values are tags.
fn shipped(recipient: serde_json::Value) -> Message {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let templates = TemplateSet::load(&Files::embedded("templates"), &catalog).expect("built-in");
    let mut data = json!({
        "recipient": recipient, "ip": "{{ip}}", "location": "{{location}}",
        "device": {"name": "{{name}}", "os": "{{os}}", "os_version": "{{os_version}}", "browser": "{{browser}}",
                   "browser_version": "{{browser_version}}"}
    });
    data["recipient"]["user_id"] = json!("U1");
    let event = json!({
        "specversion": "1.0", "id": "{{id}}", "source": "/bench", "type": TYPE, "time": TIME, "data": data
    });
    let now = TIME.parse().expect("a time");
    let event = decode(&RawEvent::structured(event.to_string()), &catalog, now).expect("good");
    let config = Config::built_in();
    let Ok(Plan::Send(notifications)) = plan(&event, &config.sms.prefixes, now) else {
        panic!("one is told")
    };
    let rendered = templates.render(&event, &notifications, &config.brand).expect("renders");
    rendered.into_iter().next().expect("one notification").message
}
