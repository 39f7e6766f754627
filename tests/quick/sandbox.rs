//! The sandbox that misbehaves, as the worker's own gateways meet it; what its journal holds then; and the binary with
//! both.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use shirase::clock::Clock;
use shirase::gateway::{Accepted, Class, Failure, Gateway, Reason};
use shirase::plan::Channel;
use shirase::sandbox::{
    Asked, Entry, Journal, MailFault, RandomFaults, Sandbox, SmsFault, Stage, StatusCode,
};

use crate::gateways::{
    MAIL, PHONE, REFERENCE, TIMEOUT, relay, send_mail, send_mail_to, send_sms, sms_gateway,
};
use crate::house::{self, Desk, Findings};
use crate::support::{Guard, Scratch, eventually, free_port, http_get, try_http_get};

/// Beyond the gateways' patience.
const TOO_LATE: Duration = Duration::from_secs(TIMEOUT.as_secs() + 2);

/// For a process to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A sandbox with a journal, a gateway and a relay that lead into it.
struct World {
    sandbox: Sandbox,
    path: PathBuf,
    url: String,
    sms: Gateway,
    mail: Gateway,
    _scratch: Scratch,
}

async fn world() -> World {
    let scratch = Scratch::new("sandbox");
    let path = scratch.join("journal");
    let sandbox = Sandbox::new(Clock::fixed(house::time())).with_journal(&path).expect("a journal");
    let (url, smtp) = house::addresses(&sandbox).await;
    World { sandbox, path, sms: sms_gateway(&url, &[]), url, mail: relay(&smtp), _scratch: scratch }
}

impl World {
    fn journal(&self) -> Vec<Entry> {
        Journal::read(&self.path).expect("a journal")
    }

    /// Of each message in the journal, whether it was answered.
    fn answered(&self) -> Vec<bool> {
        self.journal().iter().map(|entry| entry.answered).collect()
    }
}

type Ended = Result<(), (Class, Reason)>;

fn ended(result: Result<Accepted, Failure>) -> Ended {
    result.map(drop).map_err(|failure| (failure.class, failure.reason))
}

#[tokio::test]
async fn every_fault_of_the_sms_gateway_is_what_the_worker_takes_it_for() {
    let unknown = |reason| Err((Class::Unknown, reason));
    let refuse = |status| SmsFault::refuse(StatusCode::from_u16(status).expect("a status"));
    let throttle = |retry_after| SmsFault::Refuse { status: StatusCode::TOO_MANY_REQUESTS, retry_after };
    let wait = Some(Duration::from_secs(7));
    let throttled = |wait| Err((Class::Throttled { wait }, Reason::RateLimit));
    let cases: [(SmsFault, Ended, &[bool]); 12] = [
        (SmsFault::Cut, unknown(Reason::Cut), &[false]),
        (SmsFault::HalfHead, unknown(Reason::Cut), &[false]),
        // The first line is the acceptance; only the id is lost.
        (SmsFault::HalfBody, Ok(()), &[false]),
        (SmsFault::Late(Duration::from_millis(50)), Ok(()), &[false]),
        (SmsFault::Late(TOO_LATE), unknown(Reason::Timeout), &[false]),
        (SmsFault::Hang, unknown(Reason::Timeout), &[]),
        (throttle(wait), throttled(wait), &[]),
        (throttle(None), throttled(None), &[]),
        (refuse(503), unknown(Reason::Server), &[]),
        (refuse(500), unknown(Reason::Server), &[]),
        (refuse(401), Err((Class::Credentials, Reason::Credentials)), &[]),
        (refuse(422), Err((Class::Permanent, Reason::Recipient)), &[]),
    ];
    let findings = &Findings::default();
    join_all(cases.into_iter().map(|(fault, expected, answered)| async move {
        let world = world().await;
        world.sandbox.misbehave_sms(move |_| Some(fault));
        let case = format!("{fault:?}");
        findings.equal(&case, &ended(send_sms(&world.sms).await), &expected);
        findings.equal(&case, &world.answered(), &answered.to_vec());
        findings.equal(&case, &world.sandbox.sms().len(), &answered.len());

        world.sandbox.behave();
        findings.equal(&case, &ended(send_sms(&world.sms).await), &Ok(()));
        findings.equal(&case, &world.answered().last().copied(), &Some(true));
    }))
    .await;
    findings.assert_none();
}

#[tokio::test]
async fn every_fault_of_the_smtp_server_is_what_the_worker_takes_it_for() {
    use Class::{Credentials, Permanent, Retryable, Unknown};
    let cases: [(MailFault, Ended, &[bool]); 10] = [
        (MailFault::Unavailable, Err((Retryable, Reason::Server)), &[]),
        (MailFault::Greylisted, Err((Retryable, Reason::Server)), &[]),
        (MailFault::UnknownUser, Err((Permanent, Reason::Recipient)), &[]),
        (MailFault::CutAtData, Err((Retryable, Reason::Cut)), &[]),
        (MailFault::Deferred, Err((Retryable, Reason::Server)), &[]),
        (MailFault::Rejected, Err((Credentials, Reason::Credentials)), &[]),
        (MailFault::Cut, Err((Unknown, Reason::Cut)), &[false]),
        (MailFault::Hang, Err((Unknown, Reason::Timeout)), &[false]),
        (MailFault::Late(Duration::from_millis(50)), Ok(()), &[false]),
        (MailFault::Late(TOO_LATE), Err((Unknown, Reason::Timeout)), &[false]),
    ];
    let findings = &Findings::default();
    join_all(cases.into_iter().map(|(fault, expected, answered)| async move {
        let world = world().await;
        world.sandbox.misbehave_mail(move |_, _| Some(fault));
        let case = format!("{fault:?}");
        findings.equal(&case, &ended(send_mail(&world.mail).await), &expected);
        findings.equal(&case, &world.answered(), &answered.to_vec());
        findings.equal(&case, &world.sandbox.mail().len(), &answered.len());

        world.sandbox.behave();
        findings.equal(&case, &ended(send_mail(&world.mail).await), &Ok(()));
        findings.equal(&case, &world.answered().last().copied(), &Some(true));
    }))
    .await;
    findings.assert_none();
}

#[tokio::test]
async fn the_journal_holds_what_was_taken_and_to_whom() {
    let world = world().await;
    send_sms(&world.sms).await.expect("accepted");
    send_mail(&world.mail).await.expect("accepted");
    let entry = |channel, reference: &str, to: &str, id: &str| Entry {
        at: house::time(),
        channel,
        reference: reference.to_owned(),
        to: to.to_owned(),
        id: id.to_owned(),
        answered: true,
    };
    let sms = entry(Channel::Sms, REFERENCE, PHONE, "sms-1");
    let mail = entry(Channel::Email, &format!("{REFERENCE}@example.jp"), MAIL, "mail-1");
    assert_eq!(world.journal(), [sms, mail]);
    let line = std::fs::read_to_string(&world.path).expect("text");
    let line: Value = serde_json::from_str(line.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&line["at"], &line["channel"]), (&Value::from(house::TIME), &Value::from("sms")));
}

#[tokio::test]
async fn a_message_is_in_the_journal_before_its_answer_and_many_at_once_lose_none() {
    let world = &world().await;
    // What is late is read while its sender still waits.
    world.sandbox.misbehave_sms(|_| Some(SmsFault::Late(Duration::from_secs(1))));
    let sent = send_sms(&world.sms);
    let read = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.answered()
    };
    let (sent, read) = tokio::join!(sent, read);
    assert_eq!((ended(sent), read), (Ok(()), vec![false]));

    world.sandbox.behave();
    let references: Vec<_> = (0..200).map(|number| format!("m-{number}")).collect();
    join_all(references.iter().map(|reference| async move {
        send_mail_to(&world.mail, MAIL, reference).await.expect("accepted");
        let own = format!("{reference}@example.jp");
        assert!(world.journal().iter().any(|entry| entry.reference == own), "{reference}");
    }))
    .await;
    assert_eq!(world.journal().len(), 201);
}

#[tokio::test]
async fn a_rule_is_told_who_is_asked_and_how_often_before() {
    let world = world().await;
    world.sandbox.misbehave_sms(|asked| {
        let asked_for = (asked.reference, asked.to) == (REFERENCE, PHONE);
        (asked_for && asked.before < 2).then_some(SmsFault::refuse(StatusCode::UNAUTHORIZED))
    });
    for refused in [true, true, false] {
        assert_eq!(send_sms(&world.sms).await.is_err(), refused);
    }

    // A greylisting server: each recipient is refused once.
    world.sandbox.misbehave_mail(|_, asked| (asked.before == 0).then_some(MailFault::Greylisted));
    for (to, refused) in [(MAIL, true), (MAIL, false), ("hanako@example.jp", true), (MAIL, false)] {
        assert_eq!(send_mail_to(&world.mail, to, REFERENCE).await.is_err(), refused, "{to}");
    }

    world.sandbox.misbehave_mail(|stage, asked| {
        let asked_for = asked.reference == "m-1@example.jp" && stage == Stage::EndOfData;
        asked_for.then_some(MailFault::Deferred)
    });
    for (reference, refused) in [("m-0", false), ("m-1", true), ("m-2", false)] {
        assert_eq!(send_mail_to(&world.mail, MAIL, reference).await.is_err(), refused, "{reference}");
    }
}

#[tokio::test]
async fn what_is_no_sms_is_refused_and_not_kept() {
    let world = world().await;
    let client = reqwest::Client::new();
    let body = r#"{"to": "09012345678", "text": "x"}"#;
    let long = format!(r#"{{"to": "09012345678", "text": "{}"}}"#, "x".repeat(1024 * 1024));
    for (path, body, status) in [
        ("", body, 200),
        ("/primary", body, 200),
        ("", "{}", 400),
        ("", "nonsense", 400),
        ("", "", 400),
        ("", &long, 413),
        ("/a/b", body, 404),
        ("/", body, 404),
    ] {
        let sent = client.post(format!("{}{path}", world.url)).body(body.to_owned()).send();
        assert_eq!(sent.await.expect("an answer").status(), status, "{path} {}", &body[..body.len().min(40)]);
    }
    let got = client.get(&world.url).send().await.expect("an answer");
    assert_eq!((got.status().as_u16(), &got.headers()["allow"]), (405, &"POST".parse().expect("a header")));
    let kept: Vec<_> = world.sandbox.sms().into_iter().map(|sms| sms.gateway).collect();
    assert_eq!(kept, ["sandbox", "primary"]);
    assert_eq!(world.journal().len(), 2);
}

#[test]
fn faults_at_random_are_the_same_for_the_same_seed_and_others_for_another() {
    let drawn = |share, seed| {
        let faults = RandomFaults::new(share, seed);
        let draw = |number: u32| {
            let reference = format!("r-{number}");
            let asked = Asked { reference: &reference, to: &reference, before: 0 };
            (faults.sms(&asked), faults.mail(&asked))
        };
        (0..1000).map(draw).collect::<Vec<_>>()
    };
    assert_eq!(drawn(0.3, 1), drawn(0.3, 1));
    assert_ne!(drawn(0.3, 1), drawn(0.3, 2));
    for (share, range) in [(0.0, 0..=0), (0.3, 250..=350), (1.0, 1000..=1000)] {
        let drawn = drawn(share, 7);
        let (sms, mail): (Vec<_>, Vec<_>) = drawn.into_iter().unzip();
        let (sms, mail) = (sms.iter().flatten().count(), mail.iter().flatten().count());
        assert!(range.contains(&sms) && range.contains(&mail), "{share}: {sms} SMS, {mail} mails");
    }
}

#[test]
fn a_message_that_is_sent_again_may_meet_another_fault() {
    let faults = RandomFaults::new(0.5, 3);
    let fault = |before| faults.sms(&Asked { reference: REFERENCE, to: PHONE, before });
    assert!((0..100).any(|before| fault(before).is_none()), "it comes through at last");
    assert!((0..100).any(|before| fault(before).is_some()));
}

/// `shirase sandbox` as a process of its own.
struct Running {
    desk: Desk,
    guard: Guard,
    gateway: Gateway,
    page: u16,
}

impl Running {
    /// After this line of shell, with these options, its journal in `taken.jsonl`.
    fn start(before: &str, options: &str) -> Self {
        let [sms, smtp, page] = std::array::from_fn(|_| free_port());
        let desk = Desk::new();
        let mut command = desk.command("bash");
        command.args(["-c", &format!(
            "{before}; exec \"$shirase\" sandbox --journal taken.jsonl --sms 127.0.0.1:{sms} --smtp 127.0.0.1:{smtp} \
             --page 127.0.0.1:{page} {options}"
        )]);
        let output = std::fs::File::create(desk.scratch.join("stdout")).expect("our folder");
        command.env("shirase", house::BINARY).stdout(output).stderr(std::process::Stdio::null());
        let guard = Guard::start(&desk.scratch, &mut command);
        eventually(PATIENCE, "the page", || try_http_get(page, "/").ok());
        let gateway = sms_gateway(&format!("http://127.0.0.1:{sms}/sms"), &[]);
        Self { desk, guard, gateway, page }
    }

    fn journal(&self) -> Vec<Entry> {
        Journal::read(&self.desk.scratch.join("taken.jsonl")).expect("a journal")
    }

    #[track_caller]
    fn stop(self) {
        self.guard.signal("TERM");
        assert_eq!(self.guard.wait(PATIENCE).code(), Some(0));
    }
}

#[test]
fn the_command_writes_a_journal_and_misbehaves_as_told() {
    let running = Running::start(":", "--faults 1 --seed 5");
    assert!(running.desk.scratch.read("stdout").contains("1 of the requests, seed 5"), "says so");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let faults = RandomFaults::new(1.0, 5);
    for before in 0..12 {
        let fault = faults.sms(&Asked { reference: REFERENCE, to: PHONE, before }).expect("each has one");
        let accepted = runtime.block_on(send_sms(&running.gateway)).is_ok();
        let on_time =
            matches!(fault, SmsFault::HalfBody) || matches!(fault, SmsFault::Late(delay) if delay < TIMEOUT);
        assert_eq!(accepted, on_time, "{fault:?}");
    }
    let state: Value = serde_json::from_str(&http_get(running.page, "/api/state").1).expect("JSON");
    let journal = running.journal();
    assert_eq!(state["sms"].as_array().map(Vec::len), Some(journal.len()));
    assert!(!journal.is_empty() && journal.iter().all(|entry| !entry.answered), "{journal:?}");
    running.stop();
}

#[test]
fn what_the_journal_cannot_hold_is_not_accepted() {
    // Files of this process end at 1 KiB; writing on is an error instead of its end.
    let running = Running::start("trap '' XFSZ; ulimit -f 1", "");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sent: Vec<_> = (0..20).map(|_| ended(runtime.block_on(send_sms(&running.gateway)))).collect();
    let accepted = sent.iter().filter(|sent| sent.is_ok()).count();
    assert!((1..20).contains(&accepted), "{sent:?}");
    assert_eq!(sent.last(), Some(&Err((Class::Unknown, Reason::Server))));
    assert_eq!(running.journal().len(), accepted);
    running.stop();
}

#[test]
fn options_of_the_sandbox_that_make_no_sense_are_usage_errors() {
    for (arguments, word) in [
        (vec!["--faults", "2"], "from 0 to 1"),
        (vec!["--faults", "NaN"], "from 0 to 1"),
        (vec!["--seed", "3"], "--faults"),
        (vec!["--journal", "no/such/folder"], "--journal no/such/folder"),
    ] {
        let ran = Desk::new().run(&[vec!["sandbox"], arguments.clone()].concat()).expect(2);
        assert!(ran.err.contains(word), "{arguments:?}: {}", ran.err);
    }
}
