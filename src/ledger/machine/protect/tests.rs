//! The rules, driven alone: storms in any order, workers that take turns, commits that are made twice.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::ledger::machine::Machine;
use crate::ledger::memory::SummaryRow;
use crate::ledger::operation::{
    Answer, ClaimAnswer, CollapseRule, EventRecord, Held, Revive, Rules, Sealed, Step, TargetRecord,
};

const WINDOW: i64 = 1_000;
const LEASE: Duration = Duration::from_secs(60);

/// What an engine keeps of one recipient.
#[derive(Default)]
struct Database {
    cases: HashMap<usize, Case>,
    rows: HashMap<String, MemoryRow>,
    summaries: BTreeMap<String, SummaryRow>,
}

impl Database {
    /// One commit; `twice` when nobody heard of the first.
    fn claim(&mut self, event: usize, claim: &Claim, now: i64, twice: bool) -> ClaimAnswer {
        let first = self.commit(event, claim, now);
        if twice { self.commit(event, claim, now + 1) } else { first }
    }

    fn commit(&mut self, event: usize, claim: &Claim, now: i64) -> ClaimAnswer {
        let machine = Machine::new("p".to_owned(), false);
        let mut memory = Memory { rows: self.rows.clone(), ..Memory::default() };
        let step = Step::Claim { claim: claim.clone(), token: event as u64 };
        let answer = machine.step(self.cases.entry(event).or_default(), &mut memory, &step, now);
        for row in memory.changed() {
            self.rows.insert(row.key.clone(), MemoryRow { changed: false, ..row.clone() });
        }
        for (key, new) in memory.summaries {
            let newest = self.summaries.get(&key).filter(|known| known.event_time > new.event_time).cloned();
            let row = SummaryRow { over: new.over, ..newest.unwrap_or(new) };
            self.summaries.insert(key, row);
        }
        match answer {
            Answer::Claim(answer) => answer,
            other => panic!("{other:?}"),
        }
    }
}

fn claim(event: usize, time: i64, rules: Option<Rules>) -> Claim {
    let event = EventRecord {
        key: format!("/t\u{1f}{event}"),
        id: event.to_string(),
        event_type: "security.login".to_owned(),
        lane: "standard",
        fingerprint: "same".to_owned(),
        time: Timestamp::from_millisecond(time).expect("in range"),
    };
    let target = TargetRecord {
        target: "current.sms".to_owned(),
        reference: "ref".to_owned(),
        recipient: "hmac".to_owned(),
        why: "prefix".to_owned(),
        template_version: "v".to_owned(),
        gateway: None,
        by_reference: false,
        day_limit: None,
    };
    let rules = rules.map(Box::new);
    Claim { event, targets: vec![target], revive: Revive::Never, lease: LEASE, rules }
}

fn collapse(max: u32) -> Rules {
    let window = Duration::from_millis(WINDOW as u64);
    let rule = CollapseRule { key: "collapse.u".to_owned(), max, window, sealed: Sealed(vec![1]) };
    Rules { device: None, collapse: Some(rule) }
}

fn login(device: &str) -> Rules {
    let (key, retention) = ("device.u".to_owned(), Duration::from_secs(3600));
    Rules { device: Some(DeviceRule { key, device: device.to_owned(), retention }), collapse: None }
}

fn is_told(answer: &ClaimAnswer) -> bool {
    matches!(answer, ClaimAnswer::Open { .. })
}

proptest! {
    #[test]
    fn at_most_max_are_told_within_a_window_and_the_summaries_count_all_others(
        max in 1..4_u32,
        // Event, how long after the one before, its own time, and whether its commit's answer is lost.
        steps in prop::collection::vec((0..40_usize, 0..700_i64, 0..50_i64, any::<bool>()), 1..80),
    ) {
        let (mut database, mut now) = (Database::default(), 10_000);
        let (mut told, mut held, mut seen): (Vec<i64>, usize, Vec<usize>) = (vec![], 0, vec![]);
        for (event, pass, time, twice) in steps {
            now += pass;
            let new = !seen.contains(&event);
            let answer = database.claim(event, &claim(event, time, Some(collapse(max))), now, twice);
            if !new {
                continue;
            }
            seen.push(event);
            match answer {
                ClaimAnswer::Open { .. } => told.push(now),
                ClaimAnswer::HeldBack { reason: HeldBack::Collapsed, again } => {
                    prop_assert_eq!(again, twice);
                    held += 1;
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(told.len() + held, seen.len(), "each is told or held back");
        let summed: i64 = database.summaries.values().map(|row| row.over).sum();
        prop_assert_eq!(summed, held as i64, "summaries count what was held back, once");
        for row in database.summaries.values() {
            let window = told.iter().filter(|at| (row.due - WINDOW..row.due).contains(*at));
            prop_assert_eq!(window.count(), max as usize, "what is over comes after max were told");
        }
        let parts: Vec<&str> = database.cases.values().filter_map(|case| case.event.as_ref()?.summary.as_deref()).collect();
        prop_assert_eq!(parts.len(), held, "each that was held back names its summary");
        prop_assert!(parts.iter().all(|id| database.summaries.contains_key(*id)));
    }
}

#[test]
fn a_summary_is_made_of_the_newest_event_whatever_the_order_they_come_in() {
    let mut database = Database::default();
    for (event, time) in [(0, 1), (1, 5), (2, 9), (3, 7)] {
        database.claim(event, &claim(event, time, Some(collapse(1))), 100, false);
    }
    let summary = database.summaries.values().next().expect("one");
    assert_eq!((summary.event_id.as_str(), summary.over), ("2", 3));
}

#[test]
fn the_first_event_after_a_window_is_told_and_begins_the_next() {
    let mut database = Database::default();
    let mut told =
        |event, now| is_told(&database.claim(event, &claim(event, 0, Some(collapse(1))), now, false));
    assert_eq!(
        [told(0, 100), told(1, WINDOW + 99), told(2, WINDOW + 100), told(3, WINDOW + 101)],
        [true, false, true, false]
    );
    let dues: Vec<i64> = database.summaries.values().map(|row| row.due).collect();
    assert_eq!(dues, [WINDOW + 100, 2 * WINDOW + 100]);
}

#[test]
fn an_event_that_was_told_before_it_had_a_rule_is_not_judged_when_it_comes_again() {
    let mut database = Database::default();
    assert!(is_told(&database.claim(0, &claim(0, 0, None), 0, false)));
    let again = database.claim(0, &claim(0, 0, Some(collapse(1))), 1, false);
    assert!(is_told(&again) && database.rows.is_empty());
}

#[test]
fn a_login_is_told_when_it_is_the_first_or_from_another_device_than_the_last() {
    let mut database = Database::default();
    let mut told = |event, time, device| {
        is_told(&database.claim(event, &claim(event, time, Some(login(device))), 100, event % 2 == 1))
    };
    let answers = [told(0, 10, "a"), told(2, 20, "a"), told(3, 30, "b"), told(5, 40, "b"), told(6, 50, "a")];
    // The commit of the third was made twice: it is on its way, so that nothing else is judged by it.
    assert_eq!(answers, [true, false, true, false, true]);
}

#[test]
fn an_older_login_that_comes_late_does_not_become_the_last_one() {
    let mut database = Database::default();
    let mut told = |event, time, device| {
        is_told(&database.claim(event, &claim(event, time, Some(login(device))), 100, false))
    };
    assert!(told(0, 50, "new"));
    assert!(told(1, 10, "old"), "it differs");
    assert!(!told(2, 60, "new"), "the last is still the newer one");
}

#[test]
fn a_number_gets_its_sms_of_the_day_once_each_and_then_none() {
    let mut database = Database::default();
    let limit = Some(DayLimit { key: "sms.2026-11-28.p".to_owned(), max: 2 });
    let mut ask = |event: usize, twice| {
        let mut claim = claim(event, 0, None);
        claim.targets[0].day_limit.clone_from(&limit);
        match database.claim(event, &claim, 100, twice) {
            ClaimAnswer::Open { held, .. } => held.into_iter().next().expect("one"),
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(ask(0, true), Held::Granted(_)) && matches!(ask(1, true), Held::Granted(_)));
    for twice in [false, true] {
        assert_eq!(ask(2, twice), Held::Failed { reason: "sms_day_limit".to_owned() });
    }
    assert!(matches!(ask(1, false), Held::Granted(_)), "its own claim comes again: not counted anew");
}
