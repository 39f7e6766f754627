//! TLS failures in words: which host, and how to mend it.

use std::error::Error;
use std::io;

use rustls::CertificateError as Certificate;

/// What TLS has against `host`, where the reason for `error` is TLS at all; the mend names the key `ca_file`, which every
/// connection has.
pub fn explain(error: &(dyn Error + 'static), host: &str) -> Option<String> {
    let cause = std::iter::successors(Some(error), |error| beneath(*error))
        .find_map(|error| error.downcast_ref::<rustls::Error>())?;
    let rustls::Error::InvalidCertificate(fault) = cause else {
        return Some(format!("TLS with {host} failed: {cause}"));
    };
    Some(match fault {
        // An authority that was made anew under its old name is another one.
        Certificate::UnknownIssuer | Certificate::BadSignature => format!(
            "the certificate of {host} is not from an authority that is trusted here; give its authority's as ca_file"
        ),
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => format!(
            "the certificate is not for the name {host}; connect by a name that it holds, or have one made for this"
        ),
        Certificate::Expired | Certificate::ExpiredContext { .. } => {
            format!("the certificate of {host} has expired; renew it there")
        }
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            format!("the certificate of {host} is not valid yet; see both clocks")
        }
        other => format!("the certificate of {host} cannot be used: {other:?}"),
    })
}

/// The cause of an error. That of an I/O error hides behind `get_ref`: its `source` skips it.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    if let Some(wrapped) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        return Some(wrapped);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_fault_is_found_through_its_wrappers_and_names_host_and_mend() {
        let fault = rustls::Error::InvalidCertificate(Certificate::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, fault));
        let words = explain(&wrapped, "mta.example.jp").expect("TLS");
        assert!(words.contains("mta.example.jp") && words.contains("ca_file"), "{words}");
        assert_eq!(explain(&io::Error::other("cut"), "mta.example.jp"), None);
    }
}
