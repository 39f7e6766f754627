//! Whatever happens in whatever order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Pass(u64),
    Ask,
    End(prop::sample::Index, u8),
    Drop(prop::sample::Index),
    Look,
    Drain(Option<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0_u64..8_000).prop_map(Step::Pass),
        5 => Just(Step::Ask),
        4 => (any::<prop::sample::Index>(), 0_u8..6).prop_map(|(which, sign)| Step::End(which, sign)),
        1 => any::<prop::sample::Index>().prop_map(Step::Drop),
        1 => Just(Step::Look),
        1 => prop::option::of(0_u64..8_000).prop_map(Step::Drain),
    ];
    prop::collection::vec(step, 0..200)
}

fn sign(number: u8) -> Sign {
    match number {
        0 | 1 => FAULT,
        2 => Sign::Throttled(None),
        3 => Sign::Throttled(Some(Duration::from_secs(7))),
        4 => Sign::Nothing,
        _ => Sign::Answered,
    }
}

fn apply(watch: &mut Watch, flying: &mut BTreeSet<Ticket>, step: Step) -> Result<(), TestCaseError> {
    let chosen = |which: prop::sample::Index, flying: &BTreeSet<Ticket>| {
        (!flying.is_empty()).then(|| *which.get(&flying.iter().copied().collect::<Vec<_>>()))
    };
    match step {
        Step::Pass(millis) => drop(watch.after(millis)),
        Step::Look => drop(watch.look()),
        Step::Drain(millis) => {
            let until = millis.map(|millis| watch.now + Duration::from_millis(millis));
            watch.breaker.drain(until);
        }
        Step::Ask => {
            let (refused, circuit) = (watch.breaker.refusal(watch.now), watch.breaker.circuit());
            let asked = watch.ask();
            prop_assert_eq!(refused.is_some(), matches!(asked, Asked::Refused(_)));
            prop_assert!(asked != Asked::Wait || circuit == Circuit::HalfOpen);
            if let Asked::Go(ticket) = asked {
                prop_assert!(flying.insert(ticket), "each ticket is given once");
                watch.breaker.begun(ticket, watch.now);
            }
        }
        Step::End(which, number) => {
            if let Some(ticket) = chosen(which, flying) {
                flying.remove(&ticket);
                watch.ends(ticket, sign(number));
            }
        }
        Step::Drop(which) => {
            if let Some(ticket) = chosen(which, flying) {
                flying.remove(&ticket);
                watch.breaker.unsaid(ticket, watch.now);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happened: while it is open nobody is let through, on its way back no more than allowed; and once the
    /// gateway works again, every circuit closes.
    #[test]
    fn nobody_passes_an_open_circuit_and_a_gateway_that_works_is_always_taken_back(steps in steps()) {
        let mut watch = Watch::new(BreakerConfig::default());
        let mut flying = BTreeSet::new();
        for step in steps {
            apply(&mut watch, &mut flying, step)?;
            let fresh = watch.breaker.fresh_in_flight();
            match watch.breaker.state {
                State::Open { .. } => prop_assert_eq!(fresh, 0),
                State::Probing(probe) => prop_assert!(fresh == 1 && flying.contains(&probe)),
                State::Returning { allowed, .. } => prop_assert!(fresh <= allowed as usize, "{fresh} of {allowed}"),
                State::Closed => prop_assert_eq!(watch.breaker.outage, None),
            }
        }
        for ticket in flying {
            watch.ends(ticket, FAULT);
        }
        let mut rounds = 0;
        while watch.breaker.circuit() != Circuit::Closed {
            rounds += 1;
            prop_assert!(rounds < 100);
            if let Asked::Go(ticket) = watch.after(1_000).ask() {
                watch.breaker.begun(ticket, watch.now);
                watch.ends(ticket, Sign::Answered);
            }
        }
        prop_assert!(watch.after(10_000).at_once().len() == 1000);
    }
}
