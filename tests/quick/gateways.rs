//! SMTP relays against servers that answer by script, and what tests of gateways share: every answer has its class, nothing of
//! what a server says gets into a failure, and nothing is sent where nobody configured it to go.

use std::time::Duration;

use futures_util::future::join_all;
use mail_parser::MessageParser;
use shirase::config::Span;
use shirase::event::{EmailAddress, Lane, PhoneNumber};
use shirase::gateway::{Accepted, Class, Failure, Gateway, Letter, Reason};
use shirase::plan::Address;
use shirase::template::Message;
use tokio::net::TcpListener;

use crate::house::{self, Findings};
use crate::script::{Reply, Smtp, Stage, cut};

pub const PHONE: &str = "09012345678";
pub const MAIL: &str = "secret.taro@example.jp";
pub const TOKEN: &str = "Bearer sEcReT-tOkEn";
pub const TEXT: &str = "【サンプル銀行】本文-sEcReT";
pub const REFERENCE: &str = "0123456789abcdef0123456789abcdef";

/// Long enough for any answer that comes, short enough to wait for one that does not.
pub const VALID_FOR: Duration = Duration::from_secs(600);

pub const TIMEOUT: Duration = Duration::from_secs(3);

pub fn sms_gateway(url: &str, variables: &[(&str, &str)]) -> Gateway {
    house::provide_tls();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| (format!("SMS__GATEWAYS__0__{name}"), *value))
        .chain([
            ("SMS__GATEWAYS__0__URL".to_owned(), url),
            ("SMS__GATEWAYS__0__AUTHORIZATION".to_owned(), TOKEN),
        ])
        .collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let mut config = house::config(&variables).sms.gateways.remove(0);
    config.common.timeout = Span(TIMEOUT);
    // Here each answer is looked at alone.
    config.common.breaker.enabled = false;
    Gateway::sms(&config, None).unwrap_or_else(|error| panic!("{error}"))
}

pub fn relay(url: &str) -> Gateway {
    house::provide_tls();
    let mut config = house::config(&[("EMAIL__RELAYS__0__URL", url)]);
    config.email.relays[0].timeout = Span(TIMEOUT);
    config.email.relays[0].breaker.enabled = false;
    Gateway::relay(&config.email.relays[0], &config.email).unwrap_or_else(|error| panic!("{error}"))
}

pub async fn send_sms(gateway: &Gateway) -> Result<Accepted, Failure> {
    send_sms_to(gateway, PHONE, REFERENCE).await
}

pub async fn send_sms_to(gateway: &Gateway, phone: &str, reference: &str) -> Result<Accepted, Failure> {
    let address = Address::Sms(PhoneNumber::parse(phone).expect("a number"));
    let message = Message::Sms { text: TEXT.to_owned() };
    hand_over(
        gateway,
        &Letter { reference, address: &address, message: &message, now: house::time(), valid_for: VALID_FOR },
    )
    .await
}

/// Waits for its turn, and sends.
async fn hand_over(gateway: &Gateway, letter: &Letter<'_>) -> Result<Accepted, Failure> {
    let turn = gateway.turn(Lane::Critical, TIMEOUT).await?;
    gateway.send(letter, turn).await
}

pub async fn send_mail(gateway: &Gateway) -> Result<Accepted, Failure> {
    send_mail_to(gateway, MAIL, REFERENCE).await
}

pub async fn send_mail_to(gateway: &Gateway, to: &str, reference: &str) -> Result<Accepted, Failure> {
    let address = Address::Email(EmailAddress::parse(to).expect("an address"));
    let message = Message::Email {
        language: "ja".to_owned(),
        subject: "【サンプル銀行】ログインのお知らせ".to_owned(),
        text: "本文-sEcReT\n.点で始まる行\n..\n終わり".to_owned(),
        html: Some("<p>本文-sEcReT</p>".to_owned()),
    };
    let now = house::time();
    hand_over(gateway, &Letter { reference, address: &address, message: &message, now, valid_for: VALID_FOR })
        .await
}

/// Nothing of the message, the address, the credentials or the server's words.
pub fn assert_says_nothing_personal(failure: &Failure, case: &str) {
    let said = format!("{failure} {failure:?}").to_lowercase();
    for secret in [PHONE, "8190", "12345678", MAIL, "taro", "secret", "本文", "script"] {
        assert!(!said.contains(secret), "{case}: {said} holds {secret}");
    }
}

#[tokio::test]
async fn a_probe_of_a_relay_sends_nothing() {
    let server = Smtp::start(|_, _, _| None).await;
    relay(&server.url()).probe(house::time()).await.expect("it listens");
    assert!(server.mails().is_empty());
    join_all([Stage::Greeting, Stage::Ehlo].map(async |stage| {
        let server = Smtp::at(stage, Reply::Silence).await;
        let failure = relay(&server.url()).probe(house::time()).await.expect_err("silent");
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Timeout), "{stage:?}");
    }))
    .await;
}

#[tokio::test]
async fn a_mail_arrives_whole_with_its_stable_id() {
    let server = Smtp::start(|_, _, _| None).await;
    let sent = send_mail(&relay(&server.url())).await.expect("accepted");
    assert_eq!(sent.provider_id.as_deref(), Some(format!("{REFERENCE}@example.jp").as_str()));
    let (to, mail) = server.mails().remove(0);
    assert_eq!(to, MAIL);
    let parsed = MessageParser::default().parse(mail.as_bytes()).expect("a mail");
    assert_eq!(parsed.subject(), Some("【サンプル銀行】ログインのお知らせ"));
    assert_eq!(parsed.message_id(), Some(format!("{REFERENCE}@example.jp").as_str()));
    assert_eq!(parsed.date().map(mail_parser::DateTime::to_timestamp), Some(house::time().as_second()));
    assert_eq!(parsed.from().and_then(|from| from.first()).and_then(|from| from.name()), Some("お知らせ"));
    let text = parsed.body_text(0).expect("text").replace("\r\n", "\n");
    assert_eq!(text.trim_end(), "本文-sEcReT\n.点で始まる行\n..\n終わり");
    assert_eq!(parsed.body_html(0).expect("html").trim_end(), "<p>本文-sEcReT</p>");
    for (name, value) in
        [("Auto-Submitted", "auto-generated"), ("Content-Language", "ja"), ("MIME-Version", "1.0")]
    {
        assert_eq!(parsed.header_raw(name).map(str::trim), Some(value), "{name}");
    }
}

#[tokio::test]
async fn addresses_of_docomo_and_au_reach_the_relay() {
    for (address, path) in
        [("a..b@docomo.ne.jp", "\"a..b\"@docomo.ne.jp"), ("abc.@ezweb.ne.jp", "\"abc.\"@ezweb.ne.jp")]
    {
        let server = Smtp::start(|_, _, _| None).await;
        send_mail_to(&relay(&server.url()), address, REFERENCE).await.expect("accepted");
        assert_eq!(server.mails()[0].0, path);
    }
}

/// A reply that repeats the address and more, as relays do.
fn say(code: &str) -> Reply {
    Reply::Say(format!("{code} <{MAIL}>: sEcReT {PHONE} says script\r\n"))
}

#[tokio::test]
async fn every_smtp_reply_has_its_class_by_stage_and_code() {
    use Class::{Credentials, Permanent, Retryable, Route, Unknown};
    let cases = [
        (Stage::Greeting, say("421 4.3.2"), Retryable, Reason::Server),
        (Stage::Greeting, say("554 5.5.0"), Route, Reason::Route),
        (Stage::Greeting, say("554 5.7.1"), Credentials, Reason::Credentials),
        (Stage::Greeting, cut(), Retryable, Reason::Cut),
        (Stage::Greeting, Reply::Silence, Retryable, Reason::Timeout),
        (
            Stage::Greeting,
            Reply::SayAndClose(format!("HTTP/1.1 400 {PHONE}\r\n\r\n")),
            Retryable,
            Reason::Garbage,
        ),
        (Stage::Mail, say("451 4.3.0"), Retryable, Reason::Server),
        (Stage::Mail, say("452 4.3.1"), Retryable, Reason::Server),
        (Stage::Mail, say("530 5.7.0"), Credentials, Reason::Credentials),
        (Stage::Mail, say("553 5.1.8"), Route, Reason::Route),
        (Stage::Mail, Reply::Silence, Retryable, Reason::Timeout),
        (Stage::Rcpt, say("421 4.4.2"), Retryable, Reason::Server),
        (Stage::Rcpt, say("450 4.2.0"), Retryable, Reason::Server),
        (Stage::Rcpt, say("550 5.1.1"), Permanent, Reason::Recipient),
        (Stage::Rcpt, say("550"), Permanent, Reason::Recipient),
        (Stage::Rcpt, say("553 5.1.3"), Permanent, Reason::Recipient),
        (Stage::Rcpt, say("554 5.7.1"), Credentials, Reason::Credentials),
        (Stage::Rcpt, cut(), Retryable, Reason::Cut),
        (Stage::Rcpt, Reply::Silence, Retryable, Reason::Timeout),
        (Stage::Data, say("451 4.3.0"), Retryable, Reason::Server),
        (Stage::Data, say("554 5.5.1"), Permanent, Reason::Rejected),
        (Stage::Dot, say("451 4.3.0"), Retryable, Reason::Server),
        (Stage::Dot, say("552 5.3.4"), Permanent, Reason::Rejected),
        (Stage::Dot, say("554 5.6.0"), Permanent, Reason::Rejected),
        (Stage::Dot, cut(), Unknown, Reason::Cut),
        (Stage::Dot, Reply::SayAndClose("250 2.0".into()), Unknown, Reason::Cut),
        (Stage::Dot, Reply::Silence, Unknown, Reason::Timeout),
    ];
    let findings = &Findings::default();
    join_all(cases.into_iter().map(|(stage, reply, class, reason)| async move {
        let case = format!("{stage:?} {reply:?}");
        let server = Smtp::at(stage, reply).await;
        let failure = send_mail(&relay(&server.url())).await.expect_err(&case);
        findings.equal(&case, &(failure.class, failure.reason), &(class, reason));
        assert_says_nothing_personal(&failure, &case);
        assert_eq!(server.mails().len(), usize::from(stage == Stage::Dot), "{case}");
    }))
    .await;
    findings.assert_none();
}

#[tokio::test]
async fn a_relay_that_cannot_be_reached_is_surely_not_told() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
    for url in
        [format!("smtp://user:sEcReT@127.0.0.1:{closed}"), "smtp://nobody.invalid:25?tls=none".to_owned()]
    {
        let failure = send_mail(&relay(&url)).await.expect_err("nobody there");
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Connect), "{failure}");
        assert_says_nothing_personal(&failure, &url);
    }
}

#[tokio::test]
async fn a_relay_without_starttls_gets_nothing_when_it_is_required() {
    let server = Smtp::start(|_, _, _| None).await;
    let failure =
        send_mail(&relay(&format!("{}?tls=required", server.url()))).await.expect_err("no STARTTLS");
    assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{failure}");
    assert!(server.mails().is_empty());
}

#[tokio::test]
async fn one_connection_carries_many_mails_and_survives_a_refused_recipient() {
    let server = Smtp::start(|stage, line, _| {
        (stage == Stage::Rcpt && line.contains("unknown")).then(|| say("550 5.1.1"))
    })
    .await;
    let gateway = relay(&server.url());
    for number in 0..3 {
        send_mail_to(&gateway, MAIL, &format!("{number}")).await.expect("accepted");
    }
    let failure = send_mail_to(&gateway, "unknown@example.jp", "3").await.expect_err("refused");
    assert_eq!(failure.class, Class::Permanent);
    send_mail_to(&gateway, MAIL, "4").await.expect("accepted");
    assert_eq!((server.mails().len(), server.connections()), (4, 1));
}

#[tokio::test]
async fn a_connection_that_the_relay_has_given_up_is_replaced_without_a_failure() {
    let findings = Findings::default();
    let kept = "250 2.0.0 Kept\r\n";
    for (case, stage, reply) in [
        ("closed while idle", Stage::Dot, Reply::SayThenClose(kept.into(), String::new())),
        (
            "421 and closed while idle",
            Stage::Dot,
            Reply::SayThenClose(kept.into(), "421 4.4.2 idle\r\n".into()),
        ),
        (
            "421 to the next MAIL: enough on this connection",
            Stage::Mail,
            Reply::SayAndClose("421 4.7.0 enough\r\n".into()),
        ),
        ("cut at the next MAIL", Stage::Mail, cut()),
    ] {
        // The first dot, or the second MAIL: the first use of the rested connection.
        let server = Smtp::start(move |reached, _, before| {
            let now = if stage == Stage::Dot { before == 0 } else { before == 1 };
            (reached == stage && now).then(|| reply.clone())
        })
        .await;
        let gateway = relay(&server.url());
        for number in 0..3 {
            let sent = send_mail_to(&gateway, MAIL, &format!("{number}")).await;
            findings.expect(sent.is_ok(), || format!("{case}: mail {number}: {sent:?}"));
            tokio::time::sleep(Duration::from_millis(80)).await;
        }
        findings.equal(case, &(server.mails().len(), server.connections()), &(3, 2));
    }
    findings.assert_none();
}

#[tokio::test]
async fn a_mail_whose_dot_was_lost_on_a_rested_connection_is_not_sent_again_by_itself() {
    let server = Smtp::start(|stage, _, before| (stage == Stage::Dot && before == 1).then(cut)).await;
    let gateway = relay(&server.url());
    send_mail(&gateway).await.expect("accepted");
    let failure = send_mail(&gateway).await.expect_err("nobody knows");
    assert_eq!(failure.class, Class::Unknown);
    assert_eq!(server.mails().len(), 2, "the caller decides whether it goes out again");
}

#[tokio::test]
async fn a_pool_opens_no_more_connections_than_configured() {
    house::provide_tls();
    let server =
        Smtp::start(|stage, _, _| (stage == Stage::Dot).then(|| Reply::Say("250 2.0.0 Kept\r\n".into())))
            .await;
    let config = house::config(&[("EMAIL__RELAYS__0__URL", &server.url()), ("EMAIL__RELAYS__0__POOL", "3")]);
    let gateway =
        Gateway::relay(&config.email.relays[0], &config.email).unwrap_or_else(|error| panic!("{error}"));
    let references: Vec<_> = (0..30).map(|number| number.to_string()).collect();
    let sends = references.iter().map(|reference| send_mail_to(&gateway, MAIL, reference));
    for sent in join_all(sends).await {
        sent.expect("accepted");
    }
    assert_eq!(server.mails().len(), 30);
    assert!(server.connections() <= 3, "{}", server.connections());
}
