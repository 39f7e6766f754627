//! HTTPS gateways with certificates made on the spot: a private authority is trusted where it is configured and nowhere else,
//! and what is wrong with a certificate is said with host and mend. And a look at the end of any.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use shirase::certificate::{LookError, Opening, Place, not_after};
use shirase::config::Span;
use shirase::gateway::{Class, Gateway, Reason};
use shirase::traces::{self, TracesConfig};

use crate::gateways::{REFERENCE, send_sms};
use crate::house;
use crate::script::{Reply, Smtp};
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
        self.server_after(name, change, |_| Ok(()))
    }

    /// The same, with something said in the clear before TLS begins.
    fn server_after(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
        opening: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> u16 {
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
                let _ = stream.and_then(|mut stream| {
                    opening(&mut stream)?;
                    serve(&mut StreamOwned::new(connection, stream))
                });
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
async fn a_collector_s_private_authority_is_trusted_where_it_is_configured_and_missed_with_a_mend() {
    let authority = Authority::new();
    let port = authority.server("localhost", |_| {});
    let config = |ca: Option<String>| TracesConfig {
        endpoint: format!("https://localhost:{port}").parse().expect("a URL"),
        headers: BTreeMap::new(),
        ca: ca.map(|pem| pem.parse().expect("a certificate")),
        sample: 1.0,
        // What this server waits for in a request.
        service_name: REFERENCE.to_owned(),
        timeout: Span::seconds(5),
    };
    assert_eq!(traces::probe(&config(Some(authority.pem()))).await, Ok(()));
    let refused = traces::probe(&config(None)).await.expect_err("a stranger");
    let words =
        "TLS: the certificate of localhost is signed by an unknown authority; give its CA as `ca_file`";
    assert_eq!(refused, words);
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_that() {
    let plain = Smtp::start(|_, _, _| None).await;
    let failure = send_sms(&gateway("127.0.0.1", plain.port, None)).await.expect_err("no TLS");
    assert_eq!((failure.class, failure.reason), (Class::Retryable, Reason::Tls), "{failure}");
    assert_eq!(failure.detail, "TLS: what 127.0.0.1 answers is no TLS; check port and scheme");
}

/// When the certificate at a port of this machine ends, as a look sees it.
async fn look(host: &str, port: u16, opening: Opening) -> Result<String, LookError> {
    let place = Place { host: host.to_owned(), port, opening };
    not_after(&place).await.map(|end| end.to_string())
}

#[tokio::test]
async fn a_look_sees_when_a_certificate_ends_be_it_expired_a_strangers_or_for_another_name() {
    let authority = Authority::new();
    let end = |year| move |params: &mut CertificateParams| params.not_after = date_time_ymd(year, 5, 1);
    for (name, host, year) in [
        ("localhost", "localhost", 2031),
        ("sms.example.jp", "127.0.0.1", 2031),
        ("localhost", "localhost", 2024),
    ] {
        let port = authority.server(name, end(year));
        let seen = look(host, port, Opening::None).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(seen, format!("{year}-05-01T00:00:00Z"), "{name}");
    }
}

#[tokio::test]
async fn a_look_asks_relays_and_databases_for_tls_in_their_own_words() {
    let authority = Authority::new();
    let end = |params: &mut CertificateParams| params.not_after = date_time_ymd(2031, 5, 1);
    let relay = authority.server_after("localhost", end, |stream| {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut asked = |reply: &str, expected: &str| {
            stream.write_all(reply.as_bytes())?;
            let line = lines.next().transpose()?;
            assert_eq!(line.as_deref(), Some(expected), "after {reply}");
            std::io::Result::Ok(())
        };
        asked("220-relay\r\n220 ready\r\n", "EHLO worker.example.jp")?;
        asked("250-relay\r\n250-STARTTLS\r\n250 SIZE\r\n", "STARTTLS")?;
        stream.write_all(b"220 go ahead\r\n")
    });
    let database = authority.server_after("localhost", end, |stream| {
        let mut asked = [0; 8];
        stream.read_exact(&mut asked)?;
        assert_eq!(asked, [0, 0, 0, 8, 4, 210, 22, 47]);
        stream.write_all(b"S")
    });
    let start_tls = Opening::StartTls { client_name: "worker.example.jp".to_owned() };
    for (port, opening) in [(relay, start_tls), (database, Opening::Postgres)] {
        let seen = look("localhost", port, opening).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(seen, "2031-05-01T00:00:00Z");
    }
}

#[tokio::test]
async fn a_look_at_somebody_without_tls_sees_nothing_and_repeats_nothing() {
    let start_tls = || Opening::StartTls { client_name: "worker.example.jp".to_owned() };
    let plain = Smtp::start(|_, _, _| None).await;
    let refuses = Smtp::start(|_, _, _| Some(Reply::Say("554 sEcReT\r\n".into()))).await;
    for (port, opening) in [
        (plain.port, Opening::None),
        (plain.port, start_tls()),
        (refuses.port, start_tls()),
        (plain.port, Opening::Postgres),
    ] {
        let error = look("localhost", port, opening.clone()).await.expect_err("no TLS");
        assert!(!error.to_string().contains("sEcReT"), "{opening:?}: {error}");
    }
}
