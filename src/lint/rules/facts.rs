//! The text and the HTML of a mail say the same facts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::finding::Found;
use super::super::{Check, Premises, Rule, Severity, Specimen};
use crate::template::{Texts, Traced, narrow};

pub const RULE: Rule = Rule {
    name: "facts",
    severity: Severity::Error,
    about: "text and HTML of a mail say the same facts: each word with a digit in it (times, amounts, phone numbers) and each value that one shows is in the other",
    check: Check::Message(check),
};

fn check(_: &Premises<'_>, specimen: &Specimen) -> Vec<Found> {
    let Ok(Texts::Email { text, html: Some(html), .. }) = &specimen.texts else { return Vec::new() };
    let Some(shown) = specimen.html().map(|html| &html.visible) else { return Vec::new() };
    let (in_text, in_html) = (Words::of(text.text()), Words::of(&shown.text));
    let values = values(&specimen.event.data);
    let missing = |from: &Words, to: &Words, whole: &Traced, other: &str, source: &dyn Fn(usize) -> usize| {
        let mend = format!("say it in the {other}, too, or in neither");
        let found = from.facts(&values).into_iter().filter(|(word, _)| !to.hold(word));
        let all: Vec<Found> = found
            .map(|(word, at)| {
                Found::new(whole.place(source(at)), format!("says {word}, which the {other} does not"), &mend)
            })
            .collect();
        all
    };
    let mut all = missing(&in_text, &in_html, text, "HTML", &|at| at);
    all.extend(missing(&in_html, &in_text, html, "text", &|at| shown.source(at)));
    all.into_iter().map(|found| found.shown_by(specimen)).collect()
}

/// The texts of an event's data that are long enough to be told from other words.
fn values(data: &Value) -> Vec<String> {
    match data {
        Value::String(text) => {
            let words = Words::of(text).all;
            if words.chars().count() > 1 { vec![words] } else { Vec::new() }
        }
        Value::Array(items) => items.iter().flat_map(values).collect(),
        Value::Object(fields) => fields.values().flat_map(values).collect(),
        _ => Vec::new(),
    }
}

/// Letters and digits of a text, without what parts and decorates them: a mail breaks its lines where HTML does not.
struct Words {
    /// All of them; a blank between two that are Latin.
    all: String,
    /// Words with a digit, and a byte of the text where each stands.
    numbers: BTreeMap<String, usize>,
}

impl Words {
    fn of(text: &str) -> Self {
        let mut words = Self { all: String::new(), numbers: BTreeMap::new() };
        // A wide colon parts a label from its value, be both numbers.
        let joins = |at: usize| text[at..].starts_with(['-', ',', '.', ':', '/']);
        let characters: Vec<(usize, char, bool)> = narrow(text).map(|(at, c)| (at, c, joins(at))).collect();
        let is_digit = |index: Option<usize>| {
            index.and_then(|index| characters.get(index)).is_some_and(|(_, c, _)| c.is_ascii_digit())
        };
        let is_word = |index: usize| {
            let (_, c, joins) = characters[index];
            c.is_alphanumeric() || (joins && is_digit(index.checked_sub(1)) && is_digit(Some(index + 1)))
        };
        let mut index = 0;
        while index < characters.len() {
            let end = (index..characters.len()).find(|it| !is_word(*it)).unwrap_or(characters.len());
            let word: String = characters[index..end].iter().map(|(_, c, _)| *c).collect();
            words.push(word, characters[index].0);
            index = end.max(index + 1);
        }
        words
    }

    fn push(&mut self, word: String, at: usize) {
        if self.all.ends_with(is_latin) && word.starts_with(is_latin) {
            self.all.push(' ');
        }
        self.all.push_str(&word);
        if word.contains(|c: char| c.is_numeric()) {
            self.numbers.entry(word).or_insert(at);
        }
    }

    /// What the other part has to say, too.
    fn facts(&self, values: &[String]) -> Vec<(String, usize)> {
        let numbers = self.numbers.iter().map(|(word, at)| (word.clone(), *at));
        let shown = values.iter().filter(|value| self.hold(value)).map(|value| (value.clone(), 0));
        numbers.chain(shown).collect()
    }

    /// Whether a word is among these: `1` is not in `10`.
    fn hold(&self, word: &str) -> bool {
        let apart = |beside: Option<char>, edge: Option<char>| {
            !(edge.is_some_and(is_latin) && beside.is_some_and(|c| is_latin(c) || "-,.:/".contains(c)))
        };
        self.all.match_indices(word).any(|(at, _)| {
            apart(self.all[..at].chars().next_back(), word.chars().next())
                && apart(self.all[at + word.len()..].chars().next(), word.chars().next_back())
        })
    }
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{HTML, House, TEXT};
    use super::*;

    fn house() -> House {
        House::new(json!({"amount": 50000, "bank": "さくら見本銀行", "os": "iOS 18.1", "via": "web"}))
    }

    const SAME: &str =
        "日時：{{jst event.time}}\n金額　：{{yen amount}}\n銀行：{{bank}}\nOS：{{os}}\n電話：{{brand.phone}}";

    fn html(rows: &[&str]) -> String {
        let rows: String = rows.iter().map(|row| format!("<tr><th>項目</th><td>{row}</td></tr>")).collect();
        format!(
            "<head><title>3件</title></head><h1>{{{{brand.company}}}}</h1><table>{rows}</table><p>お電話<b>を</b></p>"
        )
    }

    const ROWS: [&str; 5] = ["{{jst event.time}}", "{{yen amount}}", "{{bank}}", "{{os}}", "{{brand.phone}}"];

    #[test]
    fn the_same_facts_pass_however_they_are_set_out_and_a_removed_row_fails() {
        assert_eq!(house().findings(&RULE, &[(TEXT, SAME), (HTML, &html(&ROWS))]), [""; 0]);
        for removed in ROWS {
            let rows: Vec<&str> = ROWS.into_iter().filter(|row| *row != removed).collect();
            let found = house().findings(&RULE, &[(TEXT, SAME), (HTML, &html(&rows))]);
            assert!(!found.is_empty() && found.iter().all(|it| it.starts_with(TEXT)), "{removed}: {found:?}");
        }
    }

    #[test]
    fn a_fact_that_differs_fails_on_both_sides_and_one_of_html_alone_on_its_own() {
        let other = ["{{jst event.time}}", "{{yen amount}}", "{{bank}}", "{{os}}", "0120-000-001"];
        let found = house().findings(&RULE, &[(TEXT, SAME), (HTML, &html(&other))]);
        assert_eq!(found.len(), 2, "{found:?}");
        let found =
            house().findings(&RULE, &[(TEXT, "本文"), (HTML, "<p>本文</p>\n<p>あと{{amount}}円</p>")]);
        assert!(found.len() == 1 && found[0].starts_with(&format!("{HTML}:2:4:")), "{found:?}");
        let found = house().findings(&RULE, &[(TEXT, "1,000円"), (HTML, "<p>11,000円</p>")]);
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn a_line_broken_in_the_text_alone_is_no_other_fact() {
        let text = "お電話で3回\n以上、SMS・\nメール 12:30\nOS";
        assert_eq!(
            house()
                .findings(&RULE, &[(TEXT, text), (HTML, "<p>お電話で3回以上、SMS・メール 12:30<br>OS</p>")]),
            [""; 0]
        );
    }
}
