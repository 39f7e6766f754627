//! A text as a route can carry it: characters that break on Japanese routes are substituted, and what does not fit is refused.
//! Pure; nothing is ever cut.

use std::num::NonZeroU32;

use super::super::{Class, Failure, Reason};
use crate::template::{in_shift_jis, substituted};

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
        let text = substituted(text);
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

#[cfg(test)]
mod tests {
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
}
