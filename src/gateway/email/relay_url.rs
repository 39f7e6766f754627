//! A relay's URL, in lettre's form: `smtp://`, `smtps://`, `?tls=`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::{Host, Url};

use crate::config::{Secret, text_value};

/// Where a relay listens and how it is spoken to. Its `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct RelayUrl {
    /// Host name or address.
    pub host: String,
    /// 587 for `smtp` and 465 for `smtps` without one.
    pub port: u16,
    /// When the connection is encrypted.
    pub tls: Tls,
    /// From the URL's user part.
    pub credentials: Option<(String, Secret)>,
}

/// When a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte (`smtps://`).
    Implicit,
    /// By STARTTLS, or nothing is sent.
    Required,
    /// By STARTTLS where the relay offers it; with credentials, or nothing is sent.
    Opportunistic,
    /// Never: loopback, or `?tls=none`.
    None,
}

/// A text that is no [`RelayUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelayUrlError {
    /// Not of the form.
    #[error("is no relay; write \"smtp://HOST:PORT\" or \"smtps://HOST\"")]
    Form,
    /// An unknown `?tls=`.
    #[error("knows ?tls=required, ?tls=opportunistic and ?tls=none only")]
    Tls,
}

impl FromStr for RelayUrl {
    type Err = RelayUrlError;

    fn from_str(text: &str) -> Result<Self, RelayUrlError> {
        let url = Url::parse(text).map_err(|_| RelayUrlError::Form)?;
        let implicit = match url.scheme() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(RelayUrlError::Form),
        };
        let host = url.host().ok_or(RelayUrlError::Form)?;
        let host = match host {
            Host::Domain("") => return Err(RelayUrlError::Form),
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let tls = tls(&url, implicit, &host)?;
        let port = url.port().unwrap_or(if implicit { 465 } else { 587 });
        Ok(Self { host, port, tls, credentials: credentials(&url) })
    }
}

/// STARTTLS is required unless the URL says otherwise or the relay is on this machine.
fn tls(url: &Url, implicit: bool, host: &str) -> Result<Tls, RelayUrlError> {
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let asked = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    match asked.as_deref() {
        _ if implicit => Ok(Tls::Implicit),
        Some("required") => Ok(Tls::Required),
        Some("opportunistic") => Ok(Tls::Opportunistic),
        Some("none") => Ok(Tls::None),
        Some(_) => Err(RelayUrlError::Tls),
        None if loopback => Ok(Tls::None),
        None => Ok(Tls::Required),
    }
}

fn credentials(url: &Url) -> Option<(String, Secret)> {
    let decode = |text: &str| {
        url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    let user = decode(url.username()).filter(|user| !user.is_empty())?;
    let password = decode(url.password()?)?.parse().ok()?;
    Some((user, password))
}

impl fmt::Display for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == Tls::Implicit { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for RelayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(RelayUrl, "relay-url");

#[cfg(test)]
mod tests {
    use super::*;

    fn tls_of(text: &str) -> Result<Tls, RelayUrlError> {
        text.parse::<RelayUrl>().map(|url| url.tls)
    }

    #[test]
    fn starttls_is_required_outside_loopback_unless_the_url_says_otherwise() {
        assert_eq!(tls_of("smtp://127.0.0.1:1025"), Ok(Tls::None));
        assert_eq!(tls_of("smtp://localhost"), Ok(Tls::None));
        assert_eq!(tls_of("smtp://[::1]:25"), Ok(Tls::None));
        assert_eq!(tls_of("smtp://relay.example.jp"), Ok(Tls::Required));
        assert_eq!(tls_of("smtp://127.0.0.1:25?tls=required"), Ok(Tls::Required));
        assert_eq!(tls_of("smtp://relay.example.jp?tls=opportunistic"), Ok(Tls::Opportunistic));
        assert_eq!(tls_of("smtps://relay.example.jp"), Ok(Tls::Implicit));
        assert_eq!(tls_of("smtp://relay.example.jp?tls=maybe"), Err(RelayUrlError::Tls));
        assert_eq!(tls_of("http://relay.example.jp"), Err(RelayUrlError::Form));
        assert_eq!(tls_of("relay.example.jp:25"), Err(RelayUrlError::Form));
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let url: RelayUrl = "smtp://us%40er:p%2Bss+w@relay.example.jp:2525".parse().expect("a URL");
        let (user, password) = url.credentials.clone().expect("credentials");
        assert_eq!((user.as_str(), password.reveal(), url.port), ("us@er", "p+ss+w", 2525));
        assert_eq!(format!("{url} {url:?}"), "smtp://relay.example.jp:2525 smtp://relay.example.jp:2525");
    }
}
