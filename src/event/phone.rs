//! Phone numbers as Japanese customers' records hold them.
//!
//! Our own parser rather than libphonenumber's port: the rule that decides between SMS and email is what this
//! product exists for, it is a dozen lines, and the port costs 200 ms at its first call and refuses full-width digits.
//!
//! Source of the numbering rules: 電気通信番号計画 (Ministry of Internal Affairs and Communications): mobile numbers
//! are `0[6-9]0` followed by a digit from 1 to 9 and seven more; `0800` is toll-free.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use crate::config::text_value;

/// A valid phone number. Its `Debug` and `Display` are masked.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber {
    /// Japanese: national digits with the leading 0. Foreign: country code and number, without `+`.
    digits: String,
    kind: PhoneKind,
}

/// What a number is by the numbering plan; whether SMS goes there is the configuration's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PhoneKind {
    /// `0[6-9]0[1-9]` and seven digits.
    JapaneseMobile,
    /// Landline, IP phone (050), toll-free (0120, 0800), machine-to-machine.
    JapaneseOther,
    /// Any other country's.
    Foreign,
}

impl PhoneKind {
    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::JapaneseMobile => "Japanese mobile",
            Self::JapaneseOther => "Japanese, not mobile",
            Self::Foreign => "foreign",
        }
    }
}

/// The text is not a phone number in any form that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Something that is neither a digit nor a usual separator.
    #[error("holds something that is neither a digit nor a separator")]
    Character,
    /// Digits, but no number of the Japanese plan and no international number.
    #[error("is no number of the Japanese plan and has no country code")]
    Plan,
}

impl FromStr for PhoneNumber {
    type Err = PhoneError;

    fn from_str(text: &str) -> Result<Self, PhoneError> {
        Self::parse(text)
    }
}

text_value!(PhoneNumber, "phone-number");

impl PhoneNumber {
    /// Reads a number in any form seen in the wild: separators, parentheses, full-width digits, every kind of
    /// hyphen, `+81`, `0081`, `+81 (0)90`.
    ///
    /// # Errors
    /// [`PhoneError`], which never holds the text.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let (international, digits) = significant(text)?;
        let international = match digits.strip_prefix("00") {
            Some(rest) if !international => return Self::international(rest),
            _ => international,
        };
        if international { Self::international(&digits) } else { Self::japanese(&digits) }
    }

    fn international(digits: &str) -> Result<Self, PhoneError> {
        if let Some(rest) = digits.strip_prefix("81") {
            return Self::japanese(&format!("0{}", rest.strip_prefix('0').unwrap_or(rest)));
        }
        // E.164: country codes begin with 1 to 9, at most 15 digits in all.
        if !(7..=15).contains(&digits.len()) || digits.starts_with('0') {
            return Err(PhoneError::Plan);
        }
        Ok(Self { digits: digits.to_owned(), kind: PhoneKind::Foreign })
    }

    fn japanese(digits: &str) -> Result<Self, PhoneError> {
        let kind = japanese_kind(digits.as_bytes()).ok_or(PhoneError::Plan)?;
        Ok(Self { digits: digits.to_owned(), kind })
    }

    /// What it is by the numbering plan.
    pub fn kind(&self) -> PhoneKind {
        self.kind
    }

    /// The number begins with `prefix` (for example `090`) and is a Japanese mobile number.
    pub fn is_mobile_with(&self, prefix: &str) -> bool {
        self.kind == PhoneKind::JapaneseMobile && self.digits.starts_with(prefix)
    }

    /// First three digits of a Japanese number, for counting.
    pub fn prefix(&self) -> &str {
        &self.digits[..3]
    }

    /// `+819012345678`
    pub fn e164(&self) -> String {
        format!("+{}", self.e164_digits())
    }

    /// `819012345678`
    pub fn e164_digits(&self) -> String {
        match self.kind {
            PhoneKind::Foreign => self.digits.clone(),
            _ => format!("81{}", &self.digits[1..]),
        }
    }

    /// `09012345678`; a foreign number in international form.
    pub fn national(&self) -> String {
        match self.kind {
            PhoneKind::Foreign => self.e164(),
            _ => self.digits.clone(),
        }
    }

    /// `090-****-5678`: the middle hidden, as texts and terminals show it.
    pub fn masked(&self) -> String {
        let tail = &self.digits[self.digits.len() - 4..];
        match self.kind {
            PhoneKind::Foreign => format!("+{}-****-{tail}", &self.digits[..1]),
            PhoneKind::JapaneseMobile => format!("{}-****-{tail}", &self.digits[..3]),
            PhoneKind::JapaneseOther => format!("{}-****-{tail}", &self.digits[..2]),
        }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({})", self.masked())
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// The digits of the text, and whether a `+` came before them.
fn significant(text: &str) -> Result<(bool, String), PhoneError> {
    let mut digits = String::new();
    let mut plus = false;
    for c in text.nfkc() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() && !plus => plus = true,
            c if is_separator(c) => {}
            _ => return Err(PhoneError::Character),
        }
    }
    Ok((plus, digits))
}

/// Characters that stand between digits after NFKC: every dash that keyboards and spreadsheets produce, brackets,
/// dots, spaces, and the invisible direction marks that address books put around numbers.
fn is_separator(c: char) -> bool {
    matches!(
        c,
        '-' | '(' | ')' | '.' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{30FC}' | '\u{2500}'
            | '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}'
    ) || c.is_whitespace()
}

fn japanese_kind(digits: &[u8]) -> Option<PhoneKind> {
    match digits {
        // 070, 080, 090 and 060: mobile when the next digit is 1 to 9.
        [b'0', b'6'..=b'9', b'0', b'1'..=b'9', ..] if digits.len() == 11 => Some(PhoneKind::JapaneseMobile),
        [b'0', b'8', b'0', b'0', ..] if digits.len() == 11 => Some(PhoneKind::JapaneseOther),
        [b'0', b'5', b'0', b'1'..=b'9', ..] if digits.len() == 11 => Some(PhoneKind::JapaneseOther),
        // Machine-to-machine: 0200, 0600, 0700, 0800, 0900 with 14 digits.
        [b'0', b'2' | b'6'..=b'9', b'0', b'0', ..] if digits.len() == 14 => Some(PhoneKind::JapaneseOther),
        // Landlines, 0120, 0570: ten digits, and no other service's prefix.
        [b'0', b'1'..=b'9', third, ..] if digits.len() == 10 => {
            let mobile_or_ip = *third == b'0' && matches!(digits[1], b'5'..=b'9');
            (!mobile_or_ip).then_some(PhoneKind::JapaneseOther)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> Option<PhoneKind> {
        PhoneNumber::parse(text).ok().map(|phone| phone.kind())
    }

    #[test]
    fn every_written_form_of_one_mobile_number_is_the_same_number() {
        for text in [
            "090-1234-5678",
            "09012345678",
            "(090)1234 5678",
            "+81 90-1234-5678",
            "+81 (0)90-1234-5678",
            "0081-90-1234-5678",
            "０９０－１２３４－５６７８",
            "090‐1234‐5678",
            "090−1234−5678",
            "090ー1234ー5678",
            "090ｰ1234ｰ5678",
            "＋８１９０１２３４５６７８",
            " 090　1234　5678 ",
            "\u{202A}090-1234-5678\u{202C}",
            "090.1234.5678",
            "090–1234—5678",
        ] {
            let phone = PhoneNumber::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(phone.e164(), "+819012345678", "{text}");
            assert_eq!(phone.kind(), PhoneKind::JapaneseMobile, "{text}");
        }
    }

    #[test]
    fn a_number_that_only_looks_mobile_is_not() {
        for text in [
            "0800-123-4567",
            "09001234567",
            "0900-123-4567",
            "070012345678",
            "0701234567",
            "090123456789",
            "090-1234-567",
            "+1 090 1234 5678",
            "+1-212-555-0100",
            "0120-444-444",
            "03-1234-5678",
            "050-1234-5678",
            "020-0123-4567",
            "0600-1234-567890",
            "90-1234-5678",
            "",
            "-",
            "+",
            "+81",
            "090-1234-56a8",
            "090-1234-5678 x3",
            "++819012345678",
        ] {
            assert_ne!(kind(text), Some(PhoneKind::JapaneseMobile), "{text}");
        }
    }

    #[test]
    fn landlines_toll_free_and_foreign_numbers_are_known_for_what_they_are() {
        for text in
            ["03-1234-5678", "0120-444-444", "0800-123-4567", "050-1234-5678", "06-6123-4567", "098-123-4567"]
        {
            assert_eq!(kind(text), Some(PhoneKind::JapaneseOther), "{text}");
        }
        assert_eq!(kind("+1 212 555 0100"), Some(PhoneKind::Foreign));
        assert_eq!(kind("0044 20 7946 0958"), Some(PhoneKind::Foreign));
        assert_eq!(kind("09001234567"), None);
    }

    #[test]
    fn debug_and_display_hide_the_middle() {
        let phone = PhoneNumber::parse("090-1234-5678").expect("valid");
        assert_eq!(format!("{phone} {phone:?}"), "090-****-5678 PhoneNumber(090-****-5678)");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_its_results_can_be_masked(text in any::<String>()) {
            if let Ok(phone) = PhoneNumber::parse(&text) {
                let _ = (phone.masked(), phone.e164(), phone.national(), phone.prefix().len());
            }
        }

        #[test]
        fn digits_that_make_a_mobile_number_do_so_whatever_separates_them(
            second in 6u8..=9, fourth in 1u8..=9, rest in "[0-9]{7}", separators in "[-() \u{2010}\u{2212}\u{30FC}]{0,3}",
        ) {
            let plain = format!("0{second}0{fourth}{rest}");
            let written: String = plain.chars().flat_map(|c| [c.to_string(), separators.clone()]).collect();
            let phone = PhoneNumber::parse(&written).expect("a mobile number");
            prop_assert_eq!(phone.national(), plain);
            prop_assert_eq!(phone.kind(), PhoneKind::JapaneseMobile);
        }

        #[test]
        fn a_mobile_number_has_eleven_digits_of_the_plan(text in "[-+0-9() ]{1,20}") {
            if kind(&text) == Some(PhoneKind::JapaneseMobile) {
                let national = PhoneNumber::parse(&text).expect("parsed above").national().into_bytes();
                prop_assert_eq!(national.len(), 11);
                prop_assert!(national[0] == b'0' && (b'6'..=b'9').contains(&national[1]));
                prop_assert!(national[2] == b'0' && (b'1'..=b'9').contains(&national[3]));
            }
        }
    }
}
