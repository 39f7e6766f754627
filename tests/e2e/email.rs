//! The mail gateway against a real Postfix: TLS, log-in, signatures, odd addresses, and bounces that come back through a
//! real pipe.

use std::fs;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mail_parser::MessageParser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use shirase::certificate::{Opening, Place, not_after};
use shirase::clock::Clock;
use shirase::config::Config;
use shirase::event::{EmailAddress, Lane};
use shirase::gateway::{Accepted, Class, EmailConfig, Failure, Gateway, Letter, Reason};
use shirase::plan::Address;
use shirase::template::Message;

use crate::events::{event, mobile, now};
use crate::gateway::Answer;
use crate::house::{BINARY, House, PATIENCE, block_on, runtime};
use crate::support::{
    Authority, Bounced, DkimKey, PASSWORD, Postfix, Scratch, Submission, USER, dkim_verifies, eventually,
    free_port,
};

const BOUNCE_SECRET: &str = "of-pipe-and-worker";

/// A relay as a house has one, the authority of its certificate, and the worker that its pipe tells of bounces.
struct Relay {
    postfix: Postfix,
    ports: Submission,
    authority: Authority,
    told: std::sync::Mutex<Receiver<(String, Value)>>,
    _scratch: Scratch,
}

fn shared() -> &'static Relay {
    static SHARED: OnceLock<Relay> = OnceLock::new();
    SHARED.get_or_init(|| {
        let authority = Authority::new();
        let (certificate, key) = authority.issue("localhost");
        let scratch = Scratch::new("bounces");
        let (worker, told) = standing_in_for_the_worker();
        let pipe = pipe(&scratch, worker);
        let bounced = Bounced { domain: "bounces.example.jp", pipe: &pipe };
        let (postfix, ports) = Postfix::start_submission(&certificate, &key, &bounced);
        Relay { postfix, ports, authority, told: told.into(), _scratch: scratch }
    })
}

/// The pipe of docs/email.md, for a user who may read nothing but the binary and its configuration.
fn pipe(scratch: &Scratch, worker: u16) -> String {
    let binary = scratch.join("shirase");
    fs::copy(BINARY, &binary).expect("the binary is there");
    let config =
        format!("[http]\nlisten = \"127.0.0.1:{worker}\"\n[receipts]\nbounce_secret = \"{BOUNCE_SECRET}\"\n");
    let config = scratch.write("shirase.toml", &config);
    let (binary, config) = (binary.display(), config.display());
    format!("flags=DRhu user=nobody argv={binary} bounce --config {config} --recipient ${{recipient}}")
}

/// Takes bounces as the worker's listener does; its port, and what it was told with which credentials.
fn standing_in_for_the_worker() -> (u16, Receiver<(String, Value)>) {
    let (tell, told) = channel();
    let port = free_port();
    let listener = block_on(tokio::net::TcpListener::bind(("127.0.0.1", port))).expect("a free port");
    let take = move |headers: HeaderMap, body: String| async move {
        let authorization = headers["authorization"].to_str().expect("ASCII").to_owned();
        // The test may be over.
        let _ = tell.send((authorization, serde_json::from_str(&body).expect("JSON")));
        StatusCode::NO_CONTENT
    };
    let router = Router::new().route("/bounces", post(take));
    runtime().spawn(async move { axum::serve(listener, router).await });
    (port, told)
}

/// The built-in mail section with one relay; `change` makes it the test's.
fn config(url: &str, change: impl FnOnce(&mut EmailConfig)) -> EmailConfig {
    let mut email = Config::built_in().email;
    email.relays[0].url = url.parse().expect("a relay");
    email.relays[0].ca = Some(shared().authority.pem().parse().expect("not empty"));
    change(&mut email);
    email
}

fn starttls(host: &str, password: &str) -> String {
    format!("smtp://{}@{host}:{}?tls=required", credentials(password), shared().ports.starttls)
}

fn smtps(host: &str, password: &str) -> String {
    format!("smtps://{}@{host}:{}", credentials(password), shared().ports.smtps)
}

fn credentials(password: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    format!("{}:{}", encoded(USER), encoded(password))
}

/// Each mail has a reference of its own, made of its recipient.
fn reference(to: &str) -> String {
    let digits: String = to.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{digits:0<32}")[..32].to_owned()
}

fn send(email: &EmailConfig, to: &str) -> Result<Accepted, Failure> {
    send_text(email, to, "本文です。\n.点で始まる行\n\n..\n終わり  \n")
}

fn send_text(email: &EmailConfig, to: &str, text: &str) -> Result<Accepted, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let gateway = Gateway::relay(&email.relays[0], email).unwrap_or_else(|error| panic!("{error}"));
    let address = Address::Email(EmailAddress::parse(to).expect("an address"));
    let html = (!text.is_ascii()).then(|| "<p>本文です。</p>\n<p>終わり</p>\n".to_owned());
    let message = Message::Email {
        language: "ja".to_owned(),
        subject: "【サンプル銀行】ログインのお知らせ".to_owned(),
        text: text.to_owned(),
        html,
    };
    let reference = reference(to);
    let (now, valid_for) = (Clock::system().now(), Duration::from_secs(60));
    let letter = Letter { reference: &reference, address: &address, message: &message, now, valid_for };
    block_on(async {
        let turn = gateway.turn(Lane::Critical, PATIENCE).await?;
        gateway.send(&letter, turn).await
    })
}

/// The mails that were delivered to an address, as they lie in the mailbox.
fn delivered(to: &str) -> Vec<Vec<u8>> {
    let there = |mail: &Vec<u8>| header(mail, "Delivered-To") == to;
    shared().postfix.mails().into_iter().filter(there).collect()
}

#[track_caller]
fn wait_delivered(to: &str) -> Vec<u8> {
    let mails = eventually(PATIENCE, &format!("a mail to {to}"), || {
        Some(delivered(to)).filter(|mails| !mails.is_empty())
    });
    let [mail] = mails.try_into().unwrap_or_else(|mails: Vec<_>| panic!("{} mails to {to}", mails.len()));
    mail
}

fn header(mail: &[u8], name: &str) -> String {
    let mail = MessageParser::default().parse(mail).expect("a mail");
    mail.header_raw(name).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_mail_goes_over_starttls_and_over_implicit_tls_with_a_log_in_and_a_private_authority() {
    for (url, to) in [
        (starttls("localhost", PASSWORD), "starttls@example.jp"),
        (smtps("localhost", PASSWORD), "smtps@example.jp"),
    ] {
        send(&config(&url, |_| {}), to)
            .unwrap_or_else(|failure| panic!("{to}: {failure}\n{}", shared().postfix.log()));
        let received = header(&wait_delivered(to), "Received");
        // Postfix: ESMTP with TLS (S) and authenticated (A).
        assert!(received.contains("with ESMTPSA"), "{to}: {received}");
    }
}

#[test]
fn a_look_sees_until_when_the_certificate_of_a_relay_is_good() {
    let (with_word, from_first_byte) = (shared().ports.starttls, shared().ports.smtps);
    let client_name = "localhost".to_owned();
    for (port, opening) in [(with_word, Opening::StartTls { client_name }), (from_first_byte, Opening::None)]
    {
        let place = Place { host: "localhost".to_owned(), port, opening };
        assert!(block_on(not_after(&place)).expect("a certificate") > now());
    }
}

#[test]
fn a_wrong_password_is_a_fault_of_the_account_and_nothing_is_sent() {
    for url in [starttls("localhost", "wrong"), smtps("localhost", "wrong")] {
        let failure = send(&config(&url, |_| {}), "wrong@example.jp").expect_err("refused");
        assert_eq!((failure.class, failure.reason), (Class::Credentials, Reason::Credentials), "{failure}");
        assert!(failure.detail.contains("SMTP 535 5.7.8 at AUTH"), "{failure}");
        assert!(!format!("{failure:?}").contains("wrong"), "{failure:?}");
    }
    let unknown = format!("smtp://localhost:{}?tls=required", shared().ports.starttls);
    let failure = send(&config(&unknown, |_| {}), "wrong@example.jp").expect_err("refused");
    assert_eq!(failure.class, Class::Credentials, "without any: {failure}");
    assert!(delivered("wrong@example.jp").is_empty());
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_gets_neither_password_nor_mail_and_the_error_names_host_and_mend()
{
    let stranger = Authority::new().pem();
    for (url, ca, words) in [
        (starttls("localhost", PASSWORD), None, ["localhost", "ca_file"]),
        (starttls("localhost", PASSWORD), Some(&stranger), ["localhost", "ca_file"]),
        (smtps("localhost", PASSWORD), None, ["localhost", "ca_file"]),
        (starttls("127.0.0.1", PASSWORD), Some(&shared().authority.pem()), ["127.0.0.1", "name"]),
        (smtps("127.0.0.1", PASSWORD), Some(&shared().authority.pem()), ["127.0.0.1", "name"]),
    ] {
        let email = config(&url, |email| email.relays[0].ca = ca.map(|pem| pem.parse().expect("not empty")));
        let failure = send(&email, "untrusted@example.jp").expect_err("not trusted");
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{url}: {failure}");
        assert!(words.iter().all(|word| failure.detail.contains(word)), "{url}: {failure}");
    }
    assert!(delivered("untrusted@example.jp").is_empty());
}

#[test]
fn a_port_that_speaks_no_tls_is_no_relay_where_tls_is_wanted() {
    let plain = format!("smtps://localhost:{}", shared().postfix.port());
    let failure = send(&config(&plain, |_| {}), "plain@example.jp").expect_err("no TLS");
    assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{failure}");
}

#[test]
fn addresses_of_docomo_and_au_that_break_the_rfc_get_their_mail_one_recipient_a_mail() {
    let email = config(&starttls("localhost", PASSWORD), |_| {});
    for to in ["a..b.c@docomo.ne.jp", "a.@ezweb.ne.jp", ".b@docomo.ne.jp"] {
        send(&email, to).unwrap_or_else(|failure| panic!("{to}: {failure}"));
        // Postfix writes the local part as RFC 5322 wants it: in quotes.
        let (local, domain) = to.split_once('@').expect("an address");
        let quoted = format!("\"{local}\"@{domain}");
        let arrived = eventually(PATIENCE, &format!("a mail to {to}"), || {
            Some([delivered(to), delivered(&quoted)].concat()).filter(|mails| !mails.is_empty())
        });
        assert_eq!(arrived.len(), 1, "{to}");
        assert_eq!(header(&arrived[0], "To"), quoted);
    }
}

#[test]
fn an_independent_verifier_believes_the_signature_after_a_real_hop_and_no_longer_when_a_byte_is_changed() {
    let scratch = Scratch::new("dkim");
    let name = "shirase1._domainkey.example.jp";
    let texts = [
        ("japanese", "本文です。\n.点で始まる行\n\n..\n終わり  \n"),
        ("ascii", "Dear customer,  \n.\n..\n.a line\twith \t spaces \n\nend\n\n\n\n"),
        ("empty", ""),
    ];
    for (kind, key) in [("rsa", DkimKey::rsa(&scratch)), ("ed25519", DkimKey::ed25519(&scratch))] {
        let email = config(&starttls("localhost", PASSWORD), |email| {
            let dkim = json!({"domain": "example.jp", "selector": "shirase1", "private_key": key.pem});
            email.dkim = Some(serde_json::from_value(dkim).expect("in order"));
        });
        for (case, text) in texts {
            let to = format!("dkim-{kind}-{case}@example.jp");
            send_text(&email, &to, text).unwrap_or_else(|failure| panic!("{to}: {failure}"));
            let mail = wait_delivered(&to);
            let verifies = |mail: &[u8]| dkim_verifies(&scratch, mail, name, &key.record);
            assert!(verifies(&mail), "{to}:\n{}", String::from_utf8_lossy(&mail));
            let mail = String::from_utf8(mail).expect("ASCII");
            for (was, is) in [
                ("\nTo: dkim", "\nTo: dkin"),
                ("Subject: =?", "Subject: x=?"),
                ("Auto-Submitted: auto", "Auto-Submitted: Auto"),
                ("\nDate: ", "\nFrom: thief@example.org\nDate: "),
                ("\nDate: ", "\nReply-To: thief@example.org\nDate: "),
                ("\n\n", "\n\nx"),
            ] {
                assert!(mail.contains(was), "{was:?} is not in\n{mail}");
                assert!(!verifies(mail.replacen(was, is, 1).as_bytes()), "{to}: {was:?} changed to {is:?}");
            }
        }
    }
}

#[test]
fn a_bounce_comes_back_through_the_mail_systems_pipe_and_names_the_notification() {
    let email = config(&starttls("localhost", PASSWORD), |email| {
        email.return_path = Some("bounce@bounces.example.jp".parse().expect("an address"));
    });
    // What is delivered shows that the return path is one of its own, and that nothing else has changed.
    send(&email, "verp@example.jp").expect("accepted");
    let mail = wait_delivered("verp@example.jp");
    let path = format!("<bounce+{}@bounces.example.jp>", reference("verp@example.jp"));
    assert_eq!(header(&mail, "Return-Path"), path);
    assert!(header(&mail, "From").contains("<no-reply@example.jp>"));

    // The relay takes it and finds out later.
    send(&email, "refused@example.com").expect("accepted");
    let told = shared().told.lock().expect("nobody panics with it");
    let (authorization, told) = told.recv_timeout(PATIENCE).unwrap_or_else(|error| {
        panic!("{error}: the pipe told nobody:\n{}", shared().postfix.log());
    });
    assert_eq!(authorization, format!("Bearer {BOUNCE_SECRET}"));
    let expected = json!({
        "reference": reference("refused@example.com"), "status": "undelivered", "loss": "recipient", "code": "5.1.1"
    });
    assert_eq!(told, expected);
}

#[test]
fn the_second_relay_takes_over_when_the_first_is_frozen_or_gone() {
    let (first, second) = (Postfix::start(), &shared().postfix);
    let gateway = crate::gateway::Gateway::always(Answer::Accept);
    let house = House::new("relay-failover")
        .gateways(&[gateway.url()])
        .relays(&[first.url(), second.url()])
        .timeouts("2s");
    let worker = house.start();
    let publish = |n: usize| {
        let recipient = json!({"user_id": "U1", "phone": mobile(1), "email": format!("over-{n}@example.jp")});
        let data = json!({"recipient": recipient, "which": "login", "via": "app"});
        house.publish(&event("security.password.changed", &format!("over-{n}"), data));
        house.wait_ended(n);
    };
    publish(1);
    assert_eq!(first.wait_for(1, PATIENCE).len(), 1);
    first.stop();
    publish(2);
    wait_delivered("over-2@example.jp");
    first.cont();
    first.kill();
    publish(3);
    wait_delivered("over-3@example.jp");
    assert!(delivered("over-1@example.jp").is_empty(), "the first had it");
    assert!(gateway.accepted().is_empty(), "no reason to fall back");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
