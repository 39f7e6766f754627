//! Enhanced status codes (RFC 3463), in SMTP replies and in bounces.

use std::fmt;

/// `5.1.1`: digits only, so it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusCode {
    /// 2 success, 4 for now, 5 for good.
    pub class: u8,
    /// 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy; 0 is none of them.
    pub subject: u16,
    /// What about it.
    pub detail: u16,
}

impl StatusCode {
    /// A text that is a code and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?.parse().ok()?;
        let (subject, detail) = (number(parts.next()?)?, number(parts.next()?)?);
        parts.next().is_none().then_some(Self { class, subject, detail })
    }

    /// The code with which a reply's text begins (RFC 2034); some write `#5.1.1`. What looks like one further on may be a
    /// version or an address.
    pub fn leading(text: &str) -> Option<Self> {
        Self::parse(text.split_whitespace().next()?.trim_start_matches('#'))
    }
}

/// Up to three digits.
fn number(text: &str) -> Option<u16> {
    let short = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| short)
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_at_the_beginning_and_nothing_that_only_looks_like_one() {
        let leading = |text: &str| StatusCode::leading(text).map(|code| code.to_string());
        for (text, code) in [
            ("5.1.1 <taro@203.0.113.7> unknown", Some("5.1.1")),
            ("#5.1.0 Address rejected", Some("5.1.0")),
            ("5.7.509 Access denied", Some("5.7.509")),
            ("2.0.0 Ok: queued", Some("2.0.0")),
            ("no such user at 203.0.113.7", None),
            ("203.0.113.7 is listed", None),
            ("5.1.1.1 x", None),
            ("3.1.1 x", None),
            ("5.1 x", None),
            ("5.1.1000", None),
            ("5.+1.1", None),
            ("", None),
        ] {
            assert_eq!(leading(text).as_deref(), code, "{text}");
        }
    }
}
