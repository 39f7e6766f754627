//! Receipts over HTTP into a dispatcher with a ledger: who is told in the place of what did not arrive, and that nobody can make
//! the worker believe otherwise. The vendor is Twilio's shape; every kind's own signatures are tested beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::StatusCode;
use ring::hmac;
use rusqlite::Connection;
use serde_json::Value;
use shirase::clock::Clock;
use shirase::config::{Config, Span};
use shirase::dispatch::{Disposition, Report};
use shirase::gateway::{OnUnknown, SmsGatewayConfig};
use shirase::ledger::{LedgerUrl, Reader};
use shirase::receipts::{Bring, Desk, ReceiptsConfig, router};
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::house;
use crate::pipeline::{World, assert_results, event, login, world};
use crate::script::{Http, answer, cut};
use crate::support::Scratch;

const TOKEN: &str = "sEcReT-tOkEn";
const BOUNCE_SECRET: &str = "bOuNcE-sEcReT";
const PUBLIC: &str = "https://house.example.jp";

/// Long enough for anything that comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A worker's dispatcher, and its receipts listener.
struct House {
    world: Arc<World>,
    vendor: Http,
    desk: Desk,
    url: String,
    client: reqwest::Client,
    /// How often an event was brought to its lane.
    brought: Arc<AtomicUsize>,
    /// Whether the broker takes anything.
    open: Arc<AtomicBool>,
    scratch: Scratch,
}

fn twilio(url: &str) -> SmsGatewayConfig {
    let sid = "AC00000000000000000000000000000000";
    serde_json::from_value(serde_json::json!({
        "name": "vendor", "kind": "twilio", "url": url, "account_sid": sid, "auth_token": TOKEN, "from": "+81312345678"
    }))
    .expect("in order")
}

/// The vendor takes everything, but for the answers that `cut_first` cuts.
async fn house(name: &str, cut_first: bool, change: impl FnOnce(&mut Config)) -> House {
    let vendor = Http::start(move |_, number| match number {
        0 if cut_first => cut(),
        number => answer(201, &[], &format!(r#"{{"sid": "SM{number:032x}", "num_segments": "1"}}"#)),
    })
    .await;
    let scratch = Scratch::new(name);
    let file = scratch.path().join("ledger.db");
    let bounce_secret = Some(BOUNCE_SECRET.parse().expect("not empty"));
    let mut receipts = ReceiptsConfig { bounce_secret, ..ReceiptsConfig::default() };
    let world = world(|config| {
        config.sms.gateways = vec![twilio(&vendor.url())];
        config.receipts.public_url = Some(PUBLIC.parse().expect("a URL"));
        config.ledger.url = LedgerUrl::File(file);
        change(config);
        receipts.public_url.clone_from(&config.receipts.public_url);
        receipts.patience = config.receipts.patience;
    })
    .await;
    let world = Arc::new(world);
    let (brought, open) = (Arc::<AtomicUsize>::default(), Arc::new(AtomicBool::new(true)));
    let bring = bring(&world, &brought, &open);
    let desk = Desk::new(world.dispatcher.ledger.clone(), bring, Clock::fixed(house::time()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let routes = router(Arc::clone(&world.dispatcher), desk.clone(), &receipts);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    House { world, vendor, desk, url, client: reqwest::Client::new(), brought, open, scratch }
}

/// In the place of broker and consumer: what is brought is dispatched.
fn bring(world: &Arc<World>, brought: &Arc<AtomicUsize>, open: &Arc<AtomicBool>) -> Bring {
    let (world, brought, open) = (Arc::clone(world), Arc::clone(brought), Arc::clone(open));
    Arc::new(move |lane, raw, _deaths| {
        let (world, brought, open) = (Arc::clone(&world), Arc::clone(&brought), Arc::clone(&open));
        Box::pin(async move {
            if !open.load(Ordering::SeqCst) {
                return false;
            }
            brought.fetch_add(1, Ordering::SeqCst);
            world.take(raw, lane, 0).await;
            true
        })
    })
}

/// As Twilio signs: the URL, then every field's name and value in the order of the names.
fn signature(url: &str, fields: &[(&str, &str)]) -> String {
    let mut sorted = fields.to_vec();
    sorted.sort_unstable();
    let signed: String = sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, TOKEN.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

impl House {
    /// Path and query of the callback that the vendor was told for its n-th message.
    fn callback(&self, number: usize) -> String {
        let body = self.vendor.requests()[number].body.clone();
        let mut fields = url::form_urlencoded::parse(body.as_bytes());
        let url = fields.find(|(name, _)| name == "StatusCallback").expect("a callback").1.into_owned();
        url.strip_prefix(PUBLIC).expect("our own address").to_owned()
    }

    /// A receipt as the vendor sends it.
    async fn receipt(&self, place: &str, status: &str, code: Option<&str>) -> StatusCode {
        let sid = "SM00000000000000000000000000000000";
        let mut fields = vec![("MessageSid", sid), ("MessageStatus", status)];
        fields.extend(code.map(|code| ("ErrorCode", code)));
        let signature = signature(&format!("{PUBLIC}{place}"), &fields);
        self.post(place, &fields, Some(&signature)).await
    }

    async fn post(&self, place: &str, fields: &[(&str, &str)], signature: Option<&str>) -> StatusCode {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self.client.post(format!("{}{place}", self.url)).body(body);
        if let Some(signature) = signature {
            request = request.header("x-twilio-signature", signature);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        timeout(PATIENCE, request.send()).await.expect("answered").expect("an answer").status()
    }

    async fn dispatch(&self, event: &Value, attempts: u32) -> Report {
        self.world.dispatch(event, attempts).await
    }

    /// What the ledger says of the SMS.
    async fn state(&self) -> &'static str {
        let text =
            format!("[ledger]\nurl = \"sqlite:{}\"\n", self.scratch.path().join("ledger.db").display());
        let file = self.scratch.path().join("house.toml");
        std::fs::write(&file, text).expect("written");
        let config = Config::load(Some(&file), []).expect("in order");
        let reader = Reader::open(&config.ledger).await.expect("readable");
        let story = reader.by_id("01QUICK").await.expect("readable").remove(0);
        story.notifications.iter().find(|one| one.target == "current.sms").expect("an SMS").state
    }

    /// Events that the ledger keeps for a receipt.
    fn kept(&self) -> i64 {
        Connection::open(self.scratch.path().join("ledger.db"))
            .and_then(|ledger| {
                ledger.query_row("SELECT count(sealed) FROM notification", [], |row| row.get(0))
            })
            .expect("readable")
    }

    /// SMS that the vendor took and mails that the sandbox took.
    fn sent(&self) -> (usize, usize) {
        (self.vendor.requests().len(), self.world.sandbox.mail().len())
    }
}

#[tokio::test]
async fn what_did_not_arrive_is_told_through_the_other_channel_and_only_once() {
    let house = house("receipt-lost", false, |_| {}).await;
    assert_results(&house.dispatch(&login(true), 0).await, &["current.sms accepted"]);
    let place = house.callback(0);
    for status in ["queued", "sent"] {
        assert_eq!(house.receipt(&place, status, None).await, StatusCode::NO_CONTENT);
        assert_eq!(house.sent(), (1, 0), "{status}");
    }
    // Thirty at once, as a vendor repeats itself, and then one of the other kind.
    let lost = || house.receipt(&place, "undelivered", Some("30003"));
    for status in futures_util::future::join_all((0..30).map(|_| lost())).await {
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    assert_eq!(house.receipt(&place, "delivered", None).await, StatusCode::NO_CONTENT);
    assert_eq!(house.sent(), (1, 1));
    assert_eq!(house.state().await, "undelivered", "the first end counts");
    // Once more after everything is settled.
    let brought = house.brought.load(Ordering::SeqCst);
    assert_eq!(lost().await, StatusCode::NO_CONTENT);
    assert_eq!((house.brought.load(Ordering::SeqCst), house.sent()), (brought, (1, 1)));
    let again = house.dispatch(&login(true), 0).await;
    assert_eq!((again.disposition, house.sent()), (Disposition::Done, (1, 1)));
}

#[tokio::test]
async fn what_arrived_is_told_nobody_else() {
    let house = house("receipt-there", false, |_| {}).await;
    house.dispatch(&login(true), 0).await;
    let place = house.callback(0);
    for (status, code) in [("delivered", None), ("undelivered", Some("30003")), ("failed", Some("30007"))] {
        assert_eq!(house.receipt(&place, status, code).await, StatusCode::NO_CONTENT);
    }
    assert_eq!((house.sent(), house.state().await), ((1, 0), "delivered"));
}

/// Anybody can call; nothing of it counts, and nothing breaks.
#[tokio::test]
async fn what_the_vendor_did_not_sign_changes_nothing() {
    let house = house("receipt-forged", false, |_| {}).await;
    house.dispatch(&login(true), 0).await;
    let place = house.callback(0);
    let fields = [("MessageSid", "SM1"), ("MessageStatus", "undelivered")];
    let right = signature(&format!("{PUBLIC}{place}"), &fields);
    let mut cases = vec![
        ("no signature", place.clone(), None, StatusCode::UNAUTHORIZED),
        ("another message's", format!("{place}0"), Some(right.clone()), StatusCode::UNAUTHORIZED),
        ("no such gateway", "/receipts/nobody".to_owned(), Some(right.clone()), StatusCode::NOT_FOUND),
        ("a relay", "/receipts/mta".to_owned(), Some(right.clone()), StatusCode::NOT_FOUND),
    ];
    for wrong in ["", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", &right[1..]] {
        cases.push(("a wrong signature", place.clone(), Some(wrong.to_owned()), StatusCode::UNAUTHORIZED));
    }
    for (case, place, signature, expected) in cases {
        assert_eq!(house.post(&place, &fields, signature.as_deref()).await, expected, "{case}");
    }
    let other = [("MessageSid", "SM1"), ("MessageStatus", "delivered")];
    assert_eq!(house.post(&place, &other, Some(&right)).await, StatusCode::UNAUTHORIZED, "another body");
    let huge = "x".repeat(300 * 1024);
    let status = house.post(&place, &[("Body", &huge)], Some(&right)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!((house.state().await, house.sent()), ("accepted", (1, 0)));
    // The same, signed.
    assert_eq!(house.post(&place, &fields, Some(&right)).await, StatusCode::NO_CONTENT);
    assert_eq!((house.state().await, house.sent()), ("undelivered", (1, 1)));
}

#[tokio::test]
async fn a_receipt_for_what_nobody_knows_is_answered_as_any_other() {
    let house = house("receipt-stranger", false, |_| {}).await;
    for place in ["/receipts/vendor?reference=ffffffffffffffffffffffffffffffff", "/receipts/vendor"] {
        assert_eq!(house.receipt(place, "delivered", None).await, StatusCode::NO_CONTENT, "{place}");
    }
}

/// Without our reference only the vendor's id is left, and a vendor may call before its own answer has reached us.
#[tokio::test]
async fn a_receipt_that_names_the_vendor_s_id_counts_also_when_it_comes_too_early() {
    let house = house("receipt-early", false, |_| {}).await;
    let lost = || house.receipt("/receipts/vendor", "undelivered", Some("30003"));
    assert_eq!((lost().await, house.sent()), (StatusCode::NO_CONTENT, (0, 0)));
    assert_results(&house.dispatch(&login(true), 0).await, &["current.sms accepted"]);
    timeout(PATIENCE, async {
        while house.sent() != (1, 1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("told by mail");
    assert_eq!((lost().await, house.sent()), (StatusCode::NO_CONTENT, (1, 1)));
}

/// The answer to the request was cut, and the house waits for the receipt.
#[tokio::test]
async fn an_attempt_whose_answer_was_cut_is_settled_by_its_receipt() {
    for (status, told, sent) in [
        ("sent", &["current.sms duplicate"][..], (1, 0)),
        ("delivered", &["current.sms duplicate"][..], (1, 0)),
        // Brought to its lane at once, it is told before its retry is due.
        ("undelivered", &["current.sms duplicate"][..], (1, 1)),
    ] {
        let house = house(&format!("receipt-cut-{status}"), true, |config| {
            config.sms.gateways[0].common.on_unknown = OnUnknown::Wait;
            config.sms.gateways[0].common.unknown_wait = Span::seconds(50);
        })
        .await;
        let report = house.dispatch(&login(true), 0).await;
        assert_results(&report, &["current.sms unknown"]);
        assert!(matches!(report.disposition, Disposition::Retry { .. }), "{report:?}");
        let code = (status == "undelivered").then_some("30005");
        assert_eq!(house.receipt(&house.callback(0), status, code).await, StatusCode::NO_CONTENT);
        let report = house.dispatch(&login(true), 1).await;
        assert_results(&report, told);
        assert_eq!((report.disposition, house.sent()), (Disposition::Done, sent), "{status}");
    }
}

#[tokio::test]
async fn a_receipt_is_answered_while_the_ledger_cannot_be_written_and_counts_when_it_can() {
    let house =
        house("receipt-slow", false, |config| config.receipts.patience = Span(Duration::from_millis(50)))
            .await;
    house.dispatch(&login(true), 0).await;
    let place = house.callback(0);
    let other = Connection::open(house.scratch.path().join("ledger.db")).expect("opened");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    // The lock is held until the answer is here.
    let lost = || house.receipt(&place, "undelivered", Some("30003"));
    assert_eq!(lost().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(house.sent(), (1, 0));
    other.execute_batch("COMMIT").expect("unlocked");
    // Nobody says it again, and still it is done.
    timeout(PATIENCE, async {
        while house.sent() != (1, 1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("told by mail");
    assert_eq!(house.state().await, "undelivered");
}

#[tokio::test]
async fn what_could_not_be_brought_to_its_lane_is_brought_by_whoever_looks_next() {
    let house = house("receipt-stranded", false, |_| {}).await;
    house.dispatch(&login(true), 0).await;
    house.open.store(false, Ordering::SeqCst);
    let lost = house.receipt(&house.callback(0), "undelivered", Some("30003")).await;
    assert_eq!((lost, house.sent()), (StatusCode::SERVICE_UNAVAILABLE, (1, 0)));
    house.open.store(true, Ordering::SeqCst);
    let looking = tokio::spawn(house.desk.clone().look_after_stranded(Duration::from_millis(30)));
    timeout(PATIENCE, async {
        while house.kept() > 0 {
            // The ledger's clock is the test's.
            house.world.hands.forward(1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("brought, and forgotten");
    looking.abort();
    assert_eq!(house.receipt(&house.callback(0), "undelivered", Some("30003")).await, StatusCode::NO_CONTENT);
    assert_eq!((house.brought.load(Ordering::SeqCst), house.sent()), (1, (1, 1)));
}

#[tokio::test]
async fn the_ledger_keeps_nothing_that_can_be_read_of_an_event_that_waits_for_its_receipt() {
    let house = house("receipt-private", false, |_| {}).await;
    let event = login(true);
    house.dispatch(&event, 0).await;
    assert_eq!(house.kept(), 1, "there is something to look at");
    let recipient = event["data"]["recipient"].as_object().expect("a recipient");
    let personal: Vec<&str> =
        recipient.values().filter_map(Value::as_str).filter(|text| text.len() > 4).collect();
    assert!(personal.len() > 2, "{personal:?}");
    for file in ["ledger.db", "ledger.db-wal"] {
        let bytes = std::fs::read(house.scratch.path().join(file)).expect("readable");
        for text in &personal {
            let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!found, "{file} holds {text}");
        }
    }
}

impl House {
    async fn bounce(&self, secret: &str, reference: &str) -> StatusCode {
        let body = serde_json::json!({
            "reference": reference, "status": "undelivered", "loss": "recipient", "code": "5.1.1"
        });
        let request = self.client.post(format!("{}/bounces", self.url)).bearer_auth(secret).json(&body);
        request.send().await.expect("an answer").status()
    }
}

#[tokio::test]
async fn a_mail_that_bounces_is_told_by_sms_once() {
    let house = house("receipt-bounced", false, |config| {
        config.email.return_path = Some("bounce@example.jp".parse().expect("an address"));
    })
    .await;
    let report = house.dispatch(&event("security.password.changed", 1), 0).await;
    assert_results(&report, &["current.email accepted"]);
    let mail = house.world.sandbox.mail().remove(0);
    let reference = mail.message_id().split('@').next().expect("a reference").to_owned();
    for _ in 0..3 {
        assert_eq!(house.bounce(BOUNCE_SECRET, &reference).await, StatusCode::NO_CONTENT);
    }
    assert_eq!(house.sent(), (1, 1));
}

#[tokio::test]
async fn a_bounce_needs_its_secret_and_an_own_reference() {
    let house = house("receipt-bounce", false, |_| {}).await;
    let reference = "0123456789abcdef0123456789abcdef";
    assert_eq!(house.bounce("wrong", reference).await, StatusCode::UNAUTHORIZED);
    assert_eq!(house.bounce(BOUNCE_SECRET, "../etc").await, StatusCode::BAD_REQUEST);
    assert_eq!(
        house.bounce(BOUNCE_SECRET, reference).await,
        StatusCode::NO_CONTENT,
        "for nothing that we know"
    );
}
