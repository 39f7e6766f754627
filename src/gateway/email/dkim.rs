//! DKIM signatures (RFC 6376, RFC 8463): relaxed/relaxed, RSA-SHA256 or Ed25519-SHA256. Pure.
//!
//! Our own, on ring: lettre's feature for it brings the `rsa` crate, whose private-key operations leak their timing
//! (RUSTSEC-2023-0071, without a mend).

mod relaxed;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::Deserialize;

use self::relaxed::{Field, fields, relaxed_body, relaxed_header, split};
use crate::config::Secret;

/// What is signed where the configuration says nothing: all that a reader sees or a program acts on. `Cc` and `Reply-To`,
/// which our mails have not, so that nobody can add them.
const SIGNED: [&str; 12] = [
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "Content-Language",
];

/// Headers that every relay adds or changes: signed, they would break every signature (RFC 6376, 5.4).
const NEVER_SIGNED: [&str; 3] = ["Return-Path", "Received", "DKIM-Signature"];

/// Lines of the signature's header are folded here (RFC 5322, 2.1.1).
const LINE: usize = 72;

/// `[email.dkim]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DkimConfig {
    /// Who signs: the sender's domain, or one above it, for DMARC to be content.
    pub domain: String,
    /// Which of the domain's keys: its public half stands in the DNS under SELECTOR._domainkey.DOMAIN.
    pub selector: String,
    /// RSA of 2048 to 4096 bits or Ed25519, in PEM (PKCS#8; RSA also PKCS#1).
    pub private_key: Secret,
    /// Which headers are signed; the built-in list without it.
    pub headers: Option<Vec<String>>,
}

impl DkimConfig {
    /// Keys below `email.dkim`, and what is wrong with them.
    pub(super) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        for (key, name, mend) in [
            ("domain", &self.domain, "is no domain; write \"example.jp\""),
            ("selector", &self.selector, "is no selector; write one DNS name, \"shirase1\""),
        ] {
            if !is_dns_name(name) {
                problems.push((key, mend.to_owned()));
            }
        }
        if let Some(headers) = &self.headers {
            problems.extend(headers_problem(headers).map(|problem| ("headers", problem)));
        }
        problems
            .extend(Key::parse(&self.private_key).err().map(|problem| ("private_key", problem.to_owned())));
        problems
    }
}

fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn headers_problem(headers: &[String]) -> Option<String> {
    let has = |name: &str| headers.iter().any(|other| other.eq_ignore_ascii_case(name));
    let field = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(name) = headers.iter().find(|name| !field(name)) {
        return Some(format!("{name:?} is no name of a header"));
    }
    if let Some(name) = NEVER_SIGNED.iter().find(|name| has(name)) {
        return Some(format!("{name} must not be signed: every relay changes it"));
    }
    (!has("From")).then(|| "From has to be among them (RFC 6376, 5.4)".to_owned())
}

/// A key and what it says of itself.
pub(super) struct Signer {
    domain: String,
    selector: String,
    headers: Vec<String>,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Key {
    fn parse(pem: &Secret) -> Result<Self, &'static str> {
        let unknown = "is no private key in PEM form; make one with: openssl genrsa 2048";
        let rsa = "is no RSA key that can sign: 2048 to 4096 bits, at best 2048";
        match PrivateKeyDer::from_pem_slice(pem.reveal().as_bytes()).map_err(|_| unknown)? {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der())
                .map(|key| Self::Rsa(Box::new(key)))
                .map_err(|_| rsa),
            // Without its public half too, as openssl writes it.
            PrivateKeyDer::Pkcs8(key) => Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.secret_pkcs8_der())
                .map(|key| Self::Ed25519(Box::new(key)))
                .or_else(|_| {
                    RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map(|key| Self::Rsa(Box::new(key)))
                })
                .map_err(|_| rsa),
            _ => Err(unknown),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, text: &[u8]) -> Result<String, Unspecified> {
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)?;
                Ok(STANDARD.encode(signature))
            }
            // It signs the hash, not the text (RFC 8463, 3).
            Self::Ed25519(key) => Ok(STANDARD.encode(key.sign(digest(&SHA256, text).as_ref()))),
        }
    }
}

impl Signer {
    /// # Errors
    /// Key and words, of the first thing that is wrong with the configuration.
    pub fn new(config: &DkimConfig) -> Result<Self, (&'static str, String)> {
        let headers = config.headers.clone();
        Ok(Self {
            domain: config.domain.clone(),
            selector: config.selector.clone(),
            headers: headers.unwrap_or_else(|| SIGNED.map(str::to_owned).to_vec()),
            key: Key::parse(&config.private_key).map_err(|problem| ("private_key", problem.to_owned()))?,
        })
    }

    /// The mail with a `DKIM-Signature` before it.
    ///
    /// # Errors
    /// When the key does not sign: a fault of the system's randomness.
    pub fn sign(&self, mail: &[u8], now: Timestamp) -> Result<Vec<u8>, Unspecified> {
        let (head, body) = split(mail);
        let fields = fields(head);
        let names = self.names(&fields);
        let unsigned = self.unsigned(&names, &relaxed_body(body), now);
        let signature = self.key.sign(&signed_text(&names, &fields, &unsigned))?;
        let signature = folded(&chunks(&signature), "");
        Ok([unsigned.as_bytes(), signature.as_bytes(), b"\r\n", mail].concat())
    }

    /// Every name once more than the mail has it, so that none can be added (RFC 6376, 8.15).
    fn names(&self, fields: &[Field<'_>]) -> Vec<String> {
        let times = |name: &String| fields.iter().filter(|field| field.is(name)).count() + 1;
        self.headers
            .iter()
            .flat_map(|name| std::iter::repeat_n(name.to_ascii_lowercase(), times(name)))
            .collect()
    }

    /// The header with everything but the signature itself.
    fn unsigned(&self, names: &[String], body: &[u8], now: Timestamp) -> String {
        let Self { domain, selector, key, .. } = self;
        let hash = STANDARD.encode(digest(&SHA256, body));
        let (algorithm, time) = (key.algorithm(), now.as_second());
        format!(
            "DKIM-Signature: v=1; a={algorithm}; c=relaxed/relaxed;\r\n\td={domain};\r\n\ts={selector}; t={time};\r\n\t\
             h={};\r\n\tbh={hash};\r\n\tb=",
            folded(names, ":")
        )
    }
}

/// Joins the items; lines end between them before they get too long.
fn folded(items: &[String], joint: &str) -> String {
    let (mut text, mut line) = (String::new(), 0);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(joint);
        }
        if line > 0 && line + item.len() > LINE {
            text.push_str("\r\n\t ");
            line = 0;
        }
        text.push_str(item);
        line += item.len() + joint.len();
    }
    text
}

fn chunks(text: &str) -> Vec<String> {
    text.as_bytes().chunks(LINE).map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect()
}

/// What the key signs: the named headers, the last of a name first, and the signature's own without its end.
fn signed_text(names: &[String], fields: &[Field<'_>], unsigned: &str) -> Vec<u8> {
    let mut text = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let earlier = names[..index].iter().filter(|other| *other == name).count();
        if let Some(field) = fields.iter().rev().filter(|field| field.is(name)).nth(earlier) {
            text.extend(relaxed_header(name, field.value));
            text.extend(b"\r\n");
        }
    }
    let (name, value) = unsigned.split_once(':').unwrap_or((unsigned, ""));
    text.extend(relaxed_header(name, value.as_bytes()));
    text
}

#[cfg(test)]
mod tests;
