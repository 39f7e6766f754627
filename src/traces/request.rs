//! Spans as the protocol has them, made of the types that OpenTelemetry generates from its definition. Pure.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use prost::bytes::Bytes;

/// What an attribute may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Number(i64),
    Flag(bool),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

pub(super) fn attribute(key: &str, value: Value<'_>) -> KeyValue {
    let value = match value {
        Value::Text(text) => Any::StringValue(text.to_owned()),
        Value::Number(number) => Any::IntValue(number),
        Value::Flag(flag) => Any::BoolValue(flag),
    };
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

/// Who sends the spans.
pub(super) fn resource(service_name: &str) -> Resource {
    let attributes = [("service.name", service_name), ("service.version", env!("CARGO_PKG_VERSION"))];
    let attributes = attributes.map(|(key, value)| attribute(key, value.into())).to_vec();
    Resource { attributes, ..Resource::default() }
}

/// The body of a request.
pub(super) fn encode(resource: &Resource, spans: Vec<Span>) -> Bytes {
    let scope = InstrumentationScope { name: "shirase".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
    let resource = Some(resource.clone());
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
}

/// How many spans of a batch that it took the collector says it refused. Some answer with nothing that reads: those took
/// all of it.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).ok();
    let rejected = answer.and_then(|answer| answer.partial_success).map(|partial| partial.rejected_spans);
    rejected.and_then(|count| u64::try_from(count).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    #[test]
    fn a_batch_is_one_request_that_says_who_sends_it() {
        let spans = ["event", "claim"].map(|name| Span {
            name: name.to_owned(),
            attributes: vec![attribute("shirase.attempt", 2.into()), attribute("shirase.muted", true.into())],
            ..Span::default()
        });
        let body = encode(&resource("house"), spans.to_vec());
        let mut request = ExportTraceServiceRequest::decode(body).expect("as the protocol says");
        let sent = request.resource_spans.remove(0);
        assert_eq!(sent.resource, Some(resource("house")));
        assert_eq!(sent.scope_spans[0].spans, spans);
        let who = sent.resource.expect("is there").attributes.remove(0);
        assert_eq!(who, attribute("service.name", "house".into()));
    }

    #[test]
    fn what_a_collector_took_only_in_part_is_known_and_an_answer_that_says_nothing_took_all() {
        let answer = |rejected_spans| {
            let partial = ExportTracePartialSuccess { rejected_spans, error_message: String::new() };
            ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
        };
        assert_eq!(rejected(&answer(7)), 7);
        for all in [answer(0), answer(-1), Vec::new(), b"{}".to_vec(), b"OK".to_vec()] {
            assert_eq!(rejected(&all), 0, "{all:?}");
        }
    }
}
