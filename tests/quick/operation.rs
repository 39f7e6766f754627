//! Before a gateway goes into operation: `check --connect` tries its account and sends nothing, `send-test` sends one message.

use serde_json::json;

use crate::gateways::PHONE;
use crate::house::{Desk, RunningSandbox};
use crate::script::{Http, answer};

/// A desk whose first gateway is this server.
fn desk(server: &Http) -> Desk {
    Desk::new()
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &server.url())
        .with("SHIRASE_SMS__GATEWAYS__0__BEARER", "sEcReT")
}

#[test]
fn one_message_goes_through_exactly_the_gateway_that_is_named() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    let ran = desk.run(&["send-test", "--gateway", "primary", "--to", "090-1234-5678"]).expect(0);
    for words in ["sms → 090-****-5678 via primary: accepted, its id ", ", 1 segment(s), ", " ms, reference "]
    {
        assert!(ran.out.contains(words), "{words}: {}", ran.out);
    }
    assert!(!ran.out.contains("1234-5678"), "{}", ran.out);
    let sms = sandbox.sandbox.sms();
    assert_eq!((sms.len(), sandbox.sandbox.mail().len()), (1, 0));
    assert_eq!(sms[0].to, PHONE);
    assert!(sms[0].text.starts_with("【サンプル銀行】Shirase 送信テスト "), "{}", sms[0].text);
    assert!(sms[0].text.contains("（日本時間） これは送信試験です。"), "{}", sms[0].text);

    let ran = desk.run(&["send-test", "--gateway", "mta", "--to", "taro@example.jp", "--json"]).expect(0);
    let sent = ran.json_lines().remove(0);
    assert_eq!((&sent["channel"], &sent["outcome"]), (&json!("email"), &json!("accepted")));
    assert_eq!((&sent["to"], &sent["segments"]), (&json!("t***@example.jp"), &json!(null)));
    assert!(sent["provider_id"].is_string() && sent["ms"].is_u64(), "{sent}");
    let mail = sandbox.sandbox.mail();
    assert_eq!((mail.len(), mail[0].subject.as_str()), (1, "【サンプル銀行】Shirase 送信テスト"));
    assert!(!desk.path().join("shirase.db").exists(), "the ledger is not opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_test_ends_with_1_and_says_why_and_what_to_do() {
    let server = Http::always(answer(401, &[], &format!("{{\"error\": \"{PHONE} sEcReT\"}}"))).await;
    let desk = desk(&server);
    let ran = desk.run(&["send-test", "--gateway", "primary", "--to", PHONE]).expect(1);
    assert!(ran.out.contains("via primary: credentials: credentials (HTTP 401); check user"), "{}", ran.out);
    let ran = desk.run(&["send-test", "--gateway", "primary", "--to", PHONE, "--json"]).expect(1);
    let sent = ran.json_lines().remove(0);
    assert_eq!((&sent["outcome"], &sent["detail"]), (&json!("credentials"), &json!("HTTP 401")));
    assert!(!format!("{}{}", ran.out, ran.err).contains("sEcReT"), "{ran:?}");
    assert_eq!(server.requests().len(), 2, "nothing is retried");
}

#[test]
fn wrong_usage_ends_with_2_sends_nothing_and_repeats_no_address() {
    let sandbox = RunningSandbox::start();
    let desk = sandbox.desk();
    for (gateway, to, words) in [
        ("nobody", PHONE, "not configured; known: primary, mta"),
        ("primary", "secret.taro@example.jp", "--to: "),
        ("primary", "03-1234-5678", "Japanese, not mobile"),
        ("mta", PHONE, "this relay sends mail"),
    ] {
        let ran = desk.run(&["send-test", "--gateway", gateway, "--to", to]).expect(2);
        assert!(ran.err.contains(words) && !ran.err.contains(to), "{words}: {}", ran.err);
    }
    assert_eq!((sandbox.sandbox.sms().len(), sandbox.sandbox.mail().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_connect_names_gateway_host_and_mend_of_a_refused_account() {
    let server = Http::always(answer(403, &[], "sEcReT")).await;
    let ran = desk(&server).run(&["check", "--connect"]).expect(1);
    let finding =
        "sms.gateways \"primary\": credentials (127.0.0.1: HTTP 403); check user, password, token or key";
    assert!(ran.out.contains(finding), "{}", ran.out);
    assert!(!ran.out.contains("sEcReT"), "{}", ran.out);
    let asked = server.requests();
    assert_eq!((asked.len(), asked[0].line.as_str(), asked[0].body.as_str()), (1, "HEAD /sms HTTP/1.1", ""));
}

#[test]
fn check_connect_names_the_address_that_nobody_listens_at() {
    let port = crate::support::free_port();
    let ran = Desk::new()
        .with("SHIRASE_SMS__GATEWAYS__0__URL", &format!("http://127.0.0.1:{port}/sms"))
        .run(&["check", "--connect"])
        .expect(1);
    let finding =
        format!("sms.gateways \"primary\": connect (127.0.0.1:{port} refuses connections); is it running");
    assert!(ran.out.contains(&finding), "{}", ran.out);
}

#[test]
fn check_says_of_receipts_what_a_house_would_find_out_too_late() {
    let (waits, key) =
        ("waits for receipts (on_unknown = \"wait\"), and none can come", "ledger.recipient_key_file");
    let noted = |desk: Desk| {
        let out = desk.run(&["check"]).expect(0).out;
        (out.contains(waits), out.contains(key))
    };
    let desk = || Desk::new().with("SHIRASE_SMS__GATEWAYS__0__ON_UNKNOWN", "wait");
    assert_eq!(noted(Desk::new()), (false, false));
    assert_eq!(noted(desk()), (true, false));
    let heard = || {
        desk()
            .with("SHIRASE_SMS__GATEWAYS__0__RECEIPTS__BEARER", "sEcReT")
            .with("SHIRASE_SMS__GATEWAYS__0__RECEIPT_STATUSES__DELIVERED", "delivered")
    };
    assert_eq!(noted(heard()), (false, true));
    assert_eq!(noted(heard().with("SHIRASE_LEDGER__RECIPIENT_KEY", "sEcReT")), (false, false));
}
