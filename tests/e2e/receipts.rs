//! Receipts through a real broker: who is told in the place of what did not arrive, after a restart and by another worker; and
//! the sandbox that calls back, in bulk.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString};
use serde_json::json;
use shirase::clock::Clock;
use shirase::sandbox::{Receipts, Sandbox};

use crate::events::{event, mobile, reachable, withdrawal_to};
use crate::gateway::{Answer, Gateway};
use crate::house::{BINARY, House, PATIENCE, block_on};
use crate::support::{Postgres, eventually, free_port};

const SECRET: &str = "rEcEiPt-sEcReT";

/// The keys that make a gateway of kind `http` one that calls back as the sandbox does.
fn calling_back(house: House) -> House {
    house
        .set("gateway", &format!("receipts = {{ bearer = \"{SECRET}\" }}"))
        .set("gateway", r#"receipt_statuses = { delivered = "delivered", undelivered = "unreachable" }"#)
        .set("gateway", r#"receipt_fields = { code = "code" }"#)
}

/// A house whose relay is a sandbox's, and whose gateway answers as told.
fn house(name: &str, gateway: &Gateway) -> (House, Sandbox) {
    let (house, sandbox) = House::new(name).sandbox();
    (calling_back(house.gateways(&[gateway.url()])), sandbox)
}

/// What a gateway says of a message, as its call; the status of the answer.
fn call(port: u16, reference: &str, status: &str) -> u16 {
    let body = json!({"reference": reference, "status": status, "code": "27"}).to_string();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the listener is there");
    let request = format!(
        "POST /receipts/gateway-1 HTTP/1.0\r\nhost: house\r\nauthorization: Bearer {SECRET}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn recipients(sandbox: &Sandbox) -> Vec<String> {
    sandbox.mail().into_iter().map(|mail| mail.to).collect()
}

fn wait_mails(sandbox: &Sandbox, count: usize) {
    eventually(PATIENCE, &format!("{count} mails"), || (sandbox.mail().len() >= count).then_some(()));
}

#[test]
fn what_did_not_arrive_is_told_by_mail_once_also_after_a_restart() {
    let gateway = Gateway::always(Answer::Accept);
    let (house, sandbox) = house("receipt-restart", &gateway);
    let worker = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    let reference = gateway.accepted()[0].reference.clone();
    house.stop_and_assert_empty(&worker);

    house.start_again(&worker);
    for _ in 0..3 {
        assert_eq!(call(house.http, &reference, "undelivered"), 204);
    }
    wait_mails(&sandbox, 1);
    house.wait_ended(1);
    assert_eq!(call(house.http, &reference, "undelivered"), 204, "said once more");
    assert_eq!(house.metric("shirase_undelivered_total", &[("reason", "unreachable")]), 1.0);
    assert_eq!(call(house.http, "ffffffffffffffffffffffffffffffff", "delivered"), 204, "nobody's");
    for (status, least) in [("undelivered", 1.0), ("stranger", 1.0), ("stale", 1.0)] {
        let labels = [("gateway", "gateway-1"), ("status", status)];
        assert!(house.metric("shirase_receipts_total", &labels) >= least, "{status}");
    }
    let told = house.run(&worker, &["trace", "withdrawal-1"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("told, but not through current.sms") && told.contains("unreachable: 27"), "{told}");
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
    assert_eq!((gateway.asked().len(), recipients(&sandbox)), (1, vec!["taro@example.jp".to_owned()]));
}

#[test]
fn another_worker_than_the_one_that_sent_takes_the_receipt_and_tells_by_mail() {
    let gateway = Gateway::always(Answer::Accept);
    let url = Postgres::shared().create_database("receipt_twin");
    let (house, sandbox) = house("receipt-twin", &gateway);
    let house = house.set("ledger", &format!("url = \"{url}\""));
    let first = house.start();
    house.publish(&withdrawal_to(1, reachable(1, "taro@example.jp")));
    house.wait_ended(1);
    first.kill();

    let listen = free_port();
    let twin = house.twin().set("receipts", &format!("listen = \"127.0.0.1:{listen}\""));
    let second = twin.start();
    assert_eq!(call(listen, &gateway.accepted()[0].reference, "undelivered"), 204);
    wait_mails(&sandbox, 1);
    twin.wait_ended(1);
    twin.stop_and_assert_empty(&second);
    twin.assert_no_dead_letters();
    assert_eq!((gateway.asked().len(), sandbox.mail().len()), (1, 1));
}

/// The event was acknowledged: only what was kept can say again what it was, attributes in headers included.
#[test]
fn an_event_in_binary_mode_comes_back_whole() {
    let gateway = Gateway::always(Answer::Accept);
    let (house, sandbox) = house("receipt-binary", &gateway);
    let worker = house.start();
    let event = withdrawal_to(1, reachable(1, "taro@example.jp"));
    let mut headers = FieldTable::default();
    for name in ["specversion", "id", "source", "type", "time"] {
        let value = event[name].as_str().expect("text");
        headers.insert(format!("ce-{name}").into(), AMQPValue::LongString(LongString::from(value)));
    }
    let properties =
        BasicProperties::default().with_headers(headers).with_content_type("application/json".into());
    let kind = event["type"].as_str().expect("a type");
    house.amqp.publish_with(&house.exchange(), kind, event["data"].to_string().as_bytes(), properties);
    house.wait_ended(1);
    assert_eq!(call(house.http, &gateway.accepted()[0].reference, "undelivered"), 204);
    wait_mails(&sandbox, 1);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// Told by nobody: not by the channel that failed, nor by one that does not exist. Somebody has to know.
#[test]
fn what_did_not_arrive_and_has_no_other_channel_is_counted_and_stays_undelivered() {
    let gateway = Gateway::always(Answer::Accept);
    let (house, _sandbox) = house("receipt-alone", &gateway);
    let worker = house.start();
    house.publish(&withdrawal_to(1, json!({"user_id": "U1", "phone": mobile(1)})));
    house.wait_ended(1);
    assert_eq!(call(house.http, &gateway.accepted()[0].reference, "undelivered"), 204);
    assert_eq!(house.metric("shirase_undelivered_total", &[("gateway", "gateway-1")]), 1.0);
    let told = house.run(&worker, &["trace", "withdrawal-1"]);
    assert!(
        String::from_utf8_lossy(&told.stdout).contains("not told: a gateway took it, but it did not arrive")
    );
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// From the mail system's pipe through the command, the worker and the broker to the customer.
#[test]
fn a_mail_that_bounces_into_the_pipe_is_told_by_sms() {
    let gateway = Gateway::always(Answer::Accept);
    let (house, sandbox) = house("receipt-bounce", &gateway);
    let secret = "receipts.bounce_secret is the same for both";
    let house = house
        .set("email", "return_path = \"bounce@example.jp\"")
        .set("receipts", &format!("bounce_secret = \"{secret}\""));
    let worker = house.start();
    let data = json!({"recipient": reachable(1, "taro@example.jp"), "which": "login", "via": "web"});
    house.publish(&event("security.password.changed", "bounced", data));
    house.wait_ended(1);
    assert_eq!((sandbox.mail().len(), gateway.asked().len()), (1, 0), "to the mailbox first");
    let reference = sandbox.mail()[0].message_id().split('@').next().expect("a reference").to_owned();

    let report = include_str!("../../src/bounce/samples/postfix-unknown-user.eml");
    let recipient = format!("bounce+{reference}@example.jp");
    let pipe = || {
        let mut command = Command::new(BINARY);
        command.args(["bounce", "--recipient", &recipient, "--config"]).arg(worker.config_file());
        let mut running = command.stdin(Stdio::piped()).spawn().expect("the binary runs");
        running.stdin.take().expect("piped").write_all(report.as_bytes()).expect("read");
        running.wait().expect("an end").code()
    };
    for _ in 0..3 {
        assert_eq!(pipe(), Some(0));
    }
    gateway.wait_asked(1);
    house.wait_metric("shirase_events_total", &[("result", "done")], 2.0);
    house.stop_and_assert_empty(&worker);
    assert_eq!(pipe(), Some(75), "kept by the mail system while nobody is there");
    house.assert_no_dead_letters();
    assert_eq!((gateway.accepted().len(), sandbox.mail().len()), (1, 1));
}

/// The sandbox calls the second worker about what either sent, and loses a third of it; the first worker is killed in the
/// middle. Every lost message is told by mail, each once, and no other.
#[test]
fn of_many_messages_those_that_were_lost_are_told_by_mail_and_only_those() {
    const EVENTS: usize = 300;
    let listen = free_port();
    let receipts = Receipts {
        url: format!("http://127.0.0.1:{listen}/receipts/gateway-1").parse().expect("a URL"),
        secret: SECRET.parse().expect("not empty"),
        after: Duration::from_millis(300),
        lost: 0.33,
        seed: 11,
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sandbox = Sandbox::new(Clock::system()).with_receipts(receipts.clone()).expect("a client");
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    let sms = block_on(sandbox.start_sms(anywhere)).expect("a gateway");
    let smtp = block_on(sandbox.start_smtp(anywhere)).expect("a relay");
    let url = Postgres::shared().create_database("receipt_many");
    let house =
        House::new("receipt-many").gateways(&[format!("http://{sms}/sms")]).relay(&format!("smtp://{smtp}"));
    // Short timeouts are short leases: what the killed worker held is taken over soon.
    let house = calling_back(house).timeouts("3s").set("ledger", &format!("url = \"{url}\""));
    let first = house.start();
    let twin = house.twin().set("receipts", &format!("listen = \"127.0.0.1:{listen}\""));
    let second = twin.start();
    let events: Vec<_> = (0..EVENTS)
        .map(|n| {
            let data =
                json!({"recipient": reachable(n, &format!("c{n}@example.jp")), "device": {"os": "iOS"}});
            event("security.login", &format!("many-{n}"), data)
        })
        .collect();
    house.publish_all(&events[..EVENTS / 2]);
    eventually(PATIENCE, "half of the first half", || (sandbox.sms().len() >= EVENTS / 4).then_some(()));
    first.kill();
    house.publish_all(&events[EVENTS / 2..]);

    // A kill in the middle may have an SMS sent twice; each customer has one reference all the same.
    let references = || -> BTreeMap<String, String> {
        sandbox.sms().into_iter().map(|sms| (sms.reference, sms.to)).collect()
    };
    eventually(PATIENCE, "every customer's SMS", || (references().len() == EVENTS).then_some(()));
    let mut lost: Vec<String> =
        references().into_iter().filter(|(one, _)| receipts.is_lost(one)).map(|(_, to)| to).collect();
    lost.sort();
    assert!((50..150).contains(&lost.len()), "{} of {EVENTS} are lost", lost.len());
    wait_mails(&sandbox, lost.len());
    twin.stop_and_assert_empty(&second);
    let mut told: Vec<String> = recipients(&sandbox)
        .into_iter()
        .map(|to| {
            mobile(
                to.trim_start_matches('c').split('@').next().and_then(|n| n.parse().ok()).expect("a number"),
            )
        })
        .collect();
    told.sort();
    assert_eq!(told, lost, "told by mail, and lost");
    house.assert_no_dead_letters();
}
