//! The console of a running worker in a real Chromium: it is live, finds an event, puts a dead letter back, drains a gateway.

use serde_json::json;

use crate::dead::{Desk, bytes};
use crate::events::{login, mobile, withdrawal};
use crate::gateway::{Answer, Gateway};
use crate::house::{House, PATIENCE};
use crate::support::browser::{DESKTOP, PHONE, Screen};
use crate::support::{Browser, eventually, http_post, http_request};

const TOKEN: &str = "oncall-0123456789abcdef";
const TOKENS: &str =
    "tokens = [{ name = \"oncall\", token = \"oncall-0123456789abcdef\", scopes = [\"read\", \"act\"] }]";

/// The narrowest that is promised.
const NARROW: Screen = Screen::phone(360, 780);

/// A worker whose console a browser has opened, from this machine.
struct Page {
    desk: Desk,
    gateway: Gateway,
    browser: Browser,
}

impl Page {
    fn open(name: &str) -> Self {
        let gateway = Gateway::always(Answer::Accept);
        let house = House::new(name).gateways(&[gateway.url(), gateway.url()]).set("console", TOKENS);
        let desk = Desk::of(house);
        desk.house.start_again(&desk.worker);
        let browser = Browser::start();
        browser.open(&format!("http://127.0.0.1:{}/", desk.house.http));
        browser.wait_for(&format!("['good', 'calm'].includes({}.dataset.tone)", one("verdict")));
        Self { desk, gateway, browser }
    }

    /// Types the token into the dialog that asks for it.
    fn sign_in(&self) {
        self.browser.fill("[data-test=token-input]", TOKEN);
        self.browser.click("[data-test=token-submit]");
    }

    fn confirm(&self, reason: &str) {
        self.browser.wait_for("document.querySelector('#act').open");
        self.browser.fill("[data-test=dialog-reason]", reason);
        self.browser.click("[data-test=dialog-confirm]");
        self.browser.wait_for("!document.querySelector('#act').open");
    }

    /// Looks into the queue until so many letters are shown: the page takes a look of its own at times.
    #[track_caller]
    fn look(&self, letters: usize) {
        let free = "!document.querySelector('[data-test=dead-look]').disabled";
        let rows = "return document.querySelectorAll('[data-test=dead-row]').length";
        eventually(PATIENCE, "the letters", || {
            self.browser.wait_for(free);
            self.browser.click("[data-test=dead-look]");
            self.browser.wait_for(free);
            (self.browser.run(rows) == json!(letters)).then_some(())
        });
    }

    /// Nothing failed, and the policy forbade nothing.
    fn has_no_complaints(&self) {
        let complaints = self.browser.complaints();
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// The line of the log that tells of an action.
    #[track_caller]
    fn assert_logged(&self, parts: &[&str]) {
        let log = self.desk.worker.log();
        let told = log.lines().filter(|line| line.contains("console: acted"));
        let told: Vec<_> = told.filter(|line| parts.iter().all(|part| line.contains(part))).collect();
        assert_eq!(told.len(), 1, "{parts:?} in\n{log}");
    }
}

/// JavaScript for what a test's hook names.
fn one(hook: &str) -> String {
    format!("document.querySelector('[data-test=\"{hook}\"]')")
}

#[test]
fn a_dead_letter_is_replayed_by_click_after_signing_in_and_the_customer_is_told() {
    let page = Page::open("console-replay");
    let Page { desk, gateway, browser } = &page;
    desk.letter(
        &bytes(&login(7)),
        &[("reason", "exhausted"), ("detail", "gateway-1: HTTP 500"), ("attempts", "7")],
    );
    desk.letter(&bytes(&login(8)), &[("reason", "expired"), ("attempts", "1")]);
    desk.wait_letters(2);
    page.look(2);
    browser.click("[data-test=dead-filter-exhausted]");
    browser.wait_for("document.querySelectorAll('[data-test=dead-row]').length === 1");
    assert!(!browser.run("return document.body.innerText").to_string().contains(&mobile(7)));
    browser.click("[data-test=dead-replay]");
    page.sign_in();
    page.confirm("業者が復旧した");
    browser.wait_for(&format!("{}.dataset.outcome === 'replayed'", one("dead-row")));
    gateway.wait_asked(1);
    desk.wait_letters(1);
    assert_eq!(gateway.asked()[0].to, mobile(7));
    page.assert_logged(&[
        "\"by\":\"oncall\"",
        "\"action\":\"replay\"",
        "login-7",
        "業者が復旧した",
        "\"done\"",
    ]);

    browser.click("[data-test=dead-filter-all]");
    page.look(1);
    browser.click("[data-test=dead-drop]");
    page.confirm("古い");
    browser.wait_for(&format!("{}.dataset.outcome === 'dropped'", one("dead-row")));
    desk.wait_letters(0);
    page.assert_logged(&["\"action\":\"drop\"", "login-8", "古い", "\"done\""]);
    browser.screenshot("console-dead");
    page.has_no_complaints();
    desk.house.stop(&desk.worker);
}

#[test]
fn what_happens_is_seen_without_reloading_and_one_customer_s_story_is_found_by_number() {
    let page = Page::open("console-live");
    let Page { desk, browser, .. } = &page;
    browser.run("window.loaded = 'once'");
    desk.house.publish_all(&(0..20).map(withdrawal).collect::<Vec<_>>());
    browser.wait_for(&format!("{}.innerText.includes('20')", one("lane-critical-sms")));
    browser.fill("[data-test=search-input]", "withdrawal-3");
    browser.click("[data-test=search-submit]");
    browser.wait_for(&format!("{}?.dataset.event === 'withdrawal-3'", one("story")));
    browser.fill("[data-test=search-input]", &mobile(4));
    browser.click("[data-test=search-submit]");
    browser.wait_for(&format!("{}?.dataset.event === 'withdrawal-4'", one("story")));
    browser.wait_for("document.querySelectorAll('[data-test=timeline-item]').length >= 2");
    assert_eq!(browser.run("return window.loaded"), "once");
    let address = browser.run("return location.href").to_string();
    assert!(!address.contains(&mobile(4)), "{address}");
    browser.screenshot("console-story");
    page.has_no_complaints();
    desk.house.stop(&desk.worker);
    browser.wait_for(&format!("!{}.hidden", one("stale")));
}

#[test]
fn a_gateway_is_drained_by_click_and_the_other_carries_on() {
    let page = Page::open("console-drain");
    let Page { desk, browser, .. } = &page;
    browser.click("[data-test=drain-gateway-1]");
    page.sign_in();
    page.confirm("保守");
    browser.wait_for(&format!("{}.dataset.state === 'drained'", one("gateway-gateway-1")));
    desk.house.wait_metric("shirase_gateway_drained", &[("gateway", "gateway-1")], 1.0);
    desk.house.publish(&withdrawal(1));
    let second = [("gateway", "gateway-2"), ("outcome", "accepted")];
    desk.house.wait_metric("shirase_attempts_total", &second, 1.0);
    browser.click("[data-test=resume-gateway-1]");
    browser.click("[data-test=dialog-confirm]");
    browser.wait_for(&format!("{}.dataset.state === 'up'", one("gateway-gateway-1")));
    page.assert_logged(&["\"action\":\"drain\"", "gateway-1", "保守"]);
    page.has_no_complaints();
    desk.house.stop(&desk.worker);
}

#[test]
fn it_fits_a_desktop_and_a_narrow_phone_in_both_languages_light_and_dark() {
    let page = Page::open("console-fits");
    let Page { desk, browser, .. } = &page;
    desk.letter(
        &bytes(&login(7)),
        &[("reason", "exhausted"), ("detail", &"long detail ".repeat(12)), ("attempts", "7")],
    );
    desk.house.publish(&withdrawal(1));
    browser.wait_for(&format!("{}.innerText.includes('1')", one("lane-critical-sms")));
    browser.fill("[data-test=search-input]", "withdrawal-1");
    browser.click("[data-test=search-submit]");
    browser.wait_for(&one("story"));
    // The browser's own language comes first, whichever that is.
    for _ in 0..2 {
        let language = browser.run("return document.documentElement.lang");
        let language = language.as_str().expect("a language");
        for (name, screen) in [("desktop", DESKTOP), ("phone", PHONE), ("narrow", NARROW)] {
            browser.screen(screen);
            for (scheme, dark) in [("light", false), ("dark", true)] {
                browser.prefer_dark(dark);
                let overflow =
                    "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                assert_eq!(browser.run(overflow), json!(0), "{name} {language}: wider than the screen");
                browser.screenshot(&format!("console-{name}-{language}-{scheme}"));
            }
        }
        browser.screen(DESKTOP);
        browser.click("[data-test=lang-switch]");
        browser.wait_for(&format!("document.documentElement.lang !== '{language}'"));
    }
    page.has_no_complaints();
    desk.house.stop(&desk.worker);
}

#[test]
fn a_letter_that_is_gone_is_said_to_be_and_this_machine_alone_does_not_act() {
    let page = Page::open("console-api");
    let Page { desk, .. } = &page;
    let body = json!({"keys": ["0123456789abcdef0123456789abcdef"], "reason": "gone"}).to_string();
    let (status, _) = http_post(desk.house.http, "/console/dead/replay", "application/json", &body);
    assert_eq!(status, 403, "this machine only reads");
    let headers =
        format!("Host: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {TOKEN}\r\n");
    let (status, answer) = http_request(desk.house.http, "POST", "/console/dead/replay", &headers, &body);
    assert_eq!(status, 200, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["results"][0]["outcome"], "gone");
    page.assert_logged(&["\"action\":\"replay\"", "\"refused\""]);
    desk.house.stop(&desk.worker);
}
