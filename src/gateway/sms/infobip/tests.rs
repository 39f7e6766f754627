use std::time::Duration;

use proptest::prelude::*;

use super::super::super::receipt::{Loss, Which};
use super::super::super::{Class, Reason};
use super::super::samples::{self, CALLBACK, REFERENCE, answer, now, refusal, shown};
use super::*;

fn config(text: &str) -> InfobipConfig {
    toml::from_str(&format!("api_key = 'hunter2'\nsender = 'BANK'\n{text}")).expect("keys")
}

fn infobip() -> Infobip {
    Infobip::new(&config("receipts = { bearer = 'token-1' }")).expect("in order")
}

#[test]
fn the_request_is_as_infobip_documents_it() {
    let request = samples::request(&infobip(), Duration::from_secs(600), Some(CALLBACK));
    let Body::Json(body) = &request.body else { panic!("JSON") };
    let expected = json!({"messages": [{
        "sender": "BANK",
        "destinations": [{"to": "819012345678", "messageId": REFERENCE}],
        "content": {"text": "【サンプル銀行】A&B=1+1"},
        "options": {"validityPeriod": {"amount": 600, "timeUnit": "SECONDS"}},
        "webhooks": {"delivery": {"url": CALLBACK}, "contentType": "application/json"}
    }]});
    assert_eq!(body, &expected);
    let head: String = shown(&request).lines().take(3).map(|line| format!("{line}\n")).collect();
    assert_eq!(
        head,
        "POST https://api.infobip.com/sms/3/messages\nauthorization: Sensitive\naccept: \"application/json\"\n"
    );
    assert_eq!(samples::authorization(&request), Some("App hunter2"));
}

#[test]
fn without_a_secret_for_receipts_none_are_asked_for_and_the_url_keeps_its_path() {
    let wire = Infobip::new(&config("url = 'http://mock:8080/infobip'")).expect("in order");
    let text = shown(&samples::request(&wire, Duration::ZERO, Some(CALLBACK)));
    assert!(text.starts_with("POST http://mock:8080/infobip/sms/3/messages\n"), "{text}");
    assert!(!wire.verifies_receipts() && !text.contains("webhooks"), "{text}");
    assert!(text.contains("\"amount\": 1,"), "{text}");
    let text = shown(&samples::request(&wire, Duration::from_secs(999_999), None));
    assert!(text.contains("\"amount\": 172800,"), "{text}");
}

#[test]
fn a_house_with_a_subscription_leaves_the_webhook_out_and_still_takes_receipts() {
    let keys = "webhook_in_message = false\nreceipts = { user = 'a', password = 'b' }";
    let wire = Infobip::new(&config(keys)).expect("in order");
    let text = shown(&samples::request(&wire, Duration::from_secs(600), Some(CALLBACK)));
    assert!(wire.verifies_receipts() && !text.contains("webhooks"), "{text}");
}

fn of_status(status: &Value) -> Answer {
    let message = json!({"messageId": REFERENCE, "status": status, "destination": "819012345678",
        "details": {"messageCount": 2}});
    answer(200, &json!({"messages": [message]}).to_string())
}

#[test]
fn a_pending_message_and_one_that_was_sent_before_are_accepted() {
    let accepted = Accepted { provider_id: Some(REFERENCE.to_owned()), segments: Some(2) };
    for status in [
        json!({"groupId": 1, "groupName": "PENDING", "id": 26}),
        json!({"groupId": 1, "id": 7}),
        json!({"groupName": "PENDING"}),
        json!({"groupId": 3, "groupName": "DELIVERED", "id": 5}),
        json!({"groupId": 5, "groupName": "REJECTED", "id": 23, "name": "REJECTED_DUPLICATE_MESSAGE_ID"}),
    ] {
        assert_eq!(infobip().read(&of_status(&status)), Ok(accepted.clone()), "{status}");
    }
}

#[test]
fn a_200_that_cannot_be_read_may_be_either() {
    for body in [
        "",
        "<html>",
        r#"{"messages":[]}"#,
        r#"{"messages":[{"messageId":"a","status":{}}]}"#,
        r#"{"messages":[{"messageId":"a","status":{"groupId":9}}]}"#,
        r#"{"messages":[{"messageId":"a","status":{"groupId":1"#,
    ] {
        assert_eq!(refusal(infobip().read(&answer(200, body))), (Class::Unknown, Reason::Garbage), "{body}");
    }
}

#[test]
fn a_200_may_carry_a_refusal_and_every_code_has_its_class() {
    let expected = |meaning| match meaning {
        Meaning::Route => (Class::Route, Reason::Route),
        Meaning::Recipient => (Class::Permanent, Reason::Recipient),
        Meaning::Credit => (Class::Credentials, Reason::Credit),
        Meaning::Filtered => (Class::Filtered, Reason::Filtered),
        Meaning::Trouble => (Class::Retryable, Reason::Server),
        Meaning::Rejected => (Class::Permanent, Reason::Rejected),
        other => panic!("{other:?} is not in the table"),
    };
    for (code, meaning) in STATUSES.iter().filter(|(_, meaning)| *meaning != Meaning::AlreadySent) {
        let id: u32 = code.parse().expect("digits");
        let status = json!({"groupId": 5, "id": id, "description": "+819012345678"});
        let failure = infobip().read(&of_status(&status)).expect_err(code);
        assert_eq!((failure.class, failure.reason), expected(*meaning), "{code}");
        assert_eq!(failure.detail, format!("HTTP 200, Infobip {code}"));
    }
    for (status, class) in [
        (json!({"groupId": 5, "id": 12}), (Class::Credentials, Reason::Credit)),
        (json!({"groupId": 5, "id": 17}), (Class::Credentials, Reason::Credit)),
        (json!({"groupId": 5, "id": 8}), (Class::Permanent, Reason::Recipient)),
        (json!({"groupId": 5, "id": 51}), (Class::Permanent, Reason::Recipient)),
        (json!({"groupId": 5, "id": 52}), (Class::Permanent, Reason::Recipient)),
        (json!({"groupId": 5, "id": 10}), (Class::Permanent, Reason::Recipient)),
        (json!({"groupId": 5, "id": 14}), (Class::Permanent, Reason::Recipient)),
        (json!({"groupId": 5, "id": 6}), (Class::Route, Reason::Route)),
        (json!({"groupId": 5, "id": 11}), (Class::Route, Reason::Route)),
        (json!({"groupId": 5, "id": 19}), (Class::Route, Reason::Route)),
        (json!({"groupId": 5, "id": 999}), (Class::Route, Reason::Rejected)),
        (json!({"groupName": "REJECTED"}), (Class::Route, Reason::Rejected)),
        (json!({"groupId": 2, "id": 4}), (Class::Route, Reason::Rejected)),
        (json!({"groupId": 4, "id": 15}), (Class::Retryable, Reason::Server)),
    ] {
        assert_eq!(refusal(infobip().read(&of_status(&status))), class, "{status}");
    }
}

#[test]
fn any_other_answer_is_classified_by_its_status_and_says_its_code_alone() {
    let throttled = Class::Throttled { wait: Some(Duration::from_secs(17)) };
    let body = r#"{"errorCode":"E400","description":"+819012345678","violations":[]}"#;
    for (status, class, reason) in [
        (301, Class::Route, Reason::Route),
        (400, Class::Route, Reason::Rejected),
        (401, Class::Credentials, Reason::Credentials),
        (402, Class::Credentials, Reason::Credit),
        (403, Class::Credentials, Reason::Credentials),
        (404, Class::Route, Reason::Route),
        (429, throttled, Reason::RateLimit),
        (500, Class::Unknown, Reason::Server),
        (502, Class::Unknown, Reason::Server),
    ] {
        let failure = infobip().read(&answer(status, body)).expect_err("refused");
        assert_eq!((failure.class, failure.reason), (class, reason), "{status}");
        assert_eq!(failure.detail, format!("HTTP {status}, Infobip E400"));
        let personal = r#"{"errorCode":"+819012345678"}"#;
        let failure = infobip().read(&answer(status, personal)).expect_err("refused");
        assert_eq!(failure.detail, format!("HTTP {status}"));
    }
}

#[test]
fn the_probe_sends_nothing_and_tells_a_good_key_from_a_bad_one() {
    let request = infobip().probe(now());
    assert!(matches!(&request.body, Body::Json(body) if *body == json!({"messages": []})));
    for (status, class) in [
        (200, None),
        (400, None),
        (401, Some(Class::Credentials)),
        (403, Some(Class::Credentials)),
        (404, Some(Class::Route)),
        (500, Some(Class::Unknown)),
    ] {
        let probed = infobip().read_probe(&answer(status, "{}"));
        assert_eq!(probed.err().map(|failure| failure.class), class, "{status}");
    }
}

fn receipts(headers: &[(&str, &str)], body: &str) -> Result<Vec<Report>, CallbackError> {
    samples::receipts(&infobip(), CALLBACK, headers, body.as_bytes(), now())
}

const SIGNED: &[(&str, &str)] = &[("authorization", "Bearer token-1")];

#[test]
fn a_report_is_believed_with_the_secret_alone() {
    let body = json!({"results": []}).to_string();
    assert_eq!(receipts(SIGNED, &body), Ok(Vec::new()));
    let wrong: [&[(&str, &str)]; 3] =
        [&[], &[("authorization", "Bearer token-2")], &[("x-secret", "token-1")]];
    for headers in wrong {
        assert_eq!(receipts(headers, &body), Err(CallbackError::Forged), "{headers:?}");
    }
    let wire = Infobip::new(&config("")).expect("in order");
    let taken = samples::receipts(&wire, CALLBACK, SIGNED, body.as_bytes(), now());
    assert_eq!(taken, Err(CallbackError::Forged));
}

#[test]
fn several_results_of_one_call_each_count_and_one_that_cannot_be_read_spoils_none() {
    let result = |id: &str, group: &str| json!({"messageId": id, "status": {"groupName": group}});
    let results = [result(REFERENCE, "DELIVERED"), json!({"to": 1}), result("elsewhere", "EXPIRED")];
    let reports = receipts(SIGNED, &json!({"results": results}).to_string()).expect("read");
    let report =
        |message, id: &str, status| Report { message, provider_id: Some(id.to_owned()), status, code: None };
    assert_eq!(
        reports,
        [
            report(Which::Reference(REFERENCE.to_owned()), REFERENCE, Status::Delivered),
            report(
                Which::ProviderId("elsewhere".to_owned()),
                "elsewhere",
                Status::Undelivered(Loss::Expired)
            ),
        ]
    );
    for body in [
        "",
        "[]",
        r#"{"results":{}}"#,
        r#"{"results":[{}]}"#,
        r#"{"results":[{"messageId":"a\u0000","status":{"groupId":3}}]}"#,
    ] {
        assert_eq!(receipts(SIGNED, body), Err(CallbackError::Unreadable), "{body}");
    }
}

#[test]
fn every_report_is_an_end_or_none() {
    use Status::{Delivered, Undelivered, Underway};
    for (status, error, expected, code) in [
        (json!({"groupId": 1, "id": 3}), 0, Underway, "3"),
        (json!({"groupId": 1, "id": 7}), 27, Underway, "7/27"),
        (json!({"groupId": 9, "id": 99}), 1, Underway, "99/1"),
        (json!({"groupId": 3, "id": 2}), 0, Underway, "2"),
        (json!({"groupId": 3, "id": 5}), 0, Delivered, "5"),
        (json!({"groupId": 2, "id": 9}), 6, Undelivered(Loss::Unreachable), "9/6"),
        (json!({"groupId": 2, "id": 9}), 27, Undelivered(Loss::Unreachable), "9/27"),
        (json!({"groupId": 2, "id": 9}), 31, Undelivered(Loss::Unreachable), "9/31"),
        (json!({"groupId": 2, "id": 9}), 256, Undelivered(Loss::Unreachable), "9/256"),
        (json!({"groupId": 2, "id": 9}), 1, Undelivered(Loss::Recipient), "9/1"),
        (json!({"groupId": 2, "id": 9}), 9, Undelivered(Loss::Recipient), "9/9"),
        (json!({"groupId": 2, "id": 9}), 11, Undelivered(Loss::Recipient), "9/11"),
        (json!({"groupId": 2, "id": 4}), 561, Undelivered(Loss::Filtered), "4/561"),
        (json!({"groupId": 2, "id": 4}), 603, Undelivered(Loss::Filtered), "4/603"),
        (json!({"groupId": 2, "id": 4}), 607, Undelivered(Loss::Filtered), "4/607"),
        (json!({"groupId": 2, "id": 4}), 999, Undelivered(Loss::Other), "4/999"),
        (json!({"groupId": 4, "id": 15}), 0, Undelivered(Loss::Expired), "15"),
        (json!({"groupId": 4, "id": 15}), 27, Undelivered(Loss::Unreachable), "15/27"),
        (json!({"groupId": 5, "id": 12}), 0, Undelivered(Loss::Refused), "12"),
        (json!({"groupId": 5, "id": 14}), 0, Undelivered(Loss::Recipient), "14"),
        (json!({"groupId": 5, "id": 23}), 0, Underway, "23"),
        (json!({"groupId": 5, "id": 999}), 0, Undelivered(Loss::Other), "999"),
    ] {
        let result = json!({"messageId": REFERENCE, "status": status, "error": {"id": error, "permanent": true},
            "doneAt": "2026-11-24T00:00:00.000+0000", "to": "819012345678", "messageCount": 1});
        let reports = receipts(SIGNED, &json!({"results": [result]}).to_string()).expect("read");
        assert_eq!(reports[0].status, expected, "{status} {error}");
        assert_eq!(reports[0].code.as_deref(), Some(code), "{status} {error}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_told_with_its_key() {
    let keys =
        |text: &str| -> Vec<String> { config(text).problems().into_iter().map(|(key, _)| key).collect() };
    assert_eq!(keys(""), Vec::<String>::new());
    assert_eq!(keys("url = 'https://u@x/'\nreceipts = { user = 'a' }"), ["url", "receipts"]);
    let nobody: InfobipConfig = toml::from_str("api_key = 'x'\nsender = ' '").expect("keys");
    assert_eq!(nobody.problems()[0].0, "sender");
    let debug = format!("{:?}", config("receipts = { bearer = 'hunter3' }"));
    assert!(!debug.contains("hunter"), "{debug}");
}

proptest! {
    #[test]
    fn garbage_never_panics(status in 100..600_u16, body in any::<Vec<u8>>()) {
        let wire = infobip();
        let answer = Answer { status, retry_after: None, body: body.clone(), whole: true };
        let _ = (wire.read(&answer), wire.read_probe(&answer));
        let _ = samples::receipts(&wire, CALLBACK, SIGNED, &body, now());
    }
}
