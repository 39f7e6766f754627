//! `shirase bounce` at the end of a mail system's pipe: what it tells the worker, and what it tells the mail system.

use serde_json::json;
use tokio::net::TcpListener;

use crate::house::{Desk, Ran};
use crate::script::{Http, Reply, answer};

const REFERENCE: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "sEcReT-of-both";
const BOUNCE: &str = include_str!("../../src/bounce/samples/postfix-unknown-user.eml");
const HOLIDAY: &str = include_str!("../../src/bounce/samples/holiday.eml");

/// For the mail system: keep it and try again.
const LATER: i32 = 75;

fn desk() -> Desk {
    Desk::new().with("SHIRASE_RECEIPTS__BOUNCE_SECRET", SECRET)
}

fn bounce(desk: &Desk, worker: &Http, mail: &str) -> Ran {
    let url = format!("http://127.0.0.1:{}", worker.port);
    desk.run_with_input(&["bounce", "--worker", &url], mail)
}

/// A mail system keeps what a pipe says in its log.
fn assert_says_nothing_personal(ran: &Ran) {
    for secret in ["taro", "example.com", "sEcReT", "Recipient address"] {
        assert!(!format!("{ran:?}").contains(secret), "{secret}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_worker_is_told_which_notification_was_not_delivered_and_why() {
    let worker = Http::always(answer(204, &[], "")).await;
    let ran = bounce(&desk(), &worker, BOUNCE).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("undelivered 5.1.1\n", ""));
    let [request] = worker.requests().try_into().expect("one request");
    assert_eq!(request.line, "POST /bounces HTTP/1.1");
    assert_eq!(request.headers["authorization"], format!("Bearer {SECRET}"));
    let told = json!({"reference": REFERENCE, "status": "undelivered", "loss": "recipient", "code": "5.1.1"});
    assert_eq!(request.json(), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_that_it_came_to_and_the_listener_may_come_from_the_mail_system_and_the_configuration() {
    let worker = Http::always(answer(204, &[], "")).await;
    let desk = desk().with("SHIRASE_RECEIPTS__LISTEN", &format!("0.0.0.0:{}", worker.port));
    let other = "f".repeat(32);
    let recipient = format!("bounce+{other}@example.jp");
    desk.run_with_input(&["bounce", "--recipient", &recipient], BOUNCE).expect(0);
    assert_eq!(worker.requests()[0].json()["reference"], other);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_bounce_is_done_with_and_nobody_is_told() {
    let worker = Http::always(answer(204, &[], "")).await;
    for mail in [HOLIDAY, "", "\n\n", "no mail at all"] {
        let ran = bounce(&desk(), &worker, mail).expect(0);
        assert!(ran.out.starts_with("nothing in it for us: "), "{ran:?}");
        assert_says_nothing_personal(&ran);
    }
    assert_eq!(worker.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_away_or_busy_has_the_mail_system_try_again() {
    for (case, reply) in [
        ("busy", answer(503, &[], "taro")),
        ("broken", answer(500, &[], "taro")),
        ("too many", answer(429, &[], "taro")),
        ("cut", Reply::SayAndClose("HTTP/1.1 20".to_owned())),
    ] {
        let worker = Http::always(reply).await;
        let ran = bounce(&desk(), &worker, BOUNCE);
        assert_eq!(ran.code, LATER, "{case}: {ran:?}");
        assert!(ran.err.contains(&format!("127.0.0.1:{}", worker.port)), "{case}: {ran:?}");
        assert_says_nothing_personal(&ran);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound").port();
    let ran = desk().run_with_input(&["bounce", "--worker", &format!("http://127.0.0.1:{nobody}")], BOUNCE);
    assert_eq!(ran.code, LATER, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_to_mend_is_named_and_costs_no_report() {
    for status in [401, 403, 404, 301] {
        let worker = Http::always(answer(status, &[("location", "http://127.0.0.1:1/")], "taro")).await;
        let ran = bounce(&desk(), &worker, BOUNCE).expect(LATER);
        assert_says_nothing_personal(&ran);
        assert_eq!(worker.requests().len(), 1, "{status}");
    }
    let worker = Http::always(answer(204, &[], "")).await;
    let ran = bounce(&Desk::new(), &worker, BOUNCE).expect(LATER);
    assert!(ran.err.contains("receipts.bounce_secret"), "{ran:?}");
    let ran = bounce(&desk().with("SHIRASE_RECEIPTS__PATIENCE", "soon"), &worker, BOUNCE);
    assert_eq!(ran.code, LATER, "{ran:?}");
    assert!(ran.err.contains("receipts.patience"), "{ran:?}");
    assert_eq!(worker.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_after_the_report_may_be_any_length() {
    let worker = Http::always(answer(204, &[], "")).await;
    let long = format!("{BOUNCE}{}", "0123456789abcdef\n".repeat(300_000));
    bounce(&desk(), &worker, &long).expect(0);
    assert_eq!(worker.requests()[0].json()["status"], "undelivered");
}
