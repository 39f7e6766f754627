//! What every Japanese SMS route can carry: the characters of Shift_JIS, and the substitutions that bring a text closer to
//! them. Pure; shared by the gateways, which send such a text, and by whoever writes or checks one.

use encoding_rs::SHIFT_JIS;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

use super::segments::{Encoding, segments};

/// Whether Shift_JIS has a character, with the extensions that every handset knows (Windows-31J).
pub fn in_shift_jis(c: char) -> bool {
    // A character that does not fit is written as a numeric reference and flagged.
    !SHIFT_JIS.encode(c.encode_utf8(&mut [0; 4])).2
}

/// The same text without what breaks on Japanese routes: half-width kana, dashes and waves that Shift_JIS writes otherwise,
/// characters in pieces, the yen sign of Latin alphabets at an amount. Never longer than before; twice is once.
pub fn substituted(text: &str) -> String {
    // What fits the GSM alphabet is at home on every route, its yen sign too; a kanji would make it UCS-2 and longer.
    if segments(text).encoding == Encoding::Gsm7 {
        return text.to_owned();
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '¥' => yen(&mut whole, &mut rest),
            c => push(&mut whole, substitute(c)),
        }
    }
    whole
}

/// One character for one: full-width kana by Unicode's compatibility mapping (U+FF61 to U+FF9F), the rest by the table of
/// Windows-31J.
fn substitute(c: char) -> char {
    match c {
        '\u{301C}' => '\u{FF5E}',
        '\u{2014}' => '\u{2015}',
        '\u{2016}' => '\u{2225}',
        // These map to the combining marks, as they do in Unicode's own table.
        '\u{FF61}'..='\u{FF9F}' => c.nfkc().next().unwrap_or(c),
        c => c,
    }
}

/// A voicing mark joins its kana, an accent its letter. A voicing mark without one stands alone, as Shift_JIS has it: so do
/// those of the four kana that it does not have voiced.
fn push(text: &mut String, c: char) {
    let whole = text.chars().next_back().and_then(|last| compose(last, c));
    if let Some(whole) = whole.filter(|whole| !matches!(whole, 'ヷ'..='ヺ')) {
        text.pop();
        text.push(whole);
        return;
    }
    text.push(match c {
        '\u{3099}' => '\u{309B}',
        '\u{309A}' => '\u{309C}',
        c => c,
    });
}

/// `¥1,000` and `1,000¥` are both 1,000円; any other yen sign stays.
fn yen(text: &mut String, rest: &mut std::str::Chars<'_>) {
    if text.ends_with(is_digit) {
        text.push('円');
        return;
    }
    let amount = amount(rest.as_str());
    if amount.is_empty() {
        text.push('¥');
        return;
    }
    // Further signs before the amount say nothing more.
    text.truncate(text.trim_end_matches('¥').len());
    text.push_str(amount);
    let after = &rest.as_str()[amount.len()..];
    *rest = after.strip_prefix('円').unwrap_or(after).chars();
    text.push('円');
}

/// Digits with separators between them, from the text's beginning.
fn amount(text: &str) -> &str {
    let is_separator = |c: char| matches!(c, ',' | '.' | '，' | '．');
    let end = text.find(|c: char| !is_digit(c) && !is_separator(c)).unwrap_or(text.len());
    let amount = text[..end].trim_end_matches(is_separator);
    if amount.starts_with(is_digit) { amount } else { "" }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, '０'..='９')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_breaks_on_japanese_routes_is_substituted() {
        for (text, expected) in [
            ("10〜11時", "10～11時"),
            ("注意—重要", "注意―重要"),
            ("A‖Bの", "A∥Bの"),
            ("ｶﾞｿﾘﾝ ﾊﾟｽﾜｰﾄﾞ｡｢ｱ｣", "ガソリン パスワード。「ア」"),
            ("か\u{3099}は\u{309A}", "がぱ"),
            ("あﾞか\u{309A}ﾜﾞ", "あ゛か゜ワ゛"),
            ("e\u{301}の", "éの"),
            ("出金¥1,000です", "出金1,000円です"),
            ("出金1,000¥です", "出金1,000円です"),
            ("¥１，０００と¥5.", "１，０００円と5円."),
            ("¥1,000円", "1,000円"),
            ("¥記号、¥", "¥記号、¥"),
            ("髙橋 﨑 神 ①㈱", "髙橋 﨑 神 ①㈱"),
        ] {
            assert_eq!(substituted(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_the_gsm_alphabet_stays_one() {
        let text = format!("{} ¥1,000", "a".repeat(150));
        assert_eq!(substituted(&text), text);
    }

    proptest! {
        #[test]
        fn no_text_gets_longer_or_takes_more_segments(text in any_text()) {
            let (before, after) = (segments(&text), segments(&substituted(&text)));
            prop_assert!(after.segments <= before.segments, "{before:?} {after:?}");
            prop_assert!(substituted(&text).encode_utf16().count() <= text.encode_utf16().count());
        }

        #[test]
        fn twice_is_once(text in any_text()) {
            let once = substituted(&text);
            prop_assert_eq!(substituted(&once), once);
        }

        #[test]
        fn a_text_of_substitutable_characters_fits_shift_jis(text in "[あ山a0-9〜—‖｡-ﾟか\u{3099}]{1,80}") {
            prop_assert!(substituted(&text).chars().all(in_shift_jis), "{}", substituted(&text));
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "\\PC{0,200}",
            "[ｦ-ﾟ゙゚かはウガ¥円0-9,.０e\u{301}\u{327}a〜—‖]{0,200}",
            "[\u{1100}-\u{1112}\u{1161}-\u{1175}\u{11A8}-\u{11C2}\u{AC00}¥1]{0,20}",
            "[a-z¥0-9あ]{100,200}",
        ]
    }
}
