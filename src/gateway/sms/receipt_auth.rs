//! How a vendor without signatures shows that a callback is its own: a secret in a header.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::super::receipt::{Callback, CallbackError};
use crate::config::Secret;

/// `receipts = { bearer_file = "…" }`, `{ user = "…", password_file = "…" }` or `{ header = "…", secret_file = "…" }`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiptAuth {
    /// `Authorization: Bearer …`
    pub bearer: Option<Secret>,
    /// `Authorization: Basic …`, with `password`.
    pub user: Option<String>,
    /// With `user`.
    pub password: Option<Secret>,
    /// Another header, with `secret`.
    pub header: Option<String>,
    /// The whole value of `header`.
    pub secret: Option<Secret>,
}

/// The header that a callback has to carry.
pub(super) struct Expected {
    header: String,
    value: String,
}

impl ReceiptAuth {
    /// What one key alone cannot show.
    pub(super) fn problems(&self, key: &str) -> Vec<(String, String)> {
        if self.expected().is_some() {
            return Vec::new();
        }
        let mend = "is one of: bearer; user and password; header and secret (each secret as …_file, too)";
        vec![(key.to_owned(), mend.to_owned())]
    }

    /// Nothing when the keys do not make exactly one way.
    pub(super) fn expected(&self) -> Option<Expected> {
        let authorization = |value| Expected { header: "authorization".to_owned(), value };
        match self {
            Self { bearer: Some(token), user: None, password: None, header: None, secret: None } => {
                Some(authorization(format!("Bearer {}", token.reveal())))
            }
            Self { bearer: None, user: Some(user), password: Some(password), header: None, secret: None } => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", password.reveal()));
                Some(authorization(format!("Basic {pair}")))
            }
            Self { bearer: None, user: None, password: None, header: Some(header), secret: Some(secret) } => {
                Some(Expected { header: header.to_ascii_lowercase(), value: secret.reveal().to_owned() })
            }
            _ => None,
        }
    }
}

impl Expected {
    /// In a time that does not tell how much of it was right.
    pub fn verify(&self, callback: &Callback<'_>) -> Result<(), CallbackError> {
        let given = callback.header(&self.header).ok_or(CallbackError::Forged)?;
        let same = given.as_bytes().ct_eq(self.value.as_bytes());
        if bool::from(same) { Ok(()) } else { Err(CallbackError::Forged) }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderName};

    use super::*;

    fn auth(text: &str) -> ReceiptAuth {
        toml::from_str(text).expect("keys")
    }

    fn verified(auth: &ReceiptAuth, headers: &[(&str, &str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
            })
            .collect();
        let now = "2026-11-24T00:00:00Z".parse().expect("a time");
        let callback =
            Callback { url: "https://house.example.jp/receipts/x", headers: &headers, body: b"", now };
        auth.expected().expect("one way").verify(&callback).is_ok()
    }

    #[test]
    fn a_callback_is_believed_with_the_configured_secret_and_with_nothing_else() {
        let bearer = auth("bearer = 'token-1'");
        assert!(verified(&bearer, &[("authorization", "Bearer token-1")]));
        for wrong in ["Bearer token-2", "Bearer token-", "bearer token-1", "token-1", ""] {
            assert!(!verified(&bearer, &[("authorization", wrong)]), "{wrong}");
        }
        assert!(!verified(&bearer, &[]));
        let basic = auth("user = 'shirase'\npassword = 'p:w'");
        assert!(verified(&basic, &[("authorization", "Basic c2hpcmFzZTpwOnc=")]));
        assert!(!verified(&basic, &[("authorization", "Basic c2hpcmFzZTpwOnd4")]));
        let header = auth("header = 'X-Callback-Secret'\nsecret = 's'");
        assert!(verified(&header, &[("x-callback-secret", "s")]));
        assert!(!verified(&header, &[("authorization", "s")]));
    }

    #[test]
    fn half_a_way_or_two_are_a_problem_with_its_mend() {
        for text in ["", "user = 'a'", "header = 'x'", "bearer = 'a'\nuser = 'b'\npassword = 'c'"] {
            assert_eq!(auth(text).problems("receipts").len(), 1, "{text}");
        }
        assert!(auth("bearer = 'a'").problems("receipts").is_empty());
    }
}
