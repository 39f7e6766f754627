//! Kinds of characters that a notice has no use for: values lose them, and checks find them in templates.

use super::shift_jis::in_shift_jis;

/// Characters that nobody sees: joiners, direction marks, fillers, soft hyphen, byte order mark, variation selectors, tags.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}'
        | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Characters that mean something else on each phone: private use, where carriers once had their emoji, and houses 外字.
pub fn is_private(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
}

/// Pictographs, and the frame around a key. Symbols that Shift_JIS has, such as ☆ and →, are text.
pub fn is_emoji(c: char) -> bool {
    match c {
        '\u{20E3}' | '\u{1F000}'..='\u{1FAFF}' => true,
        '\u{2190}'..='\u{2BFF}' => !in_shift_jis(c),
        _ => false,
    }
}
