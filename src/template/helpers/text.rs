//! Text of others (a device's name, a service's) as a message can show it.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use super::super::character::{is_emoji, is_invisible, is_private};
use super::super::sanitize::sanitized;
use super::super::shift_jis::{in_shift_jis, substituted};
use super::text;

/// What stands for a character that a route cannot carry: 下駄記号, as Japanese print has it.
const GETA: &str = "〓";

/// One line of plain text: usual widths (NFKC), no emoji, nothing invisible, one space between words.
pub(super) fn plain(value: &Value, _: Option<&str>) -> Result<String, &'static str> {
    let visible =
        text(value)?.chars().map(|c| if is_break(c) { ' ' } else { c }).filter(|c| !is_invisible(*c));
    // Marks that had something between them may stand side by side now, hence NFC once more.
    let usual: String = visible.nfkc().filter(|c| !is_left_out(*c)).nfc().collect();
    Ok(collapsed(&sanitized(collapsed(&usual))))
}

/// What every Japanese SMS route can carry: known substitutes first, `〓` for each other character, however many code points it
/// has.
pub(super) fn safe(value: &Value, _: Option<&str>) -> Result<String, &'static str> {
    let line: String = text(value)?.chars().map(|c| if is_break(c) { ' ' } else { c }).collect();
    let carried = |grapheme| if str::chars(grapheme).all(in_shift_jis) { grapheme } else { GETA };
    Ok(sanitized(substituted(&line).graphemes(true).map(carried).collect()))
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What a line of plain text leaves out.
fn is_left_out(c: char) -> bool {
    is_invisible(c) || is_private(c) || is_emoji(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(helper: fn(&Value, Option<&str>) -> Result<String, &'static str>, text: &str) -> String {
        helper(&json!(text), None).expect("a text")
    }

    #[test]
    fn plain_text_has_usual_widths_one_line_and_nothing_to_hide_in() {
        for (text, expected) in [
            ("太郎の ｉＰｈｏｎｅ１６", "太郎の iPhone16"),
            ("ｶﾞﾗｹｰ", "ガラケー"),
            ("  my\r\n phone\u{3000}\t2 ", "my phone 2"),
            ("📱iPhone👨\u{200d}👩\u{200d}👧 🇯🇵1\u{fe0f}\u{20e3}❤\u{fe0f}", "iPhone 1"),
            ("a\u{200b}b\u{202e}c\u{e000}", "abc"),
            ("☆→か\u{3099}", "☆→が"),
            ("🔒", ""),
            // Marks are in Unicode's order also after what stood between them is gone.
            ("\u{591}⑀\u{acd}", "\u{acd}\u{591}"),
        ] {
            assert_eq!(of(plain, text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_route_cannot_carry_becomes_one_geta_a_character() {
        for (text, expected) in [
            ("髙橋〜ｶﾞ—①", "髙橋～ガ―①"),
            ("𠮷野家", "〓野家"),
            ("👨\u{200d}👩\u{200d}👧の🔒", "〓の〓"),
            ("한국 résumé", "〓〓 r〓sum〓"),
            ("a\nb", "a b"),
        ] {
            assert_eq!(of(safe, text), expected, "{text}");
        }
    }

    #[test]
    fn a_link_does_not_come_back_by_another_width() {
        assert_eq!(of(plain, "ｅｖｉｌ．ｊｐ"), "evil. jp");
        assert_eq!(of(plain, "evil.\u{200b}jp ＨＴＴＰ：／／x"), "evil. jp x");
    }

    proptest! {
        #[test]
        fn plain_text_is_one_line_and_plain_twice_is_once(text in any::<String>()) {
            let once = of(plain, &text);
            prop_assert!(!once.chars().any(|c| is_break(c) || is_left_out(c)));
            prop_assert_eq!(of(plain, &once), once);
        }

        #[test]
        fn a_safe_text_is_carried_by_every_route(text in any::<String>()) {
            let safe = of(safe, &text);
            prop_assert!(substituted(&safe).chars().all(in_shift_jis), "{}", safe);
        }
    }
}
