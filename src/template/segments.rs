//! How many segments an SMS takes, as it is billed.
//!
//! Source: 3GPP TS 23.038 (GSM 7-bit default alphabet and its extension table) and TS 23.040 (concatenation): 160
//! septets or 70 UTF-16 units in one message; 153 or 67 in each part of a longer one.

use serde::Serialize;

/// The alphabet that a text needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// Seven bits a character.
    #[serde(rename = "GSM-7")]
    Gsm7,
    /// UTF-16.
    #[serde(rename = "UCS-2")]
    Ucs2,
}

/// What a text costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Segments {
    /// Parts that are billed.
    pub segments: usize,
    /// Septets or UTF-16 units in all.
    pub units: usize,
    /// Units that this many segments hold.
    pub limit: usize,
    /// Units left in the last of them.
    pub left: usize,
    /// Alphabet.
    pub encoding: Encoding,
}

impl Encoding {
    fn of(text: &str) -> Self {
        let gsm7 = text.chars().all(|c| GSM7.contains(c) || GSM7_EXTENSION.contains(c));
        if gsm7 { Self::Gsm7 } else { Self::Ucs2 }
    }

    fn units_of(self, text: &str) -> usize {
        text.chars().map(|c| self.units(c)).sum()
    }

    /// Units in a lone message and in each part of a longer one.
    fn limits(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }

    /// Units of one character that must not be cut: an extension pair or a surrogate pair.
    fn units(self, c: char) -> usize {
        match self {
            Self::Gsm7 => 1 + usize::from(GSM7_EXTENSION.contains(c)),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

const GSM7: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM7_EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// Counts the segments of a text.
pub fn segments(text: &str) -> Segments {
    let encoding = Encoding::of(text);
    let (lone, part) = encoding.limits();
    let borders = borders(text);
    let segments = borders.len() + 1;
    let (limit, last) = if segments == 1 { (lone, lone) } else { (segments * part, part) };
    let used = encoding.units_of(&text[borders.last().copied().unwrap_or_default()..]);
    Segments { segments, units: encoding.units_of(text), limit, left: last - used, encoding }
}

/// Where a text is cut into segments: the byte at which each but the first begins. Greedy packing: a character that does not
/// fit whole begins the next part.
pub fn borders(text: &str) -> Vec<usize> {
    let encoding = Encoding::of(text);
    let (lone, part) = encoding.limits();
    let mut borders = Vec::new();
    if encoding.units_of(text) <= lone {
        return borders;
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        let units = encoding.units(c);
        if used + units > part {
            borders.push(at);
            used = 0;
        }
        used += units;
    }
    borders
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> (usize, usize, Encoding) {
        let counted = segments(text);
        (counted.segments, counted.units, counted.encoding)
    }

    #[test]
    fn seventy_japanese_characters_are_one_segment_and_seventy_one_are_two() {
        assert_eq!(count(&"あ".repeat(70)), (1, 70, Encoding::Ucs2));
        assert_eq!(count(&"あ".repeat(71)), (2, 71, Encoding::Ucs2));
        assert_eq!(count(&"あ".repeat(134)), (2, 134, Encoding::Ucs2));
        assert_eq!(count(&"あ".repeat(135)), (3, 135, Encoding::Ucs2));
    }

    #[test]
    fn plain_latin_text_has_one_hundred_and_sixty() {
        assert_eq!(count(&"a".repeat(160)), (1, 160, Encoding::Gsm7));
        assert_eq!(count(&"a".repeat(161)), (2, 161, Encoding::Gsm7));
        assert_eq!(count(&"€".repeat(80)), (1, 160, Encoding::Gsm7));
        assert_eq!(count(&"€".repeat(81)), (2, 162, Encoding::Gsm7));
    }

    #[test]
    fn a_surrogate_pair_is_never_cut() {
        // 66 + 2 units do not fit into 67: the pair moves on, and a third part is needed.
        let text = format!("{}𠮷{}", "あ".repeat(66), "あ".repeat(66));
        assert_eq!(count(&text), (3, 134, Encoding::Ucs2));
        assert_eq!(count(&"𠮷".repeat(35)), (1, 70, Encoding::Ucs2));
    }

    #[test]
    fn what_is_left_is_what_still_fits_into_the_last_part() {
        for (text, left) in
            [("あ".repeat(60), 10), ("あ".repeat(71), 63), ("a".repeat(150), 10), ("a".repeat(161), 145)]
        {
            assert_eq!(segments(&text).left, left);
            let full = format!("{text}{}", text.chars().take(1).collect::<String>().repeat(left));
            assert_eq!((segments(&full).segments, segments(&full).left), (segments(&text).segments, 0));
        }
    }

    #[test]
    fn a_border_is_where_a_part_begins() {
        let text = format!("{}𠮷{}", "あ".repeat(66), "あ".repeat(66));
        let starts: Vec<_> = borders(&text).iter().map(|at| text[..*at].chars().count()).collect();
        assert_eq!(starts, [66, 132]);
        assert!(borders(&"あ".repeat(70)).is_empty());
    }

    proptest! {
        #[test]
        fn segments_are_enough_and_no_more_than_cutting_needs(text in "\\PC{0,400}") {
            let counted = segments(&text);
            let (lone, part) = counted.encoding.limits();
            prop_assert!(counted.segments >= 1);
            prop_assert!(counted.units <= counted.limit.max(lone));
            if counted.segments > 1 {
                prop_assert!(counted.units > lone);
                // At most one unit is lost at the end of each part.
                prop_assert!(counted.units > (counted.segments - 1) * (part - 1));
            }
        }

        #[test]
        fn appending_never_takes_fewer_segments(text in "[あa€𠮷]{0,200}", more in "[あa€𠮷]{1,5}") {
            let longer = [text.as_str(), more.as_str()].concat();
            prop_assert!(segments(&longer).segments >= segments(&text).segments);
        }
    }
}
