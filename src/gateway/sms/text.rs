//! A text as a route can carry it: characters that break on Japanese routes are substituted, and what does not fit is refused.
//! Pure; nothing is ever cut.

use std::num::NonZeroU32;

use encoding_rs::SHIFT_JIS;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

use super::super::{Class, Failure, Reason};
use crate::template::{Encoding, segments};

/// What a route carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repertoire {
    /// Every character has to be one of Shift_JIS, with the extensions that every handset knows (Windows-31J).
    pub shift_jis: bool,
    /// UTF-16 units at most.
    pub max_length: Option<NonZeroU32>,
    /// What a line break counts.
    pub newline_units: u8,
}

impl Repertoire {
    /// The text as it is sent.
    ///
    /// # Errors
    /// [`Class::Filtered`] when this route cannot carry it, which says nothing of another route; a blank text is refused for
    /// good, as every gateway would.
    pub fn fit(&self, text: &str) -> Result<String, Failure> {
        if text.trim().is_empty() {
            return Err(Failure::new(Class::Permanent, Reason::Build, "the text is blank"));
        }
        let text = safe(text);
        self.check_characters(&text)?;
        self.check_length(&text)?;
        Ok(text)
    }

    fn check_characters(&self, text: &str) -> Result<(), Failure> {
        if !self.shift_jis {
            return Ok(());
        }
        match text.chars().filter(|c| !in_shift_jis(*c)).count() {
            0 => Ok(()),
            count => {
                let detail = format!("{count} character(s) outside Shift_JIS");
                Err(Failure::new(Class::Filtered, Reason::Repertoire, detail))
            }
        }
    }

    fn check_length(&self, text: &str) -> Result<(), Failure> {
        let Some(most) = self.max_length else { return Ok(()) };
        let newline = usize::from(self.newline_units);
        let units: usize = text.chars().map(|c| if c == '\n' { newline } else { c.len_utf16() }).sum();
        if units <= usize::try_from(most.get()).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let detail = format!("{units} units, this route takes {most}");
        Err(Failure::new(Class::Filtered, Reason::TooLong, detail))
    }
}

/// The characters of a text that a route with Shift_JIS alone cannot carry, after the worker's own substitutions.
pub fn outside_shift_jis(text: &str) -> Vec<char> {
    safe(text).chars().filter(|c| !in_shift_jis(*c)).collect()
}

fn in_shift_jis(c: char) -> bool {
    // A character that does not fit is written as a numeric reference and flagged.
    !SHIFT_JIS.encode(c.encode_utf8(&mut [0; 4])).2
}

/// The same text without what breaks on Japanese routes: half-width kana, dashes and waves that Shift_JIS writes otherwise,
/// characters in pieces, the yen sign of Latin alphabets at an amount. Never longer than before; twice is once.
fn safe(text: &str) -> String {
    // What fits the GSM alphabet is at home on every route, its yen sign too; a kanji would make it UCS-2 and longer.
    if segments(text).encoding == Encoding::Gsm7 {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '¥' => yen(&mut safe, &mut rest),
            c => push(&mut safe, substitute(c)),
        }
    }
    safe
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

    const WIDE: Repertoire = Repertoire { shift_jis: false, max_length: None, newline_units: 1 };
    const NARROW: Repertoire = Repertoire { shift_jis: true, ..WIDE };

    fn reason(repertoire: Repertoire, text: &str) -> Option<(Class, Reason)> {
        repertoire.fit(text).err().map(|failure| (failure.class, failure.reason))
    }

    fn at_most(units: u32) -> Repertoire {
        Repertoire { max_length: NonZeroU32::new(units), ..WIDE }
    }

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
            assert_eq!(safe(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_of_the_gsm_alphabet_stays_one() {
        let text = format!("{} ¥1,000", "a".repeat(150));
        assert_eq!(safe(&text), text);
    }

    #[test]
    fn a_character_outside_shift_jis_is_refused_on_a_route_that_has_only_that() {
        for text in ["髙橋様、①㈱〜—‖ ｶﾞ −5 ¥", "abc", "ガ\nギ"] {
            assert_eq!(reason(NARROW, text), None, "{text}");
        }
        for text in ["🔒ログイン", "𠮷野家", "한국", "résumé"] {
            assert_eq!(reason(NARROW, text), Some((Class::Filtered, Reason::Repertoire)), "{text}");
            assert_eq!(reason(WIDE, text), None, "{text}");
        }
        let failure = NARROW.fit("🔒𠮷").expect_err("two of them");
        assert_eq!(failure.detail, "2 character(s) outside Shift_JIS");
    }

    #[test]
    fn a_text_is_measured_as_it_is_sent_and_never_cut() {
        assert_eq!(at_most(4).fit("ｶﾞｷﾞｸﾞｹﾞ").expect("fits"), "ガギグゲ");
        assert_eq!(reason(at_most(4), "あいうえお"), Some((Class::Filtered, Reason::TooLong)));
        assert_eq!(reason(at_most(4), "𠮷𠮷"), None);
        assert_eq!(reason(at_most(3), "𠮷𠮷"), Some((Class::Filtered, Reason::TooLong)));
        let twice = Repertoire { newline_units: 2, ..at_most(4) };
        assert_eq!((reason(at_most(4), "あ\nいう"), reason(twice, "あ\nい")), (None, None));
        assert_eq!(reason(twice, "あ\nいう"), Some((Class::Filtered, Reason::TooLong)));
    }

    #[test]
    fn a_blank_text_is_refused_for_good() {
        for text in ["", " ", "\n\u{3000}\t"] {
            assert_eq!(reason(WIDE, text), Some((Class::Permanent, Reason::Build)));
        }
    }

    proptest! {
        #[test]
        fn no_text_gets_longer_or_takes_more_segments(text in any_text()) {
            let (before, after) = (segments(&text), segments(&safe(&text)));
            prop_assert!(after.segments <= before.segments, "{before:?} {after:?}");
            prop_assert!(safe(&text).encode_utf16().count() <= text.encode_utf16().count());
        }

        #[test]
        fn twice_is_once(text in any_text()) {
            let once = safe(&text);
            prop_assert_eq!(safe(&once), once);
        }

        #[test]
        fn a_text_of_substitutable_characters_fits_shift_jis(text in "[あ山a0-9〜—‖｡-ﾟか\u{3099}]{1,80}") {
                prop_assert!(NARROW.fit(&text).is_ok(), "{}", safe(&text));
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
