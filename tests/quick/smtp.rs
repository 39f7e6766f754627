//! The dialogue with a relay: whatever a relay says, or does not say, at any stage of it has its class, and a mail is
//! never said to be lost that may have been taken. What the stages of a transaction answer is in `gateways`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use shirase::config::Span;
use shirase::gateway::{Class, Gateway, Reason};

use crate::gateways::{MAIL, PHONE, TIMEOUT, assert_says_nothing_personal, relay, send_mail};
use crate::house::{self, Findings};
use crate::script::{Reply, Smtp, Stage, cut};

/// What a relay with everything offers.
const OFFER: &str =
    "250-script\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";

/// What one offers that wants command by command.
const SLOW_OFFER: &str = "250-script\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN\r\n";

/// A reply that repeats the address and more, as relays do.
fn say(code: &str) -> Reply {
    Reply::Say(format!("{code} <{MAIL}>: sEcReT {PHONE} says script\r\n"))
}

fn garbage() -> Reply {
    Reply::SayAndClose(format!("HTTP/1.1 400 {PHONE}\r\n\r\n"))
}

/// A friendly relay that offers this, and says that at one stage.
async fn offering(offer: &'static str, stage: Stage, reply: Reply) -> Smtp {
    Smtp::start(move |reached, _, _| match reached {
        _ if reached == stage => Some(reply.clone()),
        Stage::Ehlo => Some(Reply::Say(offer.to_owned())),
        _ => None,
    })
    .await
}

/// Gives up on silence quickly, on nothing else: a busy machine is no silent relay.
fn patient(url: &str, reply: &Reply) -> Gateway {
    house::provide_tls();
    let mut email = house::config(&[("EMAIL__RELAYS__0__URL", url)]).email;
    let silent = matches!(reply, Reply::Silence);
    email.relays[0].timeout = if silent { Span(TIMEOUT) } else { Span::seconds(60) };
    Gateway::relay(&email.relays[0], &email).unwrap_or_else(|error| panic!("{error}"))
}

/// With STARTTLS where the stage is one of it, and credentials where it is theirs.
fn url(server: &Smtp, stage: Stage) -> String {
    match stage {
        Stage::StartTls => format!("smtp://127.0.0.1:{}?tls=required", server.port),
        Stage::Auth => format!("smtp://user:sEcReT@127.0.0.1:{}", server.port),
        _ => server.url(),
    }
}

#[tokio::test]
async fn refusals_before_the_transaction_have_their_class_and_no_mail_is_begun() {
    use Class::{Credentials, Retryable, Route};
    let cases = [
        (Stage::Greeting, say("421"), Retryable, Reason::Server),
        (Stage::Greeting, say("521"), Route, Reason::Route),
        (Stage::Ehlo, say("421 4.3.2"), Retryable, Reason::Server),
        (Stage::Ehlo, say("504 5.5.2"), Route, Reason::Route),
        (Stage::Ehlo, say("550-5.7.1 one\r\n550 5.7.1"), Credentials, Reason::Credentials),
        (Stage::StartTls, say("454 4.7.0"), Retryable, Reason::Server),
        (Stage::StartTls, say("421"), Retryable, Reason::Server),
        (Stage::StartTls, say("502 5.5.1"), Route, Reason::Route),
        (Stage::Auth, say("535 5.7.8"), Credentials, Reason::Credentials),
        (Stage::Auth, say("535-5.7.8 one\r\n535 5.7.8"), Credentials, Reason::Credentials),
        (Stage::Auth, say("454 4.7.0"), Credentials, Reason::Credentials),
        (Stage::Auth, say("504 5.5.4"), Credentials, Reason::Credentials),
        (Stage::Auth, say("421 4.7.0"), Retryable, Reason::Server),
    ];
    let findings = &Findings::default();
    join_all(cases.into_iter().map(|(stage, reply, class, reason)| async move {
        let case = format!("{stage:?} {reply:?}");
        let server = offering(OFFER, stage, reply).await;
        let failure = send_mail(&relay(&url(&server, stage))).await.expect_err(&case);
        findings.equal(&case, &(failure.class, failure.reason), &(class, reason));
        assert_says_nothing_personal(&failure, &case);
        assert!(server.mails().is_empty(), "{case}");
    }))
    .await;
    findings.assert_none();
}

#[tokio::test]
async fn a_relay_that_hangs_up_falls_silent_or_talks_nonsense_is_retried_unless_it_may_have_the_mail() {
    let stages = [
        Stage::Greeting,
        Stage::Ehlo,
        Stage::StartTls,
        Stage::Auth,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Dot,
    ];
    let half = || Reply::SayAndClose("250-half a".to_owned());
    let endless = || Reply::SayAndClose(format!("250-{}", "x".repeat(100_000)));
    let faults: [(fn() -> Reply, Reason); 5] = [
        (cut, Reason::Cut),
        (half, Reason::Cut),
        (|| Reply::Silence, Reason::Timeout),
        (garbage, Reason::Garbage),
        (endless, Reason::Garbage),
    ];
    let findings = &Findings::default();
    let cases = stages.into_iter().flat_map(|stage| faults.map(|(reply, reason)| (stage, reply, reason)));
    let cases = cases.flat_map(|case| [OFFER, SLOW_OFFER].map(|offer| (offer, case)));
    join_all(cases.map(|(offer, (stage, reply, reason))| async move {
        let reply = reply();
        let case = format!("{offer} {stage:?} {:.60}", format!("{reply:?}"));
        let server = offering(offer, stage, reply.clone()).await;
        let failure = send_mail(&patient(&url(&server, stage), &reply)).await.expect_err(&case);
        let class = if stage == Stage::Dot { Class::Unknown } else { Class::Retryable };
        findings.equal(&case, &(failure.class, failure.reason), &(class, reason));
        assert_says_nothing_personal(&failure, &case);
        assert_eq!(server.mails().len(), usize::from(stage == Stage::Dot), "{case}");
    }))
    .await;
    findings.assert_none();
}

#[tokio::test]
async fn a_good_reply_to_another_question_is_believed_by_nobody() {
    for (stage, reply, class) in [
        (Stage::Mail, "354 go on", Class::Retryable),
        (Stage::Rcpt, "354 go on", Class::Retryable),
        (Stage::Data, "250 2.0.0 fine", Class::Retryable),
        (Stage::Dot, "354 go on", Class::Unknown),
    ] {
        for offer in [OFFER, SLOW_OFFER] {
            let server = offering(offer, stage, Reply::Say(format!("{reply}\r\n"))).await;
            let failure = send_mail(&relay(&server.url())).await.expect_err(reply);
            assert_eq!((failure.class, failure.reason), (class, Reason::Garbage), "{stage:?}");
            let mails = usize::from(stage == Stage::Dot);
            assert_eq!(server.mails().len(), mails, "{stage:?}: no text goes out unasked");
        }
    }
}

#[tokio::test]
async fn a_reply_of_several_lines_is_classified_by_its_codes_and_keeps_them_for_a_person() {
    use Class::{Credentials, Permanent, Retryable};
    let lines = |code: &str, enhanced: &str| {
        Reply::Say(format!("{code}-{enhanced} <{MAIL}> sEcReT\r\n{code} {enhanced} script\r\n"))
    };
    for (stage, code, enhanced, class, reason, detail) in [
        (Stage::Rcpt, "550", "5.1.1", Permanent, Reason::Recipient, "SMTP 550 5.1.1 at RCPT"),
        (Stage::Rcpt, "552", "5.2.2", Permanent, Reason::Recipient, "SMTP 552 5.2.2 at RCPT"),
        (Stage::Rcpt, "452", "4.2.2", Retryable, Reason::Server, "SMTP 452 4.2.2 at RCPT"),
        (Stage::Rcpt, "550", "Unknown user", Permanent, Reason::Recipient, "SMTP 550 at RCPT"),
        (Stage::Dot, "552", "5.2.2", Permanent, Reason::Recipient, "SMTP 552 5.2.2 at end of data"),
        (Stage::Dot, "550", "5.7.1", Credentials, Reason::Credentials, "SMTP 550 5.7.1 at end of data"),
        (Stage::Dot, "550", "5.7.26", Credentials, Reason::Credentials, "SMTP 550 5.7.26 at end of data"),
        (Stage::Dot, "421", "4.3.0", Retryable, Reason::Server, "SMTP 421 4.3.0 at end of data"),
    ] {
        for offer in [OFFER, SLOW_OFFER] {
            let server = offering(offer, stage, lines(code, enhanced)).await;
            let failure = send_mail(&relay(&server.url())).await.expect_err(detail);
            assert_eq!((failure.class, failure.reason, failure.detail.as_str()), (class, reason, detail));
        }
    }
}

#[tokio::test]
async fn a_relay_that_takes_the_text_of_a_mail_for_nobody_is_given_none() {
    // It says "go on" to DATA although it knows no recipient, as RFC 2920, 3.1 allows.
    let server = Smtp::start(|stage, _, before| match (stage, before) {
        (Stage::Rcpt, 0) => Some(say("550 5.1.1")),
        (Stage::Data, 0) => Some(Reply::Say("354 Go on\r\n".to_owned())),
        _ => None,
    })
    .await;
    let gateway = relay(&server.url());
    let failure = send_mail(&gateway).await.expect_err("nobody there");
    assert_eq!((failure.class, failure.reason), (Class::Permanent, Reason::Recipient));
    send_mail(&gateway).await.expect("the next one is accepted");
    assert_eq!((server.mails().len(), server.connections()), (1, 2), "on a connection of its own");
}

#[tokio::test]
async fn a_flood_that_the_relay_stems_is_slowed_down_not_repeated() {
    for code in ["421-4.7.28", "450-4.7.28"] {
        let reply = Reply::Say(format!("{code} too many\r\n{} again later\r\n", code.replace('-', " ")));
        let server = offering(OFFER, Stage::Mail, reply).await;
        let failure = send_mail(&relay(&server.url())).await.expect_err(code);
        let expected = (Class::Throttled { wait: None }, Reason::RateLimit);
        assert_eq!((failure.class, failure.reason), expected, "{code}");
    }
}

#[tokio::test]
async fn what_answers_starttls_without_tls_gets_nothing() {
    let later = Reply::SayThenClose("220 2.0.0 Go on\r\n".to_owned(), "250 in the clear\r\n".to_owned());
    // Injected together with the reply, to be taken for what the relay says once the connection is encrypted.
    let at_once = Reply::Say("220 2.0.0 Go on\r\n250 in the clear\r\n250 again\r\n".to_owned());
    for plain in [later, at_once] {
        let server = offering(OFFER, Stage::StartTls, plain).await;
        let failure = send_mail(&relay(&url(&server, Stage::StartTls))).await.expect_err("no TLS");
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{failure}");
        assert!(failure.detail.contains("127.0.0.1"), "{failure}");
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_password_never_crosses_the_wire_unencrypted_where_encryption_was_asked_for() {
    for tls in ["required", "opportunistic"] {
        let said = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&said);
        let server = Smtp::start(move |stage, _, _| match stage {
            // Somebody on the way has taken STARTTLS out of the offer.
            Stage::Ehlo => Some(Reply::Say("250-script\r\n250 AUTH PLAIN LOGIN\r\n".to_owned())),
            Stage::Auth => {
                heard.store(true, Ordering::Relaxed);
                None
            }
            _ => None,
        })
        .await;
        let url = format!("smtp://user:sEcReT@127.0.0.1:{}?tls={tls}", server.port);
        let failure = send_mail(&relay(&url)).await.expect_err(tls);
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{tls}: {failure}");
        assert!(!said.load(Ordering::Relaxed), "{tls}");
    }
}

#[tokio::test]
async fn a_relay_that_offers_no_way_to_log_in_is_a_fault_of_the_account() {
    let offer = Reply::Say("250-script\r\n250 AUTH GSSAPI\r\n".to_owned());
    let server = Smtp::at(Stage::Ehlo, offer).await;
    let failure = send_mail(&relay(&url(&server, Stage::Auth))).await.expect_err("no AUTH");
    assert_eq!((failure.class, failure.reason), (Class::Credentials, Reason::Credentials), "{failure}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn a_relay_is_greeted_by_the_configured_name_and_given_the_configured_credentials() {
    let server = Smtp::start(|stage, line, _| match (stage, line) {
        (Stage::Ehlo, "EHLO mail1.example.jp") => Some(Reply::Say(OFFER.to_owned())),
        // AUTH PLAIN: \0user\0sEcReT
        (Stage::Auth, "AUTH PLAIN AHVzZXIAc0VjUmVU") => None,
        (Stage::Ehlo, _) => Some(say("550 5.5.0")),
        (Stage::Auth, _) => Some(say("535 5.7.8")),
        _ => None,
    })
    .await;
    let url = url(&server, Stage::Auth);
    let variables =
        [("EMAIL__RELAYS__0__URL", url.as_str()), ("EMAIL__RELAYS__0__CLIENT_NAME", "mail1.example.jp")];
    let email = house::config(&variables).email;
    let gateway = Gateway::relay(&email.relays[0], &email).unwrap_or_else(|error| panic!("{error}"));
    send_mail(&gateway).await.expect("accepted");
    let failure = send_mail(&relay(&url)).await.expect_err("another name");
    assert_eq!(failure.class, Class::Route);
}
