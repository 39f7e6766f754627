//! HTML as mail programs read it, cut into tokens that know their bytes. Not a parser of the standard: templates are written by
//! hand, and what this does not understand is a finding.

mod entity;
mod visible;

use std::ops::Range;

use self::entity::decode;
pub use self::entity::reference;
use self::visible::{Visible, visible};

/// HTML that several rules look at, read once.
#[derive(Debug)]
pub struct Html {
    /// All of it.
    pub tokens: Vec<Token>,
    /// What a reader sees.
    pub visible: Visible,
}

impl Html {
    /// Reads a document or a piece of one.
    pub fn read(html: &str) -> Self {
        let tokens = tokens(html);
        let visible = visible(html, &tokens);
        Self { tokens, visible }
    }
}

/// A piece of HTML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// Between tags.
    Text(Range<usize>),
    /// `<name …>`
    Open(Tag),
    /// `</name>`
    Close(Tag),
    /// `<!-- … -->`
    Comment(Range<usize>),
    /// `<!doctype …>`, `<?…>`
    Declaration,
    /// Begins and never ends.
    Unfinished(usize),
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// In small letters.
    pub name: String,
    /// Where its `<` is.
    pub at: usize,
    /// Its attributes, in order.
    pub attributes: Vec<Attribute>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// In small letters.
    pub name: String,
    /// Where its value begins in the source.
    pub at: usize,
    /// And ends.
    pub end: usize,
    /// Its value, decoded.
    pub value: String,
}

/// Elements without an end.
pub const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// Elements whose content is no HTML.
const RAW: [&str; 4] = ["style", "script", "title", "textarea"];

/// Cuts HTML into tokens.
pub fn tokens(html: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < html.len() {
        let (token, end) = token(html, at);
        let raw = match &token {
            Token::Open(tag) if RAW.contains(&tag.name.as_str()) => Some(tag.name.clone()),
            _ => None,
        };
        tokens.push(token);
        at = end;
        if let Some(name) = raw {
            let end = closing(html, at, &name);
            tokens.push(Token::Text(at..end));
            at = end;
        }
    }
    tokens
}

/// The token that begins at a byte, and where the next one does.
fn token(html: &str, at: usize) -> (Token, usize) {
    let rest = &html[at..];
    let upto = |end: &str| rest.find(end).map(|found| at + found + end.len());
    if rest.starts_with("<!--") {
        return upto("-->").map_or((Token::Unfinished(at), html.len()), |end| (Token::Comment(at..end), end));
    }
    if rest.starts_with("<!") || rest.starts_with("<?") {
        return upto(">").map_or((Token::Unfinished(at), html.len()), |end| (Token::Declaration, end));
    }
    if starts_tag(rest) {
        return tag(html, at).unwrap_or((Token::Unfinished(at), html.len()));
    }
    // A `<` that begins no tag is text.
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let next = rest[first..].match_indices('<').find(|(next, _)| starts_markup(&rest[first + next..]));
    let end = next.map_or(html.len(), |(next, _)| at + first + next);
    (Token::Text(at..end), end)
}

fn starts_markup(rest: &str) -> bool {
    rest.starts_with("<!") || rest.starts_with("<?") || starts_tag(rest)
}

fn starts_tag(rest: &str) -> bool {
    let name = rest.strip_prefix("</").or_else(|| rest.strip_prefix('<'));
    name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Where the content of a raw element ends.
fn closing(html: &str, from: usize, name: &str) -> usize {
    let ends = |at: &usize| {
        let rest = html[*at..].strip_prefix("</");
        rest.and_then(|rest| rest.get(..name.len())).is_some_and(|it| it.eq_ignore_ascii_case(name))
    };
    html[from..].match_indices("</").map(|(at, _)| from + at).find(ends).unwrap_or(html.len())
}

fn tag(html: &str, at: usize) -> Option<(Token, usize)> {
    let closes = html[at..].starts_with("</");
    let begin = at + 1 + usize::from(closes);
    let end = begin + html[begin..].find(|c: char| c.is_whitespace() || c == '/' || c == '>')?;
    let mut tag = Tag { name: html[begin..end].to_ascii_lowercase(), at, attributes: Vec::new() };
    let mut at = end;
    loop {
        let rest = &html[at..];
        at += rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/').len();
        if html[at..].starts_with('>') {
            let token = if closes { Token::Close(tag) } else { Token::Open(tag) };
            return Some((token, at + 1));
        }
        let (attribute, end) = attribute(html, at)?;
        tag.attributes.push(attribute);
        at = end;
    }
}

fn attribute(html: &str, at: usize) -> Option<(Attribute, usize)> {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
    // A name has at least one character, be it one that ends names.
    let first = html[at..].chars().next()?.len_utf8();
    let end = at + first + html[at + first..].find(is_end)?;
    let name = html[at..end].to_ascii_lowercase();
    let rest = html[end..].trim_start();
    let Some(value) = rest.strip_prefix('=') else {
        return Some((Attribute { name, at, end: at, value: String::new() }, end));
    };
    let value = value.trim_start();
    let start = html.len() - value.len();
    let (start, stop, end) = match value.chars().next()? {
        quote @ ('"' | '\'') => {
            let stop = start + 1 + value[1..].find(quote)?;
            (start + 1, stop, stop + 1)
        }
        _ => {
            let stop = start + value.find(|c: char| c.is_whitespace() || c == '>')?;
            (start, stop, stop)
        }
    };
    Some((Attribute { name, at: start, end: stop, value: decode(&html[start..stop]) }, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_is_cut_into_tokens_that_know_their_bytes() {
        let html = "<!doctype html><P Class=\"a b\" hidden data-x='1&amp;2' w=3>1 < 2<br/></p><!-- <b> -->";
        let tokens = tokens(html);
        let Token::Open(p) = &tokens[1] else { panic!("{tokens:?}") };
        let attributes: Vec<_> =
            p.attributes.iter().map(|it| (it.name.as_str(), it.value.as_str())).collect();
        assert_eq!((p.name.as_str(), p.at), ("p", 15));
        assert_eq!(attributes, [("class", "a b"), ("hidden", ""), ("data-x", "1&2"), ("w", "3")]);
        let Token::Text(text) = &tokens[2] else { panic!("{tokens:?}") };
        assert_eq!(&html[text.clone()], "1 < 2");
        assert!(matches!(&tokens[3], Token::Open(tag) if tag.name == "br"));
        assert!(matches!(&tokens[4], Token::Close(tag) if tag.name == "p"));
        assert!(matches!(&tokens[5], Token::Comment(_)) && tokens.len() == 6);
    }

    #[test]
    fn the_content_of_style_is_no_html() {
        let html = "<style>a > b { content: '<i>' }</STYLE><p>";
        let names: Vec<_> = tokens(html).into_iter().filter(|it| matches!(it, Token::Open(_))).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn what_never_ends_is_said_to() {
        for html in ["<p class=\"a", "a<!-- b", "<b", "<!doctype"] {
            assert!(matches!(tokens(html).last(), Some(Token::Unfinished(_))), "{html}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_cut_without_a_panic(html in "(\\PC|[<>/=\"'!?& -]|<!--|-->|<style>|</style|<a |&amp;|日){0,60}") {
            for token in tokens(&html) {
                if let Token::Text(range) | Token::Comment(range) = token {
                    prop_assert!(html.get(range).is_some());
                }
            }
            let shown = Html::read(&html).visible;
            prop_assert!(shown.text.char_indices().all(|(at, _)| html.is_char_boundary(shown.source(at))));
        }
    }
}
