//! A mail's headers and body as they are signed, whatever white space relays change (RFC 6376, 3.4).

/// One header: its name, and what follows the colon, folded as it is.
pub(super) struct Field<'a> {
    name: &'a [u8],
    pub value: &'a [u8],
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Head and body; the empty line between them belongs to neither.
pub(super) fn split(mail: &[u8]) -> (&[u8], &[u8]) {
    match mail.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) => (&mail[..end + 2], &mail[end + 4..]),
        None => (mail, &[]),
    }
}

pub(super) fn fields(head: &[u8]) -> Vec<Field<'_>> {
    let (mut fields, mut start) = (Vec::new(), 0);
    for end in 1..=head.len() {
        let line_ends = head[..end].ends_with(b"\r\n");
        let folded = head.get(end).is_some_and(|next| matches!(next, b' ' | b'\t'));
        if line_ends && !folded {
            let field = &head[start..end];
            if let Some(colon) = field.iter().position(|byte| *byte == b':') {
                fields.push(Field { name: &field[..colon], value: &field[colon + 1..] });
            }
            start = end;
        }
    }
    fields
}

/// RFC 6376, 3.4.2: the name in lower case, one space for any run of white space, folds included, none at either end.
pub(super) fn relaxed_header(name: &str, value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| b" \t\r\n".contains(byte)).filter(|word| !word.is_empty());
    let value = words.collect::<Vec<_>>().join(&b' ');
    [name.to_ascii_lowercase().as_bytes(), b":", &value].concat()
}

/// RFC 6376, 3.4.4: white space within a line is one space, at its end none; no empty lines at the end; an empty body is
/// empty.
pub(super) fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(body.len());
    let mut lines = body;
    while !lines.is_empty() {
        let end = lines.windows(2).position(|window| window == b"\r\n");
        let (line, rest) =
            end.map_or((lines, &lines[lines.len()..]), |end| (&lines[..end], &lines[end + 2..]));
        relaxed.extend(relaxed_line(line));
        relaxed.extend(b"\r\n");
        lines = rest;
    }
    while relaxed.ends_with(b"\r\n\r\n") {
        relaxed.truncate(relaxed.len() - 2);
    }
    if relaxed == b"\r\n" { Vec::new() } else { relaxed }
}

fn relaxed_line(line: &[u8]) -> Vec<u8> {
    let mut relaxed = Vec::with_capacity(line.len());
    let mut space = false;
    for byte in line {
        match byte {
            b' ' | b'\t' => space = true,
            byte => {
                if std::mem::take(&mut space) {
                    relaxed.push(b' ');
                }
                relaxed.push(*byte);
            }
        }
    }
    relaxed
}
