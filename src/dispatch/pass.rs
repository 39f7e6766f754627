//! Gateway by gateway under one claim, until one takes the message or the answer leaves nothing to try.

use std::time::{Duration, Instant};

use super::deliver::{Job, is_late};
use super::{Dispatcher, Journey};
use crate::gateway::{Accepted, Class, Failure, Gateway, Letter, NoTurn, OnUnknown, Reason, Turn};
use crate::ledger::{Attempt, Grant, LedgerClosed, Renew, UnknownAttempt};
use crate::telemetry::{self, Attempted};

/// How long a notification may wait for its turns at limited gateways within one claim.
const TURN_PATIENCE: Duration = Duration::from_secs(60);

/// The claim is renewed this often while it waits, so that a lease has to cover one attempt only.
const TURN_SLICE: Duration = Duration::from_secs(10);

/// Left over at a lease's end: a slow commit.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// What the gateways of a channel made of a message.
pub(super) enum Outcome {
    Accepted {
        gateway: String,
        accepted: Accepted,
    },
    Failed {
        gateway: Option<String>,
        failure: Failure,
        /// A receipt may settle it within this time.
        receipt: Option<Duration>,
    },
    /// No gateway was asked: what the one said, or our own limits, that is to be tried first.
    Untried {
        gateway: String,
        failure: Failure,
        /// No gateway is asked before.
        wait: Duration,
    },
    /// Past the event's deadline before it could be sent.
    Expired,
    /// Nothing was tried: a receipt may settle an earlier attempt within this time.
    Waiting(Duration),
    /// Somebody else has the claim by now.
    FencedOut,
}

/// A claim as its holder sees it.
pub(super) struct Tenure {
    token: u64,
    epoch: i64,
    /// By our own steady clock; counted from before the claim was asked for.
    until: Instant,
    /// What the ledger believes is being asked.
    named: Option<String>,
    /// Every attempt under this claim.
    pub attempts: Vec<Attempt>,
}

impl Tenure {
    pub fn of(grant: &Grant, claimed_at: Instant, lease: Duration) -> Self {
        Self {
            token: grant.token,
            epoch: grant.epoch,
            until: claimed_at + lease,
            named: None,
            attempts: Vec::new(),
        }
    }
}

impl Tenure {
    /// Long enough for an attempt at this gateway, which the ledger knows is asked.
    fn lasts_for(&self, gateway: &Gateway) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        left >= gateway.longest_attempt() + LEASE_MARGIN && self.named.as_deref() == Some(gateway.name())
    }
}

impl Dispatcher {
    /// How long a claim lasts: longer than one slice of waiting and the longest attempt after it.
    pub(super) fn lease(&self) -> Duration {
        TURN_SLICE + self.gateways.longest_attempt() + LEASE_MARGIN
    }
}

/// One pass over the gateways of a channel.
pub(super) struct Pass<'a> {
    dispatcher: &'a Dispatcher,
    journey: &'a Journey<'a>,
    job: &'a Job<'a>,
    tenure: Tenure,
    unknown: Option<&'a UnknownAttempt>,
    /// Which claim of the notification it is, from 1.
    attempt: u32,
    reference: String,
    patience: Instant,
}

/// What came before a send.
enum Ready<'g> {
    Turn(Turn<'g>),
    None(NoTurn),
    Expired,
    FencedOut,
}

impl<'a> Pass<'a> {
    pub fn begin(
        dispatcher: &'a Dispatcher,
        journey: &'a Journey<'a>,
        job: &'a Job<'a>,
        grant: &'a Grant,
    ) -> Self {
        let mut tenure = Tenure::of(grant, job.claimed_at, dispatcher.lease());
        let reference = super::reference(&journey.record.key, &job.notification.target());
        tenure.named = dispatcher.first_gateway(journey, job.notification, &reference);
        Self {
            dispatcher,
            journey,
            job,
            tenure,
            unknown: grant.unknown.as_ref(),
            attempt: grant.attempt,
            reference,
            patience: Instant::now() + TURN_PATIENCE,
        }
    }

    pub async fn run(mut self) -> Result<(Outcome, Tenure), LedgerClosed> {
        let gateways = self.dispatcher.ways_out(self.journey, self.job.notification, &self.reference);
        let mut worst = None;
        for gateway in order(gateways, self.unknown) {
            let turn = match self.ready(gateway).await? {
                Ready::Expired => return Ok((Outcome::Expired, self.tenure)),
                Ready::FencedOut => return Ok((Outcome::FencedOut, self.tenure)),
                Ready::None(why) => {
                    worst = Some(weightier(worst, untried(gateway, why)));
                    continue;
                }
                Ready::Turn(turn) => turn,
            };
            let failure = match self.attempt(gateway, turn).await {
                Ok(accepted) => {
                    let gateway = gateway.name().to_owned();
                    return Ok((Outcome::Accepted { gateway, accepted }, self.tenure));
                }
                Err(failure) => failure,
            };
            let stop = is_last(&failure, gateway);
            let receipt = awaited(&failure, gateway);
            let gateway = Some(gateway.name().to_owned());
            worst = Some(weightier(worst, Outcome::Failed { gateway, failure, receipt }));
            if stop {
                break;
            }
        }
        Ok((worst.unwrap_or_else(no_gateway), self.tenure))
    }

    /// Waits for the gateway's turn, with a claim that lasts for an attempt and names it.
    async fn ready<'g>(&mut self, gateway: &'g Gateway) -> Result<Ready<'g>, LedgerClosed> {
        let turn = loop {
            let now = self.dispatcher.clock.now();
            if is_late(self.journey.event.deadline, now) {
                return Ok(Ready::Expired);
            }
            let left =
                Duration::try_from(self.journey.event.deadline.duration_since(now)).unwrap_or_default();
            let patience = self.patience.saturating_duration_since(Instant::now());
            match gateway.turn(self.journey.incoming.lane, TURN_SLICE.min(patience).min(left)).await {
                Ok(turn) => break turn,
                // The next gateway at once. That is no attempt, and a line for each would drown the one that matters.
                Err(why @ NoTurn::Refused(_)) => return Ok(Ready::None(why)),
                Err(why) if Instant::now() >= self.patience => {
                    self.tell(gateway, Err(&why.into()), Duration::ZERO);
                    return Ok(Ready::None(why));
                }
                Err(_) if !self.renew(gateway).await? => return Ok(Ready::FencedOut),
                Err(_) => {}
            }
        };
        // Again if the ledger took so long that too little of the new lease is left.
        while !self.tenure.lasts_for(gateway) {
            if !self.renew(gateway).await? {
                return Ok(Ready::FencedOut);
            }
        }
        // Waiting took time, and so did the ledger.
        if is_late(self.journey.event.deadline, self.dispatcher.clock.now()) {
            return Ok(Ready::Expired);
        }
        Ok(Ready::Turn(turn))
    }

    async fn renew(&mut self, gateway: &Gateway) -> Result<bool, LedgerClosed> {
        let (asked_at, lease) = (Instant::now(), self.dispatcher.lease());
        let renew = Renew {
            event_key: self.journey.record.key.clone(),
            target: self.job.notification.target(),
            token: self.tenure.token,
            epoch: self.tenure.epoch,
            lease,
            gateway: gateway.name().to_owned(),
            attempts: self.tenure.attempts.clone(),
        };
        let renewed = self.dispatcher.ledger.renew(renew).await?;
        self.tenure.until = asked_at + lease;
        self.tenure.named = Some(gateway.name().to_owned());
        Ok(renewed)
    }

    /// One try with one gateway.
    async fn attempt(&mut self, gateway: &Gateway, turn: Turn<'_>) -> Result<Accepted, Failure> {
        let (address, message) = (&self.job.notification.address, &self.job.rendered.message);
        let now = self.dispatcher.clock.now();
        let left = self.journey.event.deadline.duration_since(now);
        let valid_for = Duration::try_from(left).unwrap_or_default();
        let letter = Letter { reference: &self.reference, address, message, now, valid_for };
        let span = self.journey.trace.attempt(gateway, self.job.notification, self.attempt);
        let started = Instant::now();
        let result = gateway.send(&letter, turn).await;
        let took = started.elapsed();
        span.answered(result.as_ref());
        self.tell(gateway, result.as_ref(), took);
        self.tenure.attempts.push(Attempt {
            at: now,
            gateway: gateway.name().to_owned(),
            outcome: result.as_ref().map_or_else(|failure| failure.class.as_str(), |_| "accepted").into(),
            reason: result.as_ref().err().map(|failure| failure.reason.as_str().into()),
            detail: result.as_ref().err().map(|failure| failure.detail.clone()),
            provider_id: result.as_ref().ok().and_then(|accepted| accepted.provider_id.clone()),
            ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        result
    }

    fn tell(&self, gateway: &Gateway, result: Result<&Accepted, &Failure>, took: Duration) {
        telemetry::attempted(&Attempted {
            event: self.journey.event,
            lane: self.journey.record.lane,
            gateway,
            attempt: self.attempt,
            template_version: self.journey.templates.version(),
            result,
            took,
        });
    }
}

/// After an attempt whose answer never came, the gateway that may have the message goes first, because only it can tell that
/// it is the same; or last, where the policy is to go on with another.
fn order<'g>(mut gateways: Vec<&'g Gateway>, unknown: Option<&UnknownAttempt>) -> Vec<&'g Gateway> {
    let asked = unknown.and_then(|unknown| unknown.gateway.as_deref());
    let first = match gateways.iter().position(|gateway| Some(gateway.name()) == asked) {
        Some(index) if gateways[index].on_unknown() == OnUnknown::Failover => index + 1,
        Some(index) => index,
        None => 0,
    };
    gateways.rotate_left(first);
    gateways
}

fn untried(gateway: &Gateway, why: NoTurn) -> Outcome {
    let wait = match why {
        NoTurn::Late => Duration::ZERO,
        NoTurn::Refused(refusal) => refusal.wait(),
    };
    Outcome::Untried { gateway: gateway.name().to_owned(), failure: why.into(), wait }
}

/// Nobody else is asked in this pass.
fn is_last(failure: &Failure, gateway: &Gateway) -> bool {
    match failure.class {
        Class::Permanent => true,
        Class::Unknown => gateway.on_unknown() != OnUnknown::Failover,
        Class::Retryable | Class::Throttled { .. } | Class::Credentials | Class::Route | Class::Filtered => {
            false
        }
    }
}

fn awaited(failure: &Failure, gateway: &Gateway) -> Option<Duration> {
    let waits = failure.class == Class::Unknown && gateway.on_unknown() == OnUnknown::Wait;
    waits.then(|| gateway.unknown_wait())
}

/// Of two failures the one that decides: unknown before all else, because the message may be out; then what must not be
/// sent again on this channel, because a retry would begin with the gateway that filtered it. What a gateway said counts
/// more than that another was not asked; of those that were not, the one that may be asked first.
fn weightier(before: Option<Outcome>, now: Outcome) -> Outcome {
    let weight = |outcome: &Outcome| match outcome {
        Outcome::Failed { failure, .. } => match failure.class {
            Class::Unknown => 4,
            // Nothing was tried there: what another gateway said counts more, and a retry asks that one.
            Class::Filtered if failure.reason.is_of_the_message() => 0,
            Class::Permanent | Class::Filtered => 3,
            Class::Retryable | Class::Throttled { .. } | Class::Credentials | Class::Route => 2,
        },
        _ => 1,
    };
    match (before, now) {
        (Some(Outcome::Untried { gateway, failure, wait }), Outcome::Untried { wait: later, .. })
            if wait <= later =>
        {
            Outcome::Untried { gateway, failure, wait }
        }
        (Some(before), now) if weight(&before) > weight(&now) => before,
        (_, now) => now,
    }
}

fn no_gateway() -> Outcome {
    let detail = "no gateway is configured for the channel";
    Outcome::Failed {
        gateway: None,
        failure: Failure::new(Class::Permanent, Reason::Route, detail),
        receipt: None,
    }
}
