//! Texts as a route can carry them: what is sent, what is billed, and what becomes of a text that does not fit.

use shirase::event::PhoneNumber;
use shirase::gateway::{Accepted, Class, Failure, Gateway, Letter, Reason};
use shirase::plan::Address;
use shirase::template::Message;

use crate::gateways::{PHONE, REFERENCE, TIMEOUT, VALID_FOR};
use crate::house::{self, Desk};
use crate::script::{Http, answer};

async fn send(server: &Http, keys: &str, text: &str) -> Result<Accepted, Failure> {
    house::provide_tls();
    let file = format!("[[sms.gateways]]\nname = \"g\"\nkind = \"http\"\nurl = \"{}\"\n{keys}", server.url());
    let gateway = Gateway::sms(&house::config_file(&file).sms.gateways[0], None).expect("in order");
    let (address, message) =
        (Address::Sms(PhoneNumber::parse(PHONE).expect("a number")), Message::Sms { text: text.to_owned() });
    let letter = Letter {
        reference: REFERENCE,
        address: &address,
        message: &message,
        now: house::time(),
        valid_for: VALID_FOR,
    };
    let turn = gateway.turn(shirase::event::Lane::Critical, TIMEOUT).await?;
    gateway.send(&letter, turn).await
}

#[tokio::test]
async fn the_text_is_sent_as_the_route_has_it_and_billed_as_it_is_sent() {
    let server = Http::always(answer(200, &[], "{}")).await;
    // 72 units as it is written, 70 as it is sent.
    let text = format!("¥1,000〜ｶﾞｷﾞ{}", "あ".repeat(61));
    let accepted = send(&server, "shift_jis = true\nmax_length = 70", &text).await.expect("accepted");
    assert_eq!(accepted.segments, Some(1));
    let sent = server.requests()[0].json();
    assert_eq!(sent["text"], format!("1,000円～ガギ{}", "あ".repeat(61)));
    let accepted = send(&server, "", &"あ".repeat(71)).await.expect("accepted");
    assert_eq!(accepted.segments, Some(2));
}

#[tokio::test]
async fn what_a_route_cannot_carry_never_reaches_it_and_is_not_shown() {
    let server = Http::always(answer(200, &[], "{}")).await;
    for (keys, text, class, reason) in [
        ("shift_jis = true", "𠮷田様", Class::Filtered, Reason::Repertoire),
        ("max_length = 3", "𠮷田様", Class::Filtered, Reason::TooLong),
        ("max_length = 4\nnewline_units = 2", "田様\n。", Class::Filtered, Reason::TooLong),
        ("", "\u{3000}\n", Class::Permanent, Reason::Build),
    ] {
        let failure = send(&server, keys, text).await.expect_err(keys);
        let expected = if keys.contains("newline") { "5 units" } else { "" };
        assert_eq!((failure.class, failure.reason), (class, reason), "{keys}");
        assert!(failure.detail.contains(expected) && !failure.detail.contains(['𠮷', '田']), "{failure}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn explain_shows_which_route_carries_a_text_and_check_what_none_does() {
    let narrow = "[[sms.gateways]]\nname = \"narrow\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\nmax_length = 20\n";
    let wide = "[[sms.gateways]]\nname = \"wide\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\n";
    let desk = Desk::new();
    let (both, one) = (format!("{narrow}{wide}"), narrow);
    let both = desk.scratch.write("both.toml", &both).display().to_string();
    let one = desk.scratch.write("one.toml", one).display().to_string();
    let event =
        house::envelope("security.login", "01TEXT", house::real_time(), &house::example("security.login", 1));
    let event = desk.scratch.write("event.json", &event.to_string()).display().to_string();

    let explained =
        desk.run(&["explain", &event, "--config", &both, "--json"]).expect(0).json_lines().remove(0);
    let routes = &explained["notifications"][0]["routes"];
    assert_eq!((&routes[0]["name"], &routes[1]["name"]), (&"narrow".into(), &"wide".into()));
    assert!(routes[0]["cannot_carry"].as_str().is_some_and(|why| why.starts_with("too_long")), "{routes}");
    assert_eq!(routes[1]["segments"], 1);
    let words = desk.run(&["explain", &event, "--config", &both]).expect(0).out;
    assert!(words.contains("narrow (cannot carry it: too_long (6"), "{words}");
    assert!(words.contains("then wide (1 segment(s))"), "{words}");

    desk.run(&["check", "--config", &both]).expect(0);
    let checked = desk.run(&["check", "--config", &one]).expect(1).out;
    assert!(
        checked.contains("security.login/sms.hbs: error: no SMS gateway can carry it (narrow: too_long"),
        "{checked}"
    );
}
