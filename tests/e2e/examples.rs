//! The whole way with well-behaved servers, for every type.

use serde_json::{Value, json};

use crate::events::{event, mobile};
use crate::house::House;
use crate::support::http_get;

/// Who is told of each type's examples, by design sections 3 and 5 and the catalog. Written down by hand: what the
/// worker plans must not be what it is compared with.
const TOLD: [(&str, &[&str]); 10] = [
    ("security.account.linked", &[HANAKO, MISAKI_CONTACT, ALEX, ALEX_CONTACT]),
    ("security.auth_code.issued", &[TARO, MISAKI_AUTH, ALEX, ALEX_AUTH]),
    (
        "security.contact.changed",
        &[
            TARO,
            TARO_CONTACT,
            "taro.old@example.com",
            HANAKO,
            HANAKO_CONTACT,
            "07012345678",
            ICHIRO_CONTACT,
            ALEX,
            ALEX_CONTACT,
            "09012345678",
            ALEX_OLD,
        ],
    ),
    ("security.credentials.invalidated", &[TARO, SMITH_CONTACT, ALEX, ALEX_AUTH]),
    ("security.esim.reissued", &[TARO, TARO_AUTH, U3, ALEX, ALEX_AUTH]),
    ("security.login", &[HANAKO, TARO_AUTH, U3, ALEX, ALEX_AUTH]),
    ("security.login.new_device", &[TARO, ICHIRO_CONTACT, ALEX, ALEX_AUTH]),
    ("security.password.changed", &[TARO_AUTH, U3, HANAKO, ALEX, ALEX_AUTH]),
    ("security.withdrawal.account_changed", &[MISAKI_AUTH, U3, ALEX, ALEX_AUTH]),
    ("security.withdrawal.requested", &[TARO, SMITH_CONTACT, ALEX, ALEX_CONTACT]),
];

const TARO: &str = "09012345678";
const TARO_CONTACT: &str = "taro@example.jp";
const TARO_AUTH: &str = "taro.auth@example.jp";
const HANAKO: &str = "08012345678";
const HANAKO_CONTACT: &str = "hanako@example.com";
const U3: &str = "07012345678";
const ICHIRO_CONTACT: &str = "ichiro.tanaka@example.jp";
const MISAKI_CONTACT: &str = "misaki@example.com";
const MISAKI_AUTH: &str = "misaki.watanabe@example.jp";
const SMITH_CONTACT: &str = "alexandra.smith-yamamoto@example.com";
const ALEX: &str = "08012345678";
const ALEX_CONTACT: &str = "alexandrina.victoria.teshigawara.household@mail.example.jp";
const ALEX_AUTH: &str = "alexandrina.victoria.teshigawara.authenticated@mail.example.jp";
const ALEX_OLD: &str = "alexandrina.victoria.teshigawara.before-moving@mail.example.com";

#[test]
fn every_example_of_every_type_reaches_exactly_those_who_are_to_be_told() {
    let (house, sandbox) = House::new("examples").sandbox();
    let worker = house.start();
    let mut published = 0;
    for (kind, told) in TOLD {
        let before = (sandbox.sms().len(), sandbox.mail().len());
        let events = examples(kind);
        house.publish_all(&events);
        published += events.len();
        let done = house.wait_metric(
            "shirase_events_total",
            &[("type", kind), ("result", "done")],
            events.len() as f64,
        );
        assert_eq!(done, events.len() as f64, "{kind}");

        let sms = sandbox.sms().into_iter().skip(before.0).map(|sms| sms.to);
        let mail = sandbox.mail().into_iter().skip(before.1).map(|mail| mail.to);
        let mut reached: Vec<String> = sms.chain(mail).collect();
        let mut told: Vec<&str> = told.to_vec();
        reached.sort();
        told.sort_unstable();
        assert_eq!(reached, told, "{kind}");
    }
    assert_eq!(house.metric("shirase_events_total", &[("result", "done")]), published as f64);
    let messages: usize = TOLD.iter().map(|(_, told)| told.len()).sum();
    assert_eq!(house.metric("shirase_notifications_total", &[("result", "accepted")]), messages as f64);
    assert_eq!(house.metric("shirase_attempts_total", &[]), messages as f64, "no attempt but those accepted");
    assert_eq!(house.metric("shirase_in_flight", &[]), 0.0);
    assert_eq!(http_get(house.http, "/readyz").0, 200);
    assert_eq!(http_get(house.http, "/healthz").0, 200);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

/// Muting is for the one type that allows it; for the others the wish is not heard.
#[test]
fn a_customer_who_wants_to_hear_nothing_hears_only_what_must_be_heard() {
    let (house, sandbox) = House::new("muted").sandbox();
    let worker = house.start();
    let recipient = json!({"user_id": "U1", "phone": mobile(1), "settings": {"channel": "none"}});
    house.publish(&event("security.login", "muted-1", json!({"recipient": recipient, "device": {}})));
    house.publish(&event(
        "security.login.new_device",
        "muted-2",
        json!({"recipient": recipient, "device": {}}),
    ));
    house.wait_ended(2);
    assert_eq!(sandbox.sms().len(), 1);
    assert_eq!(
        house.metric("shirase_notifications_total", &[("type", "security.login"), ("result", "muted")]),
        1.0
    );
    assert_eq!(house.metric("shirase_events_total", &[("result", "done")]), 2.0);
    house.stop_and_assert_empty(&worker);
    house.assert_no_dead_letters();
}

fn examples(kind: &str) -> Vec<Value> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/config/schemas");
    let schema = std::fs::read_to_string(format!("{schema}/{kind}.json")).expect("a schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let examples = schema["examples"].as_array().expect("examples").clone();
    let event = |(index, data)| event(kind, &format!("{kind}-{index}"), data);
    examples.into_iter().enumerate().map(event).collect()
}
