//! What is told of an event and of each step. Names are OpenTelemetry's where it has some, ours otherwise; never anything
//! personal.

use std::future::Future;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::Shared;
use super::origin::Origin;
use super::span::{Begun, Span};
use crate::dispatch::{Disposition, Report};
use crate::event::{Event, RawEvent, Rejected, TraceContext};
use crate::gateway::{Accepted, Failure, Gateway};
use crate::plan::Notification;
use crate::template::TemplateSet;

const EVENT_ID: &str = "cloudevents.event_id";
const EVENT_TYPE: &str = "cloudevents.event_type";
/// Why something failed: one of a closed set.
const ERROR_TYPE: &str = "error.type";

/// An event's trace while it is on its way. Without `[traces]`, and of an event that is not traced, it is nothing, and
/// costs no allocation.
pub(crate) struct Trace<'a> {
    begun: Option<(&'a Shared, Begun)>,
    /// All of it; nothing before it is decoded.
    event: Span<'a>,
    /// It has said already what the event is called.
    named: bool,
}

impl<'a> Trace<'a> {
    pub(super) fn new(begun: Option<(&'a Shared, Begun)>) -> Self {
        Self { begun, event: Span::NONE, named: false }
    }

    /// It shows what the event is, and so whether it is traced.
    pub fn decoded(&mut self, raw: &RawEvent, decoded: Result<&Event, &Rejected>) {
        let Some((shared, begun)) = self.begun else { return };
        let origin = match decoded {
            Ok(event) => Origin::of(event, shared.sample),
            Err(_) => Origin::of_rejected(TraceContext::of_message(raw), shared.sample),
        };
        let Some(origin) = origin else { return };
        self.event = Span::first(&shared.queue, begun, origin, "event");
        if let Ok(event) = decoded {
            // Now, because a panic would leave no other time.
            self.event.set(EVENT_ID, event.id.as_str());
            self.event.set(EVENT_TYPE, event.kind.name.as_str());
            self.named = true;
        }
        let mut decode = self.event.child_from_the_start("decode");
        if let Err(rejected) = decoded {
            decode.set(ERROR_TYPE, rejected.reason.as_str());
            decode.fail(&rejected.in_words());
        }
    }

    /// A step that is waited for.
    pub async fn during<F: Future>(&self, name: &'static str, step: F) -> F::Output {
        let _span = self.event.child(name, SpanKind::Internal);
        step.await
    }

    /// Texts are made.
    pub fn rendering<T>(&self, templates: &TemplateSet, render: impl FnOnce() -> T) -> T {
        let mut span = self.event.child("render", SpanKind::Internal);
        span.set("shirase.template_version", templates.version());
        render()
    }

    /// A gateway is being asked; `attempt` counts the notification's, from 1.
    pub fn attempt(&self, gateway: &Gateway, notification: &Notification, attempt: u32) -> Span<'a> {
        let mut span = self.event.child("attempt", SpanKind::Client);
        span.set("shirase.channel", gateway.channel().as_str());
        span.set("shirase.contact", notification.contact.as_str());
        span.set("shirase.gateway", gateway.name());
        span.set("shirase.attempt", attempt);
        span
    }

    /// The event's way has ended.
    pub fn ended(mut self, report: &Report) {
        if !self.named {
            self.event.set(EVENT_ID, report.event_id.as_deref().unwrap_or_default());
            self.event.set(EVENT_TYPE, report.event_type.as_str());
        }
        self.event.set("shirase.lane", report.lane.as_str());
        self.event.set("shirase.attempt", report.attempts);
        self.event.set("shirase.result", report.result().unwrap_or("abandoned"));
        let said = [
            ("shirase.muted", report.muted),
            ("shirase.held_back", report.held_back.is_some()),
            ("shirase.duplicate", report.duplicate),
            ("shirase.canary", report.canary),
        ];
        for (key, said) in said {
            if said {
                self.event.set(key, true);
            }
        }
        if let Disposition::Dead { reason, detail } = &report.disposition {
            self.event.set(ERROR_TYPE, reason.as_str());
            self.event.fail(detail);
        }
    }
}

impl Span<'_> {
    /// What the gateway made of it.
    pub fn answered(mut self, result: Result<&Accepted, &Failure>) {
        match result {
            Ok(_) => self.set("shirase.outcome", "accepted"),
            Err(failure) => {
                self.set("shirase.outcome", failure.class.as_str());
                self.set(ERROR_TYPE, failure.reason.as_str());
                self.fail(&failure.detail);
            }
        }
    }
}

#[cfg(test)]
mod tests;
