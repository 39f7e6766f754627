use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::assets::Files;
use crate::event::{Catalog, EventSchema, EventType, RawEvent, decode};

fn now() -> Timestamp {
    "2026-11-22T06:05:00Z".parse().expect("a time")
}

/// Plans an event of a built-in type, its policy changed by `policy`.
fn planned(event_type: &str, data: Value, policy: impl Fn(&mut Policy)) -> Result<Plan, PlanError> {
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/t", "type": event_type, "time": "2026-11-22T06:04:05Z", "data": data
    });
    let mut event = decode(&RawEvent::structured(event.to_string()), &catalog, now()).expect("good");
    event.kind = with_policy(&event.kind.name, &catalog, policy);
    plan(&event, &["070".into(), "080".into(), "090".into()], now())
}

/// An event type with another policy. Its schema no longer matters once the event is decoded.
fn with_policy(name: &str, catalog: &Catalog, change: impl Fn(&mut Policy)) -> Arc<EventType> {
    let mut policy = catalog.get(name).expect("built-in").policy.clone();
    change(&mut policy);
    let schema = EventSchema::compile(r#"{"examples": [{}, {}]}"#, |_| None).expect("a schema");
    Arc::new(EventType { name: name.to_owned(), policy, schema, file: String::new() })
}

fn login(recipient: Value, policy: impl Fn(&mut Policy)) -> Result<Plan, PlanError> {
    let mut recipient = recipient;
    recipient["user_id"] = json!("U1");
    planned("security.login.new_device", json!({"recipient": recipient, "device": {}}), policy)
}

/// `target → why` of each notification.
fn told(plan: Result<Plan, PlanError>) -> Vec<String> {
    match plan.expect("planned") {
        Plan::Muted => vec!["muted".into()],
        Plan::Send(notifications) => notifications
            .iter()
            .map(|one| {
                let fallback =
                    one.fallback.as_ref().map(|address| format!(" / {address}")).unwrap_or_default();
                format!("{} {}{fallback}: {}", one.target(), one.address, one.why)
            })
            .collect(),
    }
}

const MOBILE: &str = "090-1234-5678";
const EMAIL: &str = "taro@example.jp";

#[test]
fn auto_takes_sms_for_a_configured_prefix_with_email_as_fallback() {
    assert_eq!(
        told(login(json!({"phone": MOBILE, "email": EMAIL}), |_| {})),
        ["current.sms 090-****-5678 / t***@example.jp: mobile number with prefix 090"]
    );
}

#[test]
fn auto_takes_email_and_says_why_when_the_number_gets_no_sms() {
    for (phone, why) in [
        (json!(null), "no phone"),
        (json!(""), "no phone"),
        (json!("0800-123-4567"), "not a mobile number"),
        (json!("03-1234-5678"), "not a mobile number"),
        (json!("09001234567"), "the phone is no valid number"),
        (json!("+1 212 555 0100"), "a foreign number"),
        (json!("060-1234-5678"), "prefix 060 is not among sms.prefixes"),
    ] {
        let plan = login(json!({"phone": phone.as_str().unwrap_or(""), "email": EMAIL}), |_| {});
        assert_eq!(told(plan), [format!("current.email t***@example.jp: {why}")], "{phone}");
    }
}

#[test]
fn mail_goes_to_the_authenticated_address_first_where_policy_says_so() {
    let both = json!({"email": EMAIL, "auth_email": "auth@example.jp"});
    assert_eq!(told(login(both.clone(), |_| {})), ["current.email a***@example.jp: no phone"]);
    assert_eq!(
        told(login(both, |p| p.email_to = EmailTo::Contact)),
        ["current.email t***@example.jp: no phone"]
    );
    let broken = json!({"email": EMAIL, "auth_email": "not an address"});
    assert_eq!(told(login(broken, |_| {})), ["current.email t***@example.jp: no phone"]);
}

#[test]
fn settings_choose_the_channel_only_where_policy_lets_them() {
    let wish = |channel: &str| json!({"phone": MOBILE, "email": EMAIL, "settings": {"channel": channel}});
    assert_eq!(
        told(login(wish("email"), |_| {})),
        ["current.email t***@example.jp / 090-****-5678: the customer's settings"]
    );
    assert_eq!(told(login(wish("both"), |_| {})).len(), 2);
    assert_eq!(
        told(login(wish("email"), |p| p.user_may_choose = false)),
        ["current.sms 090-****-5678 / t***@example.jp: mobile number with prefix 090"]
    );
}

#[test]
fn a_choice_for_one_event_type_goes_before_the_general_one() {
    let settings = json!({"channel": "sms", "by_type": {"security.login.new_device": "email"}});
    let plan = login(json!({"phone": MOBILE, "email": EMAIL, "settings": settings}), |_| {});
    assert_eq!(told(plan), ["current.email t***@example.jp / 090-****-5678: the customer's settings"]);
}

#[test]
fn none_mutes_only_what_policy_lets_be_muted() {
    let none = json!({"phone": MOBILE, "settings": {"channel": "none"}});
    assert_eq!(told(login(none.clone(), |p| p.user_may_mute = true)), ["muted"]);
    assert_eq!(
        told(login(none, |p| p.user_may_mute = false)),
        ["current.sms 090-****-5678: mobile number with prefix 090"]
    );
}

#[test]
fn a_chosen_channel_that_cannot_be_used_gives_way_to_the_other() {
    let sms = json!({"phone": "03-1234-5678", "email": EMAIL, "settings": {"channel": "sms"}});
    assert_eq!(
        told(login(sms, |_| {})),
        ["current.email t***@example.jp: instead of SMS: not a mobile number"]
    );
    let email = json!({"phone": MOBILE, "settings": {"channel": "email"}});
    assert_eq!(
        told(login(email, |_| {})),
        ["current.sms 090-****-5678: instead of email: no usable address"]
    );
}

#[test]
fn both_tells_both_and_one_is_enough_when_there_is_only_one() {
    let both = |p: &mut Policy| p.channels = Channels::Both;
    assert_eq!(
        told(login(json!({"phone": MOBILE, "email": EMAIL}), both)),
        [
            "current.sms 090-****-5678: both channels are told",
            "current.email t***@example.jp: both channels are told"
        ]
    );
    assert_eq!(
        told(login(json!({"email": EMAIL}), both)),
        ["current.email t***@example.jp: instead of SMS: no phone"]
    );
}

#[test]
fn a_contact_change_tells_the_old_contact_and_the_new_one() {
    let data = json!({
        "recipient": {"user_id": "U1", "phone": MOBILE, "email": EMAIL},
        "changed": ["email", "phone"],
        "previous": {"phone": "080-9876-5432", "email": "old@example.jp"}
    });
    assert_eq!(
        told(planned("security.contact.changed", data, |_| {})),
        [
            "current.sms 090-****-5678: both channels are told",
            "current.email t***@example.jp: both channels are told",
            "previous.sms 080-****-5432: the event names this contact as old",
            "previous.email o***@example.jp: the event names this contact as old",
        ]
    );
}

#[test]
fn an_old_contact_that_is_told_anyway_is_told_once() {
    let data = json!({
        "recipient": {"user_id": "U1", "phone": MOBILE, "email": EMAIL},
        "changed": ["address"], "previous": {"phone": "+81 90 1234 5678", "email": EMAIL}
    });
    assert_eq!(told(planned("security.contact.changed", data, |_| {})).len(), 2);
}

#[test]
fn without_any_usable_address_there_is_no_plan() {
    assert_eq!(
        login(json!({"phone": "03-1234-5678", "email": "nonsense"}), |_| {}),
        Err(PlanError::NoAddress)
    );
}

#[test]
fn what_is_past_its_deadline_is_not_planned() {
    let plan = login(json!({"phone": MOBILE}), |_| {});
    assert!(plan.is_ok());
    let data = json!({"recipient": {"user_id": "U1", "phone": MOBILE}, "code": "123456", "purpose": "login", "valid_minutes": 5});
    let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
    let event = json!({
        "specversion": "1.0", "id": "1", "source": "/t", "type": "security.auth_code.issued",
        "time": "2026-11-22T05:59:59Z", "data": data
    });
    let event = decode(&RawEvent::structured(event.to_string()), &catalog, now()).expect("good");
    assert_eq!(plan_of(&event), Err(PlanError::Expired));
}

fn plan_of(event: &Event) -> Result<Plan, PlanError> {
    plan(event, &["090".into()], now())
}
