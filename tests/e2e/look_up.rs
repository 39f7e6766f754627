//! What `shirase trace` finds, and what it says when it finds nothing.

use serde_json::json;

use crate::events::{event, mobile, reachable, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, printed};
use crate::trace::{assert_in_order, lines, trace, with_mail, words};

#[test]
fn a_recipient_is_found_however_the_number_or_address_is_written_and_nobody_else_is() {
    let (house, _sandbox) = with_mail("trace-recipient");
    let worker = house.start();
    let esim = |id: &str, n: usize| {
        let recipient = reachable(n, &format!("Taro{n}@Example.jp"));
        event("security.esim.reissued", id, json!({"recipient": recipient, "line": mobile(n)}))
    };
    for (n, id) in ["first", "second"].into_iter().enumerate() {
        house.publish(&esim(id, 2_345_678));
        house.wait_ended(n + 1);
    }
    house.publish(&esim("another", 7));
    house.wait_ended(3);
    // 0901 and 2345678: see `mobile`.
    for written in ["090-1234-5678", "+81 (0)90 1234 5678", "０９０１２３４５６７８"] {
        let ids: Vec<_> = lines(&house, &worker, &["--recipient", written])
            .iter()
            .map(|one| one["event_id"].clone())
            .collect();
        assert_eq!(ids, ["second", "first"], "{written}: newest first");
        let text = words(&house, &worker, &["--recipient", written]);
        let mark = "← the one asked about";
        assert_in_order(&text, &["2 events", "second: told", mark, "first: told", mark]);
        assert_eq!(text.matches(mark).count(), 2, "{text}");
    }
    let text = words(&house, &worker, &["--recipient", "tARO2345678@eXAMPLE.JP"]);
    assert_eq!(text.matches("← the one asked about").count(), 2, "{text}");
    let nobody = trace(&house, &worker, &["--recipient", "080-1234-5678"]);
    assert_eq!(nobody.status.code(), Some(1), "{}", printed(&nobody));
}

#[test]
fn of_two_sources_with_one_id_both_are_told_of_or_the_one_that_is_named() {
    let gateway = Gateway::always(Answer::Accept);
    let house = House::new("trace-sources").gateways(&[gateway.url()]);
    let worker = house.start();
    let from = |source: &str| {
        let mut event = withdrawal(1);
        event["source"] = json!(source);
        event
    };
    house.publish_all(&[from("/auth"), from("/web")]);
    house.wait_ended(2);
    assert_eq!(lines(&house, &worker, &["withdrawal-1"]).len(), 2);
    let one = lines(&house, &worker, &["withdrawal-1", "--source", "/web"]);
    assert_eq!(one.iter().map(|one| one["source"].clone()).collect::<Vec<_>>(), ["/web"]);
    let none = trace(&house, &worker, &["withdrawal-1", "--source", "/app"]);
    assert_eq!(none.status.code(), Some(1), "{}", printed(&none));
    assert!(printed(&none).contains("/auth, /web"), "{}", printed(&none));
}

#[test]
fn an_unknown_event_says_what_that_may_mean_and_is_told_from_a_ledger_that_cannot_be_read() {
    let house = House::new("trace-unknown");
    let worker = house.start();
    for arguments in [&["nobody-knows"] as &[&str], &["nobody-knows", "--json"]] {
        let ended = trace(&house, &worker, arguments);
        let text = printed(&ended);
        assert_eq!(ended.status.code(), Some(1), "{text}");
        assert!(ended.stdout.is_empty(), "{text}");
        assert_in_order(
            &text,
            &[
                "sqlite:shirase.db",
                "consumed it yet",
                "(7d)",
                "ledger.url",
                "shirase dead list --id nobody-knows",
            ],
        );
    }
    let number = trace(&house, &worker, &["09012349999"]);
    assert!(printed(&number).contains("--recipient looks for these"), "{}", printed(&number));
    house.stop(&worker);
    worker.configure(&house.config().replace("sqlite:shirase.db", "sqlite:nowhere.db"));
    let ended = trace(&house, &worker, &["nobody-knows"]);
    assert_eq!(ended.status.code(), Some(2), "{}", printed(&ended));
    assert!(printed(&ended).contains("ledger.url: "), "{}", printed(&ended));
}

#[test]
fn templates_that_do_not_load_keep_nobody_from_looking() {
    let house = House::new("trace-templates");
    let worker = house.start();
    house.publish(&json!({"not": "an event", "type": "security.login"}));
    house.wait_ended(1);
    house.stop(&worker);
    std::fs::create_dir(worker.path().join("empty")).expect("our folder");
    worker.configure(&format!("{}[templates]\ndir = \"empty\"\n", house.config()));
    let ended = trace(&house, &worker, &["nobody-knows"]);
    assert_eq!(ended.status.code(), Some(1), "{}", printed(&ended));
    let listed = house.run(&worker, &["dead", "list"]);
    assert_eq!(listed.status.code(), Some(0), "{}", printed(&listed));
    let preview = house.run(&worker, &["preview", "security.login"]);
    assert_eq!(preview.status.code(), Some(2), "the templates are broken: {}", printed(&preview));
}
