//! Character references of HTML: the numeric ones, and those that people write by hand in mails.

/// Names without `&` and `;`. Any other is left as it stands, and shows.
const NAMES: [(&str, char); 22] = [
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", '\u{A0}'),
    ("shy", '\u{AD}'),
    ("zwnj", '\u{200C}'),
    ("zwj", '\u{200D}'),
    ("ensp", '\u{2002}'),
    ("emsp", '\u{2003}'),
    ("thinsp", '\u{2009}'),
    ("yen", '¥'),
    ("copy", '©'),
    ("reg", '®'),
    ("middot", '·'),
    ("hellip", '…'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
];

/// The character that a reference at the front of a text stands for, and its length in bytes.
pub fn reference(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?;
    let end = name.char_indices().take(32).find(|(_, c)| !c.is_ascii_alphanumeric() && *c != '#')?.0;
    name[end..].strip_prefix(';')?;
    let name = &name[..end];
    let c = match name.strip_prefix('#') {
        Some(number) => numeric(number)?,
        None => NAMES.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((c, end + 2))
}

fn numeric(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

/// A text with its references replaced.
pub fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (c, length) = reference(&rest[at..]).unwrap_or(('&', 1));
        decoded.push_str(&rest[..at]);
        decoded.push(c);
        rest = &rest[at + length..];
    }
    decoded + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_by_name_and_number_are_decoded_and_others_stay() {
        for (text, decoded) in [
            ("A&amp;B &lt;b&gt; &#39;&#x27;", "A&B <b> ''"),
            ("example&#46;jp", "example.jp"),
            ("A & B &unknown; &amp", "A & B &unknown; &amp"),
            ("&#xD800;&#x110000;&;&#;", "&#xD800;&#x110000;&;&#;"),
        ] {
            assert_eq!(decode(text), decoded);
        }
    }
}
