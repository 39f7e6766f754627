//! Events from a file or standard input: JSON Lines, one JSON document, several in a row, or an array of events.

use std::collections::VecDeque;
use std::io;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::event::MAX_EVENT_BYTES;

/// A document (an array of events, too) or a line beyond this is cut into entries that decoding refuses as too large.
const MAX_DOCUMENT: usize = 64 * MAX_EVENT_BYTES;

/// One event, or what stands where one should be. Holds an event, hence no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The line that it begins at, from 1.
    pub line: usize,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// Reads entries one after another, so that a pipe may go on for ever.
pub struct EventFile<R> {
    input: R,
    line: usize,
    /// Lines read ahead that turned out not to belong to the entry before them.
    unread: VecDeque<Entry>,
    ready: VecDeque<Entry>,
}

/// What some bytes are.
enum Shape {
    Whole,
    /// The beginning of something.
    Beginning,
    Broken,
}

impl<R: AsyncBufRead + Unpin> EventFile<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: 0, unread: VecDeque::new(), ready: VecDeque::new() }
    }

    /// The next entry. What is no JSON is an entry too: decoding it says what is wrong, and the next one goes on.
    ///
    /// # Errors
    /// When the input cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            let Some(first) = self.line().await? else { return Ok(None) };
            if first.body.trim_ascii().is_empty() {
                continue;
            }
            let entry = match shape(&first.body) {
                Shape::Whole | Shape::Broken => first,
                Shape::Beginning => self.gather(first).await?,
            };
            self.ready.extend(expand(entry));
        }
    }

    /// Adds lines to a document that has begun, until it is whole. When that cannot be, the first line is an entry of
    /// its own and the others are read anew.
    async fn gather(&mut self, first: Entry) -> io::Result<Entry> {
        let mut body = first.body.clone();
        let mut nesting = Nesting::default();
        nesting.read(&body);
        let mut added = VecDeque::new();
        let mut judged_at = body.len();
        while body.len() <= MAX_DOCUMENT {
            let Some(next) = self.line().await? else { break };
            body.extend_from_slice(&next.body);
            nesting.read(&next.body);
            added.push_back(next);
            // Judging reads everything again: only when the brackets are closed, or it has doubled since.
            if nesting.depth > 0 && body.len() < 2 * judged_at {
                continue;
            }
            judged_at = body.len();
            match shape(&body) {
                Shape::Whole => return Ok(Entry { line: first.line, body }),
                Shape::Beginning => {}
                Shape::Broken => return Ok(self.give_back(first, added)),
            }
        }
        match shape(&body) {
            Shape::Whole | Shape::Beginning => Ok(Entry { line: first.line, body }),
            Shape::Broken => Ok(self.give_back(first, added)),
        }
    }

    /// The lines after `first` are to be read anew.
    fn give_back(&mut self, first: Entry, mut added: VecDeque<Entry>) -> Entry {
        while let Some(line) = added.pop_back() {
            self.unread.push_front(line);
        }
        first
    }

    async fn line(&mut self) -> io::Result<Option<Entry>> {
        if let Some(line) = self.unread.pop_front() {
            return Ok(Some(line));
        }
        let mut body = Vec::new();
        let mut limited = (&mut self.input).take(MAX_DOCUMENT as u64);
        if limited.read_until(b'\n', &mut body).await? == 0 {
            return Ok(None);
        }
        self.line += 1;
        Ok(Some(Entry { line: self.line, body }))
    }
}

/// How deep brackets nest so far, outside strings.
#[derive(Default)]
struct Nesting {
    depth: i64,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    fn read(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                b'[' | b'{' if !self.in_string => self.depth += 1,
                b']' | b'}' if !self.in_string => self.depth -= 1,
                _ => {}
            }
        }
    }
}

fn shape(bytes: &[u8]) -> Shape {
    match serde_json::from_slice::<IgnoredAny>(bytes) {
        Ok(_) => Shape::Whole,
        Err(error) if error.is_eof() => Shape::Beginning,
        Err(_) => Shape::Broken,
    }
}

/// The events of an array, each on its own; anything else as it is, without the line's end.
fn expand(entry: Entry) -> Vec<Entry> {
    let body = entry.body.trim_ascii();
    if body.starts_with(b"[")
        && let Ok(events) = serde_json::from_slice::<Vec<&RawValue>>(body)
    {
        let event = |event: &RawValue| Entry { line: entry.line, body: event.get().as_bytes().to_vec() };
        return events.into_iter().map(event).collect();
    }
    vec![Entry { line: entry.line, body: body.to_vec() }]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(usize, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut file = EventFile::new(text.as_bytes());
            let mut entries = Vec::new();
            while let Some(entry) = file.next().await.expect("reads from memory") {
                entries.push((entry.line, String::from_utf8(entry.body).expect("UTF-8")));
            }
            entries
        })
    }

    fn entries(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
        expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect()
    }

    #[test]
    fn lines_documents_and_arrays_are_read() {
        assert_eq!(read("{\"a\":1}\n\n{\"b\":2}\r\n"), entries(&[(1, "{\"a\":1}"), (3, "{\"b\":2}")]));
        assert_eq!(read("{\n \"a\": 1\n}\n{\"b\":2}"), entries(&[(1, "{\n \"a\": 1\n}"), (4, "{\"b\":2}")]));
        assert_eq!(read("[{\"a\":1},\n {\"b\":2}]\n"), entries(&[(1, "{\"a\":1}"), (1, "{\"b\":2}")]));
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_broken_line_is_an_entry_and_the_next_ones_go_on() {
        let expected = entries(&[(1, "{\"a\":"), (2, "{\"b\":2}"), (3, "{\"c\":3}")]);
        assert_eq!(read("{\"a\":\n{\"b\":2}\n{\"c\":3}\n"), expected);
        assert_eq!(read("nonsense\n{\"b\":2}\n"), entries(&[(1, "nonsense"), (2, "{\"b\":2}")]));
        assert_eq!(read("{\"a\": [1,\n 2"), entries(&[(1, "{\"a\": [1,\n 2")]));
    }

    proptest! {
        #[test]
        fn nothing_of_the_input_is_lost(lines in proptest::collection::vec("[a-z{}\\[\\]\":,0-9 ]{0,12}", 0..12)) {
            let text = lines.join("\n");
            let seen: String = read(&text).into_iter().map(|(_, body)| body).collect();
            let plain = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
            prop_assert_eq!(plain(&seen), plain(&text));
        }
    }
}
