//! HTTPS gateways with certificates made on the spot: a private authority is trusted where it is configured and nowhere else,
//! and what is wrong with a certificate is said with host and mend.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use shirase::gateway::{Class, Gateway, Reason};

use crate::gateways::{REFERENCE, send_sms};
use crate::house;
use crate::script::Smtp;
use crate::support::Scratch;

/// An authority of the test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A server for one request a connection, whose certificate is for `name` after a change. Its port.
    fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> u16 {
        house::provide_tls();
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a pair");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a configuration");
                // A client that refuses the certificate leaves: some tests want it.
                let _ = stream.and_then(|stream| serve(&mut StreamOwned::new(connection, stream)));
            }
        });
        port
    }
}

fn serve(stream: &mut (impl Read + Write)) -> std::io::Result<()> {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&request).contains(REFERENCE) {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            read => request.extend_from_slice(&chunk[..read]),
        }
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{\"message_id\":17}",
    )?;
    stream.flush()
}

fn gateway(host: &str, port: u16, authority: Option<&Authority>) -> Gateway {
    house::provide_tls();
    let scratch = Scratch::new("tls");
    let ca = authority.map(|authority| scratch.write("ca.pem", &authority.pem()).display().to_string());
    let ca = ca.map(|file| format!("ca_file = \"{file}\"")).unwrap_or_default();
    let text =
        format!("[[sms.gateways]]\nname = \"g\"\nkind = \"http\"\nurl = \"https://{host}:{port}/sms\"\n{ca}");
    Gateway::sms(&house::config_file(&text).sms.gateways[0], None).expect("in order")
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_configured() {
    let authority = Authority::new();
    let port = authority.server("localhost", |_| {});
    let accepted = send_sms(&gateway("localhost", port, Some(&authority))).await.expect("accepted");
    assert_eq!(accepted.provider_id.as_deref(), Some("17"));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said_with_host_and_mend() {
    let (authority, other) = (Authority::new(), Authority::new());
    let expire = |params: &mut CertificateParams| params.not_after = date_time_ymd(2025, 11, 1);
    let wait = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    for (port, trusted, words) in [
        (
            authority.server("localhost", |_| {}),
            None,
            "signed by an unknown authority; give its CA as `ca_file`",
        ),
        (authority.server("localhost", |_| {}), Some(&other), "signed by an unknown authority"),
        (authority.server("sms.example.jp", |_| {}), Some(&authority), "is for another name"),
        (authority.server("localhost", expire), Some(&authority), "expired on 2025-11-01 09:00 JST"),
        (authority.server("localhost", wait), Some(&authority), "is valid from 3000-01-01 09:00 JST"),
    ] {
        let gateway = gateway("localhost", port, trusted);
        let failure = send_sms(&gateway).await.expect_err(words);
        assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{words}: {failure}");
        assert!(failure.detail.starts_with("TLS: the certificate of localhost "), "{failure}");
        assert!(failure.detail.contains(words), "{words}: {failure}");
        let probed = gateway.probe(house::time()).await.expect_err(words);
        assert_eq!(probed, failure, "a probe finds the same");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_that() {
    let plain = Smtp::start(|_, _, _| None).await;
    let failure = send_sms(&gateway("127.0.0.1", plain.port, None)).await.expect_err("no TLS");
    assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{failure}");
    assert_eq!(failure.detail, "TLS: what 127.0.0.1 answers is no TLS; check port and scheme");
}
