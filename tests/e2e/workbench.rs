//! The workbench's page in a real Chromium: open, edit, see, be refused, keep a draft, save.

use serde_json::json;

use crate::house::BINARY;
use crate::support::browser::key::{ALT, CONTROL, DOWN, END, ENTER, ESCAPE, SHIFT, TAB};
use crate::support::browser::{DESKTOP, PHONE};
use crate::support::{Browser, Workbench};

const SMS: &str = "ja/security.login/sms.hbs";
const BUTTON: &str = "[data-path='ja/security.login/sms.hbs']";

struct Page {
    bench: Workbench,
    browser: Browser,
}

impl Page {
    /// A house's workbench, opened and checked.
    fn open() -> Self {
        let (bench, browser) = (Workbench::of_a_house(BINARY), Browser::start());
        browser.open(&bench.url());
        browser.wait_for("document.querySelector('#findings').dataset.state === 'good' && document.querySelector('.bubble')");
        Self { bench, browser }
    }

    fn edit(&self, text: &str) {
        self.browser.fill("#source", text);
    }

    fn wait_for_bubble(&self, text: &str) {
        let text = json!(text);
        self.browser.wait_for(&format!("document.querySelector('.bubble')?.textContent.includes({text})"));
    }

    fn wait_for_verdict(&self, text: &str) {
        let text = json!(text);
        self.browser.wait_for(&format!("document.querySelector('#verdict').textContent.includes({text})"));
    }

    /// Nothing failed, and the policy forbade nothing, except what the test meant to be refused.
    fn has_no_complaints_but(&self, meant: &str) {
        let complaints = self.browser.complaints();
        let others: Vec<_> =
            complaints.iter().filter(|one| meant.is_empty() || !one.contains(meant)).collect();
        assert!(others.is_empty(), "{others:#?}");
    }
}

#[test]
fn whoever_edits_a_text_sees_it_is_refused_a_mistake_keeps_a_draft_and_saves_what_passes() {
    let page = Page::open();
    let (bench, browser) = (&page.bench, &page.browser);
    let before = bench.file(SMS);
    browser.click(BUTTON);
    page.wait_for_bubble("ログインがありました");

    // The preview follows the typing.
    let edited = before.replace("ログインがありました", "ログインを確認しました");
    page.edit(&edited);
    page.wait_for_bubble("ログインを確認しました");
    assert_eq!(bench.file(SMS), before, "typing saves nothing");

    // What does not parse leaves the last good preview, names its line, and is refused.
    page.edit(&format!("{}{{{{#if location}}}}", edited.trim_end()));
    browser.wait_for("document.querySelector('#findings').dataset.state === 'error' && document.querySelector('.note.error')");
    browser.wait_for("!document.querySelector('#stale').hidden && document.querySelector('.line.error').dataset.line === '1'");
    page.wait_for_bubble("ログインを確認しました");
    browser.screenshot("workbench-refused");
    browser.click("#save");
    page.wait_for_verdict("エラーがあるので保存していません");
    assert_eq!(bench.file(SMS), before);

    browser.click("#draft");
    page.wait_for_verdict("下書きに残しました");
    assert!(bench.file(&format!(".drafts/{SMS}")).contains("{{#if location}}"));
    assert_eq!(bench.file(SMS), before);
    browser.wait_for("document.querySelector('#findings').dataset.state === 'good'");
    browser.click("[data-draft]");
    browser.wait_for("document.querySelector('#source').value.includes('{{#if location}}')");

    page.edit(&edited);
    browser.wait_for("document.querySelector('#findings').dataset.state === 'good'");
    browser.click("#save");
    page.wait_for_verdict("保存しました");
    assert_eq!(bench.file(SMS), edited);
    assert_eq!(bench.file(&format!(".drafts/{SMS}")), "", "what is in force is a draft no longer");
    page.has_no_complaints_but("422");
}

#[test]
fn a_link_in_a_text_is_refused() {
    let page = Page::open();
    let before = page.bench.file(SMS);
    page.browser.click(BUTTON);
    page.edit(&before.replace("ログイン", "https://example.com/ ログイン"));
    page.wait_for_bubble("https://example.com/");
    page.browser.wait_for("document.querySelector('.note.error')?.textContent.includes('リンク')");
    page.browser.screenshot("workbench-link");
    page.browser.click("#save");
    page.wait_for_verdict("エラーがあるので保存していません");
    assert_eq!(page.bench.file(SMS), before);
    page.has_no_complaints_but("422");
}

#[test]
fn a_text_is_found_changed_and_saved_with_the_keyboard_alone() {
    let page = Page::open();
    let browser = &page.browser;
    let focused = |id: &str| browser.wait_for(&format!("document.activeElement.id === '{id}'"));
    browser.press(&["/"]);
    focused("filter");
    browser.type_text("security.login");
    browser.press(&[ENTER]);
    browser.wait_for(&format!("document.querySelector('#path').textContent === '{SMS}'"));
    // A tab for each of the two locales and one more lead to the list, whose one stop is the open file.
    browser.press(&[TAB]);
    browser.press(&[TAB]);
    browser.press(&[TAB]);
    browser.wait_for("document.activeElement.matches('.file[aria-current=true]')");
    let outline = browser.run("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "the focus is seen");
    browser.press(&[ENTER]);
    focused("source");
    browser.press(&[CONTROL, END]);
    browser.type_text("夜間も。");
    page.wait_for_bubble("夜間も。");
    browser.press(&[CONTROL, "s"]);
    page.wait_for_verdict("保存しました");
    assert!(page.bench.file(SMS).ends_with("夜間も。"), "{}", page.bench.file(SMS));

    browser.type_text("{{");
    browser.wait_for("document.querySelector('#findings').dataset.state === 'error'");
    browser.press(&[CONTROL, SHIFT, "s"]);
    page.wait_for_verdict("下書きに残しました");
    browser.press(&[ESCAPE]);
    browser.wait_for("document.activeElement.matches('.file[aria-current=true]')");
    browser.press(&[ALT, DOWN]);
    browser.wait_for(&format!("document.querySelector('#path').textContent !== '{SMS}'"));
    browser.press(&["k"]);
    browser.wait_for(&format!("document.querySelector('#path').textContent === '{SMS}'"));
    page.has_no_complaints_but("");
}

#[test]
fn a_partial_and_a_template_are_saved_together() {
    let page = Page::open();
    let (bench, browser) = (&page.bench, &page.browser);
    browser.click(BUTTON);
    let text = bench.file(SMS).replace("ログイン", "サインイン");
    page.edit(&text);
    browser.click("[data-related='ja/_partials/sms-call.hbs']");
    browser.wait_for("document.querySelector('#path').textContent.includes('sms-call')");
    page.edit("至急{{brand.phone}}へ。");
    page.wait_for_bubble("サインイン");
    page.wait_for_bubble("至急0120-000-000へ。");
    browser.wait_for("document.querySelector('#save').textContent.includes('2件を保存')");
    browser.wait_for("document.querySelector('#findings').dataset.state === 'good'");
    browser.click("#save");
    page.wait_for_verdict("2件を保存しました");
    assert_eq!(
        (bench.file(SMS), bench.file("ja/_partials/sms-call.hbs").as_str()),
        (text, "至急{{brand.phone}}へ。")
    );
    page.has_no_complaints_but("");
}

#[test]
fn whoever_is_overtaken_sees_both_texts_and_chooses() {
    let page = Page::open();
    let (bench, browser) = (&page.bench, &page.browser);
    browser.click(BUTTON);
    let mine = bench.file(SMS).replace("ログイン", "サインイン");
    page.edit(&mine);
    page.wait_for_bubble("サインイン");
    let theirs = bench.file(SMS).replace("ログイン", "ろぐいん");
    bench.scratch.write(&format!("templates/{SMS}"), &theirs);
    browser.click("#save");
    browser.wait_for("document.querySelector('#conflict').open");
    assert!(browser.text("#conflict-files").contains("ろぐいん"));
    assert_eq!(bench.file(SMS), theirs);
    browser.screenshot("workbench-conflict");
    browser.click("#conflict-mine");
    browser.click("#save");
    page.wait_for_verdict("保存しました");
    assert_eq!(bench.file(SMS), mine);
    page.has_no_complaints_but("409");
}

#[test]
fn a_mail_is_shown_at_both_widths_light_and_dark_whatever_the_device_prefers() {
    let page = Page::open();
    let browser = &page.browser;
    browser.click("[data-path='ja/security.login/email.html.hbs']");
    let width = || browser.run("return document.querySelector('#mail-frame').offsetWidth").as_u64();
    let html = || browser.run("return document.querySelector('#mail-frame').srcdoc").to_string();
    browser.wait_for("document.querySelector('#mail-frame').srcdoc.includes('ログイン')");
    assert_eq!(
        (width(), browser.run("return document.querySelector('#mail-frame').sandbox.length")),
        (Some(375), json!(0))
    );
    assert!(!html().contains("prefers-color-scheme") && html().contains("(max-width: 0px)"));
    browser.click("#mail-dark");
    browser.click("[data-width='desktop']");
    browser.wait_for("document.querySelector('#mail-frame').srcdoc.includes('(min-width: 0px)')");
    browser.wait_for("document.querySelector('#mail-frame').offsetWidth >= 640");
    browser.click("#tab-text");
    browser.wait_for("!document.querySelector('#mail-text').hidden");
    assert!(browser.text("#mail-text").contains("ログイン"));
    browser.click("#tab-headers");
    browser.wait_for("!document.querySelector('#mail-headers').hidden");
    assert!(browser.text("#mail-headers").contains("Subject"));
    page.has_no_complaints_but("");
}

#[test]
fn it_fits_a_desktop_and_a_phone_light_and_dark() {
    let page = Page::open();
    let browser = &page.browser;
    browser.click(BUTTON);
    page.wait_for_bubble("ログインがありました");
    page.edit("{{> sms-head}} ログインがありました。\n{{#if device.name}}端末は{{device.name}}です。{{/if}}\n{{device.nmae}}{{> sms-call}}\n");
    browser.wait_for("document.querySelector('.note.error')");
    for (name, screen) in [("desktop", DESKTOP), ("phone", PHONE)] {
        browser.screen(screen);
        for (scheme, dark) in [("light", false), ("dark", true)] {
            browser.prefer_dark(dark);
            for view in ["files", "edit", "preview"] {
                // On a desktop all three are in view at once.
                if screen.is_wide() && view != "edit" {
                    continue;
                }
                browser.run(&format!("document.querySelector('#views [data-view={view}]').click()"));
                browser.wait_for(&format!(
                    "getComputedStyle(document.querySelector('#{view}')).display === 'flex'"
                ));
                let overflow =
                    "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
                assert_eq!(browser.run(overflow), 0, "{name} {view}: something is wider than the screen");
                browser.screenshot(&format!("workbench-{name}-{scheme}-{view}"));
            }
        }
    }
    page.has_no_complaints_but("");
}
