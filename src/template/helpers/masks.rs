//! Masks: enough for a customer to know which, too little for anybody else. By grapheme; asterisks are always four (three in
//! an address), so nothing tells the length.

use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use super::text;
use crate::event::{EmailAddress, PhoneNumber};

/// What is hidden whole.
const HIDDEN: &str = "****";

/// `****5678`: the last four, or the last three of a number shorter than seven; a number too short to hide anything is
/// hidden whole.
pub(super) fn account(number: &Value, _: Option<&str>) -> Result<String, &'static str> {
    let characters: Vec<&str> = text(number)?.graphemes(true).collect();
    let shown = match characters.len() {
        7.. => 4,
        4..=6 => 3,
        _ => 0,
    };
    Ok(format!("{HIDDEN}{}", characters[characters.len() - shown..].concat()))
}

/// `090-****-5678`; what is no phone number is hidden whole.
pub(super) fn phone(number: &Value, _: Option<&str>) -> Result<String, &'static str> {
    Ok(PhoneNumber::parse(text(number)?).map_or_else(|_| HIDDEN.to_owned(), |phone| phone.masked()))
}

/// `t***@example.jp`; what is no address is hidden whole.
pub(super) fn email(address: &Value, _: Option<&str>) -> Result<String, &'static str> {
    Ok(EmailAddress::parse(text(address)?).map_or_else(|_| HIDDEN.to_owned(), |email| email.masked()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn masked(mask: fn(&Value, Option<&str>) -> Result<String, &'static str>, text: &str) -> String {
        mask(&json!(text), None).expect("a text")
    }

    #[test]
    fn masks_hide_all_but_the_end_and_never_the_length() {
        for (number, expected) in [
            ("1234567", "****4567"),
            ("12345678", "****5678"),
            ("123456", "****456"),
            ("1234", "****234"),
            ("123", "****"),
            ("", "****"),
        ] {
            assert_eq!(masked(account, number), expected);
        }
        assert_eq!(masked(phone, "０９０-1234-5678"), "090-****-5678");
        assert_eq!(masked(phone, "not a phone 1234"), "****");
        assert_eq!(masked(email, "taro@example.jp"), "t***@example.jp");
        assert_eq!(masked(email, "secret"), "****");
    }

    #[test]
    fn a_character_in_pieces_is_shown_whole_or_not_at_all() {
        assert_eq!(masked(account, "12か\u{3099}3は\u{309A}4"), "****3は\u{309A}4");
        assert_eq!(masked(account, "👨\u{200d}👩\u{200d}👧12"), "****");
    }

    proptest! {
        #[test]
        fn no_mask_shows_a_whole_number(text in "\\PC{1,20}") {
            for mask in [account, phone, email] {
                let masked = masked(mask, &text);
                prop_assert!(masked.contains("***") && (text.contains('*') || !masked.contains(&text)), "{masked}");
            }
            let count = masked(account, &text).graphemes(true).count();
            prop_assert!(count <= HIDDEN.len() + 4);
        }
    }
}
