//! One table for every kind of SMS gateway: whatever a server does, each kind says the same of it, sends once, follows no
//! redirect, and repeats nothing of what it was sent or told. A kind is one more [`Kind`] in [`KINDS`]; one that is missing
//! there fails a test. What relays answer has stages of its own: `gateways` and `smtp` hold that table.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use shirase::config::Span;
use shirase::gateway::{Class, Gateway, Reason, SmsKindConfig};
use tokio::net::TcpListener;

use crate::gateways::{PHONE, REFERENCE, TEXT, TIMEOUT, assert_says_nothing_personal, send_sms, send_sms_to};
use crate::house::{self, Findings};
use crate::script::{Http, Reply, Request, answer, cut};

/// A kind as the table needs it: one a line of [`KINDS`].
struct Kind {
    /// In the table.
    name: &'static str,
    /// Its keys; `{base}` is where the server listens. Secrets are `sEcReT`.
    keys: &'static str,
    /// Status and body of an acceptance, whose id is `id-1`.
    accepted: (u16, &'static str),
    /// Bodies of a 2xx that are none.
    refusing: &'static [(&'static str, (Class, Reason))],
    /// Bodies of a 400, each with a code of the vendor's.
    codes: &'static [(&'static str, (Class, Reason))],
    /// A 400 without a code that is known.
    bad_request: (Class, Reason),
    /// A 2xx whose body is cut, endless or no JSON; without it such a 2xx is an acceptance without an id.
    garbage: Option<(Class, Reason)>,
}

const GARBAGE: Option<(Class, Reason)> = Some((Class::Unknown, Reason::Garbage));
const RECIPIENT: (Class, Reason) = (Class::Permanent, Reason::Recipient);
const REFUSED: (Class, Reason) = (Class::Route, Reason::Rejected);
const CREDENTIALS: (Class, Reason) = (Class::Credentials, Reason::Credentials);
const CREDIT: (Class, Reason) = (Class::Credentials, Reason::Credit);
const ROUTE: (Class, Reason) = (Class::Route, Reason::Route);

const KINDS: [Kind; 5] = [
    Kind {
        name: "http, JSON",
        keys: "kind = 'http'\nurl = '{base}/sms'\nauthorization = 'Bearer sEcReT'",
        accepted: (200, r#"{"message_id": "id-1"}"#),
        refusing: &[],
        codes: &[],
        bad_request: RECIPIENT,
        garbage: None,
    },
    Kind {
        name: "http, form, errors inside",
        keys: "kind = 'http'\nurl = '{base}/sms'\nbody = 'form'\nuser = 'u'\npassword = 'sEcReT'\nheaders = { X-Key = 'sEcReT' }\n\
               error_code = 'error.code'\nsuccess = { path = 'result', value = 'OK' }\n\
               codes = { E1 = 'recipient', E2 = 'credit', E3 = 'filtered' }",
        accepted: (200, r#"{"result": "OK", "message_id": "id-1"}"#),
        refusing: &[
            (r#"{"result": "NG", "error": {"code": "E1"}}"#, RECIPIENT),
            (r#"{"result": "NG", "error": {"code": "E9"}}"#, REFUSED),
            (r#"{"result": "NG"}"#, REFUSED),
        ],
        codes: &[
            (r#"{"error": {"code": "E1"}}"#, RECIPIENT),
            (r#"{"error": {"code": "E2"}}"#, CREDIT),
            (r#"{"error": {"code": "E3"}}"#, (Class::Filtered, Reason::Filtered)),
        ],
        bad_request: RECIPIENT,
        garbage: GARBAGE,
    },
    Kind {
        name: "twilio",
        keys: "kind = 'twilio'\nurl = '{base}'\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\n\
               auth_token = 'sEcReT'\nfrom = '+15005550006'",
        accepted: (201, r#"{"sid": "id-1", "status": "queued", "num_segments": "1"}"#),
        refusing: &[],
        codes: &[
            (r#"{"code": 21211, "message": "sEcReT", "status": 400}"#, RECIPIENT),
            (r#"{"code": 20003, "message": "sEcReT", "status": 401}"#, CREDENTIALS),
            (r#"{"code": 21606, "message": "sEcReT", "status": 400}"#, ROUTE),
        ],
        bad_request: REFUSED,
        garbage: None,
    },
    Kind {
        name: "vonage",
        keys: "kind = 'vonage'\nurl = '{base}'\napi_key = 'key'\napi_secret = 'sEcReT'\nfrom = 'BANK'\n\
               signature_secret = 'sEcReT'",
        accepted: (202, r#"{"message_uuid": "id-1"}"#),
        refusing: &[],
        codes: &[
            (
                r#"{"type": "https://developer.vonage.com/api-errors/messages#1170", "title": "sEcReT"}"#,
                RECIPIENT,
            ),
            (
                r#"{"type": "https://developer.vonage.com/api-errors/messages#1070", "title": "sEcReT"}"#,
                CREDIT,
            ),
            (
                r#"{"type": "https://developer.vonage.com/api-errors/messages#1120", "title": "sEcReT"}"#,
                ROUTE,
            ),
        ],
        bad_request: REFUSED,
        garbage: None,
    },
    Kind {
        name: "infobip",
        keys: "kind = 'infobip'\nurl = '{base}'\napi_key = 'sEcReT'\nsender = 'BANK'",
        accepted: (200, r#"{"messages": [{"messageId": "id-1", "status": {"groupId": 1, "id": 26}}]}"#),
        refusing: &[
            (r#"{"messages": [{"messageId": "m", "status": {"groupId": 5, "id": 51}}]}"#, RECIPIENT),
            (r#"{"messages": [{"messageId": "m", "status": {"groupId": 5, "id": 12}}]}"#, CREDIT),
            (r#"{"messages": [{"messageId": "m", "status": {"groupId": 5, "id": 6}}]}"#, ROUTE),
        ],
        codes: &[],
        bad_request: REFUSED,
        garbage: GARBAGE,
    },
];

fn name_of_kind(keys: &str) -> &str {
    keys.strip_prefix("kind = '").and_then(|keys| keys.split('\'').next()).expect("the kind comes first")
}

/// Built before any is asked: to read the system's authorities takes a while, in which nobody else's time should run.
fn gateway(kind: &Kind, base: &str) -> Gateway {
    house::provide_tls();
    let keys = kind.keys.replace("{base}", base);
    let file = format!("[[sms.gateways]]\nname = \"g\"\nbreaker = {{ enabled = false }}\n{keys}");
    let mut config = house::config_file(&file).sms.gateways.remove(0);
    config.common.timeout = Span(TIMEOUT);
    Gateway::sms(&config, None).unwrap_or_else(|error| panic!("{}: {error}", kind.name))
}

fn base(server: &Http) -> String {
    format!("http://127.0.0.1:{}", server.port)
}

/// An answer that repeats all that a server was sent, where the kinds look for codes, too.
fn echo(status: u16, headers: &[(&str, &str)]) -> Reply {
    let said = format!("{PHONE} +8190 Bearer sEcReT {TEXT}");
    let body = serde_json::json!({"code": PHONE, "error": {"code": PHONE}, "type": format!("#{PHONE}"), "title": said,
        "errorCode": PHONE, "message": said, "detail": said, "description": said});
    answer(status, headers, &body.to_string())
}

/// An answer and what it comes to: an id, or a failure.
type Case = (&'static str, Reply, Result<Option<&'static str>, (Class, Reason)>);

/// Every answer that means the same to all kinds.
fn same_for_all(elsewhere: &str) -> Vec<Case> {
    let throttled = |seconds: Option<u64>| {
        Err((Class::Throttled { wait: seconds.map(Duration::from_secs) }, Reason::RateLimit))
    };
    let lost = Err((Class::Unknown, Reason::Cut));
    let garbage = Err((Class::Unknown, Reason::Garbage));
    let mut cases = vec![
        ("401", echo(401, &[]), Err(CREDENTIALS)),
        ("402", echo(402, &[]), Err(CREDIT)),
        ("403", echo(403, &[]), Err(CREDENTIALS)),
        ("404", echo(404, &[]), Err(ROUTE)),
        ("405", echo(405, &[]), Err(ROUTE)),
        ("408", echo(408, &[]), Err((Class::Retryable, Reason::Server))),
        ("413", echo(413, &[]), Err((Class::Permanent, Reason::Rejected))),
        ("429", echo(429, &[]), throttled(None)),
        ("429 with seconds", echo(429, &[("retry-after", "17")]), throttled(Some(17))),
        ("429 with nonsense", echo(429, &[("retry-after", "soon 09012345678")]), throttled(None)),
        ("429 with -1", echo(429, &[("retry-after", "-1")]), throttled(None)),
        ("429 with too much", echo(429, &[("retry-after", "99999999999999999999999")]), throttled(None)),
        ("slow", Reply::Silence, Err((Class::Unknown, Reason::Timeout))),
        ("cut before the answer", cut(), lost),
        ("half a head", Reply::SayAndClose("HTTP/1.1 200 OK\r\ncontent-le".into()), lost),
        ("no HTTP", Reply::SayAndClose(format!("SSH-2.0 {PHONE} sEcReT\r\n")), garbage),
    ];
    let server = Err((Class::Unknown, Reason::Server));
    cases.extend([500, 502, 503, 504, 599].map(|status| ("5xx", echo(status, &[]), server)));
    let redirect = |status| ("redirect", echo(status, &[("location", elsewhere)]), Err(ROUTE));
    cases.extend([301, 302, 303, 307, 308].map(redirect));
    cases
}

/// What differs by kind.
fn of_its_own(kind: &Kind) -> Vec<Case> {
    let (accepted, body) = kind.accepted;
    let mut cases = vec![
        ("accepted", answer(accepted, &[], body), Ok(Some("id-1"))),
        ("400", echo(400, &[]), Err(kind.bad_request)),
    ];
    let refusing =
        |(body, failure): &(&str, _)| ("2xx with an error", answer(accepted, &[], body), Err(*failure));
    cases.extend(kind.refusing.iter().map(refusing));
    let coded = |(body, failure): &(&str, _)| ("400 with a code", answer(400, &[], body), Err(*failure));
    cases.extend(kind.codes.iter().map(coded));
    let garbage = kind.garbage.map_or(Ok(None), Err);
    cases.extend(garbled(accepted).map(|(case, reply)| (case, reply, garbage)));
    cases
}

/// A 2xx whose body says nothing.
fn garbled(status: u16) -> [(&'static str, Reply); 4] {
    let half =
        format!("HTTP/1.1 {status} x\r\ncontent-length: 500\r\n\r\n{{\"result\": \"OK\", \"messages\": [");
    let huge = format!("{{\"x\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    [
        ("2xx with garbage", answer(status, &[], "<html>sEcReT</html>")),
        ("2xx with 10 MB", answer(status, &[], &huge)),
        ("2xx cut after half", Reply::SayAndClose(half.clone())),
        ("2xx that never ends", Reply::Say(half)),
    ]
}

/// A number for each case, by which the server knows which answer is asked for: every kind sends it.
fn number_of(case: usize) -> String {
    format!("0901230{case:04}")
}

fn case_of(request: &Request) -> usize {
    let (_, rest) = request.body.split_once("901230").expect("the number");
    rest[..4].parse().expect("four digits")
}

#[test]
fn every_kind_is_in_the_table() {
    let table: BTreeSet<&str> = KINDS.iter().map(|kind| name_of_kind(kind.keys)).collect();
    assert_eq!(table, SmsKindConfig::names().collect(), "add the kind to KINDS");
}

#[tokio::test]
async fn every_answer_means_what_the_table_says_is_asked_for_once_and_not_repeated() {
    let elsewhere = Http::always(answer(200, &[], "{}")).await;
    let findings = &Findings::default();
    for kind in &KINDS {
        let cases: Vec<Case> = same_for_all(&elsewhere.url()).into_iter().chain(of_its_own(kind)).collect();
        let replies: Vec<Reply> = cases.iter().map(|(_, reply, _)| reply.clone()).collect();
        let server = Http::start(move |request, _| replies[case_of(request)].clone()).await;
        let gateway = &gateway(kind, &base(&server));
        join_all(cases.iter().enumerate().map(|(index, (case, reply, expected))| async move {
            let case = format!("{}: {case}: {:.60}", kind.name, format!("{reply:?}"));
            let sent = send_sms_to(gateway, &number_of(index), REFERENCE).await;
            let said = sent.as_ref().map(|accepted| accepted.provider_id.as_deref());
            findings.equal(&case, &said.map_err(|failure| (failure.class, failure.reason)), expected);
            sent.err().iter().for_each(|failure| {
                assert_says_nothing_personal(failure, &case);
                assert!(!failure.to_string().contains("901230"), "{case}: {failure}");
            });
        }))
        .await;
        let mut asked: Vec<usize> = server.requests().iter().map(case_of).collect();
        asked.sort_unstable();
        findings.equal(kind.name, &asked, &(0..cases.len()).collect());
    }
    findings.assert_none();
    assert_eq!((elsewhere.requests().len(), elsewhere.connections()), (0, 0), "a redirect was followed");
}

#[tokio::test]
async fn what_was_never_written_is_surely_not_sent() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
    // Its backlog takes connections; nobody answers the first words of TLS.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent_port = silent.local_addr().expect("bound").port();
    for kind in &KINDS {
        for (case, base, reason, words) in [
            ("refused", format!("http://127.0.0.1:{closed}"), Reason::Connect, "refuses connections"),
            ("no such host", "http://nowhere.invalid".to_owned(), Reason::Connect, "nowhere.invalid"),
            ("TLS without an answer", format!("https://127.0.0.1:{silent_port}"), Reason::Connect, "in time"),
        ] {
            let case = format!("{}: {case}", kind.name);
            let failure = send_sms(&gateway(kind, &base)).await.expect_err(&case);
            assert_eq!((failure.class, failure.reason), (Class::Retryable, reason), "{case}: {failure}");
            assert!(failure.detail.contains(words), "{case}: {failure}");
            assert_says_nothing_personal(&failure, &case);
        }
    }
}

#[tokio::test]
async fn a_probe_sends_no_text_and_finds_refused_credentials() {
    for kind in &KINDS {
        let server = Http::start(|_, number| echo([400, 401, 403][number], &[])).await;
        let gateway = gateway(kind, &base(&server));
        for class in [None, Some(Class::Credentials), Some(Class::Credentials)] {
            let probed = gateway.probe(house::time()).await;
            assert_eq!(probed.as_ref().err().map(|failure| failure.class), class, "{}", kind.name);
            probed.err().iter().for_each(|failure| assert_says_nothing_personal(failure, kind.name));
        }
        let asked = server.requests();
        let nobody = |request: &Request| !request.body.contains(PHONE) && !request.body.contains(TEXT);
        assert!(asked.len() == 3 && asked.iter().all(nobody), "{asked:?}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_when_the_server_has_closed_it() {
    let server = Http::start(|_, number| {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        // The third is answered and then hung up on without a warning.
        if number == 2 { Reply::SayThenClose(whole, String::new()) } else { Reply::Say(whole) }
    })
    .await;
    let gateway = gateway(&KINDS[0], &base(&server));
    for number in 0..5 {
        send_sms(&gateway).await.unwrap_or_else(|failure| panic!("{number}: {failure}"));
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!((server.requests().len(), server.connections()), (5, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_kept_connection_ends_what_may_have_been_written_is_unknown_and_goes_out_once() {
    // Each answer is the connection's last, without a warning: the next request meets it ended, ending or still open.
    let server =
        Http::start(|_, _| Reply::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".into())).await;
    let gateway = gateway(&KINDS[0], &base(&server));
    let mut ended = Vec::new();
    for number in 0..300 {
        let reference = format!("{number:032}");
        ended.push((send_sms_to(&gateway, PHONE, &reference).await, reference));
    }
    let arrived: Vec<String> =
        server.requests().iter().map(|request| request.json()["reference"].to_string()).collect();
    for (sent, reference) in ended {
        let times = arrived.iter().filter(|arrived| arrived.contains(&reference)).count();
        match sent.map_err(|failure| failure.class) {
            Ok(_) => assert_eq!(times, 1, "accepted"),
            Err(Class::Unknown) => assert!(times <= 1, "sent again by itself"),
            Err(class) => assert_eq!((class, times), (Class::Retryable, 0)),
        }
    }
    assert!(!arrived.is_empty());
}

#[tokio::test]
async fn a_request_on_a_kept_connection_that_is_cut_is_unknown_and_not_sent_again() {
    let server = Http::start(|_, number| if number == 1 { cut() } else { answer(200, &[], "{}") }).await;
    let gateway = gateway(&KINDS[0], &base(&server));
    send_sms(&gateway).await.expect("accepted");
    let failure = send_sms(&gateway).await.expect_err("nobody knows");
    assert_eq!((failure.class, failure.reason), (Class::Unknown, Reason::Cut));
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
    assert!(server.requests().iter().all(|request| request.body.contains(REFERENCE)));
}
