//! The two JSON Web Tokens (RFC 7519) that Vonage knows: ours on requests, signed with an application's RSA key, and its own
//! on callbacks, signed with the account's secret.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, hmac};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::hex::hex;

use super::super::super::receipt::CallbackError;

/// How long our tokens count: what Vonage's own libraries take.
const VALID_SECONDS: i64 = 15 * 60;

/// How much clocks may differ.
const SKEW_SECONDS: i64 = 5 * 60;

/// Vonage tries a callback again for 24 hours and does not say that it signs it anew: one hour more is for the last try. A
/// callback that is played again within that time says what was said before, and states never go backwards.
const MAX_AGE_SECONDS: i64 = 25 * 3600;

/// Signs our requests (RS256).
pub(super) struct Signer {
    application_id: String,
    key: RsaKeyPair,
}

impl Signer {
    /// `pem` holds an RSA key of 2048 to 4096 bits, as PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// What is wrong with `pem`, without a word of it.
    pub fn new(application_id: &str, pem: &str) -> Result<Self, &'static str> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(
            |_| "holds no private key in PEM form; give the file that Vonage made (private_key_file)",
        )?;
        let key = match &der {
            PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            _ => return Err("is no RSA key; give the one that Vonage made for the application"),
        };
        let key = key.map_err(|_| "is no RSA key of 2048 to 4096 bits; let Vonage make one")?;
        Ok(Self { application_id: application_id.to_owned(), key })
    }

    /// A token; `about` and the time make it one of its kind. None when the key cannot sign.
    pub fn token(&self, about: &str, now: Timestamp) -> Option<String> {
        let header = part(&json!({"alg": "RS256", "typ": "JWT"}));
        let claims = part(&json!({
            "application_id": self.application_id,
            "iat": now.as_second(),
            "exp": now.as_second() + VALID_SECONDS,
            "jti": format!("{about}-{}", now.as_nanosecond()),
        }));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).ok()?;
        Some(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Verifies a callback's token: HS256 and nothing else, signature, age, and that it is about this body.
///
/// # Errors
/// [`CallbackError::Forged`].
pub(super) fn verify(
    authorization: &str,
    key: &hmac::Key,
    body: &[u8],
    now: Timestamp,
) -> Result<(), CallbackError> {
    let claims = signed_claims(authorization, key).ok_or(CallbackError::Forged)?;
    let good = is_fresh(&claims, now.as_second()) && is_about(&claims, body);
    if good { Ok(()) } else { Err(CallbackError::Forged) }
}

fn signed_claims(authorization: &str, key: &hmac::Key) -> Option<Value> {
    let (scheme, token) = authorization.split_once(' ')?;
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(key, signed.as_bytes(), &signature).ok()?;
    let json = |part: &str| -> Option<Value> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    (scheme.eq_ignore_ascii_case("bearer") && json(header)?["alg"] == "HS256").then(|| json(claims))?
}

fn is_fresh(claims: &Value, now: i64) -> bool {
    let issued = claims["iat"].as_i64();
    let issued = issued.is_some_and(|at| (now - MAX_AGE_SECONDS..=now + SKEW_SECONDS).contains(&at));
    let over = |exp: &Value| exp.as_i64().is_none_or(|at| at < now - SKEW_SECONDS);
    issued && !claims.get("exp").is_some_and(over)
}

/// `payload_hash`: the body's SHA-256 in hexadecimal digits.
fn is_about(claims: &Value, body: &[u8]) -> bool {
    let hash: String = hex(digest::digest(&digest::SHA256, body).as_ref());
    let claimed = claims["payload_hash"].as_str().unwrap_or_default().to_ascii_lowercase();
    claimed.as_bytes().ct_eq(hash.as_bytes()).into()
}
