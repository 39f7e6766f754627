//! A text in its one width: what a reader takes for the same characters is the same.

use std::iter::once;

use unicode_normalization::UnicodeNormalization;

/// The characters of a text after NFKC of each, with the byte of the text that each comes from.
pub fn narrow(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().flat_map(|(at, c)| {
        let (same, other) = if is_narrow(c) { (Some(c), None) } else { (None, Some(once(c).nfkc())) };
        same.into_iter().chain(other.into_iter().flatten()).map(move |c| (at, c))
    })
}

/// What is sure to stay as it is, and most of a Japanese text: no table has to be asked.
fn is_narrow(c: char) -> bool {
    matches!(c, '\0'..='\x7F' | 'ぁ'..='ゖ' | '゠'..='ヾ' | '一'..='\u{9FFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn width_says_nothing_and_each_character_knows_where_it_was() {
        let narrow: Vec<_> = narrow("Ａ㈱。").collect();
        assert_eq!(narrow, [(0, 'A'), (3, '('), (3, '株'), (3, ')'), (6, '。')]);
    }

    proptest! {
        #[test]
        fn what_is_passed_by_is_what_the_tables_would_say(c in any::<char>()) {
            prop_assert!(!is_narrow(c) || once(c).nfkc().eq(once(c)));
        }

        #[test]
        fn so_is_what_a_japanese_text_is_made_of(c in "[ぁ-ゖ゠-ヾ一-\u{9FFF}\0-\u{7F}]") {
            prop_assert_eq!(narrow(&c).map(|(_, c)| c).collect::<String>(), c);
        }
    }
}
