//! Mail through a real Postfix, read back from the maildir that it was delivered to.

use std::sync::OnceLock;

use mail_parser::{Message, MessageParser, MimeHeaders};
use serde_json::{Value, json};

use crate::events::{event, mobile};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::{Postfix, eventually};

/// Each test has recipients of its own.
fn shared() -> &'static Postfix {
    static SHARED: OnceLock<Postfix> = OnceLock::new();
    SHARED.get_or_init(Postfix::start)
}

/// By email first, to the authenticated address.
fn password_changed(id: &str, recipient: Value) -> Value {
    event("security.password.changed", id, json!({"recipient": recipient, "which": "login", "via": "app"}))
}

/// Mails delivered to an address.
fn mails(postfix: &Postfix, to: &str) -> Vec<Vec<u8>> {
    let delivered = |mail: &Vec<u8>| header(&parse(mail), "Delivered-To") == to;
    postfix.mails().into_iter().filter(delivered).collect()
}

fn parse(mail: &[u8]) -> Message<'_> {
    MessageParser::default().parse(mail).expect("a mail")
}

fn header(mail: &Message<'_>, name: &str) -> String {
    mail.header_raw(name).unwrap_or_default().trim().to_owned()
}

fn wait_mail(postfix: &Postfix, to: &str) -> Vec<u8> {
    let mails = eventually(PATIENCE, &format!("a mail to {to}"), || {
        Some(mails(postfix, to)).filter(|mails| !mails.is_empty())
    });
    assert_eq!(mails.len(), 1, "{to}");
    mails.into_iter().next().expect("one")
}

#[test]
fn a_mail_arrives_as_it_was_written() {
    let house = House::new("mail").relay(&shared().url());
    let worker = house.start();
    let recipient = json!({
        "user_id": "U1", "name": "山田 太郎", "email": "taro@example.jp", "auth_email": "taro.auth@example.jp"
    });
    house.publish(&password_changed("mail-1", recipient));
    house.wait_ended(1);
    let raw = wait_mail(shared(), "taro.auth@example.jp");
    let mail = parse(&raw);
    let subject = mail.subject().expect("a subject");
    assert!(subject.contains("サンプル銀行") && subject.contains("パスワード"), "{subject}");
    assert!(mail.header_raw("Subject").expect("a subject").is_ascii(), "encoded for every relay");
    let from = mail.from().and_then(|from| from.first()).expect("a sender");
    assert_eq!((from.name(), from.address()), (Some("お知らせ"), Some("no-reply@example.jp")));
    let to: Vec<_> =
        mail.to().expect("a recipient").iter().map(|to| to.address().expect("an address")).collect();
    assert_eq!(to, ["taro.auth@example.jp"]);
    assert_eq!(header(&mail, "Return-Path"), "<no-reply@example.jp>");
    assert!(mail.message_id().expect("a Message-ID").ends_with("@example.jp"));
    assert_eq!(raw.windows(12).filter(|window| window.eq_ignore_ascii_case(b"\nmessage-id:")).count(), 1);
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert!(mail.date().is_some());
    let text = mail.body_text(0).expect("text");
    let html = mail.body_html(0).expect("html");
    for part in [&text, &html] {
        assert!(part.contains("山田 太郎") && part.contains("0120-000-000"), "{part}");
    }
    assert!(mail.is_content_type("multipart", "alternative"));
    let kinds: Vec<_> = mail.parts.iter().filter_map(|part| part.content_type()?.subtype()).collect();
    assert_eq!(kinds, ["alternative", "plain", "html"], "the last one is the best one");
    assert!(mails(shared(), "taro@example.jp").is_empty(), "the authenticated address alone");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn an_address_that_breaks_the_rfc_but_is_in_use_gets_its_mail() {
    let house = House::new("docomo").relay(&shared().url());
    let worker = house.start();
    let odd = ["a..b@docomo.ne.jp", "dot.@docomo.ne.jp"];
    for (n, email) in odd.into_iter().enumerate() {
        house.publish(&password_changed(&format!("docomo-{n}"), json!({"user_id": "U1", "email": email})));
    }
    house.wait_ended(odd.len());
    house.assert_no_dead_letters();
    for to in odd {
        // Postfix writes the local part as RFC 5322 wants it: in quotes where it must be.
        let quoted = format!("\"{}\"@docomo.ne.jp", to.trim_end_matches("@docomo.ne.jp"));
        let found = eventually(PATIENCE, to, || {
            let mails = [mails(shared(), to), mails(shared(), &quoted)].concat();
            Some(mails.len()).filter(|count| *count > 0)
        });
        assert_eq!(found, 1, "{to}");
    }
    house.stop_and_assert_empty(&worker);
}

#[test]
fn a_refused_address_falls_back_to_sms() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("mail-refused").gateways(&[gateway.url()]).relay(&shared().url());
    let worker = house.start();
    let recipient = json!({"user_id": "U1", "phone": mobile(1), "email": "refused@example.com"});
    house.publish(&password_changed("refused-1", recipient));
    house.wait_ended(1);
    assert_eq!(gateway.accepted().iter().map(|sms| sms.to.clone()).collect::<Vec<_>>(), [mobile(1)]);
    assert_eq!(house.metric("shirase_events_total", &[("result", "retried")]), 0.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn a_refused_address_without_another_is_a_dead_letter_that_does_not_name_it() {
    let house = House::new("mail-dead").relay(&shared().url());
    let worker = house.start();
    house.publish(&password_changed("refused-2", json!({"user_id": "U1", "email": "refused@example.jp"})));
    let dead = house.dead_letters(1);
    assert_eq!(dead[0].header("x-shirase-reason"), "refused");
    assert!(dead[0].header("x-shirase-detail").contains("SMTP 550 5.1.1"), "{:?}", dead[0].headers);
    house.stop_and_assert_empty(&worker);
    assert!(!format!("{:?}", dead[0].headers).contains("refused@"), "{:?}", dead[0].headers);
    assert!(!worker.log().contains("refused@"), "{}", worker.log());
}

#[test]
fn a_busy_mailbox_is_tried_again_and_then_the_customer_is_told_by_sms() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("mail-later").gateways(&[gateway.url()]).relay(&shared().url());
    let worker = house.start();
    let recipient = json!({"user_id": "U1", "phone": mobile(1), "email": "later@example.jp"});
    house.publish(&password_changed("later-1", recipient));
    house.wait_ended(1);
    let busy = [("channel", "email"), ("outcome", "retryable"), ("reason", "server")];
    assert_eq!(house.metric("shirase_attempts_total", &busy), 4.0, "once, and once for each step");
    assert_eq!(gateway.accepted().len(), 1);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

#[test]
fn mails_wait_while_the_relay_is_down_and_then_arrive_once() {
    let postfix = Postfix::start();
    let house = House::new("relay-down").relay(&postfix.url()).set(
        "retry",
        r#"schedule = ["1s", "1s", "1s", "1s", "2s", "2s", "2s", "2s", "2s", "2s", "2s", "2s"]"#,
    );
    let worker = house.start();
    let mail = |n: usize| {
        password_changed(&format!("down-{n}"), json!({"user_id": "U", "email": format!("n{n}@example.jp")}))
    };
    // Leaves a connection that the relay's end will cut while it rests.
    house.publish(&mail(0));
    house.wait_ended(1);
    postfix.kill();
    house.publish_all(&(1..10).map(mail).collect::<Vec<_>>());
    house.wait_metric("shirase_events_total", &[("result", "retried")], 9.0);
    postfix.start_again();
    house.wait_ended(10);
    for n in 0..10 {
        wait_mail(&postfix, &format!("n{n}@example.jp"));
    }
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}
