//! The way of an event: decode → plan → render → claim → send → settle, and what becomes of its delivery.
//!
//! [`Dispatcher::dispatch`] is the whole of it; whoever brings the event (a queue, a file, the demo's page) carries out
//! the [`Disposition`]. Nothing is sent before its claim is durable, and no disposition is given before every
//! settlement is.

mod deliver;
mod reason;
mod report;
mod schedule;

use std::time::Instant;

use futures_util::future::join_all;
use jiff::Timestamp;

pub use self::reason::DeadReason;
pub use self::report::{Disposition, NotificationReport, NotificationResult, Report};
pub use self::schedule::{RetryConfig, Schedule};
use crate::clock::Clock;
use crate::event::{Catalog, Event, Lane, RawEvent, decode, peek};
use crate::gateway::Gateways;
use crate::ledger::{
    Claim, ClaimAnswer, Close, EventRecord, EventState, Held, Ledger, LedgerClosed, TargetRecord,
};
use crate::plan::{Address, Notification, Plan, plan};
use crate::telemetry;
use crate::template::{Brand, Rendered, TemplateSet};
use deliver::{Ending, Job};

/// An event as some source delivered it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The message.
    pub raw: RawEvent,
    /// The lane that it came through.
    pub lane: Lane,
    /// How often it was tried before.
    pub attempts: u32,
}

/// All that dispatching an event needs.
pub struct Dispatcher {
    /// Event types.
    pub catalog: Catalog,
    /// Wording.
    pub templates: TemplateSet,
    /// Ways out.
    pub gateways: Gateways,
    /// Memory.
    pub ledger: Ledger,
    /// Time.
    pub clock: Clock,
    /// Who speaks.
    pub brand: Brand,
    /// Prefixes of numbers that get SMS.
    pub prefixes: Vec<String>,
    /// When to try again.
    pub schedule: Schedule,
}

/// An event on its way: what its steps share.
struct Journey<'a> {
    event: &'a Event,
    record: EventRecord,
    lane: Lane,
    /// It is the event's only notification, so settling it closes the event.
    alone: bool,
}

impl Dispatcher {
    /// Takes one event all the way.
    pub async fn dispatch(&self, incoming: &Incoming) -> Report {
        let started = Instant::now();
        let report = match self.way(incoming).await {
            Ok(report) => report,
            // The ledger went away in the middle of a shutdown: the delivery goes back to the broker, unacked.
            Err(LedgerClosed) => Report::new(incoming, self.label(incoming), Disposition::Abandon),
        };
        telemetry::event_ended(&report, started.elapsed());
        report
    }

    async fn way(&self, incoming: &Incoming) -> Result<Report, LedgerClosed> {
        let event = match decode(&incoming.raw, &self.catalog, self.clock.now()) {
            Ok(event) => event,
            Err(rejected) => {
                let dead =
                    Disposition::Dead { reason: DeadReason::Bad(rejected.reason), detail: rejected.detail };
                return Ok(Report::new(incoming, self.label(incoming), dead));
            }
        };
        telemetry::decoded(&event, &self.prefixes);
        let report = Report::of(incoming, &event);
        let record = self.record(incoming, &event);
        let notifications = match plan(&event, &self.prefixes, self.clock.now()) {
            Ok(Plan::Send(notifications)) => notifications,
            Ok(Plan::Muted) => return self.muted(report, record).await,
            Err(error) => return self.dead(report, record, error.into(), error.to_string()).await,
        };
        let rendered = match self.templates.render(&event, &notifications, &self.brand) {
            Ok(rendered) => rendered,
            Err(error) => return self.dead(report, record, DeadReason::Render, error.to_string()).await,
        };

        let journey = Journey { event: &event, record, lane: incoming.lane, alone: notifications.len() == 1 };
        let (claim, claimed_at) = (self.claim(&journey, &notifications), Instant::now());
        let held = match self.ledger.claim(claim).await? {
            ClaimAnswer::Targets(held) => held,
            ClaimAnswer::Duplicate => return Ok(report.told_before(&notifications)),
        };
        let jobs = notifications.iter().zip(rendered).zip(held);
        let endings = join_all(jobs.map(|((notification, rendered), held)| {
            self.notify(&journey, Job { notification, rendered, held, claimed_at })
        }))
        .await;
        let endings = endings.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.conclude(report, journey, endings, incoming.attempts).await
    }

    /// One notification and, when it has failed for good, its fallback.
    async fn notify(&self, journey: &Journey<'_>, job: Job<'_>) -> Result<Vec<Ending>, LedgerClosed> {
        let fallback = job.notification.fallback().zip(job.rendered.fallback.clone());
        let ending = self.deliver(journey, job).await?;
        let Some((next, message)) = fallback.filter(|_| ending.has_failed()) else {
            return Ok(vec![ending]);
        };
        telemetry::fell_back(journey.event, &next);
        let (claim, claimed_at) = (self.claim(journey, std::slice::from_ref(&next)), Instant::now());
        let held = match self.ledger.claim(claim).await? {
            ClaimAnswer::Targets(held) => held.into_iter().next().unwrap_or(Held::Busy),
            ClaimAnswer::Duplicate => Held::Accepted,
        };
        let rendered = Rendered { message, fallback: None };
        let last = self.deliver(journey, Job { notification: &next, rendered, held, claimed_at }).await?;
        Ok(vec![ending.taken_over(), last])
    }

    /// What becomes of the event's delivery, now that every settlement is durable.
    async fn conclude(
        &self,
        mut report: Report,
        journey: Journey<'_>,
        endings: Vec<Vec<Ending>>,
        attempts: u32,
    ) -> Result<Report, LedgerClosed> {
        let endings: Vec<Ending> = endings.into_iter().flatten().collect();
        report.disposition = deliver::disposition(&endings, &self.schedule, attempts);
        let state = match &report.disposition {
            Disposition::Done if endings.iter().any(|ending| ending.closed_event) => None,
            Disposition::Done => Some((EventState::Done, None)),
            Disposition::Dead { reason, .. } => Some((EventState::Dead, Some(reason.as_str()))),
            Disposition::Retry { .. } | Disposition::Abandon => None,
        };
        if let Some((state, reason)) = state {
            let close = Close { event: journey.record, state, reason, now: self.clock.now() };
            if !self.ledger.close_event(close).await? {
                report.disposition = Disposition::Done;
            }
        }
        report.notifications = endings.into_iter().map(|ending| ending.report).collect();
        Ok(report)
    }

    async fn muted(&self, mut report: Report, event: EventRecord) -> Result<Report, LedgerClosed> {
        let close = Close { event, state: EventState::Muted, reason: None, now: self.clock.now() };
        report.muted = self.ledger.close_event(close).await?;
        report.duplicate = !report.muted;
        Ok(report)
    }

    async fn dead(
        &self,
        mut report: Report,
        event: EventRecord,
        reason: DeadReason,
        detail: String,
    ) -> Result<Report, LedgerClosed> {
        let close =
            Close { event, state: EventState::Dead, reason: Some(reason.as_str()), now: self.clock.now() };
        if self.ledger.close_event(close).await? {
            report.disposition = Disposition::Dead { reason, detail };
        } else {
            report.duplicate = true;
        }
        Ok(report)
    }

    fn claim(&self, journey: &Journey<'_>, notifications: &[Notification]) -> Claim {
        let now = self.clock.now();
        let target = |notification: &Notification| TargetRecord {
            target: notification.target(),
            recipient: self.pseudonym(&notification.address),
            template_version: self.templates.version().to_owned(),
        };
        Claim {
            event: journey.record.clone(),
            targets: notifications.iter().map(target).collect(),
            now,
            lease_until: now.saturating_add(deliver::lease(&self.gateways)).unwrap_or(Timestamp::MAX),
        }
    }

    fn record(&self, incoming: &Incoming, event: &Event) -> EventRecord {
        EventRecord {
            key: event.key(),
            id: event.id.clone(),
            event_type: event.kind.name.clone(),
            lane: incoming.lane.as_str(),
            fingerprint: self.ledger.pseudonym(&incoming.raw.body),
        }
    }

    fn pseudonym(&self, address: &Address) -> String {
        match address {
            Address::Sms(phone) => self.ledger.pseudonym(phone.e164().as_bytes()),
            Address::Email(email) => self.ledger.pseudonym(email.as_str().to_ascii_lowercase().as_bytes()),
        }
    }

    /// The event's type as a label, of an event that could not be decoded.
    fn label(&self, incoming: &Incoming) -> String {
        peek(&incoming.raw)
            .1
            .map_or_else(|| "unknown".to_owned(), |name| self.catalog.label(&name).to_owned())
    }
}
