use std::collections::BTreeSet;

use super::*;
use crate::assets::Files;

fn built_in() -> Value {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let node = Node { host: "mq.example.jp:5671".to_owned(), tls: true, vhost: "/".to_owned() };
    document(&catalog, &Intake { exchange: "security.events", nodes: vec![node] })
}

fn references<'a>(node: &'a Value, into: &mut BTreeSet<&'a str>) {
    match node {
        Value::Object(fields) => {
            into.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, into)),
        _ => {}
    }
}

#[test]
fn every_type_has_a_channel_an_operation_and_a_message_for_each_mode() {
    let document = built_in();
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    for kind in catalog.iter() {
        let channel = &document["channels"][&kind.name];
        assert_eq!(channel["address"], kind.name.as_str());
        assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "security.events");
        assert_eq!(document["operations"][format!("receive.{}", kind.name)]["action"], "receive");
        for message in [kind.name.clone(), format!("{}.binary", kind.name)] {
            let message = &document["components"]["messages"][&message];
            let examples = message["examples"].as_array().expect("examples");
            assert_eq!(examples.len(), kind.schema.examples().len(), "{message}");
        }
    }
    assert_eq!(document["servers"]["node-1"]["host"], "mq.example.jp:5671");
    assert_eq!(document["servers"]["node-1"]["protocol"], "amqps");
    assert_eq!(document["servers"]["node-1"]["pathname"], "/%2f");
}

#[test]
fn every_reference_leads_somewhere_in_the_document() {
    let document = built_in();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 30, "{found:?}");
    for reference in found {
        let pointer =
            reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}: leaves the document"));
        assert!(document.pointer(pointer).is_some(), "{reference}: leads nowhere");
    }
}

#[test]
fn each_example_is_an_event_that_the_worker_takes_in_both_modes() {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let now = EXAMPLE_TIME.parse().expect("a time");
    let document = built_in();
    for (name, message) in document["components"]["messages"].as_object().expect("messages") {
        for example in message["examples"].as_array().into_iter().flatten() {
            let headers = example["headers"].as_object().into_iter().flatten();
            let raw = crate::event::RawEvent {
                body: example["payload"].to_string().into_bytes(),
                content_type: message["contentType"].as_str().map(str::to_owned),
                headers: headers
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").to_owned()))
                    .collect(),
            };
            let event =
                crate::event::decode(&raw, &catalog, now).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(message["name"], event.kind.name.as_str());
        }
    }
}
