//! What all clients have in common that ask others over HTTP: whom they trust, what they call themselves, and that they stay
//! where they were sent.

use reqwest::{Certificate, ClientBuilder, redirect};

use crate::config::Certificates;

/// A client that trusts the system's authorities and those of `ca`. It follows no redirect: nothing may go to where nobody
/// configured it to.
///
/// # Errors
/// When a certificate cannot be used.
pub(crate) fn builder(ca: Option<&Certificates>) -> reqwest::Result<ClientBuilder> {
    let builder = ClientBuilder::new()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("shirase/", env!("CARGO_PKG_VERSION")));
    ca.map(Certificates::der).unwrap_or_default().iter().try_fold(builder, |builder, certificate| {
        Ok(builder.add_root_certificate(Certificate::from_der(certificate)?))
    })
}
