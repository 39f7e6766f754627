//! The contract for upstream as an AsyncAPI 3 document, made of catalog and schemas: whoever reads it knows what to publish
//! where, and tools can hold a publisher against it. Pure.
//!
//! Source: <https://www.asyncapi.com/docs/reference/specification/v3.0.0>, AMQP bindings 0.3.0. The document describes the
//! worker, so its operations *receive*.

mod schemas;

use serde_json::{Map, Value, json};

use crate::broker::Node;
use crate::event::{Catalog, EventType, MAX_EVENT_BYTES};
use crate::example;

/// The examples' `time`: any will do, as long as the document is the same each time it is made.
const EXAMPLE_TIME: &str = "2026-11-22T06:04:05Z";

const STRUCTURED: &str = "application/cloudevents+json";
const BINDING_VERSION: &str = "0.3.0";

/// Where upstream publishes.
pub struct Intake<'a> {
    /// The topic exchange; the routing key is the event's type.
    pub exchange: &'a str,
    /// The broker's nodes, without credentials.
    pub nodes: Vec<Node>,
}

/// The document.
pub fn document(catalog: &Catalog, intake: &Intake<'_>) -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Shirase: security events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": description(),
            "license": { "name": "MIT OR Apache-2.0" }
        },
        "defaultContentType": STRUCTURED,
        "servers": servers(intake),
        "channels": each(catalog, |kind| (kind.name.clone(), channel(kind, intake))),
        "operations": each(catalog, |kind| (format!("receive.{}", kind.name), operation(kind))),
        "components": { "messages": messages(catalog), "schemas": schemas::all(catalog) }
    })
}

fn description() -> String {
    format!(
        "Security events that a customer is told of by SMS or email.\n\n\
         - A CloudEvents 1.0 event a message, UTF-8, at most {} KiB: structured mode, or binary mode with its attributes in \
         headers that begin with `ce-`, `cloudEvents_` or `cloudEvents:`.\n\
         - Publish to the exchange with the event's `type` as routing key: persistent, mandatory, with publisher confirms. What \
         the broker has confirmed is not lost.\n\
         - `source` and `id` identify an event: the same pair again is the same event, whatever its body, and tells nobody \
         twice.\n\
         - `expires` (RFC 3339) says until when it is worth telling; without it the type's own age counts.\n\
         - `traceparent` (W3C Trace Context), as an attribute or a header, is continued.\n\
         - What cannot be used goes to the dead-letter queue with its reason. `shirase validate FILE` says the same before \
         anything is published.",
        MAX_EVENT_BYTES / 1024
    )
}

fn each(catalog: &Catalog, one: impl Fn(&EventType) -> (String, Value)) -> Map<String, Value> {
    catalog.iter().map(|kind| one(kind)).collect()
}

fn servers(intake: &Intake<'_>) -> Map<String, Value> {
    let server = |(index, node): (usize, &Node)| {
        let protocol = if node.tls { "amqps" } else { "amqp" };
        let path = format!("/{}", node.vhost.replace('/', "%2f"));
        let server = json!({
            "host": node.host, "pathname": path, "protocol": protocol, "protocolVersion": "0-9-1",
            "security": [{ "type": "userPassword" }]
        });
        (format!("node-{}", index + 1), server)
    };
    intake.nodes.iter().enumerate().map(server).collect()
}

fn channel(kind: &EventType, intake: &Intake<'_>) -> Value {
    let vhost = intake.nodes.first().map_or("/", |node| node.vhost.as_str());
    let exchange = json!({
        "name": intake.exchange, "type": "topic", "durable": true, "autoDelete": false, "vhost": vhost
    });
    json!({
        "address": kind.name,
        "title": kind.schema.title(),
        "description": kind.schema.description(),
        "messages": {
            "structured": { "$ref": format!("#/components/messages/{}", kind.name) },
            "binary": { "$ref": format!("#/components/messages/{}.binary", kind.name) }
        },
        "bindings": { "amqp": { "is": "routingKey", "exchange": exchange, "bindingVersion": BINDING_VERSION } },
        "x-shirase": {
            "lane": kind.policy.lane.as_str(),
            "max_age_seconds": kind.policy.max_age.signed().as_secs(),
            "user_may_choose": kind.policy.user_may_choose,
            "user_may_mute": kind.policy.user_may_mute
        }
    })
}

fn operation(kind: &EventType) -> Value {
    let message = |mode: &str| json!({ "$ref": format!("#/channels/{}/messages/{mode}", kind.name) });
    json!({
        "action": "receive",
        "channel": { "$ref": format!("#/channels/{}", kind.name) },
        "summary": kind.schema.title(),
        "messages": [message("structured"), message("binary")],
        "bindings": {
            "amqp": { "deliveryMode": 2, "mandatory": true, "ack": true, "bindingVersion": BINDING_VERSION }
        }
    })
}

fn messages(catalog: &Catalog) -> Map<String, Value> {
    let both = |kind: &EventType| {
        [(kind.name.clone(), structured(kind)), (format!("{}.binary", kind.name), in_headers(kind))]
    };
    catalog.iter().flat_map(|kind| both(kind)).collect()
}

fn structured(kind: &EventType) -> Value {
    let own = json!({
        "properties": { "type": { "const": kind.name }, "data": schemas::of(kind) }
    });
    let examples = examples(kind).map(|(name, event)| json!({ "name": name, "payload": event }));
    json!({
        "name": kind.name,
        "title": kind.schema.title(),
        "summary": kind.schema.description(),
        "contentType": STRUCTURED,
        "payload": { "allOf": [schemas::envelope(), own] },
        "examples": examples.collect::<Vec<_>>()
    })
}

fn in_headers(kind: &EventType) -> Value {
    let examples = examples(kind).map(|(name, event)| {
        let attributes = event.as_object().into_iter().flatten();
        let attributes = attributes.filter(|(name, _)| !["data", "datacontenttype"].contains(&name.as_str()));
        let headers: Map<String, Value> =
            attributes.map(|(name, value)| (format!("ce-{name}"), value.clone())).collect();
        json!({ "name": name, "headers": headers, "payload": event["data"] })
    });
    json!({
        "name": kind.name,
        "title": format!("{} (binary mode)", kind.schema.title()),
        "summary": kind.schema.description(),
        "contentType": "application/json",
        "headers": schemas::headers(kind),
        "payload": schemas::of(kind),
        "examples": examples.collect::<Vec<_>>()
    })
}

/// The schema's own examples as whole events.
fn examples(kind: &EventType) -> impl Iterator<Item = (String, Value)> {
    kind.schema.examples().iter().enumerate().map(|(index, data)| {
        let name = format!("{}-{}", kind.name, index + 1);
        let event = example::envelope(kind, &name, EXAMPLE_TIME, data);
        (name, event)
    })
}

#[cfg(test)]
mod tests;
