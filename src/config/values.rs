//! Values that are written as text in the configuration and parsed once.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A value that the configuration writes as text. Its format is part of the configuration's schema, so that all values
/// are checked together and each problem is reported with its key.
pub trait TextValue: FromStr<Err: fmt::Display> {
    /// The name of the format in the schema.
    const FORMAT: &'static str;

    /// What is wrong with `text`, in words.
    fn problem(text: &str) -> Option<String> {
        text.parse::<Self>().err().map(|error| error.to_string())
    }
}

/// Implements reading and the schema for a [`TextValue`].
macro_rules! text_value {
    ($type:ty, $format:literal) => {
        impl $crate::config::TextValue for $type {
            const FORMAT: &'static str = $format;
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $format.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "format": $format})
            }
        }
    };
}
pub(crate) use text_value;

/// A length of time: `500ms`, `5s`, `2m`, `6h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// A whole number of seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As jiff adds it to times; what does not fit is as long as can be.
    pub fn signed(self) -> SignedDuration {
        SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX)
    }
}

/// A text that is no [`Span`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no length of time; write a whole number and ms, s, m, h or d, for example \"30s\"")]
pub struct SpanError;

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(SpanError)?;
        let (number, unit) = text.split_at(unit_at);
        let number: u64 = number.parse().map_err(|_| SpanError)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(SpanError),
        };
        number.checked_mul(millis).map(|millis| Self(Duration::from_millis(millis))).ok_or(SpanError)
    }
}

/// In the largest unit that it is a whole number of.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        let fits = |(_, unit): &&(&str, u128)| millis > 0 && millis.is_multiple_of(*unit);
        let (name, unit) = units.iter().find(fits).unwrap_or(&("s", 1_000));
        write!(f, "{}{name}", millis / unit)
    }
}

text_value!(Span, "span");

/// A secret: it is read, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret without content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is empty; give the secret or remove the key")]
pub struct EmptySecret;

impl FromStr for Secret {
    type Err = EmptySecret;

    fn from_str(text: &str) -> Result<Self, EmptySecret> {
        if text.trim().is_empty() { Err(EmptySecret) } else { Ok(Self(text.to_owned())) }
    }
}

text_value!(Secret, "secret");

/// Certificates (PEM) of a private authority, to be trusted beside the system's.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificates {
    pem: String,
    der: Vec<CertificateDer<'static>>,
}

impl Certificates {
    /// As they were given.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Each of them: at least one.
    pub fn der(&self) -> &[CertificateDer<'static>] {
        &self.der
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.der.len())
    }
}

/// A text without a certificate, or with one that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificate that can be read; give them in PEM form (-----BEGIN CERTIFICATE-----)")]
pub struct CertificatesError;

impl FromStr for Certificates {
    type Err = CertificatesError;

    fn from_str(pem: &str) -> Result<Self, CertificatesError> {
        let der: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let der = der.ok().filter(|found| !found.is_empty()).ok_or(CertificatesError)?;
        let mut roots = RootCertStore::empty();
        let readable = der.iter().all(|certificate| roots.add(certificate.clone()).is_ok());
        if readable { Ok(Self { pem: pem.to_owned(), der }) } else { Err(CertificatesError) }
    }
}

text_value!(Certificates, "certificates");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_at_least_one_and_each_is_readable() {
        let made = || rcgen::generate_simple_self_signed(["x.example.jp".to_owned()]).expect("a certificate");
        let (one, key) = (made().cert.pem(), made().signing_key.serialize_pem());
        let both: Certificates = format!("{one}\n{}", made().cert.pem()).parse().expect("two");
        assert_eq!(both.der().len(), 2);
        let broken = one.replacen("MII", "AAA", 1);
        for text in ["", "x", key.as_str(), broken.as_str(), &format!("{one}\n{broken}")] {
            assert_eq!(text.parse::<Certificates>(), Err(CertificatesError), "{text}");
        }
    }

    #[test]
    fn spans_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5000),
            ("2m", 120_000),
            ("6h", 21_600_000),
            ("7d", 604_800_000),
            ("0s", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
            assert_eq!(
                Span(Duration::from_millis(millis)).to_string().parse(),
                text.parse::<Span>(),
                "{text}"
            );
        }
        for text in ["", "5", "s", "5 s", "-5s", "1.5h", "5x", "99999999999999999999d", "5s5"] {
            assert_eq!(text.parse::<Span>(), Err(SpanError), "{text}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        let secret: Secret = "hunter2".parse().expect("not empty");
        assert!(!format!("{secret:?}").contains("hunter"));
        assert_eq!(secret.reveal(), "hunter2");
    }
}
