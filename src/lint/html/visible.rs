//! What a reader sees of HTML.

use super::Token;
use super::entity::reference;

/// The text of a body. Blocks begin on lines of their own; what is inline leaves no trace.
#[derive(Debug, Default)]
pub struct Visible {
    /// What is seen.
    pub text: String,
    /// Stretches: byte of the text, byte of the source, and whether the source has the same bytes there.
    stretches: Vec<(usize, usize, bool)>,
}

/// Elements that leave no break.
const INLINE: [&str; 21] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "mark", "q", "s", "small",
    "span", "strong", "sub", "sup", "u", "wbr",
];

/// Elements that are not seen.
const HIDDEN: [&str; 5] = ["head", "style", "script", "template", "title"];

fn is_inline(name: &str) -> bool {
    INLINE.contains(&name)
}

/// The visible text of HTML.
pub fn visible(html: &str, tokens: &[Token]) -> Visible {
    let mut visible = Visible::default();
    let mut hidden: Vec<&str> = Vec::new();
    for token in tokens {
        match token {
            Token::Open(tag) if HIDDEN.contains(&tag.name.as_str()) => hidden.push(&tag.name),
            Token::Close(tag) if hidden.last() == Some(&tag.name.as_str()) => drop(hidden.pop()),
            Token::Text(range) if hidden.is_empty() => visible.push(&html[range.clone()], range.start),
            Token::Open(tag) | Token::Close(tag) if hidden.is_empty() && !is_inline(&tag.name) => {
                visible.break_line(tag.at);
            }
            _ => {}
        }
    }
    visible
}

impl Visible {
    /// The byte of the source that shows at a byte of the text.
    pub fn source(&self, at: usize) -> usize {
        let behind = self.stretches.partition_point(|(text, _, _)| *text <= at);
        let Some((text, source, same)) = behind.checked_sub(1).and_then(|index| self.stretches.get(index))
        else {
            return 0;
        };
        if *same { source + at - text } else { *source }
    }

    fn push(&mut self, text: &str, source: usize) {
        let mut at = 0;
        while at < text.len() {
            let plain = text[at..].find('&').unwrap_or(text.len() - at);
            if plain > 0 {
                self.stretches.push((self.text.len(), source + at, true));
                self.text.push_str(&text[at..at + plain]);
                at += plain;
                continue;
            }
            let (c, length) = reference(&text[at..]).unwrap_or(('&', 1));
            self.stretches.push((self.text.len(), source + at, false));
            self.text.push(c);
            at += length;
        }
    }

    fn break_line(&mut self, source: usize) {
        self.stretches.push((self.text.len(), source, false));
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_knows_where_it_stands() {
        let html = "<head><title>題</title><style>b{}</style></head><p>A&amp;B<b>銀</b>行</p>次";
        let visible = visible(html, &super::super::tokens(html));
        assert_eq!(visible.text.trim_start(), "A&B銀行\n次");
        for seen in ["A", "B", "銀", "行", "次"] {
            let at = visible.text.find(seen).expect("seen");
            assert!(html[visible.source(at)..].starts_with(seen), "{seen}");
        }
        let reference = visible.text.find('&').expect("seen");
        assert!(html[visible.source(reference)..].starts_with("&amp;"));
    }
}
