//! Gateways and relays that misbehave: every fault of the sandbox at once, each for some of the events.

use std::collections::BTreeMap;
use std::time::Duration;

use shirase::sandbox::{Asked, MailFault, SmsFault, Stage, StatusCode};

use super::trial;
use crate::events::mobile;
use crate::house::PATIENCE;
use crate::trial::email;

/// Of gateways and relay: no answer that is given at once takes so long, however busy the machine is.
const TIMEOUT: &str = "4s";

/// Longer than that.
const TOO_LATE: Duration = Duration::from_secs(9);

const EVENTS: usize = 400;

/// What the first request for a message meets; the second one is taken.
fn sms_fault(index: usize) -> Option<SmsFault> {
    let faults = [
        SmsFault::Cut,
        SmsFault::Late(TOO_LATE),
        SmsFault::HalfHead,
        SmsFault::HalfBody,
        SmsFault::refuse(StatusCode::TOO_MANY_REQUESTS),
        SmsFault::refuse(StatusCode::SERVICE_UNAVAILABLE),
        SmsFault::refuse(StatusCode::UNAUTHORIZED),
        SmsFault::Hang,
    ];
    faults.get(index % (faults.len() + 1)).copied()
}

fn mail_fault(index: usize) -> Option<MailFault> {
    let faults = [
        MailFault::Greylisted,
        MailFault::CutAtData,
        MailFault::Deferred,
        MailFault::Cut,
        MailFault::Hang,
        MailFault::Late(TOO_LATE),
    ];
    faults.get(index % (faults.len() + 1)).copied()
}

fn number_of(to: &str) -> usize {
    let digits = to.strip_prefix("0901").or_else(|| to.strip_prefix('u')?.split('@').next());
    digits.and_then(|digits| digits.parse().ok()).expect("an address of a trial")
}

/// The first request only; a mail is asked about at several stages, each with a count of its own.
fn first(asked: &Asked<'_>) -> bool {
    asked.before == 0
}

#[test]
fn whatever_gateways_and_relays_do_every_event_is_told_and_only_cut_answers_are_told_twice() {
    // Most messages meet a fault, each its own: a gateway like that would be left alone.
    let trial = trial("gateway-faults").with(|house| house.timeouts(TIMEOUT).breakers("enabled = false"));
    trial.sandbox.misbehave_sms(|asked| sms_fault(number_of(asked.to) / 10).filter(|_| first(asked)));
    trial.sandbox.misbehave_mail(|stage, asked| match stage {
        // Nobody is named yet: one in ten, whoever it is.
        Stage::Mail => (asked.before % 10 == 3).then_some(MailFault::Unavailable),
        _ => mail_fault(number_of(asked.to) / 10).filter(|_| first(asked)),
    });
    let worker = trial.house.start();
    trial.publish(0..EVENTS).join().expect("all confirmed");
    trial.wait_settled(PATIENCE * 3);

    let account = trial.account(&worker);
    account.assert_all_told();
    let twice: Vec<_> = account.twice.iter().map(|twice| twice.reference.as_str()).collect();
    for number in 0..EVENTS {
        for (to, cut) in expected(number) {
            let taken: Vec<_> = trial.taken().into_iter().filter(|entry| entry.to == to).collect();
            let reference = taken[0].reference.split('@').next().unwrap_or_default().to_owned();
            assert_eq!(twice.contains(&reference.as_str()), cut, "{to}: {taken:?}");
        }
    }
    let reasons: Vec<_> = account.reasons().into_keys().collect();
    assert_eq!(reasons, ["cut", "timeout"], "{account}");
    trial.house.stop_and_assert_empty(&worker);
}

/// The addresses of an event, and whether its fault keeps a message and cuts its answer.
fn expected(number: usize) -> BTreeMap<String, bool> {
    let sms_cut =
        matches!(sms_fault(number / 10), Some(SmsFault::Cut | SmsFault::Late(_) | SmsFault::HalfHead));
    let mail_cut =
        matches!(mail_fault(number / 10), Some(MailFault::Cut | MailFault::Hang | MailFault::Late(_)));
    let (sms, mail) = ((mobile(number), sms_cut), (email(number), mail_cut));
    match number % 10 {
        0..=6 => [sms].into(),
        7 | 8 => [mail].into(),
        _ => [sms, mail].into(),
    }
}

#[test]
fn recipients_and_texts_that_a_relay_refuses_are_dead_letters_with_the_reason_and_the_others_are_told() {
    let trial = trial("relay-refusals");
    trial.sandbox.misbehave_mail(|stage, asked| match (stage, asked.to) {
        (Stage::Rcpt, "u7@example.jp") => Some(MailFault::UnknownUser),
        (Stage::EndOfData, "u8@example.jp") => Some(MailFault::Rejected),
        _ => None,
    });
    let worker = trial.house.start();
    trial.publish(0..20).join().expect("all confirmed");
    trial.wait_quiet(PATIENCE);
    let account = trial.account(&worker);
    account.assert_kept();
    let dead: Vec<_> = account.dead.iter().map(|(number, reason)| (*number, reason.as_str())).collect();
    // 5.1.1 is the recipient; 5.7.1 is what the relay thinks of us, which may pass (domain: page, not the recipient's fault).
    assert_eq!(dead, [(7, "refused"), (8, "exhausted")]);
    assert!(account.twice.is_empty(), "{account}");
    trial.house.stop_and_assert_empty(&worker);
}
