use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::super::receipt::{Loss, Which};
use super::super::super::{Class, Reason};
use super::super::samples::{self, CALLBACK, REFERENCE, answer, now, refusal, shown};
use super::*;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";

fn config(text: &str) -> TwilioConfig {
    toml::from_str(&format!("account_sid = '{ACCOUNT}'\n{text}")).expect("keys")
}

fn twilio() -> Twilio {
    Twilio::new(&config("auth_token = '12345'\nfrom = '+815012345678'")).expect("in order")
}

#[test]
fn the_request_is_as_twilio_documents_it() {
    let request = samples::request(&twilio(), Duration::from_secs(600), Some(CALLBACK));
    assert_eq!(
        shown(&request),
        "POST https://api.twilio.com/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json\n\
         authorization: Sensitive\n\
         To=%2B819012345678\n\
         &From=%2B815012345678\n\
         &Body=%E3%80%90%E3%82%B5%E3%83%B3%E3%83%97%E3%83%AB%E9%8A%80%E8%A1%8C%E3%80%91A%26B%3D1%2B1\n\
         &ValidityPeriod=600\n\
         &StatusCallback=https%3A%2F%2Fhouse.example.jp%2Freceipts%2Fvendor%3F\
         reference%3D0123456789abcdef0123456789abcdef"
    );
    let user = format!("Basic {}", BASE64_STANDARD.encode(format!("{ACCOUNT}:12345")));
    assert_eq!(samples::authorization(&request), Some(user.as_str()));
}

#[test]
fn an_api_key_sends_and_the_token_verifies_and_without_one_no_receipts_are_asked_for() {
    let key = "api_key = 'SK0123456789abcdef0123456789abcdef'\napi_key_secret = 'hunter2'\n\
               messaging_service_sid = 'MG0123456789abcdef0123456789abcdef'\nurl = 'http://mock:8080/twilio'";
    let request = |wire: &Twilio| samples::request(wire, Duration::from_secs(600), Some(CALLBACK));
    let both = Twilio::new(&config(&format!("{key}\nauth_token = '12345'"))).expect("in order");
    let user = BASE64_STANDARD.encode("SK0123456789abcdef0123456789abcdef:hunter2");
    assert_eq!(samples::authorization(&request(&both)), Some(format!("Basic {user}").as_str()));
    assert!(both.verifies_receipts() && shown(&request(&both)).contains("StatusCallback"));
    let key_alone = Twilio::new(&config(key)).expect("in order");
    let text = shown(&request(&key_alone));
    assert!(!key_alone.verifies_receipts() && !text.contains("StatusCallback"), "{text}");
    assert!(text.starts_with("POST http://mock:8080/twilio/2010-04-01/Accounts/AC0123"), "{text}");
    assert!(text.contains("MessagingServiceSid=MG0123456789abcdef0123456789abcdef\n"), "{text}");
    assert!(!text.contains("From="), "{text}");
}

#[test]
fn the_validity_is_what_is_left_within_twilios_range() {
    for (valid_for, sent) in
        [(Duration::ZERO, 1), (Duration::from_millis(59_900), 59), (Duration::from_secs(999_999), 36_000)]
    {
        let text = shown(&samples::request(&twilio(), valid_for, None));
        assert!(text.ends_with(&format!("ValidityPeriod={sent}")), "{text}");
    }
}

#[test]
fn a_201_is_the_acceptance_with_its_id_and_segments_where_they_can_be_read() {
    let accepted = |id: Option<&str>, segments| Ok(Accepted { provider_id: id.map(str::to_owned), segments });
    let whole = r#"{"sid":"SM1","status":"queued","num_segments":"2","error_code":null}"#;
    let to_a_service = r#"{"sid":"SM1","status":"accepted","num_segments":"0","error_code":null}"#;
    for (status, body, expected) in [
        (201, whole, accepted(Some("SM1"), Some(2))),
        (201, to_a_service, accepted(Some("SM1"), None)),
        (200, whole, accepted(Some("SM1"), Some(2))),
        (201, "", accepted(None, None)),
        (201, r#"{"sid":"SM1","sta"#, accepted(None, None)),
        (201, "<html>", accepted(None, None)),
        (201, r#"{"sid":"a\u0000b"}"#, accepted(None, None)),
    ] {
        assert_eq!(twilio().read(&answer(status, body)), expected, "{status} {body}");
    }
    for (status, body) in [(200, "<html>"), (204, ""), (202, r#"{"status":"queued"}"#)] {
        let refused = refusal(twilio().read(&answer(status, body)));
        assert_eq!(refused, (Class::Unknown, Reason::Garbage), "{status} {body}");
    }
}

#[test]
fn a_2xx_that_says_failed_is_no_acceptance() {
    let with_code = r#"{"sid":"SM1","status":"failed","error_code":30007}"#;
    assert_eq!(refusal(twilio().read(&answer(201, with_code))), (Class::Filtered, Reason::Filtered));
    let without = r#"{"sid":"SM1","status":"undelivered","error_code":null}"#;
    assert_eq!(refusal(twilio().read(&answer(201, without))), (Class::Route, Reason::Rejected));
}

#[test]
fn every_code_has_its_class_whatever_the_status() {
    let throttled = Class::Throttled { wait: Some(Duration::from_secs(17)) };
    let expected = |meaning| match meaning {
        Meaning::Throttled => (throttled, Reason::RateLimit),
        Meaning::Credentials => (Class::Credentials, Reason::Credentials),
        Meaning::Recipient | Meaning::Unreachable => (Class::Permanent, Reason::Recipient),
        Meaning::Route => (Class::Route, Reason::Route),
        Meaning::Rejected => (Class::Permanent, Reason::Rejected),
        Meaning::Filtered => (Class::Filtered, Reason::Filtered),
        Meaning::Expired => (Class::Retryable, Reason::Server),
        other => panic!("{other:?} is not in the table"),
    };
    for (code, meaning) in CODES {
        let number: u32 = code.parse().expect("digits");
        let body = json!({"code": number, "message": "The 'To' number +819012345678 …", "status": 400});
        let failure = twilio().read(&answer(400, &body.to_string())).expect_err(code);
        assert_eq!((failure.class, failure.reason), expected(*meaning), "{code}");
        assert_eq!(failure.detail, format!("HTTP 400, Twilio {code}"));
    }
}

#[test]
fn the_codes_that_decide_most_have_the_class_they_must_have() {
    for (code, class, reason) in [
        (20003, Class::Credentials, Reason::Credentials),
        (21211, Class::Permanent, Reason::Recipient),
        (21614, Class::Permanent, Reason::Recipient),
        (21635, Class::Permanent, Reason::Recipient),
        (21610, Class::Permanent, Reason::Recipient),
        (21606, Class::Route, Reason::Route),
        (21612, Class::Route, Reason::Route),
    ] {
        let body = json!({"code": code}).to_string();
        assert_eq!(refusal(twilio().read(&answer(400, &body))), (class, reason), "{code}");
    }
}

#[test]
fn without_a_code_that_is_known_the_status_decides() {
    let throttled = Class::Throttled { wait: Some(Duration::from_secs(17)) };
    for (status, class, reason) in [
        (301, Class::Route, Reason::Route),
        (400, Class::Route, Reason::Rejected),
        (401, Class::Credentials, Reason::Credentials),
        (402, Class::Credentials, Reason::Credit),
        (403, Class::Credentials, Reason::Credentials),
        (404, Class::Route, Reason::Route),
        (429, throttled, Reason::RateLimit),
        (500, Class::Unknown, Reason::Server),
        (503, Class::Unknown, Reason::Server),
    ] {
        for body in ["", "<html>", r#"{"code":99999}"#, r#"{"code":"+819012345678"}"#] {
            let failure = twilio().read(&answer(status, body)).expect_err(body);
            assert_eq!((failure.class, failure.reason), (class, reason), "{status} {body}");
            assert!(!failure.detail.contains("8190"), "{}", failure.detail);
        }
    }
}

#[test]
fn the_probe_sends_nothing_and_tells_good_credentials_from_bad_ones() {
    let text = shown(&twilio().probe(now()));
    assert!(text.ends_with("/Messages.json\nauthorization: Sensitive\n"), "{text}");
    let without_a_number = r#"{"code":21604,"message":"A 'To' phone number is required.","status":400}"#;
    assert_eq!(twilio().read_probe(&answer(400, without_a_number)), Ok(()));
    for (status, body, class) in [
        (401, r#"{"code":20003}"#, Class::Credentials),
        (403, "", Class::Credentials),
        (404, r#"{"code":20404}"#, Class::Route),
        (500, "", Class::Unknown),
    ] {
        let failure = twilio().read_probe(&answer(status, body)).expect_err(body);
        assert_eq!(failure.class, class, "{status} {body}");
    }
}

/// As Twilio signs.
fn signature(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    let text: String =
        [url].into_iter().chain(fields.iter().flat_map(|(name, value)| [*name, *value])).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, text.as_bytes()))
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

fn receipts(url: &str, signature: &str, body: &str) -> Result<Vec<Report>, CallbackError> {
    samples::receipts(&twilio(), url, &[("x-twilio-signature", signature)], body.as_bytes(), now())
}

#[test]
fn twilios_own_example_of_a_signature_is_verified() {
    let url = "https://mycompany.com/myapp.php?foo=1&bar=2";
    let fields = [
        ("To", "+18005551212"),
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+12349013030"),
        ("Digits", "1234"),
        ("From", "+12349013030"),
    ];
    // Verified, and then not understood: it is about a call.
    let example = "0/KCTR6DLpKmkAf8muzZqo1nDgQ=";
    assert_eq!(receipts(url, example, &form(&fields)), Err(CallbackError::Unreadable));
    assert_eq!(receipts(url, "0/KCTR6DLpKmkAf8muzZqo1nDgR=", &form(&fields)), Err(CallbackError::Forged));
    assert_eq!(signature("12345", url, &fields), example);
}

const CALLED: &str = "https://house.example.jp/receipts/vendor?reference=0123456789abcdef0123456789abcdef";

#[test]
fn a_receipt_is_believed_only_as_it_was_signed() {
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "delivered"), ("To", "+819012345678")];
    let body = form(&fields);
    let signed = signature("12345", CALLED, &fields);
    let report = Report {
        message: Which::Reference(REFERENCE.to_owned()),
        provider_id: Some("SM1".to_owned()),
        status: Status::Delivered,
        code: None,
    };
    assert_eq!(receipts(CALLED, &signed, &body), Ok(vec![report]));
    let other_url = CALLED.replace("reference=0", "reference=1");
    let other_body = body.replace("delivered", "failed");
    for (case, url, signature, body) in [
        ("another token", CALLED, signature("12346", CALLED, &fields).as_str(), &body),
        ("another URL", &other_url, &signed, &body),
        ("another body", CALLED, &signed, &other_body),
        ("no base64", CALLED, "%%%", &body),
        ("nothing", CALLED, "", &body),
    ] {
        assert_eq!(receipts(url, signature, body), Err(CallbackError::Forged), "{case}");
    }
    let unsigned = samples::receipts(&twilio(), CALLED, &[], body.as_bytes(), now());
    assert_eq!(unsigned, Err(CallbackError::Forged));
    let keyless = config("api_key = 'SK1'\napi_key_secret = 'x'\nfrom = 'BANK'");
    let keyless = Twilio::new(&keyless).expect("in order");
    let header = [("x-twilio-signature", signed.as_str())];
    let taken = samples::receipts(&keyless, CALLED, &header, body.as_bytes(), now());
    assert_eq!(taken, Err(CallbackError::Forged));
}

#[test]
fn a_signature_counts_with_the_port_in_the_url_and_without() {
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    let with = "https://house.example.jp:8443/receipts/vendor?a=1";
    let without = "https://house.example.jp/receipts/vendor?a=1";
    let with_https = "https://house.example.jp:443/receipts/vendor?a=1";
    for (called, signed) in [(with, with), (with, without), (without, with_https), (with_https, without)] {
        let signature = signature("12345", signed, &fields);
        assert!(receipts(called, &signature, &form(&fields)).is_ok(), "{called} signed as {signed}");
    }
    let signature = signature("12345", "https://house.example.jp:9/receipts/vendor?a=1", &fields);
    assert_eq!(receipts(with, &signature, &form(&fields)), Err(CallbackError::Forged));
}

#[test]
fn every_status_is_an_end_or_none() {
    use Status::{Delivered, Undelivered, Underway};
    for (word, code, expected) in [
        ("queued", None, Underway),
        ("sending", None, Underway),
        ("sent", None, Underway),
        ("accepted", None, Underway),
        ("a-new-word", Some("30003"), Underway),
        ("delivered", None, Delivered),
        ("undelivered", Some("30003"), Undelivered(Loss::Unreachable)),
        ("undelivered", Some("30005"), Undelivered(Loss::Recipient)),
        ("undelivered", Some("30006"), Undelivered(Loss::Recipient)),
        ("undelivered", Some("21610"), Undelivered(Loss::Recipient)),
        ("undelivered", Some("30007"), Undelivered(Loss::Filtered)),
        ("failed", Some("30036"), Undelivered(Loss::Expired)),
        ("failed", Some("21612"), Undelivered(Loss::Refused)),
        ("failed", Some("30001"), Undelivered(Loss::Refused)),
        ("failed", Some("30008"), Undelivered(Loss::Other)),
        ("failed", Some("+819012345678"), Undelivered(Loss::Other)),
        ("failed", None, Undelivered(Loss::Other)),
    ] {
        let mut fields = vec![("MessageSid", "SM1"), ("MessageStatus", word)];
        fields.extend(code.map(|code| ("ErrorCode", code)));
        let signed = signature("12345", CALLED, &fields);
        let reports = receipts(CALLED, &signed, &form(&fields)).expect(word);
        assert_eq!(reports[0].status, expected, "{word} {code:?}");
        assert_eq!(reports[0].code.as_deref(), code.filter(|code| !code.contains('+')), "{word}");
    }
}

#[test]
fn a_receipt_without_our_reference_is_found_by_twilios_id_and_without_both_not_at_all() {
    let read =
        |url: &str, fields: &[(&str, &str)]| receipts(url, &signature("12345", url, fields), &form(fields));
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "sent")];
    for url in [CALLBACK, "https://house.example.jp/receipts/vendor?reference=x%00"] {
        let reports = read(url, &fields).expect("signed");
        assert_eq!(reports[0].message, Which::ProviderId("SM1".to_owned()), "{url}");
    }
    assert_eq!(read(CALLBACK, &[("MessageStatus", "sent")]), Err(CallbackError::Unreadable));
    assert_eq!(read(CALLED, &[("MessageSid", "SM1")]), Err(CallbackError::Unreadable));
}

#[test]
fn a_configuration_that_cannot_work_is_told_with_key_and_mend() {
    let keys =
        |text: &str| -> Vec<String> { config(text).problems().into_iter().map(|(key, _)| key).collect() };
    assert_eq!(keys("auth_token = 'x'\nfrom = 'BANK'"), Vec::<String>::new());
    assert_eq!(keys(""), ["auth_token", "from"]);
    assert_eq!(keys("auth_token = 'x'\nfrom = ''"), ["from"]);
    let service = "messaging_service_sid = 'MG0123456789abcdef0123456789abcdef'";
    assert_eq!(keys(&format!("auth_token = 'x'\nfrom = 'BANK'\n{service}")), ["from"]);
    assert_eq!(keys(&format!("auth_token = 'x'\n{service}")), Vec::<String>::new());
    assert_eq!(
        keys("api_key = 'SK1'\nauth_token = 'x'\nfrom = 'BANK'"),
        ["api_key", "auth_token", "api_key_secret"]
    );
    assert_eq!(keys("url = 'https://u:p@x/'\nauth_token = 'x'\nfrom = 'BANK'"), ["url"]);
    let debug = format!("{:?}", config("auth_token = 'hunter2'\nfrom = 'BANK'"));
    assert!(!debug.contains("hunter2"), "{debug}");
}

proptest! {
    #[test]
    fn garbage_never_panics(status in 100..600_u16, body in any::<Vec<u8>>(), url in any::<String>()) {
        let wire = twilio();
        let answer = Answer { status, retry_after: None, body: body.clone(), whole: true };
        let _ = (wire.read(&answer), wire.read_probe(&answer));
        let forged = samples::receipts(&wire, &url, &[("x-twilio-signature", "AAAA")], &body, now());
        prop_assert_eq!(forged, Err(CallbackError::Forged));
    }

    #[test]
    fn signed_garbage_never_panics(text in ".{0,80}") {
        let body = text.as_bytes();
        let fields: BTreeSet<(String, String)> = form_urlencoded::parse(body).into_owned().collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        prop_assert!(receipts(CALLED, &signature("12345", CALLED, &fields), &text) != Err(CallbackError::Forged));
    }
}
