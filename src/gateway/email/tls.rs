//! Whom a relay's connection trusts.

use lettre::transport::smtp::client::{Certificate, TlsParameters};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::Secret;

/// For connections to `host`, trusting the system's authorities and those of `ca`.
///
/// # Errors
/// In words, when a certificate cannot be used.
pub(super) fn parameters(host: &str, ca: Option<&Secret>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    for certificate in ca.map(|pem| certificates(pem.reveal())).transpose()?.unwrap_or_default() {
        let certificate = Certificate::from_der(certificate.to_vec()).map_err(|_| NO_CERTIFICATE)?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| format!("TLS: {error}"))
}

const NO_CERTIFICATE: &str = "holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)";

/// The certificates of a PEM text: at least one, and each one readable.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let found = found.ok().filter(|found| !found.is_empty()).ok_or(NO_CERTIFICATE)?;
    let mut roots = rustls::RootCertStore::empty();
    let usable = found.iter().all(|certificate| roots.add(certificate.clone()).is_ok());
    if usable { Ok(found) } else { Err("holds a certificate that cannot be read") }
}
