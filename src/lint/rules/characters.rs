//! No character that shows otherwise, or not at all, on some phones.

use std::collections::HashSet;
use std::sync::LazyLock;

use encoding_rs::SHIFT_JIS;

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{Part, Traced, is_emoji, is_invisible, is_private};

pub const RULE: Rule = Rule {
    name: "characters",
    severity: Severity::Error,
    about: "no half-width kana, emoji, 機種依存文字, control or invisible characters in a template: phones show them otherwise, or not at all",
    check: Check::Message(check),
};

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(texts) = &specimen.texts else { return Vec::new() };
    let found = texts.parts().into_iter().flat_map(|(part, text)| in_part(specimen, part, text));
    found.map(|found| found.shown_by(specimen)).collect()
}

/// What customers are called may hold such characters, and rightly: only the house's own words count.
fn in_part(specimen: &Specimen, part: Part, whole: &Traced) -> Vec<Found> {
    let unfit = |at: usize, c: char| {
        let (what, mend) = unfit(c)?;
        whole.is_own(at).then(|| {
            let shown = if c.is_control() || is_invisible(c) || c == NO_BREAK {
                String::new()
            } else {
                format!("{c} ")
            };
            let what = format!("has {shown}(U+{:04X}), {what}", u32::from(c));
            Found::new(whole.place(at), what, mend)
        })
    };
    let Some(html) = specimen.html().filter(|_| part == Part::Html) else {
        let layout = |at: usize, c: char| c == '\n' || whole.text()[at..].starts_with("\r\n");
        let characters = whole.text().char_indices().filter(|(at, c)| !layout(*at, *c));
        return characters.filter_map(|(at, c)| unfit(at, c)).collect();
    };
    // Who writes `&nbsp;` or `&shy;` means it, and spaces of any kind are layout.
    let shown = &html.visible;
    let meant = |at: usize, c: char| {
        c.is_ascii_whitespace() || (whole.text()[at..].starts_with('&') && (is_invisible(c) || c == NO_BREAK))
    };
    let characters = shown.text.char_indices().map(|(at, c)| (shown.source(at), c));
    characters.filter(|(at, c)| !meant(*at, *c)).filter_map(|(at, c)| unfit(at, c)).collect()
}

const NO_BREAK: char = '\u{A0}';

/// What is wrong with a character, and the mend.
fn unfit(c: char) -> Option<(&'static str, &'static str)> {
    match c {
        '\u{FF61}'..='\u{FF9F}' => Some(("half-width kana", "write it in full width")),
        NO_BREAK => Some(("a no-break space", "write a plain space")),
        c if c.is_control() => Some(("a control character", "remove it; it came with copying, or is a tab")),
        c if is_invisible(c) => Some(("which nobody sees", "remove it; it came with copying")),
        c if is_emoji(c) => Some(("an emoji", "say it in words")),
        c if is_extension(c) || is_private(c) => {
            Some(("機種依存文字", "write it with other characters: (1), （株）, 平成"))
        }
        _ => None,
    }
}

/// Rows that NEC and IBM added to JIS X 0208, as in Windows-31J: 13 (NEC's special characters), 89 to 92 (IBM's, selected by NEC),
/// 115 to 119 (IBM's).
fn is_extension(c: char) -> bool {
    // Asking the encoder takes long, since it searches its tables from the front: so these rows are read out once.
    static EXTENSIONS: LazyLock<HashSet<char>> = LazyLock::new(|| {
        let leads = [0x87, 0xED, 0xEE, 0xFA, 0xFB, 0xFC];
        let pairs = leads.iter().flat_map(|lead| (0x40..=0xFC).map(|trail| [*lead, trail]));
        let characters = pairs.flat_map(|pair| SHIFT_JIS.decode(&pair).0.chars().collect::<Vec<_>>());
        // What is in a row of JIS X 0208, too, is none of them.
        characters.filter(|c| row(*c).is_some_and(|row| matches!(row, 13 | 89..=92 | 115..=119))).collect()
    });
    EXTENSIONS.contains(&c)
}

/// The row of JIS X 0208 (and beyond) in which Windows-31J has a character: two to each lead byte.
fn row(c: char) -> Option<u16> {
    let mut buffer = [0; 4];
    let (bytes, _, lacking) = SHIFT_JIS.encode(c.encode_utf8(&mut buffer));
    let &[lead, trail] = bytes.as_ref() else { return None };
    if lacking {
        return None;
    }
    let lead = u16::from(lead) - if lead < 0xA0 { 0x81 } else { 0xC1 };
    Some(lead * 2 + if trail < 0x9F { 1 } else { 2 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, SMS, SUBJECT, TEXT};
    use super::*;

    #[test]
    fn ordinary_japanese_passes_with_any_value_and_each_unfit_character_fails() {
        let house = House::new(json!({"name": "髙橋①ｱ🔒"}));
        let good = "【見本】〜～・ー（１２）★☆●♪♀〒℃―≒∵ 山田{{name}}";
        assert_eq!(
            house.findings(&RULE, &[(SMS, good), (SUBJECT, good), (TEXT, good), (HTML, good)]),
            [""; 0]
        );
        for c in [
            'ｱ', '🔒', '☎', '✅', '①', '㈱', '㍻', 'Ⅳ', '髙', '﨑', '№', '\u{E000}', '\u{200B}', '\u{202E}',
            '\u{FEFF}', '\u{AD}', '\u{A0}', '\u{7}', '\u{FE0F}',
        ] {
            for file in [SMS, SUBJECT, TEXT, HTML] {
                let found = house.findings(&RULE, &[(file, &format!("見本{c}銀行"))]);
                let code = format!("(U+{:04X})", u32::from(c));
                assert!(
                    found.len() == 1 && found[0].starts_with(file) && found[0].contains(&code),
                    "{code}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn the_house_answers_for_its_name_and_for_labels_and_html_may_space_with_references() {
        let house = House::new(json!({}));
        let files = [
            ("ja/_partials/row.hbs", "{{label}}：{{> @partial-block}}"),
            (TEXT, "一行\r\n{{#> row label=\"①\"}}可{{/row}}"),
        ];
        let found = house.findings(&RULE, &files);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{TEXT}:2:1:")), "{found:?}");
        assert_eq!(house.findings(&RULE, &[(HTML, "<p title=\"\u{A0}\">\t可&nbsp;&zwnj;</p>")]), [""; 0]);
        assert_eq!(house.findings(&RULE, &[(HTML, "可&#x1F512;")]).len(), 1);
    }
}
