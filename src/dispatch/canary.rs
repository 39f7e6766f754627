//! A canary's way: the steps of every event's, through one gateway, once. It never waits for a retry, is never a dead letter,
//! and counts among attempts and canaries alone.

use std::time::{Duration, Instant};

use super::deliver::{Ending, Job, is_late};
use super::pass::{Outcome, Pass};
use super::{Dispatcher, Incoming, Journey, NotificationReport, NotificationResult, Report, close, record};
use crate::canary::{Canary, Flight};
use crate::event::Event;
use crate::ledger::{ClaimAnswer, EventState, Grant, Held, LedgerClosed, SettleAnswer};
use crate::plan::Notification;
use crate::telemetry;
use crate::template::Rendered;
use crate::traces::Trace;

impl Dispatcher {
    /// Takes a canary all the way, and tells how it ended.
    pub(super) async fn fly(
        &self,
        canary: &Canary,
        incoming: &Incoming,
        event: &Event,
        trace: &Trace<'_>,
    ) -> Result<Report, LedgerClosed> {
        let notification = canary.notification();
        let flown = self.send_canary(canary, incoming, event, &notification, trace).await?;
        let record = record(incoming, event, &self.ledger.pseudonyms().await?);
        // What was accepted is closed already. Of the others, what is closed here had no end before.
        let ended_here = self.ledger.close_event(close(record, EventState::Done)).await?;
        match flown.result {
            NotificationResult::Accepted => self.note_accepted(canary, event, &flown),
            NotificationResult::Duplicate => {}
            _ if ended_here => {
                let reason = flown.reason.as_deref().unwrap_or(flown.result.as_str());
                telemetry::canary_failed(event, &flown, reason, canary.failed(reason));
            }
            _ => {}
        }
        Ok(Report { canary: true, notifications: vec![flown], ..Report::of(incoming, event) })
    }

    fn note_accepted(&self, canary: &Canary, event: &Event, flown: &NotificationReport) {
        let accepted_at = self.clock.now();
        let round_trip = Duration::try_from(accepted_at.duration_since(event.time)).unwrap_or_default();
        let flight = Flight { accepted_at, round_trip };
        telemetry::canary_accepted(event, flown, flight, canary.accepted(flight));
    }

    /// Renders, claims, sends, settles.
    async fn send_canary(
        &self,
        canary: &Canary,
        incoming: &Incoming,
        event: &Event,
        notification: &Notification,
        trace: &Trace<'_>,
    ) -> Result<NotificationReport, LedgerClosed> {
        let unsent = |result, reason: &'static str| {
            let report = NotificationReport::of(notification, None, result);
            Ok(NotificationReport { reason: Some(reason.into()), ..report })
        };
        if is_late(event.deadline, self.clock.now()) {
            return unsent(NotificationResult::Expired, "expired");
        }
        let templates = self.templates.current();
        let one = std::slice::from_ref(notification);
        let rendered = trace.rendering(&templates, || templates.render(event, one, &self.brand));
        let Some(rendered) = rendered.ok().and_then(|mut all| all.pop()) else {
            return unsent(NotificationResult::Failed, "render");
        };
        let pseudonyms = self.ledger.pseudonyms().await?;
        let journey = Journey {
            trace,
            incoming,
            event,
            record: record(incoming, event, &pseudonyms),
            pseudonyms,
            alone: true,
            through: Some(canary.gateway()),
            templates,
        };
        let (claim, claimed_at) = (self.claim(&journey, one), Instant::now());
        let held = match trace.during("claim", self.ledger.claim(claim)).await? {
            ClaimAnswer::Open { held, .. } => held.into_iter().next().unwrap_or(Held::Busy),
            ClaimAnswer::Duplicate | ClaimAnswer::HeldBack { .. } => Held::Accepted,
        };
        let job = Job { notification, rendered, held, claimed_at };
        match &job.held {
            Held::Granted(grant) => self.send_once(&journey, &job, grant).await,
            Held::Accepted => unsent(NotificationResult::Duplicate, "duplicate"),
            // Whoever claimed it before crashed, or its attempt failed: one try is all that it gets.
            Held::Busy | Held::Waiting(_) | Held::Failed { .. } => unsent(NotificationResult::Failed, "lost"),
        }
    }

    async fn send_once(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        grant: &Grant,
    ) -> Result<NotificationReport, LedgerClosed> {
        let (outcome, tenure) = Pass::begin(self, journey, job, grant).run().await?;
        let Job { notification, rendered: Rendered { message, .. }, .. } = job;
        let report = NotificationReport::of(notification, Some(message), NotificationResult::Accepted);
        let ending = self.judge(journey, job, grant, report, &outcome).for_good();
        if matches!(outcome, Outcome::FencedOut) {
            return Ok(ending.report);
        }
        let settle = self.settlement(journey, job, grant, &outcome, tenure, &ending);
        let ending: Ending = match journey.trace.during("settle", self.ledger.settle(settle)).await? {
            SettleAnswer::Undelivered { reason } => ending.undelivered(reason),
            // What was accepted was accepted, whoever has the claim now.
            SettleAnswer::Written | SettleAnswer::FencedOut => ending,
        };
        Ok(ending.report)
    }
}
