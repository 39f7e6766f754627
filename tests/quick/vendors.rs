//! The vendors' kinds over real HTTP: what arrives is what the vendor documents, and receipts are taken from whoever signs
//! them. What answers mean is in `conformance`.

use std::path::Path;

use serde_json::json;
use shirase::config::{Config, Span};
use shirase::gateway::receipt::{Callback, CallbackError, Status, Which};
use shirase::gateway::{Class, Gateway};
use url::Url;

use crate::gateways::{REFERENCE, TIMEOUT, send_sms};
use crate::house;
use crate::script::{Http, answer, cut};

const TWILIO: &str = "kind = 'twilio'\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\n\
                      auth_token = 'sEcReT'\nfrom = '+815012345678'";
const VONAGE: &str =
    "kind = 'vonage'\napi_key = 'key'\napi_secret = 'sEcReT'\nfrom = 'BANK'\nsignature_secret = 'sEcReT'";
const INFOBIP: &str =
    "kind = 'infobip'\napi_key = 'sEcReT'\nsender = 'BANK'\nreceipts = { bearer = 'sEcReT' }";
const ALL: [&str; 3] = [TWILIO, VONAGE, INFOBIP];

/// The gateway of these keys at the server, below a path of its own.
fn gateway(keys: &str, server: &Http) -> Gateway {
    let receipts = "https://house.example.jp/shirase".parse().expect("a URL");
    gateway_told(keys, server, Some(&receipts))
}

/// With or without a public address for its receipts.
fn gateway_told(keys: &str, server: &Http, receipts: Option<&Url>) -> Gateway {
    house::provide_tls();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("house.toml");
    let url = format!("http://127.0.0.1:{}/mock", server.port);
    std::fs::write(&path, format!("[[sms.gateways]]\nname = 'vendor'\nurl = '{url}'\n{keys}\n"))
        .expect("written");
    let mut config = load(&path).sms.gateways.remove(0);
    config.common.timeout = Span(TIMEOUT);
    Gateway::sms(&config, receipts).unwrap_or_else(|error| panic!("{error}"))
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
    let unheard: Vec<_> =
        ALL.iter().filter(|keys| !gateway_told(keys, &server, None).takes_receipts()).collect();
    assert_eq!(unheard, [&TWILIO], "it signs our address, which is not known then");
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
