//! One notification: gateway by gateway under its claim, and its settlement.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use ring::digest;

use super::{DeadReason, Dispatcher, Disposition, Journey, NotificationReport, NotificationResult, Schedule};
use crate::gateway::{Accepted, Class, Failure, Gateway, Gateways, Letter, OnUnknown};
use crate::ledger::{EventState, Grant, Held, LedgerClosed, NotificationState, Settle};
use crate::plan::Notification;
use crate::telemetry;
use crate::template::Rendered;

/// How long a notification may wait for its turn at rate-limited gateways within one claim.
const TURN_WAIT: Duration = Duration::from_secs(60);

/// Left over at a lease's end: clocks and a slow commit.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

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

/// What an ending means for the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A gateway has it.
    Told,
    /// Another delivery of the event is at it.
    Busy,
    /// Again, after this delay.
    Again(Duration),
    /// Given up.
    GivenUp(DeadReason),
}

impl Ending {
    pub fn has_failed(&self) -> bool {
        matches!(self.verdict, Verdict::GivenUp(_))
    }

    /// The fallback answers for it from here on.
    pub fn taken_over(mut self) -> Self {
        self.verdict = Verdict::Told;
        self
    }
}

/// How long a claim lasts: longer than every attempt that can begin under it.
pub(super) fn lease(gateways: &Gateways) -> Duration {
    gateways.longest_pass() + TURN_WAIT + LEASE_MARGIN
}

/// What becomes of the event's delivery: again as long as anything is to be tried again, dead when something was given
/// up, done otherwise.
pub(super) fn disposition(endings: &[Ending], schedule: &Schedule, attempts: u32) -> Disposition {
    let verdicts = || endings.iter().map(|ending| ending.verdict);
    let delays = verdicts().filter_map(|verdict| match verdict {
        Verdict::Again(delay) => Some(delay),
        _ => None,
    });
    if let Some(delay) = delays.max() {
        return Disposition::Retry { delay, attempts: attempts.saturating_add(1) };
    }
    if verdicts().any(|verdict| verdict == Verdict::Busy) {
        // Somebody else is at it: look again soon; it costs no attempt.
        return Disposition::Retry { delay: schedule.shortest(), attempts };
    }
    let given_up = verdicts().find_map(|verdict| match verdict {
        Verdict::GivenUp(reason) => Some(reason),
        _ => None,
    });
    match given_up {
        Some(reason) => Disposition::Dead { reason, detail: detail(endings) },
        None => Disposition::Done,
    }
}

/// `current.sms: recipient (HTTP 422)` for each notification that was given up.
fn detail(endings: &[Ending]) -> String {
    let told = |ending: &&Ending| {
        matches!(ending.report.result, NotificationResult::Accepted | NotificationResult::Duplicate)
    };
    let failed = endings.iter().filter(|ending| !told(ending));
    let words = failed.map(|ending| {
        let report = &ending.report;
        let detail = report.detail.as_deref().map(|detail| format!(" ({detail})")).unwrap_or_default();
        format!(
            "{}.{}: {}{detail}",
            report.contact,
            report.channel,
            report.reason.as_deref().unwrap_or(report.result.as_str())
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

/// What the gateways of a channel made of a message.
enum Pass {
    Accepted(String, Accepted),
    Failed(Option<String>, Failure),
    Expired,
}

impl Dispatcher {
    /// Sends one notification as far as its claim allows, and settles it.
    pub(super) async fn deliver(&self, journey: &Journey<'_>, job: Job<'_>) -> Result<Ending, LedgerClosed> {
        let report = |result| NotificationReport::of(job.notification, Some(&job.rendered.message), result);
        let ending = |report, verdict| Ending { report, verdict, closed_event: false };
        let grant = match &job.held {
            Held::Granted(grant) => *grant,
            Held::Accepted => return Ok(ending(report(NotificationResult::Duplicate), Verdict::Told)),
            Held::Busy => return Ok(ending(report(NotificationResult::Busy), Verdict::Busy)),
            Held::Failed { reason } => {
                let mut report = report(NotificationResult::Failed);
                report.reason = Some(reason.clone().into());
                report.detail = Some("in an earlier attempt".to_owned());
                return Ok(ending(report, Verdict::GivenUp(DeadReason::Refused)));
            }
        };
        if grant.taken_over {
            telemetry::claim_taken_over(journey.event, job.notification);
        }
        let pass = self.pass(journey, &job).await;
        let mut ending = self.judge(journey, grant, report(NotificationResult::Accepted), &pass);
        let settle = self.settlement(journey, &job, grant, &pass, &ending);
        let closes = settle.close.is_some();
        if self.ledger.settle(settle).await? {
            ending.closed_event = closes;
        } else {
            telemetry::fenced_out(journey.event, job.notification);
        }
        telemetry::notification_ended(journey.event, journey.record.lane, &ending.report, self.clock.now());
        Ok(ending)
    }

    /// Gateway by gateway, until one takes it or the answer leaves nothing to try.
    async fn pass(&self, journey: &Journey<'_>, job: &Job<'_>) -> Pass {
        let reference = reference(&journey.record.key, &job.notification.target());
        let mut last = None;
        for gateway in self.gateways.of(job.notification.address.channel()) {
            let attempted = self.attempt(journey, job, gateway, &reference).await;
            let failure = match attempted {
                None => return Pass::Expired,
                Some(Ok(accepted)) => return Pass::Accepted(gateway.name().to_owned(), accepted),
                Some(Err(failure)) => failure,
            };
            let stop = match failure.class {
                Class::Permanent => true,
                Class::Unknown => gateway.on_unknown() == OnUnknown::Resend,
                Class::Retryable
                | Class::Throttled { .. }
                | Class::Credentials
                | Class::Route
                | Class::Filtered => false,
            };
            last = Some(weightier(last, (gateway.name().to_owned(), failure)));
            if stop {
                break;
            }
        }
        match last {
            Some((gateway, failure)) => Pass::Failed(Some(gateway), failure),
            None => Pass::Failed(None, no_gateway()),
        }
    }

    /// One try with one gateway; `None` when the event's deadline has passed.
    async fn attempt(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        gateway: &Gateway,
        reference: &str,
    ) -> Option<Result<Accepted, Failure>> {
        let left = lease(&self.gateways).saturating_sub(job.claimed_at.elapsed());
        // Not begun when too little of the lease is left for it: somebody else could take the claim over meanwhile.
        let patience = left.saturating_sub(gateway.longest_attempt() + LEASE_MARGIN);
        if let Err(failure) = gateway.turn(journey.lane, patience).await {
            telemetry::attempted(journey.event, gateway, Err(&failure), Duration::ZERO);
            return Some(Err(failure));
        }
        let now = self.clock.now();
        if now > journey.event.deadline {
            return None;
        }
        let (address, message) = (&job.notification.address, &job.rendered.message);
        let letter = Letter { reference, address, message, lane: journey.lane, now };
        let started = Instant::now();
        let result = gateway.send(&letter).await;
        telemetry::attempted(journey.event, gateway, result.as_ref(), started.elapsed());
        Some(result)
    }

    /// What a pass means for the notification: whether it will be tried again depends on schedule and deadline.
    fn judge(
        &self,
        journey: &Journey<'_>,
        grant: Grant,
        mut report: NotificationReport,
        pass: &Pass,
    ) -> Ending {
        let verdict = match pass {
            Pass::Accepted(gateway, _) => {
                report.gateway = Some(gateway.clone());
                Verdict::Told
            }
            Pass::Expired => {
                report.result = NotificationResult::Expired;
                report.reason = Some("expired".into());
                Verdict::GivenUp(DeadReason::Expired)
            }
            Pass::Failed(gateway, failure) => {
                report.gateway.clone_from(gateway);
                report.reason = Some(failure.reason.as_str().into());
                report.detail = Some(failure.detail.clone());
                let verdict = self.again(journey, grant, failure.class);
                report.result = match (failure.class, verdict) {
                    (Class::Unknown, _) => NotificationResult::Unknown,
                    (_, Verdict::Again(_)) => NotificationResult::Retry,
                    _ => NotificationResult::Failed,
                };
                verdict
            }
        };
        Ending { report, verdict, closed_event: false }
    }

    /// Each notification goes through the whole schedule, counted by its own claims: a fallback that takes over late
    /// has as many tries as the channel before it.
    fn again(&self, journey: &Journey<'_>, grant: Grant, class: Class) -> Verdict {
        let wait = match class {
            Class::Permanent | Class::Filtered => return Verdict::GivenUp(DeadReason::Refused),
            Class::Throttled { wait } => wait,
            Class::Retryable | Class::Credentials | Class::Route | Class::Unknown => None,
        };
        let earlier = u32::try_from(grant.attempt - 1).unwrap_or(u32::MAX);
        let Some(delay) = self.schedule.delay(earlier, wait) else {
            return Verdict::GivenUp(DeadReason::Exhausted);
        };
        let next = self.clock.now().checked_add(delay).unwrap_or(Timestamp::MAX);
        if next > journey.event.deadline {
            Verdict::GivenUp(DeadReason::Expired)
        } else {
            Verdict::Again(delay)
        }
    }

    /// Half of the delay: jitter shortens it by that much at most (`retry.jitter`).
    fn not_before(&self, verdict: Verdict) -> Timestamp {
        let now = self.clock.now();
        match verdict {
            Verdict::Again(delay) => now.saturating_add(delay / 2).unwrap_or(now),
            Verdict::Told | Verdict::Busy | Verdict::GivenUp(_) => now,
        }
    }

    fn settlement(
        &self,
        journey: &Journey<'_>,
        job: &Job<'_>,
        grant: Grant,
        pass: &Pass,
        ending: &Ending,
    ) -> Settle {
        let state = match ending.report.result {
            NotificationResult::Accepted | NotificationResult::Duplicate => NotificationState::Accepted,
            NotificationResult::Retry | NotificationResult::Busy => NotificationState::Retry,
            NotificationResult::Unknown => NotificationState::Unknown,
            NotificationResult::Failed | NotificationResult::Expired => NotificationState::Failed,
        };
        let provider_id = match pass {
            Pass::Accepted(_, accepted) => accepted.provider_id.clone(),
            Pass::Failed(..) | Pass::Expired => None,
        };
        Settle {
            event_key: journey.record.key.clone(),
            target: job.notification.target(),
            epoch: grant.epoch,
            state,
            gateway: ending.report.gateway.clone(),
            provider_id,
            reason: ending.report.reason.clone(),
            not_before: self.not_before(ending.verdict),
            close: (journey.alone && ending.verdict == Verdict::Told).then_some(EventState::Done),
            now: self.clock.now(),
        }
    }
}

/// Of two failures the one that decides: unknown before all else, because the message may be out; then what must not be
/// sent again on this channel, because a retry would begin with the gateway that filtered it.
fn weightier(before: Option<(String, Failure)>, now: (String, Failure)) -> (String, Failure) {
    let weight = |failure: &Failure| match failure.class {
        Class::Unknown => 3,
        Class::Permanent | Class::Filtered => 2,
        Class::Retryable | Class::Throttled { .. } | Class::Credentials | Class::Route => 1,
    };
    match before {
        Some(before) if weight(&before.1) > weight(&now.1) => before,
        _ => now,
    }
}

fn no_gateway() -> Failure {
    Failure::new(Class::Permanent, crate::gateway::Reason::Route, "no gateway is configured for the channel")
}

/// The notification's idempotency key: the same over attempts, gateways and restarts, and without anything personal.
pub(super) fn reference(event_key: &str, target: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{event_key}\u{1f}{target}").as_bytes());
    digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
