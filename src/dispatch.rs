//! The way of an event: decode → plan → render → claim → send → settle, and what becomes of its delivery.
//!
//! [`Dispatcher::dispatch`] is the whole of it; whoever brings the event (a queue, a file, the demo's page) carries out
//! the [`Disposition`]. Nothing is sent before its claim is durable, and no disposition is given before every
//! settlement is.

mod canary;
mod deliver;
mod disposition;
mod pass;
mod reason;
mod report;
mod rules;
mod schedule;
mod underway;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use ring::digest;

pub use self::disposition::{Burial, Disposition};
pub use self::reason::DeadReason;
pub use self::report::{NotificationReport, NotificationResult, Report};
pub use self::rules::Protection;
pub use self::schedule::{RetryConfig, Schedule};
pub use self::underway::Underway;
use crate::canary::Canary;
use crate::clock::Clock;
use crate::crash::{self, Point};
use crate::event::{Catalog, Event, Lane, RawEvent, Rejected, decode, peek};
use crate::gateway::{Gateway, Gateways};
use crate::hex::hex;
pub use crate::ledger::Revive;
use crate::ledger::{
    Claim, ClaimAnswer, Close, EventRecord, EventState, Held, HeldBack, Ledger, LedgerClosed, Pseudonyms,
    TargetRecord,
};
use crate::plan::{Address, Notification, Plan, plan};
use crate::telemetry;
use crate::template::{Brand, Rendered, TemplateSet};
use crate::traces::{Trace, Traces};
use crate::wording::Wording;
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
    /// Whether it begins anew if it was given up before.
    pub revive: Revive,
}

/// All that dispatching an event needs.
pub struct Dispatcher {
    /// Event types.
    pub catalog: Catalog,
    /// Wording.
    pub templates: Arc<Wording>,
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
    /// When the other channel takes over from one in lasting trouble.
    pub fallback_after: Duration,
    /// How long an event is kept in case a receipt says that its message was not delivered.
    pub keep_for: Duration,
    /// What protects recipients.
    pub protection: Protection,
    /// What is being worked on.
    pub underway: Underway,
    /// What this worker sends itself, where it does.
    pub canary: Option<Canary>,
    /// Where the time goes.
    pub traces: Traces,
}

/// An event on its way: what its steps share.
struct Journey<'a> {
    trace: &'a Trace<'a>,
    incoming: &'a Incoming,
    event: &'a Event,
    record: EventRecord,
    pseudonyms: Pseudonyms,
    /// It is the event's only notification, so settling it closes the event.
    alone: bool,
    /// The only gateway that it may go through, where it is not any one's turn.
    through: Option<&'a str>,
    /// The set that its messages are rendered from.
    templates: Arc<TemplateSet>,
}

impl Dispatcher {
    /// Takes one event all the way.
    pub async fn dispatch(&self, incoming: &Incoming) -> Report {
        let started = Instant::now();
        let mut trace = self.traces.begin(&self.clock);
        let report = match self.way(incoming, &mut trace).await {
            Ok(report) => report,
            // The ledger went away in the middle of a shutdown: the delivery goes back to the broker, unacked.
            Err(LedgerClosed) => Report::new(incoming, self.label(incoming), Disposition::Abandon),
        };
        if !report.canary {
            telemetry::event_ended(&report, started.elapsed());
        }
        trace.ended(&report);
        report
    }

    async fn way(&self, incoming: &Incoming, trace: &mut Trace<'_>) -> Result<Report, LedgerClosed> {
        let decoded = decode(&incoming.raw, &self.catalog, self.clock.now());
        trace.decoded(&incoming.raw, decoded.as_ref());
        let event = match decoded {
            Ok(event) => event,
            Err(rejected) => return Ok(self.rejected(incoming, &rejected)),
        };
        crash::point(Point::Decoded);
        crash::panic_on(&event);
        if let Some(canary) = self.canary.as_ref().filter(|canary| canary.is(&event)) {
            return self.fly(canary, incoming, &event, trace).await;
        }
        let _underway = self.underway.begin(incoming.lane, event.time);
        telemetry::decoded(&event, &self.prefixes);
        let mut report = Report::of(incoming, &event);
        let pseudonyms = self.ledger.pseudonyms().await?;
        let record = record(incoming, &event, &pseudonyms);
        let notifications = match plan(&event, &self.prefixes, self.clock.now()) {
            Ok(Plan::Send(notifications)) => notifications,
            Ok(Plan::Muted) => return self.muted(report, record).await,
            Err(error) => return self.dead(report, incoming, record, error.into(), error.to_string()).await,
        };
        // One set for all of the event, whatever is loaded meanwhile.
        let templates = self.templates.current();
        report.template_version = Some(templates.version().to_owned());
        let render = || templates.render(&event, &notifications, &self.brand);
        let rendered = match trace.rendering(&templates, render) {
            Ok(rendered) => rendered,
            Err(error) => {
                return self.dead(report, incoming, record, DeadReason::Render, error.to_string()).await;
            }
        };

        let (alone, through) = (notifications.len() == 1, None);
        let journey =
            Journey { trace, incoming, event: &event, record, pseudonyms, alone, through, templates };
        let claim = Claim { rules: self.rules(&journey), ..self.claim(&journey, &notifications) };
        let claimed_at = Instant::now();
        let (held, deaths) = match trace.during("claim", self.ledger.claim(claim)).await? {
            ClaimAnswer::Open { held, deaths } => (held, deaths),
            ClaimAnswer::Duplicate => return Ok(report.told_before(&notifications)),
            ClaimAnswer::HeldBack { reason, again } => return Ok(report.held_back(reason, again)),
        };
        crash::point(Point::Claimed);
        let jobs = notifications.iter().zip(rendered).zip(held);
        let endings = join_all(jobs.map(|((notification, rendered), held)| {
            self.notify(&journey, Job { notification, rendered, held, claimed_at })
        }))
        .await;
        let endings = endings.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.conclude(Report { deaths, ..report }, journey, endings, incoming.attempts).await
    }

    /// Of an event that cannot be used, the ledger hears nothing.
    fn rejected(&self, incoming: &Incoming, rejected: &Rejected) -> Report {
        let (reason, detail) = (DeadReason::Bad(rejected.reason), rejected.in_words());
        Report::new(incoming, self.label(incoming), Disposition::Dead { reason, detail })
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
        let held = match journey.trace.during("claim", self.ledger.claim(claim)).await? {
            ClaimAnswer::Open { held, .. } => held.into_iter().next().unwrap_or(Held::Busy),
            ClaimAnswer::Duplicate | ClaimAnswer::HeldBack { .. } => Held::Accepted,
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
        report.disposition = disposition::of(&endings, attempts);
        match &report.disposition {
            Disposition::Done if endings.iter().any(|ending| ending.closed_event) => {}
            Disposition::Done if disposition::told_nobody(&endings) => {
                let reason = HeldBack::SmsDayLimit;
                let state = EventState::HeldBack;
                let close = Close { reason: Some(reason.as_str()), ..close(journey.record, state) };
                self.ledger.close_event(close).await?;
                report.held_back = Some(reason);
            }
            Disposition::Done => {
                // False when another delivery of the event was faster: it says the same.
                self.ledger.close_event(close(journey.record, EventState::Done)).await?;
            }
            Disposition::Dead { reason, .. } => {
                report.burial = Some(Burial::of(journey.record, *reason, report.deaths));
            }
            Disposition::Retry { .. } | Disposition::Abandon => {}
        }
        report.notifications = endings.into_iter().map(|ending| ending.report).collect();
        Ok(report)
    }

    async fn muted(&self, mut report: Report, event: EventRecord) -> Result<Report, LedgerClosed> {
        report.muted = self.ledger.close_event(close(event, EventState::Muted)).await?;
        report.duplicate = !report.muted;
        Ok(report)
    }

    /// Gives an event up before anything of it was claimed, unless it is a duplicate.
    async fn dead(
        &self,
        mut report: Report,
        incoming: &Incoming,
        event: EventRecord,
        reason: DeadReason,
        detail: String,
    ) -> Result<Report, LedgerClosed> {
        let (targets, lease) = (Vec::new(), Duration::ZERO);
        let claim = Claim { event: event.clone(), targets, revive: incoming.revive, lease, rules: None };
        match self.ledger.claim(claim).await? {
            ClaimAnswer::Open { deaths, .. } => {
                report.deaths = deaths;
                report.burial = Some(Burial::of(event, reason, deaths));
                report.disposition = Disposition::Dead { reason, detail };
            }
            ClaimAnswer::Duplicate | ClaimAnswer::HeldBack { .. } => report.duplicate = true,
        }
        Ok(report)
    }

    /// Writes down that an event was dead-lettered; to be called when the dead letter is where it belongs, and before its
    /// delivery is acknowledged. A crash between leaves the event open, so that it is dead-lettered again, not tried anew.
    ///
    /// # Errors
    /// When the ledger was closed meanwhile: the delivery must not be acknowledged.
    pub async fn bury(&self, burial: Burial) -> Result<(), LedgerClosed> {
        self.ledger.close_event(burial.into_close()).await.map(drop)
    }

    fn claim(&self, journey: &Journey<'_>, notifications: &[Notification]) -> Claim {
        let target = |notification: &Notification| {
            let reference = reference(&journey.record.key, &notification.target());
            TargetRecord {
                target: notification.target(),
                recipient: pseudonym(&journey.pseudonyms, &notification.address),
                why: notification.why.to_string(),
                template_version: journey.templates.version().to_owned(),
                gateway: self.first_gateway(journey, notification, &reference),
                by_reference: self.gateways.take_receipts(notification.address.channel()),
                day_limit: self.day_limit(journey, notification),
                reference,
            }
        };
        Claim {
            event: journey.record.clone(),
            targets: notifications.iter().map(target).collect(),
            revive: journey.incoming.revive,
            lease: self.lease(),
            rules: None,
        }
    }

    /// The gateways that a notification may go through, in the order in which they are tried.
    fn ways_out(&self, journey: &Journey<'_>, notification: &Notification, reference: &str) -> Vec<&Gateway> {
        let mut gateways = self.gateways.order(notification.address.channel(), reference);
        gateways.retain(|gateway| journey.through.is_none_or(|name| gateway.name() == name));
        gateways
    }

    fn first_gateway(
        &self,
        journey: &Journey<'_>,
        notification: &Notification,
        reference: &str,
    ) -> Option<String> {
        let gateways = self.ways_out(journey, notification, reference);
        gateways.first().map(|gateway| gateway.name().to_owned())
    }

    /// The event's type as a label, of an event that could not be decoded.
    fn label(&self, incoming: &Incoming) -> String {
        peek(&incoming.raw)
            .1
            .map_or_else(|| "unknown".to_owned(), |name| self.catalog.label(&name).to_owned())
    }
}

fn record(incoming: &Incoming, event: &Event, pseudonyms: &Pseudonyms) -> EventRecord {
    EventRecord {
        key: event.key(),
        id: event.id.clone(),
        event_type: event.kind.name.clone(),
        lane: incoming.lane.as_str(),
        fingerprint: pseudonyms.fingerprint(&incoming.raw.body),
        time: event.time,
    }
}

/// What the ledger knows a recipient by.
pub fn pseudonym(pseudonyms: &Pseudonyms, address: &Address) -> String {
    match address {
        Address::Sms(phone) => pseudonyms.of_phone(phone),
        Address::Email(email) => pseudonyms.of_email(email),
    }
}

fn close(event: EventRecord, state: EventState) -> Close {
    Close { event, state, reason: None, deaths: 0 }
}

/// The notification's idempotency key: the same over attempts, gateways and restarts, and without anything personal.
pub fn reference(event_key: &str, target: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{event_key}\u{1f}{target}").as_bytes());
    hex(&digest.as_ref()[..16])
}
