//! `shirase explain`: why an event would go where.

use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::house::House;
use super::{ConfigArg, NOT_IN_ORDER, examples};
use crate::clock::Clock;
use crate::dispatch::{DeadReason, reference};
use crate::event::{Collapse, Event, Given, NotifyWhen, RawEvent, decode, peek};
use crate::gateway::SmsGatewayConfig;
use crate::plan::{Address, Notification, Plan, plan};
use crate::template::{Message, segments};

/// Show for each event of a file what would happen and why: policy, route, masked address, gateway order, segments.
#[derive(clap::Args)]
pub(super) struct Explain {
    /// A file of events, `-` for standard input
    file: PathBuf,
    /// One JSON object an event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

impl Explain {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let house = House::load(self.config.config.as_deref())?;
        let mut in_order = true;
        for (line, raw) in examples::read(&self.file).await? {
            let explained = explain(&house, &raw);
            in_order &= explained["result"] == "send" || explained["result"] == "muted";
            let mut out = stdout().lock();
            if self.json {
                let mut explained = explained;
                explained["line"] = line.into();
                writeln!(out, "{explained}")?;
            } else {
                write!(out, "{}", in_words(line, &explained))?;
            }
        }
        Ok(if in_order { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }
}

fn explain(house: &House, raw: &RawEvent) -> Value {
    let now = Clock::system().now();
    let event = match decode(raw, &house.catalog, now) {
        Ok(event) => event,
        Err(rejected) => {
            let (id, event_type) = peek(raw);
            let reason = rejected.reason.as_str();
            return json!({
                "event_id": id, "type": event_type, "result": "dead", "reason": reason, "detail": rejected.in_words()
            });
        }
    };
    let mut explained = json!({
        "event_id": event.id, "type": event.kind.name, "lane": event.kind.policy.lane.as_str(),
        "rules": rules(house, &event), "deadline": event.deadline.to_string(), "phone": phone(&event), "locale": house.templates.locale_of(&event)
    });
    let (result, detail) = match plan(&event, &house.config.sms.prefixes, now) {
        Err(error) => {
            explained["reason"] = DeadReason::from(error).as_str().into();
            ("dead", Value::from(error.to_string()))
        }
        Ok(Plan::Muted) => ("muted", "the customer's settings say none, and policy allows it".into()),
        Ok(Plan::Send(notifications)) => {
            match house.templates.render(&event, &notifications, &house.config.brand) {
                Err(error) => {
                    explained["reason"] = DeadReason::Render.as_str().into();
                    ("dead", error.to_string().into())
                }
                Ok(rendered) => {
                    let routes = notifications
                        .iter()
                        .zip(&rendered)
                        .map(|(one, rendered)| route(house, &event, one, &rendered.message));
                    explained["notifications"] = routes.collect();
                    ("send", Value::Null)
                }
            }
        }
    };
    explained["result"] = result.into();
    explained["detail"] = detail;
    explained
}

/// What protects the recipient from too many of this type. Whether it holds this event back, only the ledger can say.
fn rules(house: &House, event: &Event) -> Vec<String> {
    let policy = &event.kind.policy;
    let mut rules = Vec::new();
    if policy.notify_when == NotifyWhen::NewDevice {
        rules.push("told when the device differs from the one of this user's last login".to_owned());
    }
    if let Some(Collapse { max, window }) = policy.collapse {
        rules.push(format!("{max} told within {window} per recipient; what is over becomes one summary"));
    }
    match house.config.sms.day_limit {
        0 => {}
        limit if policy.counts_sms() => {
            rules.push(format!("{limit} SMS per number and day, then the fallback"));
        }
        _ => rules.push("exempt from sms.day_limit".to_owned()),
    }
    rules
}

fn phone(event: &Event) -> String {
    match &event.recipient.phone {
        Given::Absent => "none".to_owned(),
        Given::Unusable(error) => format!("unusable: {error}"),
        Given::Usable(phone) => format!("{phone} ({})", phone.kind().in_words()),
    }
}

fn route(house: &House, event: &Event, notification: &Notification, message: &Message) -> Value {
    let channel = notification.address.channel();
    let reference = reference(&event.key(), &notification.target());
    let (gateways, size): (Vec<Value>, _) = match message {
        Message::Sms { text } => {
            let sms = &house.config.sms;
            let named = |name: &str| sms.gateways.iter().find(|gateway| gateway.common.name == name);
            let in_order = sms.order(&reference).into_iter().filter_map(named);
            (in_order.map(|gateway| gateway_with(gateway, text)).collect(), Some(segments(text)))
        }
        Message::Email { .. } => {
            let in_order = house.config.email.order(&reference).into_iter();
            (in_order.map(|name| json!({"name": name})).collect(), None)
        }
    };
    let names: Vec<&Value> = gateways.iter().map(|gateway| &gateway["name"]).collect();
    json!({
        "channel": channel.as_str(), "contact": notification.contact.as_str(), "to": notification.address.to_string(),
        "why": notification.why.to_string(), "gateways": names, "size": size, "routes": gateways,
        "fallback": notification.fallback.as_ref().map(|address: &Address| format!("{} {address}", address.channel().as_str()))
    })
}

/// What a text takes as this gateway sends it, or why it cannot carry it.
fn gateway_with(gateway: &SmsGatewayConfig, text: &str) -> Value {
    let name = &gateway.common.name;
    match gateway.size(text) {
        Ok(size) => json!({"name": name, "segments": size.segments}),
        Err(failure) => json!({"name": name, "cannot_carry": failure.to_string()}),
    }
}

fn route_in_words(route: &Value) -> String {
    let name = route["name"].as_str().unwrap_or("-");
    match (&route["segments"], route["cannot_carry"].as_str()) {
        (_, Some(why)) => format!("{name} (cannot carry it: {why})"),
        (Value::Number(count), None) => format!("{name} ({count} segment(s))"),
        _ => name.to_owned(),
    }
}

fn in_words(line: usize, explained: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let mut words = format!("line {line}: {} {}\n", text(&explained["type"]), text(&explained["event_id"]));
    let mut fact = |name: &str, value: String| words.push_str(&format!("  {name:<9} {value}\n"));
    match explained["result"].as_str() {
        Some("send") => {
            fact("lane", text(&explained["lane"]));
            fact("deadline", text(&explained["deadline"]));
            fact("phone", text(&explained["phone"]));
            fact("locale", text(&explained["locale"]));
            for rule in explained["rules"].as_array().into_iter().flatten() {
                fact("rule", text(rule));
            }
        }
        Some(result) => {
            let reason = explained["reason"].as_str().map(|reason| format!("{reason}: ")).unwrap_or_default();
            fact(result, format!("{reason}{}", text(&explained["detail"])));
        }
        None => {}
    }
    for one in explained["notifications"].as_array().into_iter().flatten() {
        let routes: Vec<String> =
            one["routes"].as_array().into_iter().flatten().map(route_in_words).collect();
        let fallback = one["fallback"].as_str().map(|to| format!(", then {to}")).unwrap_or_default();
        let to = format!("{} to {} ({})", text(&one["channel"]), text(&one["to"]), text(&one["contact"]));
        fact("→", format!("{to} via {}{fallback}: {}", routes.join(", then "), text(&one["why"])));
    }
    words
}
