//! The return path of each mail, so that a bounce names the notification by the address that it comes to (VERP).

use std::fmt;
use std::str::FromStr;

use lettre::Address;

use crate::config::text_value;
use crate::event::EmailAddress;

/// References are this many hex digits.
const REFERENCE_DIGITS: usize = 32;

/// A local part is at most this long (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// `bounce@example.jp`: bounces come to `bounce+REFERENCE@example.jp`.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnPath(EmailAddress);

/// A text that is no [`ReturnPath`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no address for bounces; write \"bounce@example.jp\", at most 31 characters before the @")]
pub struct ReturnPathError;

impl FromStr for ReturnPath {
    type Err = ReturnPathError;

    fn from_str(text: &str) -> Result<Self, ReturnPathError> {
        let address = EmailAddress::parse(text).map_err(|_| ReturnPathError)?;
        let local = address.local_for_smtp();
        let fits = local.len() + 1 + REFERENCE_DIGITS <= MAX_LOCAL && !local.starts_with('"');
        if fits { Ok(Self(address)) } else { Err(ReturnPathError) }
    }
}

text_value!(ReturnPath, "return-path");

impl fmt::Debug for ReturnPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

impl ReturnPath {
    /// `MAIL FROM` of the mail with this reference.
    pub(super) fn of(&self, reference: &str) -> Address {
        Address::new_dangerous(format!("{}+{reference}", self.0.local_for_smtp()), self.0.domain())
    }
}

/// A text that is one of our references: 32 hex digits, in lower case as we write them. A mail system on the way may have
/// changed the case.
pub fn reference(text: &str) -> Option<String> {
    let hex = text.len() == REFERENCE_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| text.to_ascii_lowercase())
}

/// The reference in an address that a bounce came to, with or without angle brackets.
pub fn reference_in(address: &str) -> Option<String> {
    let bare = address.trim().trim_start_matches('<').trim_end_matches('>');
    let (local, _) = bare.rsplit_once('@')?;
    reference(local.rsplit_once('+')?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn what_goes_into_a_return_path_is_read_back_from_it() {
        let path: ReturnPath = "bounce@example.jp".parse().expect("an address");
        let address = path.of(REFERENCE).to_string();
        assert_eq!(address, format!("bounce+{REFERENCE}@example.jp"));
        for seen in [address.clone(), format!("<{address}>"), address.to_uppercase()] {
            assert_eq!(reference_in(&seen).as_deref(), Some(REFERENCE), "{seen}");
        }
        let longest: ReturnPath = format!("{}@example.jp", "b".repeat(31)).parse().expect("an address");
        assert_eq!(longest.of(REFERENCE).user().len(), 64);
    }

    #[test]
    fn nothing_but_32_hex_digits_is_a_reference() {
        for address in [
            "bounce@example.jp",
            "bounce+@example.jp",
            "bounce+0123@example.jp",
            "bounce+0123456789abcdef0123456789abcdeg@example.jp",
            "bounce+0123456789abcdef0123456789abcdef0@example.jp",
            "0123456789abcdef0123456789abcdef@example.jp",
            "bounce+0123456789abcdef0123456789abcdef",
            "",
        ] {
            assert_eq!(reference_in(address), None, "{address}");
        }
    }

    #[test]
    fn an_address_with_no_room_for_a_reference_is_no_return_path() {
        for text in [
            "",
            "bounce",
            "a..b@example.jp",
            "お知らせ <b@example.jp>",
            &format!("{}@example.jp", "b".repeat(32)),
        ] {
            assert_eq!(text.parse::<ReturnPath>(), Err(ReturnPathError), "{text}");
        }
    }
}
