use super::*;
use crate::assets::Files;

fn catalog() -> Catalog {
    Catalog::load(&Files::embedded("config")).expect("built-in")
}

fn config(event_type: &str) -> CanaryConfig {
    CanaryConfig {
        every: Span::seconds(60),
        event_type: event_type.to_owned(),
        gateway: "primary".to_owned(),
        phone: Some(PhoneNumber::parse("090-9999-0001").expect("a number")),
        email: None,
    }
}

fn by_mail() -> CanaryConfig {
    let email = Some(EmailAddress::parse("canary@bank.example.jp").expect("an address"));
    CanaryConfig { phone: None, email, ..config("security.password.changed") }
}

fn canary(config: &CanaryConfig) -> Canary {
    Canary::new(config, &catalog()).unwrap_or_else(|error| panic!("{error}"))
}

fn now() -> Timestamp {
    "2026-11-22T06:04:05Z".parse().expect("a time")
}

/// The event as a worker reads it, after a change.
fn read(raw: &RawEvent, change: impl FnOnce(&mut Value)) -> Event {
    let mut event: Value = serde_json::from_slice(&raw.body).expect("JSON");
    change(&mut event);
    decode(&RawEvent::structured(event.to_string()), &catalog(), now()).expect("an event")
}

#[test]
fn a_canary_is_known_by_its_source_and_its_address_together() {
    for config in [config("security.password.changed"), by_mail()] {
        let canary = canary(&config);
        let raw = canary.event("c1", now());
        assert!(canary.is(&read(&raw, |_| {})));
        assert!(!canary.is(&read(&raw, |event| event["source"] = json!("/auth"))), "another source");
        let another = json!({"user_id": "U1", "phone": "090-1111-2222", "email": "taro@example.jp"});
        assert!(!canary.is(&read(&raw, |event| event["data"]["recipient"] = another)), "a customer");
        let nobody = json!({"user_id": "U1", "auth_email": "canary@bank.example.jp"});
        assert!(!canary.is(&read(&raw, |event| event["data"]["recipient"] = nobody)), "not where we put it");
    }
}

#[test]
fn a_canary_of_any_type_holds_our_address_alone_and_is_worth_nothing_after_its_time() {
    let others = catalog();
    for kind in others.iter().filter(|kind| !kind.policy.previous_contact) {
        for config in [config(&kind.name), CanaryConfig { event_type: kind.name.clone(), ..by_mail() }] {
            let canary = canary(&config);
            let event = read(&canary.event("c1", now()), |_| {});
            assert_eq!(event.deadline.to_string(), "2026-11-22T06:05:05Z");
            let recipient = &event.recipient;
            let addresses = [recipient.email.usable().is_some(), recipient.auth_email.usable().is_some()];
            let sms = config.phone.is_some();
            assert_eq!(
                (recipient.phone.usable().is_some(), addresses),
                (sms, [!sms, false]),
                "{}",
                kind.name
            );
            assert_eq!(canary.lane(), kind.policy.lane);
        }
    }
}

#[test]
fn a_canary_goes_to_its_address_and_has_no_other_channel() {
    let notification = canary(&by_mail()).notification();
    assert_eq!((notification.target().as_str(), notification.fallback), ("current.email", None));
}

#[test]
fn a_type_that_would_tell_somebody_else_or_is_unknown_is_refused() {
    for (event_type, words) in [
        ("security.contact.changed", "also tells old contacts"),
        ("security.unheard.of", "is not in the catalog"),
    ] {
        let error = Canary::new(&config(event_type), &catalog()).err().expect("refused");
        assert!(
            error.to_string().starts_with("canary.type: ") && error.to_string().contains(words),
            "{error}"
        );
    }
}

#[test]
fn the_same_failure_again_is_no_news() {
    let canary = canary(&by_mail());
    assert_eq!(
        [canary.failed("connect"), canary.failed("connect"), canary.failed("expired")],
        [true, false, true]
    );
    let flight = Flight { accepted_at: now(), round_trip: Duration::from_millis(80) };
    assert!(canary.accepted(flight), "it is over");
    assert!(!canary.accepted(flight) && canary.failed("expired"));
    assert_eq!(canary.last_accepted(), Some(flight));
}

#[test]
fn address_and_gateway_have_to_fit() {
    let keys = |config: &CanaryConfig, channel| -> Vec<_> {
        config.problems(channel).into_iter().map(|(key, _)| key).collect()
    };
    let sms = config("security.password.changed");
    assert_eq!(keys(&sms, Some(Channel::Sms)), [""; 0]);
    assert_eq!(keys(&by_mail(), Some(Channel::Email)), [""; 0]);
    assert_eq!(keys(&sms, Some(Channel::Email)), ["email", "phone"]);
    assert_eq!(keys(&by_mail(), Some(Channel::Sms)), ["phone", "email"]);
    assert_eq!(keys(&sms, None), ["gateway"]);
    let landline = PhoneNumber::parse("03-1234-5678").ok();
    let never = CanaryConfig { phone: landline, every: Span::seconds(3601), ..sms };
    assert_eq!(keys(&never, Some(Channel::Sms)), ["every", "phone"]);
}
