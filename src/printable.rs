//! Text that came from elsewhere, on a terminal or a page. Pure.

/// A text from a message without what a terminal might obey, or what turns or hides the text around it.
pub fn printable(text: &str) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c,
                '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(printable("\u{1b}[31mred\u{9b}0m\r\n\u{202e}x\u{200b}\u{feff}\u{7f}"), "[31mred0mx");
        assert_eq!(printable("/data/device/os: 東京"), "/data/device/os: 東京");
    }
}
