//! An SMS as a phone shows it: a bubble as wide as a phone, in columns of a terminal, where a kanji takes two.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::super::printable;
use crate::template::borders;

/// Twenty full-width characters: a line of a bubble on a usual phone.
const WIDTH: usize = 40;

/// Where a segment ends and the next begins.
pub(super) const BORDER: &str = "┊";

/// The lines of the bubble, frame included.
pub(super) fn bubble(text: &str) -> Vec<String> {
    let rows = rows(&marked(text));
    let edge = "─".repeat(WIDTH + 2);
    let row = |row: &String| format!("│ {row}{} │", " ".repeat(WIDTH.saturating_sub(row.width())));
    let inside = rows.iter().map(row);
    [format!("╭{edge}╮")].into_iter().chain(inside).chain([format!("╰{edge}╯")]).collect()
}

/// The text with a mark at each border of segments.
fn marked(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut begin = 0;
    for border in borders(text) {
        marked.push_str(&text[begin..border]);
        marked.push_str(BORDER);
        begin = border;
    }
    marked + &text[begin..]
}

/// Wrapped at the bubble's width: between any two characters of Japanese, between words of Latin.
fn rows(text: &str) -> Vec<String> {
    text.lines().flat_map(|line| wrapped(&printable(line))).collect()
}

fn wrapped(line: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    for grapheme in line.graphemes(true) {
        let Some(row) = rows.last_mut() else { continue };
        if row.width() + grapheme.width() <= WIDTH {
            row.push_str(grapheme);
            continue;
        }
        let word = if is_latin(grapheme) { word_at_end(row) } else { row.len() };
        let word = row.split_off(word);
        row.truncate(row.trim_end().len());
        rows.push(if grapheme == " " { word } else { word + grapheme });
    }
    rows
}

/// Where the word at a row's end begins; its end where there is none, or where the word is the whole row.
fn word_at_end(row: &str) -> usize {
    let begin = row.trim_end_matches(|c: char| c.is_ascii_graphic()).len();
    if begin == 0 { row.len() } else { begin }
}

fn is_latin(grapheme: &str) -> bool {
    grapheme.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bubble_is_as_wide_as_a_phone_whatever_is_in_it() {
        for text in ["短い", &"あ".repeat(71), &"a".repeat(100), "ｶﾞﾗｹｰ 🔒 か\u{3099}"] {
            for line in bubble(text) {
                assert_eq!(line.width(), WIDTH + 4, "{line}");
            }
        }
    }

    #[test]
    fn words_stay_whole_and_kanji_break_anywhere() {
        let text = "Sample Bank 22 Nov 15:04 JST: There was a sign-in to your account.";
        assert_eq!(rows(text), ["Sample Bank 22 Nov 15:04 JST: There was", "a sign-in to your account."]);
        let text = "【サンプル銀行】11/22 15:04 ログインがありました。お心当たりがなければ0120-000-000へ";
        assert_eq!(
            rows(text),
            ["【サンプル銀行】11/22 15:04 ログインがあ", "りました。お心当たりがなければ", "0120-000-000へ"]
        );
    }

    #[test]
    fn each_border_of_a_segment_is_marked() {
        assert_eq!(marked(&"あ".repeat(70)), "あ".repeat(70));
        assert_eq!(marked(&"あ".repeat(71)), format!("{}{BORDER}{}", "あ".repeat(67), "あ".repeat(4)));
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_bubble_and_nothing_visible_is_lost(text in "[あ漢ｱa-c0-9 🔒か\u{3099}\n-]{0,200}") {
            let rows = rows(&text);
            prop_assert!(rows.iter().all(|row| row.width() <= WIDTH));
            let visible = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(visible(&rows.join("\n")), visible(&text));
        }
    }
}
