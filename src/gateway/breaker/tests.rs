//! The circuit's promises, by arithmetic: no test here waits.

mod property;

use super::*;
use crate::config::Span;

const AT_ONCE: u32 = 128;

/// A breaker and the time.
struct Watch {
    breaker: Breaker,
    now: Instant,
}

impl Watch {
    fn new(rules: BreakerConfig) -> Self {
        Self { breaker: Breaker::new(rules, AT_ONCE), now: Instant::now() }
    }

    fn after(&mut self, millis: u64) -> &mut Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn ask(&mut self) -> Asked {
        self.breaker.ask(self.now)
    }

    /// One that is being sent.
    #[track_caller]
    fn go(&mut self) -> Ticket {
        match self.ask() {
            Asked::Go(ticket) => {
                self.breaker.begun(ticket, self.now);
                ticket
            }
            other => panic!("{other:?}"),
        }
    }

    fn ends(&mut self, ticket: Ticket, sign: Sign) {
        self.breaker.ended(ticket, sign, self.now);
    }

    /// One that is sent and ends at once.
    #[track_caller]
    fn try_one(&mut self, sign: Sign) {
        let ticket = self.go();
        self.ends(ticket, sign);
    }

    fn look(&mut self) -> Circuit {
        self.breaker.look(self.now);
        self.breaker.circuit()
    }

    /// How many more are let through at once.
    fn at_once(&mut self) -> Vec<Ticket> {
        std::iter::from_fn(|| match self.ask() {
            Asked::Go(ticket) => {
                self.breaker.begun(ticket, self.now);
                Some(ticket)
            }
            Asked::Wait | Asked::Refused(_) => None,
        })
        .take(1000)
        .collect()
    }

    fn wait(&self) -> Option<u64> {
        self.breaker.refusal(self.now).map(|refusal| refusal.wait().as_secs())
    }
}

const FAULT: Sign = Sign::Fault(Reason::Connect);

fn opened() -> Watch {
    let mut watch = Watch::new(BreakerConfig::default());
    (0..5).for_each(|_| watch.try_one(FAULT));
    assert_eq!(watch.breaker.circuit(), Circuit::Open);
    watch
}

#[test]
fn five_failures_in_a_row_open_the_circuit_however_long_they_took() {
    let mut watch = Watch::new(BreakerConfig::default());
    for _ in 0..4 {
        watch.try_one(FAULT);
        watch.after(600_000);
    }
    assert_eq!(watch.look(), Circuit::Closed);
    watch.try_one(FAULT);
    assert_eq!((watch.breaker.circuit(), watch.wait()), (Circuit::Open, Some(5)));
}

#[test]
fn half_of_the_attempts_of_ten_seconds_open_it_and_less_than_half_do_not() {
    let mut fails = Watch::new(BreakerConfig::default());
    for _ in 0..2 {
        fails.after(1000).try_one(Sign::Answered);
        fails.after(1000).try_one(FAULT);
    }
    assert_eq!(fails.look(), Circuit::Closed, "four attempts say nothing");
    fails.after(1000).try_one(FAULT);
    assert_eq!(fails.breaker.circuit(), Circuit::Open, "three of five");

    let mut works = Watch::new(BreakerConfig::default());
    for _ in 0..1000 {
        for sign in [FAULT, Sign::Answered, Sign::Answered] {
            works.after(100).try_one(sign);
        }
    }
    assert_eq!(works.breaker.circuit(), Circuit::Closed, "a third");
}

#[test]
fn what_says_nothing_against_the_gateway_never_opens_it() {
    let refused = |class, reason| Failure::new(class, reason, "x");
    for failure in [
        refused(Class::Permanent, Reason::Recipient),
        refused(Class::Filtered, Reason::Filtered),
        refused(Class::Route, Reason::Route),
        refused(Class::Throttled { wait: None }, Reason::RateLimit),
        refused(Class::Permanent, Reason::Build),
    ] {
        let mut watch = Watch::new(BreakerConfig::default());
        (0..100).for_each(|_| watch.try_one(Sign::of(Err(&failure))));
        assert_eq!(watch.breaker.circuit(), Circuit::Closed, "{failure:?}");
    }
    for (class, reason) in [
        (Class::Retryable, Reason::Connect),
        (Class::Unknown, Reason::Timeout),
        (Class::Credentials, Reason::Credit),
    ] {
        assert_eq!(Sign::of(Err(&refused(class, reason))), Sign::Fault(reason));
    }
}

#[test]
fn a_drained_gateway_is_not_asked_until_the_drain_is_over_or_ended_and_what_is_on_its_way_counts() {
    let mut watch = Watch::new(BreakerConfig::default());
    let on_its_way = watch.go();
    watch.breaker.drain(Some(watch.now + Duration::from_secs(8)));
    assert_eq!(watch.ask(), Asked::Refused(Refusal::Drained { wait: Duration::from_secs(5) }));
    watch.after(5_000);
    assert_eq!(watch.ask(), Asked::Refused(Refusal::Drained { wait: Duration::from_secs(3) }));
    watch.ends(on_its_way, FAULT);
    assert_eq!((watch.breaker.row, watch.breaker.circuit()), (1, Circuit::Closed));
    watch.after(3_000).try_one(Sign::Answered);

    watch.breaker.drain(Some(watch.now + Duration::from_secs(3600)));
    assert_eq!(watch.wait(), Some(5), "it may be resumed at any moment");
    watch.breaker.drain(None);
    watch.try_one(Sign::Answered);
}

#[test]
fn a_gateway_that_was_drained_while_it_failed_is_probed_when_the_drain_ends() {
    let mut watch = opened();
    watch.breaker.drain(Some(watch.now + Duration::from_secs(60)));
    assert!(watch.after(59_000).at_once().is_empty(), "no probe either");
    assert_eq!(watch.after(1_000).at_once().len(), 1);
    assert_eq!(watch.breaker.circuit(), Circuit::HalfOpen);
}

/// With ten attempts a second, and a timeout of ten seconds that has not been reached by then.
#[test]
fn a_gateway_that_hangs_is_found_out_in_less_than_ten_seconds() {
    let mut watch = Watch::new(BreakerConfig::default());
    watch.try_one(Sign::Answered);
    let begun = watch.after(1).now;
    while watch.look() == Circuit::Closed {
        watch.go();
        watch.after(100);
        assert!(watch.now - begun < Duration::from_secs(10));
    }
    assert!(watch.now - begun <= Duration::from_millis(3_500), "{:?}", watch.now - begun);
    let outage = watch.breaker.outage(watch.now).expect("open");
    assert_eq!((outage.since, outage.reason), (begun, Reason::Timeout));
    // Nobody needs it: that it failed once is not told for ever.
    watch.after(34_000);
    assert!(watch.breaker.outage(watch.now).is_some());
    watch.after(1_001);
    assert_eq!(watch.breaker.outage(watch.now), None);

    // Also when its answers had been slow before: it is waited for longer, but not for ever.
    let mut slow = Watch::new(BreakerConfig::default());
    let first = slow.go();
    slow.after(9_000).ends(first, Sign::Answered);
    let begun = slow.after(1).now;
    let tickets: Vec<Ticket> = (0..5).map(|_| slow.go()).collect();
    let left = slow.breaker.until_it_hangs(tickets[0], slow.now).expect("it does not hang yet");
    slow.now += left;
    assert_eq!(slow.look(), Circuit::Open);
    assert!(slow.now - begun < Duration::from_secs(10));
}

#[test]
fn slow_attempts_do_not_count_as_hanging_while_others_are_answered() {
    let mut watch = Watch::new(BreakerConfig::default());
    for _ in 0..20 {
        watch.go();
    }
    for _ in 0..10 {
        watch.after(1000).try_one(Sign::Answered);
        assert_eq!(watch.look(), Circuit::Closed);
    }
}

#[test]
fn a_gateway_that_answers_slowly_comes_back_and_is_waited_for_from_then_on() {
    let mut watch = Watch::new(BreakerConfig::default());
    let tickets: Vec<Ticket> = (0..10).map(|_| watch.go()).collect();
    watch.after(3_000);
    assert_eq!(watch.look(), Circuit::Open);
    watch.after(500).ends(tickets[0], Sign::Answered);
    assert_eq!(watch.breaker.circuit(), Circuit::HalfOpen);
    for _ in 0..10 {
        let tickets = watch.at_once();
        assert!(!tickets.is_empty());
        watch.after(3_500);
        assert_ne!(watch.look(), Circuit::Open, "it answers, if late");
        tickets.into_iter().for_each(|ticket| watch.ends(ticket, Sign::Answered));
    }
    assert_eq!(watch.breaker.circuit(), Circuit::Closed);
}

#[test]
fn while_it_is_open_nobody_is_let_through_and_then_exactly_one() {
    let mut watch = opened();
    assert!(watch.after(4_999).at_once().is_empty());
    assert_eq!(watch.after(1).at_once().len(), 1);
    assert!(watch.after(2_000).at_once().is_empty(), "until it is known what became of it");
}

#[test]
fn it_stays_open_twice_as_long_after_each_failed_probe_up_to_a_minute() {
    let mut watch = opened();
    let waits: Vec<u64> = (0..6)
        .map(|_| {
            let wait = watch.wait().expect("open");
            watch.after(wait * 1000).try_one(FAULT);
            wait
        })
        .collect();
    assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
}

#[test]
fn a_probe_that_hangs_is_a_failed_one() {
    let mut watch = opened();
    let probe = watch.after(5_000).go();
    watch.after(3_000);
    assert_eq!((watch.look(), watch.wait()), (Circuit::Open, Some(10)));
    watch.after(7_000).ends(probe, FAULT);
    assert_eq!(watch.wait(), Some(3), "what is known already changes nothing");
}

#[test]
fn a_probe_that_was_never_sent_leaves_its_place_to_the_next() {
    let mut watch = opened();
    let probe = watch.after(5_000).go();
    watch.breaker.unsaid(probe, watch.now);
    assert_eq!(watch.at_once().len(), 1);
}

#[test]
fn after_a_probe_it_returns_slowly_until_it_is_at_full_strength() {
    let mut watch = opened();
    watch.after(5_000).try_one(Sign::Answered);
    for allowed in [2, 4, 8, 16, 32] {
        assert_eq!(watch.breaker.circuit(), Circuit::HalfOpen);
        let tickets = watch.at_once();
        assert_eq!(tickets.len(), allowed);
        assert_eq!(watch.ask(), Asked::Wait, "a place becomes free when one has ended");
        tickets.into_iter().for_each(|ticket| watch.ends(ticket, Sign::Answered));
    }
    assert_eq!(watch.breaker.circuit(), Circuit::Closed);
    assert_eq!(watch.at_once().len(), 1000);
}

#[test]
fn one_that_fails_more_than_it_works_on_its_way_back_is_left_alone_again() {
    let mut watch = opened();
    watch.after(5_000).try_one(Sign::Answered);
    watch.try_one(FAULT);
    assert_eq!(watch.breaker.circuit(), Circuit::HalfOpen);
    watch.try_one(FAULT);
    assert_eq!(
        (watch.breaker.circuit(), watch.wait()),
        (Circuit::Open, Some(5)),
        "it was there a moment ago"
    );
}

#[test]
fn one_that_hangs_on_its_way_back_is_left_alone_again() {
    let mut watch = opened();
    watch.after(5_000).try_one(Sign::Answered);
    assert_eq!(watch.at_once().len(), 2);
    watch.after(3_000);
    assert_eq!(watch.look(), Circuit::Open);
}

/// A gateway that fails now and then never opens a closed circuit; so it must be able to close an open one.
#[test]
fn one_that_fails_now_and_then_comes_back_all_the_same() {
    let mut watch = opened();
    watch.after(5_000);
    for number in 0.. {
        watch.after(10).try_one(if number % 5 == 4 { FAULT } else { Sign::Answered });
        if watch.breaker.circuit() == Circuit::Closed {
            break;
        }
        assert!(number < 100);
    }
}

#[test]
fn where_little_is_sent_a_while_without_failure_is_enough_for_the_next_step() {
    let mut watch = opened();
    watch.after(5_000).try_one(Sign::Answered);
    for _ in 0..5 {
        assert_eq!(watch.breaker.circuit(), Circuit::HalfOpen);
        watch.after(10_000).try_one(Sign::Answered);
    }
    assert_eq!(watch.breaker.circuit(), Circuit::Closed);
}

#[test]
fn what_hung_before_it_opened_does_not_open_it_again_when_its_timeout_comes() {
    let mut watch = Watch::new(BreakerConfig::default());
    let hung: Vec<Ticket> = (0..20).map(|_| watch.go()).collect();
    watch.after(3_000);
    assert_eq!(watch.look(), Circuit::Open);
    watch.after(5_000).try_one(Sign::Answered);
    while watch.breaker.circuit() != Circuit::Closed {
        watch.try_one(Sign::Answered);
    }
    hung.into_iter().for_each(|ticket| watch.ends(ticket, Sign::Fault(Reason::Timeout)));
    assert_eq!(watch.breaker.circuit(), Circuit::Closed);
}

#[test]
fn a_gateway_that_wants_to_be_left_alone_is_by_everybody_until_then() {
    let mut watch = Watch::new(BreakerConfig::default());
    let (first, second) = (watch.go(), watch.go());
    watch.ends(first, Sign::Throttled(Some(Duration::from_secs(20))));
    watch.after(1_000).ends(second, Sign::Throttled(Some(Duration::from_secs(1))));
    assert_eq!(
        watch.ask(),
        Asked::Refused(Refusal::Held { wait: Duration::from_secs(19) }),
        "the longest wish counts"
    );
    assert_eq!(watch.after(19_000).at_once().len(), 1000);

    watch.try_one(Sign::Throttled(Some(Duration::MAX)));
    assert_eq!(watch.wait(), Some(3600), "no wish makes it stay away for ever");
}

#[test]
fn a_breaker_that_is_switched_off_leaves_nobody_alone() {
    let mut watch = Watch::new(BreakerConfig { enabled: false, ..BreakerConfig::default() });
    (0..100).for_each(|_| watch.try_one(FAULT));
    for _ in 0..100 {
        watch.go();
    }
    watch.after(60_000);
    assert_eq!(watch.look(), Circuit::Closed);
    watch.try_one(Sign::Throttled(Some(Duration::from_secs(20))));
    assert_eq!(watch.wait(), None);
}

#[test]
fn spans_that_cannot_be_are_named() {
    let rules =
        BreakerConfig { slow: Span::seconds(0), window: Span::seconds(7200), ..BreakerConfig::default() };
    let keys: Vec<_> = rules.problems().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["window", "slow"]);
    assert!(BreakerConfig::default().problems().is_empty());
}
