//! What a failed TLS handshake means for whoever has to mend it. Pure; shared by everything that speaks TLS.

use std::error::Error;
use std::io;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

/// The rustls error in an error's chain, in words that name the host and the mend. Nothing when there is none, so that
/// another cause has to be told. Holds nothing that the other side said: its certificate's names stay out.
pub fn explain(error: &(dyn Error + 'static), host: &str) -> Option<String> {
    find(error).map(|error| in_words(error, host))
}

/// An `io::Error` keeps what it wraps out of its own chain, so it is opened.
fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn in_words(error: &rustls::Error, host: &str) -> String {
    match error {
        rustls::Error::InvalidCertificate(problem) => {
            format!("TLS: the certificate of {host} {}", certificate(problem))
        }
        rustls::Error::InvalidMessage(_) => {
            format!("TLS: what {host} answers is no TLS; check port and scheme")
        }
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion,
        ) => {
            format!(
                "TLS: {host} has no protocol version or cipher in common with us; it needs TLS 1.2 or 1.3"
            )
        }
        rustls::Error::AlertReceived(alert) => format!("TLS: {host} refused the handshake ({alert:?})"),
        _ => format!("TLS: the handshake with {host} failed"),
    }
}

fn certificate(problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "is signed by an unknown authority; give its CA as `ca_file`".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another name; use the name that it is for, or have one issued for this name".to_owned()
        }
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("expired on {}; have it renewed", day(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("is valid from {} on; check this machine's clock", day(*not_before))
        }
        CertificateError::Expired => "has expired; have it renewed".to_owned(),
        CertificateError::NotValidYet => "is not valid yet; check this machine's clock".to_owned(),
        CertificateError::Revoked => "is revoked; have a new one issued".to_owned(),
        // A self-signed CA that serves as a server's own certificate, and rarer things.
        _ => "cannot be verified; have one issued for servers by an authority, and give its CA as `ca_file`"
            .to_owned(),
    }
}

/// The day in Japan, with its time: certificates end at minutes of which whoever is on call has to know.
fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    time.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime("%Y-%m-%d %H:%M JST").to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::InvalidMessage;

    use super::*;

    /// As hyper and reqwest hand it over: in an `io::Error`, in another one.
    fn wrapped(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[test]
    fn every_problem_names_the_host_and_its_mend() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired =
            CertificateError::ExpiredContext { time: at(1_800_000_000), not_after: at(1_764_000_000) };
        let early = CertificateError::NotValidYetContext { time: at(0), not_before: at(1_764_000_000) };
        for (error, mend) in [
            (CertificateError::UnknownIssuer.into(), "`ca_file`"),
            (CertificateError::NotValidForName.into(), "for another name"),
            (expired.into(), "expired on 2025-11-25 01:00 JST"),
            (early.into(), "valid from 2025-11-25 01:00 JST"),
            (CertificateError::Revoked.into(), "revoked"),
            (CertificateError::InvalidPurpose.into(), "cannot be verified"),
            (rustls::Error::InvalidMessage(InvalidMessage::InvalidCcs), "is no TLS"),
            (rustls::Error::AlertReceived(AlertDescription::ProtocolVersion), "TLS 1.2"),
            (rustls::Error::AlertReceived(AlertDescription::AccessDenied), "AccessDenied"),
            (rustls::Error::DecryptError, "failed"),
        ] {
            let error: rustls::Error = error;
            let words = explain(&wrapped(error), "sms.example.jp").expect("a TLS error");
            assert!(words.starts_with("TLS: ") && words.contains("sms.example.jp"), "{words}");
            assert!(words.contains(mend), "{mend}: {words}");
        }
    }

    #[test]
    fn what_is_no_tls_error_is_left_to_others() {
        for error in [io::Error::other("certificate"), io::ErrorKind::ConnectionRefused.into()] {
            assert_eq!(explain(&error, "sms.example.jp"), None);
        }
    }
}
