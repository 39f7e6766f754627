use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::ToSpan;
use proptest::prelude::*;

use super::super::super::super::receipt::{Loss, Which};
use super::super::super::samples::{self, CALLBACK, REFERENCE, now};
use super::super::*;
use super::{APPLICATION, SECRET, config, error, vonage};

/// As Vonage signs.
fn token(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("Bearer {signed}.{signature}")
}

fn claims(body: &str) -> Value {
    let hash = ring::digest::digest(&ring::digest::SHA256, body.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    json!({"iat": now().as_second(), "jti": "j", "iss": "Vonage", "api_key": "key",
        "application_id": APPLICATION, "payload_hash": hash})
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn receipts(authorization: &str, body: &str, at: Timestamp) -> Result<Vec<Report>, CallbackError> {
    let headers = [("authorization", authorization)];
    samples::receipts(&vonage(), CALLBACK, &headers, body.as_bytes(), at)
}

fn signed(body: &Value) -> Result<Vec<Report>, CallbackError> {
    let body = body.to_string();
    receipts(&token(SECRET, &hs256(), &claims(&body)), &body, now())
}

fn delivered() -> String {
    json!({"message_uuid": "u-1", "client_ref": REFERENCE, "status": "delivered", "to": "819012345678",
        "usage": {"price": "0.03"}})
    .to_string()
}

#[test]
fn a_receipt_is_believed_only_with_the_secrets_signature_over_its_body() {
    let body = delivered();
    let report = Report {
        message: Which::Reference(REFERENCE.to_owned()),
        provider_id: Some("u-1".to_owned()),
        status: Status::Delivered,
        code: None,
    };
    let good = token(SECRET, &hs256(), &claims(&body));
    assert_eq!(receipts(&good, &body, now()), Ok(vec![report]));
    let other_body = body.replace("delivered", "rejected");
    let unhashed = json!({"iat": now().as_second()});
    for (case, authorization, body) in [
        ("another secret", token("another", &hs256(), &claims(&body)), &body),
        ("another body", good.clone(), &other_body),
        ("no hash", token(SECRET, &hs256(), &unhashed), &body),
        ("another algorithm", token(SECRET, &json!({"alg": "HS512"}), &claims(&body)), &body),
        ("no algorithm", token(SECRET, &json!({"alg": "none"}), &claims(&body)), &body),
        (
            "no signature",
            good.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).expect("a token"),
            &body,
        ),
        ("another scheme", good.replacen("Bearer", "Basic", 1), &body),
        ("no token", "Bearer x".to_owned(), &body),
        ("nothing", String::new(), &body),
    ] {
        assert_eq!(receipts(&authorization, body, now()), Err(CallbackError::Forged), "{case}");
    }
    let unsigned = samples::receipts(&vonage(), CALLBACK, &[], body.as_bytes(), now());
    assert_eq!(unsigned, Err(CallbackError::Forged));
    let keyless = Vonage::new(&config("api_key = 'key'\napi_secret = 'x'")).expect("in order");
    let headers = [("authorization", good.as_str())];
    let taken = samples::receipts(&keyless, CALLBACK, &headers, body.as_bytes(), now());
    assert_eq!(taken, Err(CallbackError::Forged));
}

#[test]
fn a_signature_counts_for_as_long_as_vonage_tries_again_and_no_longer() {
    let body = delivered();
    let good = token(SECRET, &hs256(), &claims(&body));
    for (at, taken) in [
        (now() + 24.hours(), true),
        (now() + 25.hours() + 1.seconds(), false),
        (now() - 5.minutes(), true),
        (now() - 5.minutes() - 1.seconds(), false),
    ] {
        assert_eq!(receipts(&good, &body, at).is_ok(), taken, "{at}");
    }
    for (iat, exp, taken) in [
        (json!(now().as_second()), json!(now().as_second() - 299), true),
        (json!(now().as_second()), json!(now().as_second() - 301), false),
        (json!(now().as_second()), json!("soon"), false),
        (json!(null), json!(now().as_second() + 60), false),
        (json!("now"), json!(now().as_second() + 60), false),
        (json!(i64::MAX), json!(i64::MIN), false),
    ] {
        let mut claims = claims(&body);
        (claims["iat"], claims["exp"]) = (iat, exp);
        let authorization = token(SECRET, &hs256(), &claims);
        assert_eq!(receipts(&authorization, &body, now()).is_ok(), taken, "{claims}");
    }
}

#[test]
fn every_status_is_an_end_or_none() {
    use Status::{Delivered, Undelivered, Underway};
    for (word, code, expected) in [
        ("submitted", None, Underway),
        ("submitted", Some("1220"), Underway),
        ("a-new-word", Some("1190"), Underway),
        ("delivered", None, Delivered),
        ("undeliverable", Some("1180"), Undelivered(Loss::Unreachable)),
        ("undeliverable", Some("1220"), Undelivered(Loss::Unreachable)),
        ("undeliverable", Some("1230"), Undelivered(Loss::Unreachable)),
        ("undeliverable", Some("1331"), Undelivered(Loss::Unreachable)),
        ("undeliverable", Some("1190"), Undelivered(Loss::Recipient)),
        ("rejected", Some("1240"), Undelivered(Loss::Recipient)),
        ("rejected", Some("1210"), Undelivered(Loss::Filtered)),
        ("rejected", Some("1360"), Undelivered(Loss::Expired)),
        ("rejected", Some("1120"), Undelivered(Loss::Refused)),
        ("rejected", Some("1320"), Underway),
        ("rejected", Some("1330"), Undelivered(Loss::Other)),
        ("undeliverable", None, Undelivered(Loss::Other)),
    ] {
        let mut body = json!({"message_uuid": "u-1", "client_ref": REFERENCE, "status": word});
        if let Some(code) = code {
            body["error"] = error(code);
        }
        let reports = signed(&body).expect(word);
        assert_eq!(reports[0].status, expected, "{word} {code:?}");
        assert_eq!(reports[0].code.as_deref(), code, "{word}");
        // Receipts give the code as the title, too.
        if let Some(code) = code {
            body["error"] = json!({"title": code.parse::<u32>().expect("digits"), "detail": "…"});
            assert_eq!(signed(&body).expect(word)[0].status, expected, "{word} {code}");
        }
    }
}

#[test]
fn a_receipt_without_our_reference_is_found_by_vonages_id_and_without_both_not_at_all() {
    let by_id = signed(&json!({"message_uuid": "u-1", "client_ref": "theirs", "status": "delivered"}));
    assert_eq!(by_id.expect("read")[0].message, Which::ProviderId("u-1".to_owned()));
    for body in [
        json!({"status": "delivered"}),
        json!({"message_uuid": "u-1"}),
        json!({"message_uuid": "a\u{0}", "status": "delivered"}),
        json!([]),
        json!("text"),
    ] {
        assert_eq!(signed(&body), Err(CallbackError::Unreadable), "{body}");
    }
}

proptest! {
    #[test]
    fn signed_garbage_is_unreadable(body in any::<String>()) {
        let authorization = token(SECRET, &hs256(), &claims(&body));
        prop_assert!(receipts(&authorization, &body, now()) != Err(CallbackError::Forged));
    }
}
