mod receipts;

use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use proptest::prelude::*;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::super::super::{Class, Reason};
use super::super::samples::{self, CALLBACK, REFERENCE, answer, now, refusal, shown};
use super::*;

const PKCS8: &str = include_str!("test_key.pkcs8.pem");
const PKCS1: &str = include_str!("test_key.pkcs1.pem");
const APPLICATION: &str = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab";
const SECRET: &str = "signature-secret";

fn config(text: &str) -> VonageConfig {
    toml::from_str(&format!("from = 'BANK'\n{text}")).expect("keys")
}

fn with_key(pem: &str) -> VonageConfig {
    config(&format!(
        "application_id = '{APPLICATION}'\nprivate_key = '''{pem}'''\nsignature_secret = '{SECRET}'"
    ))
}

fn vonage() -> Vonage {
    let text = format!("api_key = 'key'\napi_secret = 'hunter2'\nsignature_secret = '{SECRET}'");
    Vonage::new(&config(&text)).expect("in order")
}

#[test]
fn the_request_is_as_vonage_documents_it() {
    let request = samples::request(&vonage(), Duration::from_secs(600), Some(CALLBACK));
    let Body::Json(body) = &request.body else { panic!("JSON") };
    let expected = json!({
        "message_type": "text",
        "channel": "sms",
        "to": "819012345678",
        "from": "BANK",
        "text": "【サンプル銀行】A&B=1+1",
        "ttl": 600,
        "client_ref": REFERENCE,
        "webhook_url": CALLBACK,
        "webhook_version": "v1"
    });
    assert_eq!(body, &expected);
    let text = shown(&request);
    assert!(
        text.starts_with("POST https://api.nexmo.com/v1/messages\nauthorization: Sensitive\n{"),
        "{text}"
    );
    let user = format!("Basic {}", BASE64_STANDARD.encode("key:hunter2"));
    assert_eq!(samples::authorization(&request), Some(user.as_str()));
}

#[test]
fn without_a_signature_secret_no_receipts_are_asked_for_and_the_url_keeps_its_path() {
    let keys = "api_key = 'key'\napi_secret = 'x'\nurl = 'http://mock:8080/vonage/'";
    let wire = Vonage::new(&config(keys)).expect("in order");
    let text = shown(&samples::request(&wire, Duration::ZERO, Some(CALLBACK)));
    assert!(text.starts_with("POST http://mock:8080/vonage/v1/messages\n"), "{text}");
    assert!(!wire.verifies_receipts() && !text.contains("webhook"), "{text}");
    assert!(text.contains("\"ttl\": 20"), "{text}");
    let text = shown(&samples::request(&wire, Duration::from_secs(9_999_999), None));
    assert!(text.contains("\"ttl\": 604800"), "{text}");
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
}

#[test]
fn a_request_carries_a_token_that_the_applications_key_signed() {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PKCS8.as_bytes()).expect("a key");
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key");
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public().as_ref());
    for pem in [PKCS8, PKCS1] {
        let wire = Vonage::new(&with_key(pem)).expect("in order");
        let request = samples::request(&wire, Duration::from_secs(600), None);
        let token = samples::authorization(&request).and_then(|value| value.strip_prefix("Bearer "));
        let (signed, signature) = token.and_then(|token| token.rsplit_once('.')).expect("a token");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64");
        public.verify(signed.as_bytes(), &signature).expect("signed");
        let (header, claims) = signed.split_once('.').expect("two parts");
        assert_eq!(decoded(header), json!({"alg": "RS256", "typ": "JWT"}));
        let at = now().as_second();
        let jti = format!("{REFERENCE}-{}", now().as_nanosecond());
        let expected = json!({"application_id": APPLICATION, "iat": at, "exp": at + 900, "jti": jti});
        assert_eq!(decoded(claims), expected);
    }
}

#[test]
fn a_202_is_the_acceptance_and_another_2xx_needs_an_id() {
    let accepted = |id: Option<&str>| Ok(Accepted::with_id(id.map(str::to_owned)));
    for (status, body, id) in [
        (202, r#"{"message_uuid":"u-1"}"#, Some("u-1")),
        (200, r#"{"message_uuid":"u-1","workflow_id":"w"}"#, Some("u-1")),
        (202, "", None),
        (202, "<html>", None),
        (202, r#"{"message_uuid":"u-"#, None),
        (202, r#"{"message_uuid":"a\u0000"}"#, None),
    ] {
        assert_eq!(vonage().read(&answer(status, body)), accepted(id), "{status} {body}");
    }
    for (status, body) in [(200, "<html>"), (204, ""), (200, r#"{"ok":true}"#)] {
        let refused = refusal(vonage().read(&answer(status, body)));
        assert_eq!(refused, (Class::Unknown, Reason::Garbage), "{status} {body}");
    }
    let error_in_success = error("1120").to_string();
    for status in [200, 202] {
        let refused = refusal(vonage().read(&answer(status, &error_in_success)));
        assert_eq!(refused, (Class::Route, Reason::Route), "{status}");
    }
}

fn error(code: &str) -> Value {
    json!({"type": format!("https://developer.vonage.com/api-errors/messages#{code}"),
        "title": "Invalid 819012345678", "detail": "+819012345678", "instance": "bf0ca0bf927b3b52e3cb03217e1a1ddf"})
}

#[test]
fn every_code_has_its_class_whatever_the_status() {
    let throttled = Class::Throttled { wait: Some(Duration::from_secs(17)) };
    let expected = |meaning| match meaning {
        Meaning::Credentials => (Class::Credentials, Reason::Credentials),
        Meaning::Credit => (Class::Credentials, Reason::Credit),
        Meaning::Throttled => (throttled, Reason::RateLimit),
        Meaning::Recipient | Meaning::Unreachable => (Class::Permanent, Reason::Recipient),
        Meaning::Route => (Class::Route, Reason::Route),
        Meaning::Rejected => (Class::Permanent, Reason::Rejected),
        Meaning::Filtered => (Class::Filtered, Reason::Filtered),
        Meaning::Trouble | Meaning::Expired => (Class::Retryable, Reason::Server),
        Meaning::Unknown => (Class::Unknown, Reason::Server),
        other => panic!("{other:?} is not in the table"),
    };
    for (code, meaning) in CODES.iter().filter(|(_, meaning)| *meaning != Meaning::AlreadySent) {
        let failure = vonage().read(&answer(422, &error(code).to_string())).expect_err(code);
        assert_eq!((failure.class, failure.reason), expected(*meaning), "{code}");
        assert_eq!(failure.detail, format!("HTTP 422, Vonage {code}"));
    }
    let sent_before = vonage().read(&answer(422, &error("1320").to_string()));
    assert_eq!(sent_before, Ok(Accepted::with_id(None)));
}

#[test]
fn the_codes_that_decide_most_have_the_class_they_must_have() {
    for (code, class, reason) in [
        ("1060", Class::Credentials, Reason::Credentials),
        ("1070", Class::Credentials, Reason::Credit),
        ("1170", Class::Permanent, Reason::Recipient),
        ("1240", Class::Permanent, Reason::Recipient),
        ("1120", Class::Route, Reason::Route),
        ("1250", Class::Route, Reason::Route),
        ("1210", Class::Filtered, Reason::Filtered),
    ] {
        let refused = refusal(vonage().read(&answer(422, &error(code).to_string())));
        assert_eq!(refused, (class, reason), "{code}");
    }
}

#[test]
fn without_a_code_that_is_known_the_status_decides() {
    let throttled = Class::Throttled { wait: Some(Duration::from_secs(17)) };
    for (status, class, reason) in [
        (301, Class::Route, Reason::Route),
        (401, Class::Credentials, Reason::Credentials),
        (402, Class::Credentials, Reason::Credit),
        (403, Class::Credentials, Reason::Credentials),
        (404, Class::Route, Reason::Route),
        (422, Class::Route, Reason::Rejected),
        (429, throttled, Reason::RateLimit),
        (500, Class::Unknown, Reason::Server),
        (503, Class::Unknown, Reason::Server),
    ] {
        for body in [
            String::new(),
            "<html>".to_owned(),
            error("1999").to_string(),
            error("819012345678").to_string(),
            error("taro").to_string(),
        ] {
            let failure = vonage().read(&answer(status, &body)).expect_err(&body);
            assert_eq!((failure.class, failure.reason), (class, reason), "{status} {body}");
            assert!(
                !failure.detail.contains("8190") && !failure.detail.contains("taro"),
                "{}",
                failure.detail
            );
        }
    }
}

#[test]
fn the_probe_sends_nothing_and_tells_good_credentials_from_bad_ones() {
    let request = vonage().probe(now());
    let nobody = json!({"message_type": "text", "channel": "sms"});
    assert!(matches!(&request.body, Body::Json(body) if *body == nobody));
    let wire = Vonage::new(&with_key(PKCS8)).expect("in order");
    let request = wire.probe(now());
    assert!(samples::authorization(&request).is_some_and(|value| value.starts_with("Bearer ey")));
    for (status, code, class) in [
        (422, "1020", None),
        (422, "1170", None),
        (400, "1010", None),
        (401, "unauthorized", Some(Class::Credentials)),
        (403, "1060", Some(Class::Credentials)),
        (402, "low-balance", Some(Class::Credentials)),
        (404, "not-found", Some(Class::Route)),
        (500, "1030", Some(Class::Unknown)),
    ] {
        let probed = vonage().read_probe(&answer(status, &error(code).to_string()));
        assert_eq!(probed.err().map(|failure| failure.class), class, "{status} {code}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_told_with_key_and_mend_and_without_the_secret() {
    let keys = |config: &VonageConfig| -> Vec<String> {
        config.problems().into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys(&with_key(PKCS8)), Vec::<String>::new());
    assert_eq!(keys(&config("api_key = 'a'\napi_secret = 'b'")), Vec::<String>::new());
    assert_eq!(keys(&config("url = 'https://u@x/'")), ["url", "application_id"]);
    assert_eq!(keys(&config("api_key = 'a'")), ["application_id"]);
    assert_eq!(keys(&config("api_key = 'a'\napi_secret = 'b'\napplication_id = 'c'")), ["application_id"]);
    let other = "-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----";
    for pem in ["hunter2", other, &other.replace(" EC", "")] {
        let problems = with_key(pem).problems();
        assert_eq!(problems[0].0, "private_key", "{pem}");
        assert!(!problems[0].1.contains("hunter2") && !problems[0].1.contains("MAA"), "{problems:?}");
        assert!(Vonage::new(&with_key(pem)).is_err_and(|problem| problem.starts_with("private_key: ")));
    }
    let debug = format!("{:?}", with_key(PKCS8));
    assert!(!debug.contains("BEGIN") && !debug.contains(SECRET), "{debug}");
}

proptest! {
    #[test]
    fn garbage_never_panics(status in 100..600_u16, body in any::<Vec<u8>>(), bearer in "[ -~]{0,60}") {
        let wire = vonage();
        let answer = Answer { status, retry_after: None, body: body.clone(), whole: true };
        let _ = (wire.read(&answer), wire.read_probe(&answer));
        let headers = [("authorization", format!("Bearer {bearer}"))];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let forged = samples::receipts(&wire, CALLBACK, &headers, &body, now());
        prop_assert_eq!(forged, Err(CallbackError::Forged));
    }
}
