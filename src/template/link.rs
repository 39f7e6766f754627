//! What a phone, a mail program or a reader takes for a link, in any width and spelling. Shared by what makes values safe and
//! by the check of templates.
//!
//! A host is labels with dots between them, the last of which looks like a top-level domain: two letters or more, `xn--…`, or
//! one of those in kana. So version numbers, amounts and bare IP addresses are none.

use std::ops::Range;

use super::character::is_invisible;
use super::narrow::narrow;

/// A link in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// Its one spelling: narrow, small letters, plain dots, without what cannot be seen.
    pub spelling: String,
    /// A mail address whose front is masked: `t***@example.jp`.
    pub masked: bool,
}

/// Every link in a text, in order.
pub fn links(text: &str) -> Vec<Link> {
    let plain = Plain::of(text);
    let mut links = Vec::new();
    let (mut at, mut done) = (0, 0);
    while at < plain.chars.len() {
        match plain.link_at(at) {
            Some(range) => {
                links.push(plain.link(&(range.start.max(done)..range.end)));
                at = range.end;
                done = at;
            }
            None => at += 1,
        }
    }
    links
}

/// The one spelling of a link that stands alone in a text.
pub fn spelling(text: &str) -> String {
    trimmed(Plain::of(text.trim()).chars.into_iter().map(|(c, _)| c).collect())
}

/// Dots that browsers read as the dot of a host, beside the plain one.
pub fn is_wide_dot(c: char) -> bool {
    matches!(c, '．' | '。' | '｡' | '․' | '﹒')
}

/// Top-level domains in kana.
const KANA_DOMAINS: [&str; 9] =
    ["みんな", "コム", "ストア", "セール", "クラウド", "ファッション", "ポイント", "グーグル", "アマゾン"];

/// Spellings of a dot between the labels of a host that are meant to be read by people only.
const SPELLED_DOTS: [&str; 8] = ["[.]", "(.)", "{.}", "[dot]", "(dot)", "{dot}", "(ドット)", "[ドット]"];

/// A text in its one spelling; each character knows its byte in the text, and a last entry the text's end.
struct Plain {
    chars: Vec<(char, usize)>,
    end: usize,
}

impl Plain {
    fn of(text: &str) -> Self {
        let lower = narrow(text).flat_map(|(at, c)| {
            let c = if c == '\u{2044}' || c == '\u{2215}' { '/' } else { c };
            c.to_lowercase().map(move |c| (c, at))
        });
        let mut plain = Self { chars: lower.filter(|(c, _)| !is_invisible(*c)).collect(), end: text.len() };
        plain.despell_dots();
        plain.close_up();
        plain
    }

    fn char(&self, at: usize) -> Option<char> {
        self.chars.get(at).map(|(c, _)| *c)
    }

    fn before(&self, at: usize) -> Option<char> {
        self.char(at.checked_sub(1)?)
    }

    /// How far a run of such characters goes.
    fn run(&self, from: usize, is: impl Fn(char) -> bool) -> usize {
        self.chars[from..].iter().take_while(|(c, _)| is(*c)).count() + from
    }

    /// Where a run of such characters that ends here begins.
    fn run_before(&self, to: usize, is: impl Fn(char) -> bool) -> usize {
        to - self.chars[..to].iter().rev().take_while(|(c, _)| is(*c)).count()
    }

    fn starts_with(&self, at: usize, text: &str) -> bool {
        text.chars().enumerate().all(|(index, c)| self.char(at + index) == Some(c))
    }

    /// `[.]`, `(dot)` and the Japanese full stop between Latin letters become dots.
    fn despell_dots(&mut self) {
        let mut at = 0;
        while at < self.chars.len() {
            let c = self.chars[at].0;
            if !matches!(c, '[' | '(' | '{' | '。') {
                at += 1;
                continue;
            }
            let length =
                SPELLED_DOTS.iter().find(|dot| self.starts_with(at, dot)).map(|dot| dot.chars().count());
            let full_stop = || {
                let latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
                self.char(at) == Some('。') && latin(self.before(at)) && latin(self.char(at + 1))
            };
            if let Some(length) = length {
                self.chars.drain(at + 1..at + length);
                self.chars[at].0 = '.';
            } else if full_stop() {
                self.chars[at].0 = '.';
            }
            at += 1;
        }
    }

    /// Takes out the blanks of `http : //` and `www . `.
    fn close_up(&mut self) {
        let mut at = 0;
        while at < self.chars.len() {
            if !matches!(self.chars[at].0, ':' | '.') {
                at += 1;
                continue;
            }
            let blank_before = self.run_before(at, char::is_whitespace);
            let is_colon = self.char(at) == Some(':') && {
                let slash = self.run(at + 1, char::is_whitespace);
                self.char(slash) == Some('/')
                    && self.char(self.run(slash + 1, char::is_whitespace)) == Some('/')
            };
            let www = blank_before.checked_sub(3).is_some_and(|begin| {
                self.starts_with(begin, "www") && self.before(begin).is_none_or(|c| !c.is_alphanumeric())
            });
            if is_colon || (www && self.char(at) == Some('.')) {
                let behind = self.run(at + 1, |c| c.is_whitespace() || (is_colon && c == '/'));
                let slashes = self.chars[at..behind].to_vec();
                let kept: Vec<_> = slashes.into_iter().filter(|(c, _)| !c.is_whitespace()).collect();
                at = blank_before + kept.len() - 1;
                self.chars.splice(blank_before..behind, kept);
            }
            at += 1;
        }
    }

    /// The link that begins here.
    fn link_at(&self, at: usize) -> Option<Range<usize>> {
        if self.starts_with(at, "://") {
            let begin = self.run_before(at, |c| c.is_ascii_alphanumeric() || "+-.".contains(c));
            let host = at + 3;
            let host_end = self.host(host).unwrap_or_else(|| self.run(host, is_url));
            return Some(begin..self.path(host_end));
        }
        if self.starts_with(at, "mailto:") {
            let address = at + "mailto:".len();
            return Some(at..self.run(address, |c| is_url(c) || is_label(c)));
        }
        if self.char(at).is_none_or(|c| !is_label(c))
            || self.before(at).is_some_and(|c| is_label(c) || c == '.')
        {
            return None;
        }
        // A scheme's own letters: the link begins there, and is met at its colon.
        if self.starts_with(self.run(at, |c| c.is_ascii_alphanumeric() || "+-.".contains(c)), "://") {
            return None;
        }
        let end = self.host(at).or_else(|| self.address_with_path(at))?;
        let begin = if self.before(at) == Some('@') { self.run_before(at, is_local) } else { at };
        Some(begin..self.path(end))
    }

    /// Where a host that begins here ends.
    fn host(&self, from: usize) -> Option<usize> {
        let labels = self.labels(from);
        labels.iter().skip(1).rev().find_map(|label| self.domain(label))
    }

    /// Labels with single dots between them.
    fn labels(&self, from: usize) -> Vec<Range<usize>> {
        let mut labels = Vec::new();
        let mut at = from;
        loop {
            let end = self.run(at, is_label);
            if end == at {
                return labels;
            }
            labels.push(at..end);
            if self.char(end) != Some('.') {
                return labels;
            }
            at = end + 1;
        }
    }

    /// Where a label's top-level domain ends, if it begins with one. Japanese may follow without a blank.
    fn domain(&self, label: &Range<usize>) -> Option<usize> {
        let latin = self.run(label.start, |c| c.is_ascii_alphanumeric() || c == '-').min(label.end);
        let letters = self.chars[label.start..latin].iter().all(|(c, _)| c.is_ascii_alphabetic());
        if self.starts_with(label.start, "xn--") || (letters && latin - label.start >= 2) {
            return Some(latin);
        }
        let kana = KANA_DOMAINS.iter().find(|domain| self.starts_with(label.start, domain))?;
        Some(label.start + kana.chars().count())
    }

    /// An IPv4 address with a port or a path behind it.
    fn address_with_path(&self, from: usize) -> Option<usize> {
        let labels = self.labels(from);
        let part = |label: &Range<usize>| {
            let digits: String = self.chars[label.clone()].iter().map(|(c, _)| *c).collect();
            digits.parse::<u8>().is_ok()
        };
        let end = labels.get(3)?.end;
        let whole = labels.len() == 4 && labels.iter().all(part);
        let goes_on = matches!(self.char(end), Some('/' | ':'))
            && self.char(end + 1).is_some_and(|c| c.is_ascii_alphanumeric());
        (whole && goes_on).then_some(end)
    }

    /// Where port, path, query and fragment behind a host end.
    fn path(&self, host_end: usize) -> usize {
        let port = if self.char(host_end) == Some(':') {
            self.run(host_end + 1, |c| c.is_ascii_digit())
        } else {
            host_end
        };
        let port = if port == host_end + 1 { host_end } else { port };
        if !matches!(self.char(port), Some('/' | '?' | '#')) {
            return port;
        }
        let end = self.run(port, is_url);
        self.run_before(end, |c| ".,;:!?)'".contains(c)).max(port)
    }

    fn link(&self, range: &Range<usize>) -> Link {
        let byte = |at: usize| self.chars.get(at).map_or(self.end, |(_, byte)| *byte);
        let spelling: String = self.chars[range.clone()].iter().map(|(c, _)| *c).collect();
        let masked = spelling.split_once('@').is_some_and(|(local, _)| local.ends_with("***"));
        Link { range: byte(range.start)..byte(range.end), spelling: trimmed(spelling), masked }
    }
}

/// A path that is the root alone says nothing.
fn trimmed(spelling: String) -> String {
    spelling.strip_suffix('/').map(str::to_owned).unwrap_or(spelling)
}

fn is_label(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

fn is_local(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '@' || "._*+-%".contains(c)
}

fn is_url(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<String> {
        links(text).into_iter().map(|link| link.spelling).collect()
    }

    #[test]
    fn a_link_is_found_in_any_width_and_spelling() {
        for (text, link) in [
            ("詳細 https://www.example.jp/help?a=1。", "https://www.example.jp/help?a=1"),
            ("ｈｔｔｐｓ：／／ｅｘａｍｐｌｅ．ｊｐ／をご覧", "https://example.jp"),
            ("hxxp://example.jp", "hxxp://example.jp"),
            ("http : // example.jp/x", "http://example.jp/x"),
            ("http://localhost/x", "http://localhost/x"),
            ("http://日本語.jpへ", "http://日本語.jp"),
            ("こちら example.co.jpへ", "example.co.jp"),
            ("（example。jp）", "example.jp"),
            ("example[.]jp", "example.jp"),
            ("example（dot）jp", "example.jp"),
            ("www . example.jp", "www.example.jp"),
            ("exam\u{200B}ple.j\u{200D}p", "example.jp"),
            ("EVIL.xn--q9jyb4c", "evil.xn--q9jyb4c"),
            ("日本語.jp", "日本語.jp"),
            ("見本.みんな", "見本.みんな"),
            ("203.0.113.7/login", "203.0.113.7/login"),
            ("203.0.113.7:8080", "203.0.113.7:8080"),
            ("mailto:taro", "mailto:taro"),
            ("info@example.jp", "info@example.jp"),
            ("example.jp.evil.com", "example.jp.evil.com"),
            ("悪example.jp", "悪example.jp"),
        ] {
            assert_eq!(found(text), [link], "{text}");
        }
    }

    #[test]
    fn versions_amounts_addresses_and_sentences_are_no_links() {
        for text in [
            "18.1.1",
            "203.0.113.7",
            "2001:db8::1",
            "Ver.2",
            "3.5%",
            "1.5GB",
            "15.0.0-BP1A.250305.020",
            "a.m.から",
            "U.S.A.です",
            "TEL:0120-000-000",
            "evil. jp",
            "しました。IDを",
            "IDです。PINは",
            "No.1",
            "2026/11/22 15:04",
            "203.0.113.7/東京都",
            "133.0.6943.137 (64-bit)",
            "お電話ください...",
            "",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_link_knows_its_bytes_and_whether_it_is_a_mask() {
        let text = "詳細はｗｗｗ．example.jp/へ";
        let link = links(text).remove(0);
        assert_eq!(&text[link.range], "詳細はｗｗｗ．example.jp/");
        assert!(links("変更前：t***@example.jp")[0].masked && !links("t@example.jp")[0].masked);
        assert_eq!(spelling(" ＷＷＷ.example.jp/ "), "www.example.jp");
    }

    proptest! {
        #[test]
        fn any_text_has_links_within_it_and_apart(text in "(\\PC|www|[.。/:@ ]|://|mailto:|[(]dot[)]|jp){0,60}") {
            let mut end = 0;
            for link in links(&text) {
                prop_assert!(link.range.start >= end, "{:?}", link);
                prop_assert!(text.get(link.range.clone()).is_some_and(|it| !it.is_empty()), "{:?}", link);
                end = link.range.end;
            }
        }

        #[test]
        fn a_host_is_found_whatever_stands_around_it(host in "[a-z]{1,9}[.](jp|com|example)", before in "[「（、 ]", after in "[」）、 をへ]") {
            prop_assert_eq!(found(&format!("詳細{before}{host}{after}")), [host]);
        }
    }
}
