//! Kind `http` as a house configures it: the exact bytes of requests, answers that hide an error in a 200, receipts.

use std::time::Duration;

use serde_json::json;
use shirase::gateway::receipt::{Callback, CallbackError, Loss, Report, Status, Which};
use shirase::gateway::{Accepted, Class, Failure, Gateway, Reason};

use crate::gateways::{PHONE, REFERENCE, TEXT, TOKEN, send_sms, sms_gateway};
use crate::house;
use crate::script::{Http, Reply, Request, answer};

/// The gateway of a house's file, at `url`.
fn gateway(url: &str, keys: &str) -> Gateway {
    house::provide_tls();
    let text = format!("[[sms.gateways]]\nname = \"g\"\nkind = \"http\"\nurl = \"{url}\"\n{keys}");
    let config = house::config_file(&text);
    Gateway::sms(&config.sms.gateways[0], None).unwrap_or_else(|error| panic!("{error}"))
}

/// The example of `docs/gateways.md`, as it stands there.
fn documented(heading: &str) -> String {
    let document = include_str!("../../docs/gateways.md");
    let (_, section) = document.split_once(heading).expect("the heading");
    let (_, code) = section.split_once("```toml\n").expect("an example");
    code.split_once("```").expect("its end").0.to_owned()
}

async fn request_with(keys: &str) -> Request {
    let server = Http::always(answer(200, &[], "{}")).await;
    send_sms(&gateway(&server.url(), keys)).await.expect("accepted");
    server.requests().remove(0)
}

#[tokio::test]
async fn the_documented_example_for_karaden_writes_what_karaden_documents() {
    let server = Http::always(answer(200, &[], r#"{"object": "message", "id": "82bdf9de"}"#)).await;
    let scratch = crate::support::Scratch::new("karaden");
    let token = scratch.write("token", "kArAdEn-tOkEn\n");
    let text = documented("### Karaden")
        .replace("https://prg.karaden.jp", &format!("http://127.0.0.1:{}", server.port))
        .replace("/etc/shirase/karaden.token", &token.display().to_string());
    house::provide_tls();
    let config = house::config_file(&text);
    let gateway = Gateway::sms(&config.sms.gateways[0], None).expect("in order");
    let accepted = send_sms(&gateway).await.expect("accepted");
    assert_eq!(accepted.provider_id.as_deref(), Some("82bdf9de"));
    let request = server.requests().remove(0);
    assert_eq!(request.line, "POST /api/YOUR_TENANT/messages HTTP/1.1");
    assert_eq!(request.headers["authorization"], "Bearer kArAdEn-tOkEn");
    assert_eq!(request.headers["karaden-version"], "2023-01-01");
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    // house::time() and ten minutes, in Japan's zone.
    let expected = "to=09012345678\
        &body=%E3%80%90%E3%82%B5%E3%83%B3%E3%83%97%E3%83%AB%E9%8A%80%E8%A1%8C%E3%80%91%E6%9C%AC%E6%96%87-sEcReT\
        &tags%5B%5D=0123456789abcdef0123456789abcdef\
        &limited_at=2026-11-22T15%3A14%3A05%2B09%3A00\
        &is_shorten=false&service_id=1";
    assert_eq!(request.body, expected);
}

#[tokio::test]
async fn sender_validity_and_further_fields_stand_in_json_where_they_are_configured() {
    let request = request_with(
        "sender = 'BANK'\nfields = { reference = '', sender = 'from' }\n\
         valid_until = { field = 'ttl', format = 'seconds' }\nextra = { kind = 'otp', tags = ['a', 'b'] }",
    )
    .await;
    let expected = json!({
        "to": "09012345678", "text": "【サンプル銀行】本文-sEcReT", "from": "BANK", "ttl": "600", "kind": "otp",
        "tags": ["a", "b"]
    });
    assert_eq!(request.json(), expected);
}

#[tokio::test]
async fn a_list_repeats_its_field_in_a_form() {
    let request = request_with("body = 'form'\nextra = { \"tags[]\" = ['a', 'b&c'] }").await;
    assert!(request.body.ends_with("&tags%5B%5D=a&tags%5B%5D=b%26c"), "{}", request.body);
}

#[tokio::test]
async fn each_way_of_authorization_is_one_header() {
    for (keys, expected) in [
        ("authorization = 'App key'", "App key"),
        ("bearer = 'token'", "Bearer token"),
        ("user = 'shirase'\npassword = 'p:w'", "Basic c2hpcmFzZTpwOnc="),
    ] {
        assert_eq!(request_with(keys).await.headers["authorization"], expected, "{keys}");
    }
    let request = request_with("headers = { X-Api-Key = 'sEcReT', X-Api-Version = '3' }").await;
    assert_eq!((&*request.headers["x-api-key"], &*request.headers["x-api-version"]), ("sEcReT", "3"));
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_secret_header_comes_from_a_file_and_never_prints() {
    let scratch = crate::support::Scratch::new("header");
    let file = scratch.write("key", "sEcReT\n").display().to_string();
    let keys = format!("headers = {{ X-Api-Key_file = \"{file}\" }}");
    assert_eq!(request_with(&keys).await.headers["x-api-key"], "sEcReT");
    let text =
        format!("[[sms.gateways]]\nname = \"g\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n{keys}");
    assert!(!format!("{:?}", house::config_file(&text)).contains("sEcReT"));
}

#[tokio::test]
async fn an_answer_200_with_an_error_inside_is_classified_by_its_code() {
    let keys = "success = { path = 'result', value = 'OK' }\nerror_code = 'errors.0.code'\n\
                codes = { E1021 = 'recipient', E2000 = 'throttled', E0009 = 'accepted' }";
    let throttled = Class::Throttled { wait: None };
    for (body, expected) in [
        (json!({"result": "OK", "message_id": 7}), Ok(Some("7".to_owned()))),
        (json!({"result": "NG", "errors": [{"code": "E0009"}], "message_id": 8}), Ok(Some("8".to_owned()))),
        (json!({"result": "NG", "errors": [{"code": "E1021"}]}), Err((Class::Permanent, Reason::Recipient))),
        (json!({"result": "NG", "errors": [{"code": "E2000"}]}), Err((throttled, Reason::RateLimit))),
        (json!({"result": "NG", "errors": [{"code": "E7777"}]}), Err((Class::Route, Reason::Rejected))),
        (json!({}), Err((Class::Unknown, Reason::Garbage))),
    ] {
        let server = Http::always(answer(200, &[], &body.to_string())).await;
        let sent = send_sms(&gateway(&server.url(), keys)).await;
        let id = |accepted: Accepted| accepted.provider_id;
        assert_eq!(sent.map(id).map_err(|failure| (failure.class, failure.reason)), expected, "{body}");
    }
}

#[test]
fn a_receipt_is_believed_with_its_secret_and_read_as_configured() {
    let keys = "receipts = { header = 'X-Callback-Secret', secret = 's' }\n\
                receipt_fields = { message_id = 'id', reference = 'tag', code = 'reason' }\n\
                receipt_statuses = { sent = 'underway', done = 'delivered', error = 'unreachable' }";
    let gateway = gateway("http://127.0.0.1:1/", keys);
    assert!(gateway.takes_receipts());
    let body = format!("id=m-1&tag={REFERENCE}&status=error&reason=E5");
    let read = |secret: &str| {
        let headers = [("x-callback-secret", secret), ("content-type", "application/x-www-form-urlencoded")]
            .into_iter()
            .map(|(name, value)| {
                (
                    name.parse::<reqwest::header::HeaderName>().expect("a name"),
                    value.parse().expect("a value"),
                )
            })
            .collect();
        let url = "https://house.example.jp/receipts/g";
        gateway.receipts(&Callback { url, headers: &headers, body: body.as_bytes(), now: house::time() })
    };
    let expected = Report {
        message: Which::Reference(REFERENCE.to_owned()),
        provider_id: Some("m-1".to_owned()),
        status: Status::Undelivered(Loss::Unreachable),
        code: Some("E5".to_owned()),
    };
    assert_eq!(read("s"), Ok(vec![expected]));
    assert_eq!(read("guessed"), Err(CallbackError::Forged));
}

#[test]
fn without_a_secret_no_receipt_is_taken() {
    assert!(!gateway("http://127.0.0.1:1/", "").takes_receipts());
}

#[tokio::test]
async fn a_probe_asks_what_the_house_says_and_finds_refused_credentials() {
    let server = Http::start(|request, _| match request.line.split(' ').nth(1) {
        Some("/balance") => answer(200, &[], "{}"),
        Some("/forbidden") => answer(403, &[], "{}"),
        _ => answer(405, &[], ""),
    })
    .await;
    let base = format!("http://127.0.0.1:{}", server.port);
    for (probe, class) in [
        (String::new(), None),
        (format!("probe = {{ method = 'GET', url = '{base}/balance' }}"), None),
        (format!("probe = {{ method = 'GET', url = '{base}/forbidden' }}"), Some(Class::Credentials)),
        (format!("probe = {{ url = '{base}/elsewhere' }}"), Some(Class::Route)),
    ] {
        let keys = format!("bearer = 'token'\n{probe}");
        let probed = gateway(&server.url(), &keys).probe(house::time()).await;
        assert_eq!(probed.err().map(|failure| failure.class), class, "{probe}");
    }
    let asked: Vec<_> = server.requests().iter().map(|request| request.line.clone()).collect();
    let expected = ["HEAD /sms", "GET /balance", "GET /forbidden", "HEAD /elsewhere"];
    assert_eq!(asked, expected.map(|line| format!("{line} HTTP/1.1")));
    assert!(server.requests().iter().all(|request| request.headers["authorization"] == "Bearer token"));
}

fn accepted(id: Option<&str>) -> Result<Accepted, Failure> {
    Ok(Accepted { provider_id: id.map(str::to_owned), segments: Some(1) })
}

#[tokio::test]
async fn any_2xx_is_accepted_whatever_its_body() {
    let huge = "x".repeat(10 * 1024 * 1024);
    let id_of_300_bytes = json!({"message_id": "i".repeat(300)}).to_string();
    for (case, reply, id) in [
        ("an id", answer(200, &[], r#"{"message_id": "abc-1"}"#), Some("abc-1")),
        ("a number", answer(201, &[], r#"{"message_id": 17}"#), Some("17")),
        ("no body", answer(202, &[], ""), None),
        ("204", Reply::Say("HTTP/1.1 204 No Content\r\n\r\n".into()), None),
        ("no JSON", answer(200, &[], "OK id=17"), None),
        ("another shape", answer(200, &[], r#"[{"id": 1}]"#), None),
        ("an object for an id", answer(200, &[], r#"{"message_id": {"a": 1}}"#), None),
        ("an endless id", answer(200, &[], &id_of_300_bytes), None),
        ("10 MB", answer(200, &[], &huge), None),
        ("half a body", Reply::SayAndClose("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"message_id".into()), None),
        ("a body that never ends", Reply::Say("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{".into()), None),
        ("chunks", Reply::Say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12\r\n{\"message_id\":\"c\"}\r\n0\r\n\r\n".into()), Some("c")),
    ] {
        let server = Http::always(reply).await;
        let gateway = sms_gateway(&server.url(), &[]);
        assert_eq!(send_sms(&gateway).await, accepted(id), "{case}");
        assert_eq!(server.requests().len(), 1, "{case}");
    }
}

#[tokio::test]
async fn the_request_is_as_the_contract_says() {
    let server = Http::always(answer(200, &[], "{}")).await;
    send_sms(&sms_gateway(&server.url(), &[])).await.expect("accepted");
    let request = server.requests().remove(0);
    assert_eq!(request.line, "POST /sms HTTP/1.1");
    assert_eq!(request.json(), json!({"to": PHONE, "text": TEXT, "reference": REFERENCE}));
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(request.headers["authorization"], TOKEN);
    assert!(request.headers["user-agent"].starts_with("shirase/"), "{:?}", request.headers);
}

#[tokio::test]
async fn names_of_fields_number_format_and_place_of_the_id_are_configurable() {
    for (format, to) in [("national", PHONE), ("e164", "+819012345678"), ("e164_digits", "819012345678")] {
        let server = Http::always(answer(200, &[], r#"{"messages": [{"status": {"id": "xyz"}}]}"#)).await;
        let gateway = sms_gateway(
            &server.url(),
            &[
                ("NUMBER_FORMAT", format),
                ("FIELDS__TO", "msisdn"),
                ("FIELDS__TEXT", "body"),
                ("FIELDS__REFERENCE", "client_ref"),
                ("MESSAGE_ID", "messages.0.status.id"),
            ],
        );
        assert_eq!(send_sms(&gateway).await, accepted(Some("xyz")));
        let expected = json!({"msisdn": to, "body": TEXT, "client_ref": REFERENCE});
        assert_eq!(server.requests()[0].json(), expected, "{format}");
    }
}

#[tokio::test]
async fn answer_classes_are_configurable() {
    for (status, word, class) in [
        (409, "accepted", None),
        (503, "retryable", Some(Class::Retryable)),
        (420, "throttled", Some(Class::Throttled { wait: Some(Duration::from_secs(9)) })),
        (400, "credentials", Some(Class::Credentials)),
        (400, "credit", Some(Class::Credentials)),
        (400, "route", Some(Class::Route)),
        (500, "recipient", Some(Class::Permanent)),
        (500, "rejected", Some(Class::Permanent)),
        (451, "filtered", Some(Class::Filtered)),
        (200, "unknown", Some(Class::Unknown)),
    ] {
        let server = Http::always(answer(status, &[("retry-after", "9")], r#"{"message_id": "m"}"#)).await;
        let gateway = sms_gateway(&server.url(), &[(format!("ANSWERS__{status}").as_str(), word)]);
        let result = send_sms(&gateway).await;
        match class {
            None => assert_eq!(result, accepted(Some("m")), "{status} {word}"),
            Some(class) => assert_eq!(result.map_err(|failure| failure.class), Err(class), "{status} {word}"),
        }
    }
}
