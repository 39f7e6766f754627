//! The vendors' kinds over real HTTP: what arrives is what the vendor documents, an answer that breaks off, is endless or
//! never comes has its class, and receipts are taken from whoever signs them.

use std::path::Path;

use futures_util::future::join_all;
use serde_json::json;
use shirase::config::{Config, Span};
use shirase::gateway::receipt::{Callback, CallbackError, Status, Which};
use shirase::gateway::{Class, Failure, Gateway, Reason};

use crate::gateways::{PHONE, REFERENCE, TIMEOUT, assert_says_nothing_personal, send_sms};
use crate::house;
use crate::script::{Http, Reply, answer, cut};

const TWILIO: &str = "kind = 'twilio'\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\n\
                      auth_token = 'sEcReT'\nfrom = '+815012345678'";
const VONAGE: &str =
    "kind = 'vonage'\napi_key = 'key'\napi_secret = 'sEcReT'\nfrom = 'BANK'\nsignature_secret = 'sEcReT'";
const INFOBIP: &str =
    "kind = 'infobip'\napi_key = 'sEcReT'\nsender = 'BANK'\nreceipts = { bearer = 'sEcReT' }";
const ALL: [&str; 3] = [TWILIO, VONAGE, INFOBIP];

/// The gateway of these keys at the server, below a path of its own.
fn gateway(keys: &str, server: &Http) -> Gateway {
    house::provide_tls();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("house.toml");
    let url = format!("http://127.0.0.1:{}/mock", server.port);
    std::fs::write(&path, format!("[[sms.gateways]]\nname = 'vendor'\nurl = '{url}'\n{keys}\n"))
        .expect("written");
    let mut config = load(&path).sms.gateways.remove(0);
    config.common.timeout = Span(TIMEOUT);
    let receipts = "https://house.example.jp/shirase".parse().expect("a URL");
    Gateway::sms(&config, Some(&receipts)).unwrap_or_else(|error| panic!("{error}"))
}

fn load(path: &Path) -> Config {
    Config::load(Some(path), []).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn what_arrives_is_what_the_vendor_documents() {
    let body = json!({"sid": "id-1", "num_segments": "2", "message_uuid": "id-1",
        "messages": [{"messageId": "id-1", "status": {"groupId": 1}, "details": {"messageCount": 2}}]});
    for (keys, status, line, content_type, segments) in [
        (
            TWILIO,
            201,
            "POST /mock/2010-04-01/Accounts/AC0123456789abcdef0123456789abcdef/Messages.json HTTP/1.1",
            "application/x-www-form-urlencoded",
            Some(2),
        ),
        (VONAGE, 202, "POST /mock/v1/messages HTTP/1.1", "application/json", Some(1)),
        (INFOBIP, 200, "POST /mock/sms/3/messages HTTP/1.1", "application/json", Some(2)),
    ] {
        let server = Http::always(answer(status, &[], &body.to_string())).await;
        let accepted = send_sms(&gateway(keys, &server)).await.expect(keys);
        assert_eq!((accepted.provider_id.as_deref(), accepted.segments), (Some("id-1"), segments), "{keys}");
        let requests = server.requests();
        let [request] = requests.as_slice() else { panic!("{requests:?}") };
        assert_eq!((request.line.as_str(), request.headers["content-type"].as_str()), (line, content_type));
        assert!(request.headers["authorization"].len() > 8, "{keys}");
        let receipts = "house.example.jp%2Fshirase%2Freceipts%2Fvendor";
        let sent = request.body.replace("//", "%2F%2F").replace('/', "%2F");
        assert!(sent.contains(receipts) && sent.contains(REFERENCE), "{sent}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_or_never_comes_has_its_class() {
    let huge = format!("{{\"messages\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let half = |status: u16| {
        Reply::SayAndClose(format!("HTTP/1.1 {status} x\r\ncontent-length: 500\r\n\r\n{{\"messages\":["))
    };
    let mut cases = vec![
        ("half of 200", INFOBIP, half(200), Some((Class::Unknown, Reason::Garbage))),
        ("10 MB in a 200", INFOBIP, answer(200, &[], &huge), Some((Class::Unknown, Reason::Garbage))),
        ("half of 201", TWILIO, half(201), None),
        ("10 MB in a 201", TWILIO, answer(201, &[], &huge), None),
        ("half of 202", VONAGE, half(202), None),
        ("10 MB in a 202", VONAGE, answer(202, &[], &huge), None),
    ];
    let echo = json!({"code": PHONE, "type": format!("#{PHONE}"), "title": PHONE, "errorCode": PHONE,
        "message": "sEcReT", "detail": "sEcReT", "description": "sEcReT"})
    .to_string();
    for keys in ALL {
        let wait = Class::Throttled { wait: Some(std::time::Duration::from_secs(17)) };
        cases.extend([
            ("cut", keys, cut(), Some((Class::Unknown, Reason::Cut))),
            ("silence", keys, Reply::Silence, Some((Class::Unknown, Reason::Timeout))),
            ("302", keys, answer(302, &[("location", "/")], &echo), Some((Class::Route, Reason::Route))),
            ("401", keys, answer(401, &[], &echo), Some((Class::Credentials, Reason::Credentials))),
            ("402", keys, answer(402, &[], &echo), Some((Class::Credentials, Reason::Credit))),
            ("429", keys, answer(429, &[("retry-after", "17")], &echo), Some((wait, Reason::RateLimit))),
            ("500", keys, answer(500, &[], &echo), Some((Class::Unknown, Reason::Server))),
        ]);
    }
    join_all(cases.into_iter().map(|(case, keys, reply, expected)| async move {
        let server = Http::always(reply).await;
        let sent = send_sms(&gateway(keys, &server)).await;
        let failure = sent.as_ref().err().map(|Failure { class, reason, .. }| (*class, *reason));
        assert_eq!(failure, expected, "{case} {keys}");
        sent.err().iter().for_each(|failure| assert_says_nothing_personal(failure, case));
        assert_eq!(server.requests().len(), 1, "{case}: sent once");
    }))
    .await;
}

#[tokio::test]
async fn a_probe_tells_good_credentials_from_bad_ones() {
    for keys in ALL {
        for (status, class) in [(400, None), (422, None), (401, Some(Class::Credentials))] {
            let server = Http::always(answer(status, &[], "{}")).await;
            let probed = gateway(keys, &server).probe(house::time()).await;
            assert_eq!(probed.err().map(|failure| failure.class), class, "{status} {keys}");
            let sent = &server.requests()[0].body;
            assert!(!sent.contains("to\"") && !sent.contains("To="), "{sent}");
        }
    }
}

#[tokio::test]
async fn receipts_are_taken_from_whoever_has_the_secret() {
    let server = Http::always(cut()).await;
    let infobip = gateway(INFOBIP, &server);
    assert!(ALL.iter().all(|keys| gateway(keys, &server).takes_receipts()));
    let body =
        json!({"results": [{"messageId": REFERENCE, "status": {"groupName": "DELIVERED"}}]}).to_string();
    let receipts = |secret: &str| {
        let headers = [("authorization", format!("Bearer {secret}"))];
        let headers = headers.into_iter().map(|(name, value)| {
            (reqwest::header::HeaderName::from_static(name), value.parse().expect("a value"))
        });
        let (url, now) = ("https://house.example.jp/shirase/receipts/vendor", house::time());
        infobip.receipts(&Callback { url, headers: &headers.collect(), body: body.as_bytes(), now })
    };
    let reports = receipts("sEcReT").expect("believed");
    assert_eq!(reports[0].message, Which::Reference(REFERENCE.to_owned()));
    assert_eq!(reports[0].status, Status::Delivered);
    assert_eq!(receipts("another"), Err(CallbackError::Forged));
}
