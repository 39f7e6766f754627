//! Whom a relay's connection trusts.

use lettre::transport::smtp::client::{Certificate, TlsParameters};

use crate::config::Certificates;

/// For connections to `host`, trusting the system's authorities and those of `ca`.
///
/// # Errors
/// In words, when a certificate cannot be used.
pub(super) fn parameters(host: &str, ca: Option<&Certificates>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    for certificate in ca.map(Certificates::der).unwrap_or_default() {
        let certificate =
            Certificate::from_der(certificate.to_vec()).map_err(|error| format!("ca: {error}"))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|error| format!("TLS: {error}"))
}
