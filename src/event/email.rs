//! Email addresses as Japanese customers have them.

use std::fmt;
use std::str::FromStr;

use crate::config::text_value;

/// An address that mail can be sent to. Its `Debug` and `Display` are masked.
///
/// Wider than RFC 5321 where docomo and au once were: `a..b@docomo.ne.jp` and `a.@ezweb.ne.jp` exist and receive.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    address: String,
    at: usize,
}

/// The text is no address that mail could be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Not `something@something`, or longer than RFC 5321 allows (64 before the @, 254 in all).
    #[error("is not of the form local@domain within 254 characters")]
    Form,
    /// The part before the @ has a character that no mailbox has.
    #[error("has a character before the @ that no mailbox has")]
    Local,
    /// The part after the @ is no domain name.
    #[error("has no valid domain after the @")]
    Domain,
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        Self::parse(text)
    }
}

text_value!(EmailAddress, "email-address");

impl EmailAddress {
    /// Reads an address; white space around it is ignored.
    ///
    /// # Errors
    /// [`EmailError`], which never holds the text.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let address = text.trim();
        let at = address.rfind('@').ok_or(EmailError::Form)?;
        let (local, domain) = (&address[..at], &address[at + 1..]);
        if local.is_empty() || local.len() > 64 || address.len() > 254 {
            return Err(EmailError::Form);
        }
        if !is_local(unquoted(local)) {
            return Err(EmailError::Local);
        }
        if !is_domain(domain) {
            return Err(EmailError::Domain);
        }
        Ok(Self { address: address.to_owned(), at })
    }

    /// The part before the @ as SMTP wants it: quoted where it is no dot-atom (RFC 5321, 4.1.2).
    pub fn local_for_smtp(&self) -> String {
        let local = &self.address[..self.at];
        let bare = unquoted(local);
        let dot_atom = bare.split('.').all(|atom| !atom.is_empty());
        if dot_atom { bare.to_owned() } else { format!("\"{bare}\"") }
    }

    /// The part after the @.
    pub fn domain(&self) -> &str {
        &self.address[self.at + 1..]
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// `t***@example.jp`: always three asterisks.
    pub fn masked(&self) -> String {
        let first = unquoted(&self.address[..self.at]).chars().next().unwrap_or('*');
        format!("{first}***@{}", self.domain())
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress({})", self.masked())
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

fn unquoted(local: &str) -> &str {
    local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(local)
}

/// RFC 5322 atext and dots, in any order.
fn is_local(local: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    !local.is_empty() && local.chars().all(allowed)
}

/// Letter-digit-hyphen labels, at least two, the last not all digits.
fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    let numeric = |label: &str| label.chars().all(|c| c.is_ascii_digit());
    domain.contains('.') && domain.split('.').all(label) && !domain.rsplit('.').next().is_none_or(numeric)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_that_break_the_rfc_as_docomo_and_au_allowed_are_valid_and_quoted_for_smtp() {
        for (text, local) in [
            ("taro@example.jp", "taro"),
            ("a..b@docomo.ne.jp", "\"a..b\""),
            ("abc.@ezweb.ne.jp", "\"abc.\""),
            (".x@docomo.ne.jp", "\".x\""),
            ("\"a..b\"@docomo.ne.jp", "\"a..b\""),
            ("o'brien+bank@example.co.jp", "o'brien+bank"),
        ] {
            let address = EmailAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(address.local_for_smtp(), local, "{text}");
        }
    }

    #[test]
    fn what_could_not_be_delivered_or_could_forge_a_header_is_refused() {
        for text in [
            "",
            "@",
            "taro",
            "taro@",
            "@example.jp",
            "taro@localhost",
            "taro@exam ple.jp",
            "ta ro@example.jp",
            "taro@example.jp\r\nBcc: x@example.jp",
            "taro\n@example.jp",
            "taro@-example.jp",
            "taro@example..jp",
            "taro@192.0.2.1",
            "太郎@example.jp",
            "taro@例え.jp",
            "<taro@example.jp>",
            "a,b@example.jp",
            "\"\"@example.jp",
        ] {
            assert!(EmailAddress::parse(text).is_err(), "{text}");
        }
        assert!(EmailAddress::parse(&format!("{}@example.jp", "a".repeat(65))).is_err());
        assert!(EmailAddress::parse(&format!("a@{}.jp", "a.".repeat(130))).is_err());
    }

    #[test]
    fn debug_and_display_show_one_letter() {
        let address = EmailAddress::parse("taro@example.jp").expect("valid");
        assert_eq!(format!("{address} {address:?}"), "t***@example.jp EmailAddress(t***@example.jp)");
    }

    proptest! {
        #[test]
        fn parsing_never_panics_and_no_valid_address_holds_a_line_break(text in any::<String>()) {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(!address.as_str().contains(['\r', '\n']));
                prop_assert!(!address.masked().is_empty() && !address.local_for_smtp().is_empty());
            }
        }
    }
}
