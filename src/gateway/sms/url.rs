//! Where a gateway listens.

use std::fmt;
use std::str::FromStr;

use url::Url;

use crate::config::text_value;

/// A gateway's URL: http or https, with a host. Its `Debug` hides user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct GatewayUrl(Url);

/// A text that is no [`GatewayUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no http or https URL with a host, for example \"https://sms.example.jp/v1/messages\"")]
pub struct GatewayUrlError;

impl FromStr for GatewayUrl {
    type Err = GatewayUrlError;

    fn from_str(text: &str) -> Result<Self, GatewayUrlError> {
        let url = Url::parse(text).map_err(|_| GatewayUrlError)?;
        if matches!(url.scheme(), "http" | "https") && url.has_host() {
            Ok(Self(url))
        } else {
            Err(GatewayUrlError)
        }
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        shown.set_query(None);
        let _ = (shown.set_username(""), shown.set_password(None));
        shown.fmt(f)
    }
}

impl fmt::Debug for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl GatewayUrl {
    /// The URL itself, which may hold credentials.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

text_value!(GatewayUrl, "gateway-url");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_neither_password_nor_query() {
        let url: GatewayUrl = "https://user:hunter2@sms.example.jp/v1?key=hunter2".parse().expect("a URL");
        assert_eq!(format!("{url} {url:?}"), "https://sms.example.jp/v1 https://sms.example.jp/v1");
        for text in ["", "sms.example.jp", "ftp://x/", "http://", "/sms"] {
            assert!(text.parse::<GatewayUrl>().is_err(), "{text}");
        }
    }
}
