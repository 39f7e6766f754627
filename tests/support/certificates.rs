//! Certificates made on the spot.

use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// An authority that nobody trusts but who is given [`Self::pem`].
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of two with one name, the wrong one would be tried and found to have a bad signature.
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("a house's own authority, number {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("randomness");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// What those are given who shall trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a host, and its key (PEM).
    pub fn issue(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().expect("randomness");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a host");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}
