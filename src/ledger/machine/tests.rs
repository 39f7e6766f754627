//! The rules, driven alone: two workers in any order, crashes, leases that run out, answers that come late, commits that
//! are made twice.

use proptest::prelude::*;

use super::*;
use crate::ledger::operation::{EventRecord, Fate, Receipt, ReceiptAnswer};

const LEASE: i64 = 100;

/// An attempt takes this long at most; none is begun when less of the lease is left.
const ATTEMPT: i64 = 40;

const SHARED: bool = false;

fn claim(token: u64) -> Step {
    let event = EventRecord {
        key: "/t\u{1f}e".to_owned(),
        id: "e".to_owned(),
        event_type: "security.login".to_owned(),
        lane: "standard",
        fingerprint: "same".to_owned(),
        time: jiff::Timestamp::UNIX_EPOCH,
    };
    let target = TargetRecord {
        target: "current.sms".to_owned(),
        reference: "ref".to_owned(),
        recipient: "hmac".to_owned(),
        why: "prefix".to_owned(),
        template_version: "v".to_owned(),
        gateway: Some("primary".to_owned()),
        by_reference: true,
        day_limit: None,
    };
    let lease = Duration::from_millis(LEASE as u64);
    Step::Claim {
        claim: Claim { event, targets: vec![target], revive: Revive::Never, lease, rules: None },
        token,
    }
}

fn attempt(outcome: &'static str) -> Attempt {
    Attempt {
        at: jiff::Timestamp::UNIX_EPOCH,
        gateway: "primary".to_owned(),
        outcome: outcome.into(),
        reason: None,
        detail: None,
        provider_id: None,
        ms: 1,
    }
}

fn settle(grant: &Grant, ending: Settled, outcome: &'static str) -> Step {
    Step::Settle(Settle {
        event_key: "/t\u{1f}e".to_owned(),
        target: "current.sms".to_owned(),
        token: grant.token,
        epoch: grant.epoch,
        ending,
        gateway: Some("primary".to_owned()),
        provider_id: None,
        reason: None,
        attempts: vec![attempt(outcome)],
        template_version: "v".to_owned(),
        pause: Duration::ZERO,
        uncounted: false,
        close: None,
        keep: None,
        found_by_provider_id: false,
    })
}

/// What a gateway made of a request.
#[derive(Debug, Clone, Copy)]
enum GatewayAnswer {
    Accepted,
    Refused,
    /// Accepted or not, the answer never came.
    Cut {
        accepted: bool,
    },
}

#[derive(Debug, Clone)]
enum Action {
    Claim {
        worker: usize,
    },
    /// Sends under its claim, if enough of it is left, and settles at once.
    Send {
        worker: usize,
        answer: GatewayAnswer,
    },
    /// Sends, and ends before it can settle.
    SendAndCrash {
        worker: usize,
        accepted: bool,
    },
    Crash {
        worker: usize,
    },
    /// Settles a claim that it once had, however long ago.
    LateSettle {
        worker: usize,
    },
    Pass {
        millis: i64,
    },
    Receipt {
        fate: Fate,
        gateway: &'static str,
    },
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let worker = 0..2_usize;
    let answer = prop_oneof![
        Just(GatewayAnswer::Accepted),
        Just(GatewayAnswer::Refused),
        any::<bool>().prop_map(|accepted| GatewayAnswer::Cut { accepted }),
    ];
    let action = prop_oneof![
        4 => worker.clone().prop_map(|worker| Action::Claim { worker }),
        4 => (worker.clone(), answer).prop_map(|(worker, answer)| Action::Send { worker, answer }),
        2 => (worker.clone(), any::<bool>())
            .prop_map(|(worker, accepted)| Action::SendAndCrash { worker, accepted }),
        1 => worker.clone().prop_map(|worker| Action::Crash { worker }),
        2 => worker.prop_map(|worker| Action::LateSettle { worker }),
        3 => (1..2 * LEASE).prop_map(|millis| Action::Pass { millis }),
        1 => (fates(), prop_oneof![4 => Just("primary"), 1 => Just("another")])
            .prop_map(|(fate, gateway)| Action::Receipt { fate, gateway }),
    ];
    proptest::collection::vec(action, 1..60)
}

fn fates() -> impl Strategy<Value = Fate> {
    let undelivered = Fate::Undelivered { reason: "absent".into() };
    prop_oneof![Just(Fate::Underway), Just(Fate::Delivered), Just(undelivered)]
}

/// How far a notification is: no receipt brings it back.
fn rank(state: State) -> u8 {
    match state {
        State::Retry | State::InFlight | State::Unknown | State::Failed => 0,
        State::Accepted => 1,
        State::Delivered | State::Undelivered => 2,
    }
}

/// A claim as its worker believes to have it.
#[derive(Debug, Clone)]
struct Claimed {
    grant: Grant,
    until: i64,
}

/// The world around the machine, and what really happened in it.
struct World {
    machines: [Machine; 2],
    case: Case,
    now: i64,
    token: u64,
    claims: [Option<Claimed>; 2],
    past: [Option<Grant>; 2],
    last_epoch: i64,
    /// How often the gateway took the message, and how many of these answers were cut.
    accepted: i64,
    cut: i64,
    told: bool,
    twice: bool,
}

impl World {
    fn new(twice: bool) -> Self {
        Self {
            machines: ["a", "b"].map(|process| Machine::new(process.to_owned(), SHARED)),
            case: Case::default(),
            now: 1_000,
            token: 0,
            claims: [None, None],
            past: [None, None],
            last_epoch: 0,
            accepted: 0,
            cut: 0,
            told: false,
            twice,
        }
    }

    /// Applies a step; twice, as an engine does whose commit's answer was lost, where the world is of that kind.
    fn step(&mut self, worker: usize, step: &Step) -> Answer {
        let first = self.machines[worker].step(&mut self.case, &mut Memory::default(), step, self.now);
        if self.twice {
            let after_first = self.case.clone();
            let second = self.machines[worker].step(&mut self.case, &mut Memory::default(), step, self.now);
            assert_eq!(first, second, "the same step again says something else: {step:?}");
            assert_eq!(
                after_first.notifications, self.case.notifications,
                "the same step again changes something"
            );
        }
        first
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Claim { worker } => self.claim(worker),
            Action::Send { worker, answer } => self.send(worker, answer),
            Action::SendAndCrash { worker, accepted } => {
                if self.begin(worker) {
                    self.accepted += i64::from(accepted);
                    self.cut += i64::from(accepted);
                    self.crash(worker);
                }
            }
            Action::Crash { worker } => self.crash(worker),
            Action::LateSettle { worker } => self.late_settle(worker),
            Action::Pass { millis } => self.now += millis,
            Action::Receipt { fate, gateway } => self.receipt(fate, gateway),
        }
    }

    fn claim(&mut self, worker: usize) {
        if self.claims[worker].is_some() {
            return;
        }
        self.token += 1;
        let until = self.now + LEASE;
        let Answer::Claim(ClaimAnswer::Open { held, .. }) = self.step(worker, &claim(self.token)) else {
            panic!("the event is open all the time");
        };
        let [Held::Granted(grant)] = held.as_slice() else { return };
        assert!(!self.told, "granted after a gateway's acceptance was settled");
        assert!(grant.epoch > self.last_epoch, "an epoch twice");
        let other = self.claims[1 - worker].as_ref();
        assert!(other.is_none_or(|other| other.until < self.now), "granted while another claim is live");
        self.last_epoch = grant.epoch;
        self.claims[worker] = Some(Claimed { grant: grant.clone(), until });
    }

    /// Whether the worker may begin an attempt; time passes with it.
    fn begin(&mut self, worker: usize) -> bool {
        let left = self.claims[worker].as_ref().map_or(0, |claimed| claimed.until - self.now);
        if left < ATTEMPT {
            return false;
        }
        self.now += ATTEMPT;
        true
    }

    fn send(&mut self, worker: usize, answer: GatewayAnswer) {
        if !self.begin(worker) {
            return;
        }
        let Some(Claimed { grant, .. }) = self.claims[worker].take() else { return };
        let (accepted, ending, outcome) = match answer {
            GatewayAnswer::Accepted => (true, Settled::Accepted, "accepted"),
            GatewayAnswer::Refused => (false, Settled::Retry, "retryable"),
            GatewayAnswer::Cut { accepted } => (accepted, Settled::Unknown, Attempt::UNKNOWN),
        };
        self.accepted += i64::from(accepted);
        self.cut += i64::from(accepted && ending == Settled::Unknown);
        let settled = self.step(worker, &settle(&grant, ending, outcome));
        assert_ne!(settled, Answer::Settled(SettleAnswer::FencedOut), "fenced out under a live claim");
        self.told |= ending == Settled::Accepted;
        self.past[worker] = Some(grant);
    }

    fn crash(&mut self, worker: usize) {
        if let Some(claimed) = self.claims[worker].take() {
            self.past[worker] = Some(claimed.grant);
        }
        // It comes back as another process.
        self.token += 1;
        self.machines[worker] = Machine::new(format!("{worker}-{}", self.token), SHARED);
    }

    /// Somebody who lost the claim must not write over the one who has it.
    fn late_settle(&mut self, worker: usize) {
        let Some(grant) = self.past[worker].clone() else { return };
        let before = self.case.clone();
        self.step(worker, &settle(&grant, Settled::Failed, "permanent"));
        assert_eq!(before.notifications, self.case.notifications, "a late settlement changed something");
    }

    fn receipt(&mut self, fate: Fate, gateway: &str) {
        if self.accepted == 0 {
            return;
        }
        let before = self.case.notifications[0].state;
        let receipt = Receipt {
            message: MessageName::Reference("ref".to_owned()),
            gateway: Some(gateway.to_owned()),
            fate: fate.clone(),
            provider_id: None,
            code: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let answer =
            self.machines[0].step(&mut self.case, &mut Memory::default(), &Step::Receipt(receipt), self.now);
        let after = self.case.notifications[0].state;
        let stale = answer == Answer::Receipt(ReceiptAnswer::Stale);
        assert!(rank(after) >= rank(before), "{before:?} went back to {after:?}");
        assert_eq!(stale, after == before, "{before:?} {fate:?}");
        assert!(rank(before) < 2 || stale, "the first end counts");
        let elsewhere = gateway != "primary" && fate != Fate::Delivered;
        assert!(!elsewhere || stale, "the word of a gateway that does not have the message");
        assert!(fate != Fate::Delivered || rank(after) == 2, "what arrived was accepted");
        self.told |= rank(after) > 0;
    }

    /// What holds after every action.
    fn check(&self) {
        let Some(row) = self.case.notifications.first() else { return };
        let extra = self.accepted - 1;
        assert!(extra <= self.cut, "sent {} times, and only {} answers were cut", self.accepted, self.cut);
        let noted = row.attempts().iter().filter(|one| one.outcome == Attempt::UNKNOWN).count() as i64;
        assert!(
            extra <= row.unknowns,
            "sent {} times, and the ledger knows of {noted} unknown",
            self.accepted
        );
        assert_eq!(row.unknowns, noted, "counted and told unknown attempts differ");
        assert_eq!(row.epoch, self.last_epoch, "an epoch that nobody was granted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_workers_in_any_order_never_send_twice_but_after_a_cut_answer(actions in actions(), twice in any::<bool>()) {
        let mut world = World::new(twice);
        for action in actions {
            world.act(action);
            world.check();
        }
    }
}

#[test]
fn a_claim_whose_process_is_known_to_be_dead_is_taken_over_at_once_where_nobody_else_can_write() {
    for (exclusive, taken) in [(true, true), (false, false)] {
        let (before, after) =
            (Machine::new("before".to_owned(), exclusive), Machine::new("after".to_owned(), exclusive));
        let mut case = Case::default();
        before.step(&mut case, &mut Memory::default(), &claim(1), 1_000);
        let Answer::Claim(ClaimAnswer::Open { held, .. }) =
            after.step(&mut case, &mut Memory::default(), &claim(1), 1_001)
        else {
            panic!("open");
        };
        assert_eq!(matches!(&held[0], Held::Granted(grant) if grant.taken_over), taken, "{held:?}");
    }
}
