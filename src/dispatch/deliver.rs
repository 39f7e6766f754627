//! One notification under its claim: what the ledger said, what its gateways made of it, and its settlement.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::pass::{Outcome, Pass, Tenure};
use super::verdict::{Pause, Situation, Verdict};
use super::{DeadReason, Dispatcher, Journey, NotificationReport, NotificationResult};
use crate::crash::{self, Point};
use crate::gateway::{Class, Failure, Gateway, OnUnknown, Reason};
use crate::ledger::{EventState, Grant, Held, HeldBack, Keep, LedgerClosed, Settle, SettleAnswer, Settled};
use crate::plan::{Channel, Notification, Why};
use crate::telemetry::{self, NotificationEnd};
use crate::template::Rendered;

/// A notification with all that delivering it needs.
pub(super) struct Job<'a> {
    pub notification: &'a Notification,
    pub rendered: Rendered,
    pub held: Held,
    /// When the claim was asked for: its lease is counted from there, on a clock that nobody sets.
    pub claimed_at: Instant,
}

/// How a notification's part of this delivery ended.
pub(super) struct Ending {
    pub report: NotificationReport,
    pub verdict: Verdict,
    /// Settling it closed the event too.
    pub closed_event: bool,
}

impl Ending {
    fn new(report: NotificationReport, verdict: Verdict) -> Self {
        Self { report, verdict, closed_event: false }
    }

    /// Its fallback's turn, where it has one.
    pub fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::GivenUp(_) | Verdict::HeldBack)
    }

    /// Nothing was sent under an earlier claim, or under the day's limit. A fallback that may not be sent was not held back:
    /// what it stands in for has failed.
    fn failed_before(mut report: NotificationReport, reason: &str, notification: &Notification) -> Self {
        let limited = reason == HeldBack::SmsDayLimit.as_str();
        let held_back = limited && !matches!(notification.why, Why::Fallback(_));
        report.result = if held_back { NotificationResult::HeldBack } else { NotificationResult::Failed };
        report.reason = Some(reason.to_owned().into());
        let detail = if limited { "the number has had its SMS of the day" } else { "in an earlier attempt" };
        report.detail = Some(detail.to_owned());
        Self::new(report, if held_back { Verdict::HeldBack } else { Verdict::GivenUp(DeadReason::Refused) })
    }

    /// A receipt was faster than the settlement.
    pub fn undelivered(mut self, reason: String) -> Self {
        self.report.result = NotificationResult::Failed;
        self.report.reason = Some(reason.into());
        self.report.detail = Some("by receipt".to_owned());
        self.verdict = Verdict::GivenUp(DeadReason::Refused);
        self
    }

    /// Nothing comes after this try.
    pub fn for_good(mut self) -> Self {
        if matches!(self.verdict, Verdict::Later { .. }) {
            self.report.result = NotificationResult::Failed;
            self.verdict = Verdict::GivenUp(DeadReason::Exhausted);
        }
        self
    }

    /// The fallback answers for it from here on.
    pub fn taken_over(mut self) -> Self {
        self.verdict = Verdict::Told;
        self
    }
}

impl Dispatcher {
    /// Sends one notification as far as its claim allows, and settles it.
    pub(super) async fn deliver(&self, journey: &Journey<'_>, job: Job<'_>) -> Result<Ending, LedgerClosed> {
        let report = |result| NotificationReport::of(job.notification, Some(&job.rendered.message), result);
        let grant = match &job.held {
            Held::Granted(grant) => grant.clone(),
            Held::Accepted => return Ok(Ending::new(report(NotificationResult::Duplicate), Verdict::Told)),
            Held::Busy => return Ok(self.busy(report(NotificationResult::Busy), self.schedule.shortest())),
            Held::Waiting(left) => {
                return Ok(self.busy(report(NotificationResult::Busy), self.schedule.at_least(*left)));
            }
            Held::Failed { reason } => {
                let report = report(NotificationResult::Failed);
                return Ok(Ending::failed_before(report, reason, job.notification));
            }
        };
        if grant.taken_over {
            telemetry::claim_taken_over(journey.event, job.notification, grant.unknown.as_ref());
        }
        let (outcome, tenure) = match self.receipt_awaited(&job, &grant) {
            Some(left) => (Outcome::Waiting(left), Tenure::of(&grant, job.claimed_at, self.lease())),
            None => Pass::begin(self, journey, &job, &grant).run().await?,
        };
        if matches!(outcome, Outcome::FencedOut) {
            telemetry::fenced_out(journey.event, job.notification);
            return Ok(self.busy(report(NotificationResult::Busy), self.schedule.shortest()));
        }
        crash::point(Point::Answered);
        self.settle(journey, &job, &grant, outcome, tenure).await
    }

    /// Another delivery of the event is at it, or it is too early: to be looked at again, at no cost.
    fn busy(&self, report: NotificationReport, delay: Duration) -> Ending {
        let report = NotificationReport { result: NotificationResult::Busy, ..report };
        Ending::new(report, Verdict::Later { delay, counted: false })
    }

    /// How long a receipt may still settle the last attempt, if its gateway's policy is to wait for one.
    fn receipt_awaited(&self, job: &Job<'_>, grant: &Grant) -> Option<Duration> {
        let unknown = grant.unknown.as_ref()?;
        let gateways = self.gateways.of(job.notification.address.channel());
        let gateway = gateways.iter().find(|gateway| Some(gateway.name()) == unknown.gateway.as_deref())?;
        match gateway.on_unknown() {
            OnUnknown::Wait => gateway.unknown_wait().checked_sub(unknown.ago).filter(|left| !left.is_zero()),
            OnUnknown::Resend | OnUnknown::Failover => None,
        }
    }

    async fn settle(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        grant: &Grant,
        outcome: Outcome,
        tenure: Tenure,
    ) -> Result<Ending, LedgerClosed> {
        let report = NotificationReport::of(
            job.notification,
            Some(&job.rendered.message),
            NotificationResult::Accepted,
        );
        let took = tenure.attempts.last().map(|attempt| Duration::from_millis(attempt.ms));
        let mut ending = self.judge(journey, job, grant, report, &outcome);
        let settle = self.settlement(journey, job, grant, &outcome, tenure, &ending);
        let closes = settle.close.is_some();
        match journey.trace.during("settle", self.ledger.settle(settle)).await? {
            SettleAnswer::Written => ending.closed_event = closes,
            SettleAnswer::Undelivered { reason } => ending = ending.undelivered(reason),
            SettleAnswer::FencedOut => {
                telemetry::fenced_out(journey.event, job.notification);
                // Whoever has the claim now decides; but what was accepted was accepted.
                if ending.verdict != Verdict::Told {
                    ending = self.busy(ending.report, self.schedule.shortest());
                }
            }
        }
        crash::point(Point::Settled);
        telemetry::notification_ended(&NotificationEnd {
            event: journey.event,
            lane: journey.record.lane,
            report: &ending.report,
            attempt: grant.attempt,
            template_version: journey.templates.version(),
            took,
            now: self.clock.now(),
        });
        Ok(ending)
    }

    /// What an outcome means for the notification: whether it will be tried again depends on schedule and deadline.
    pub(super) fn judge(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        grant: &Grant,
        mut report: NotificationReport,
        outcome: &Outcome,
    ) -> Ending {
        let situation = self.situation(journey, job, grant);
        let verdict = match outcome {
            Outcome::Accepted { gateway, accepted } => {
                report.gateway = Some(gateway.clone());
                report.segments = accepted.segments.and_then(|count| usize::try_from(count).ok());
                Verdict::Told
            }
            Outcome::Expired | Outcome::FencedOut => {
                report.result = NotificationResult::Expired;
                report.reason = Some("expired".into());
                Verdict::GivenUp(DeadReason::Expired)
            }
            Outcome::Waiting(left) => {
                report.result = NotificationResult::Unknown;
                report.gateway = grant.unknown.as_ref().and_then(|unknown| unknown.gateway.clone());
                report.reason = Some(Cow::Borrowed("unknown"));
                report.detail = Some("waiting for a receipt".to_owned());
                situation.verdict(&self.schedule, Pause::Receipt { left: *left, counted: false })
            }
            Outcome::Untried { gateway, failure, wait } => {
                report.gateway = Some(gateway.clone());
                report.reason = Some(failure.reason.as_str().into());
                report.detail = Some(failure.detail.clone());
                let situation = self.with_open_fallback(situation, job);
                let verdict = situation.verdict(&self.schedule, Pause::Untried { wait: *wait });
                report.result = untried(failure, verdict);
                verdict
            }
            Outcome::Failed { gateway, failure, receipt } => {
                report.gateway.clone_from(gateway);
                report.reason = Some(failure.reason.as_str().into());
                report.detail = Some(failure.detail.clone());
                let pause = match (receipt, failure.class) {
                    (Some(left), _) => Pause::Receipt { left: *left, counted: true },
                    (None, Class::Permanent | Class::Filtered) => Pause::Never,
                    (None, Class::Throttled { wait }) => Pause::Schedule { wait },
                    (None, _) => Pause::Schedule { wait: None },
                };
                let verdict = situation.verdict(&self.schedule, pause);
                report.result = match (failure.class, verdict) {
                    (Class::Unknown, _) => NotificationResult::Unknown,
                    (_, Verdict::Later { .. }) => NotificationResult::Retry,
                    _ => NotificationResult::Failed,
                };
                verdict
            }
        };
        Ending::new(report, verdict)
    }

    fn situation(&self, journey: &Journey<'_>, job: &Job<'_>, grant: &Grant) -> Situation {
        let now = self.clock.now();
        let left = journey.event.deadline.duration_since(now);
        Situation {
            attempt: grant.attempt,
            age: grant.age + job.claimed_at.elapsed(),
            left: Duration::try_from(left).unwrap_or_default(),
            fallback_after: job.notification.fallback.as_ref().map(|_| self.fallback_after),
        }
    }

    /// Nothing is won by giving a message to a channel that has no way out either.
    fn with_open_fallback(&self, situation: Situation, job: &Job<'_>) -> Situation {
        let fallback = job.notification.fallback.as_ref();
        let open = fallback.is_some_and(|address| self.gateways.may_be_asked(address.channel()));
        Situation { fallback_after: situation.fallback_after.filter(|_| open), ..situation }
    }

    pub(super) fn settlement(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        grant: &Grant,
        outcome: &Outcome,
        tenure: Tenure,
        ending: &Ending,
    ) -> Settle {
        let state = match (ending.report.result, ending.verdict) {
            (_, Verdict::Told) => Settled::Accepted,
            (_, Verdict::GivenUp(_) | Verdict::HeldBack) => Settled::Failed,
            (NotificationResult::Unknown, Verdict::Later { .. }) => Settled::Unknown,
            (_, Verdict::Later { .. }) => Settled::Retry,
        };
        let provider_id = match outcome {
            Outcome::Accepted { accepted, .. } => accepted.provider_id.clone(),
            _ => None,
        };
        // A receipt may still say of an earlier attempt that its text arrived: that is the one to be found.
        let template_version = match tenure.attempts.as_slice() {
            [] => grant.earlier_version.clone(),
            _ => journey.templates.version().to_owned(),
        };
        Settle {
            event_key: journey.record.key.clone(),
            target: job.notification.target(),
            token: grant.token,
            epoch: grant.epoch,
            ending: state,
            gateway: ending.report.gateway.clone(),
            provider_id,
            reason: ending.report.reason.clone(),
            attempts: tenure.attempts,
            template_version,
            pause: pause(outcome, ending.verdict),
            uncounted: matches!(ending.verdict, Verdict::Later { counted: false, .. }),
            close: (journey.alone && ending.verdict == Verdict::Told).then_some(EventState::Done),
            keep: self.kept(journey, job, outcome),
            // A bounce always names our reference.
            found_by_provider_id: self
                .teller(job, outcome)
                .is_some_and(|gateway| gateway.channel() == Channel::Sms),
        }
    }

    /// The gateway that has or may have the message, when it tells later what became of it.
    fn teller(&self, job: &Job<'_>, outcome: &Outcome) -> Option<&Gateway> {
        let name = match outcome {
            Outcome::Accepted { gateway, .. } => gateway,
            Outcome::Failed { gateway: Some(gateway), receipt: Some(_), .. } => gateway,
            _ => return None,
        };
        let gateways = self.gateways.of(job.notification.address.channel());
        gateways.iter().find(|gateway| gateway.name() == name).filter(|gateway| gateway.takes_receipts())
    }

    /// The event, encrypted: should a receipt say that the message did not arrive, the other channel takes over, whichever
    /// worker hears of it. Not kept past the moment at which nothing could be sent any more.
    fn kept(&self, journey: &Journey<'_>, job: &Job<'_>, outcome: &Outcome) -> Option<Box<Keep>> {
        job.notification.fallback.as_ref()?;
        self.teller(job, outcome)?;
        let left = Duration::try_from(journey.event.deadline.duration_since(self.clock.now())).ok()?;
        let sealed = journey.pseudonyms.seal(journey.incoming.raw.pack(), &journey.record.key);
        Some(Box::new(Keep { sealed, wait: self.keep_for.min(left) }))
    }
}

fn untried(failure: &Failure, verdict: Verdict) -> NotificationResult {
    match verdict {
        Verdict::Later { .. } if failure.reason == Reason::OwnLimit => NotificationResult::Retry,
        Verdict::Later { .. } => NotificationResult::Waiting,
        Verdict::Told | Verdict::HeldBack | Verdict::GivenUp(_) => NotificationResult::Failed,
    }
}

/// How long nobody may claim it again. Half of a retry's delay, because jitter shortens that by as much at most
/// (`retry.jitter`); all of the wait for a receipt, which no duplicate may cut short.
fn pause(outcome: &Outcome, verdict: Verdict) -> Duration {
    let Verdict::Later { delay, .. } = verdict else { return Duration::ZERO };
    match outcome {
        Outcome::Waiting(left) | Outcome::Failed { receipt: Some(left), .. } => delay.min(*left),
        _ => delay / 2,
    }
}

/// The current time is past the event's deadline.
pub(super) fn is_late(deadline: Timestamp, now: Timestamp) -> bool {
    now > deadline
}
