//! One look at one certificate: connect, ask for TLS where that has to be asked for, shake hands, leave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{error::Elapsed, timeout};
use tokio_rustls::TlsConnector;

use super::peers::{Opening, Place};

/// For all of a look.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a relay may say before TLS.
const LONGEST_REPLY: u64 = 16 * 1024;

/// PostgreSQL's SSLRequest: its length, and a number that stands for no protocol version.
const POSTGRES_TLS: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// No certificate was seen. Holds nothing that the other side said.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No connection, no TLS on it, or it ended.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Too slow.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Timeout(#[from] Elapsed),
    /// The other side speaks, but not TLS.
    #[error("offers no TLS")]
    NoTls,
    /// No name or address that TLS could be asked for.
    #[error("its host is no name for TLS")]
    Name,
    /// There is none, or it is none.
    #[error("its certificate cannot be read")]
    Unreadable,
}

/// When the certificate ends that is shown at a place. It is not verified: that is the business of those who send.
///
/// # Errors
/// [`LookError`]: none was seen.
pub async fn not_after(place: &Place) -> Result<Timestamp, LookError> {
    timeout(PATIENCE, look(place)).await?
}

async fn look(place: &Place) -> Result<Timestamp, LookError> {
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await?;
    let stream = match &place.opening {
        Opening::None => stream,
        Opening::StartTls { client_name } => start_tls(stream, client_name).await?,
        Opening::Postgres => ask_postgres(stream).await?,
    };
    let name = ServerName::try_from(place.host.clone()).map_err(|_| LookError::Name)?;
    let mut stream = TlsConnector::from(Arc::new(config()?)).connect(name, stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let end = shown.and_then(end).ok_or(LookError::Unreadable);
    // A goodbye, and no more; whether it is heard changes nothing.
    let _ = stream.shutdown().await;
    end
}

fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

async fn start_tls(stream: TcpStream, client_name: &str) -> Result<TcpStream, LookError> {
    let mut stream = BufReader::new(stream);
    expect(&mut stream, "220").await?;
    stream.write_all(format!("EHLO {client_name}\r\n").as_bytes()).await?;
    expect(&mut stream, "250").await?;
    stream.write_all(b"STARTTLS\r\n").await?;
    expect(&mut stream, "220").await?;
    Ok(stream.into_inner())
}

/// Reads a reply to its last line, which has a space after its code.
async fn expect(stream: &mut BufReader<TcpStream>, code: &str) -> Result<(), LookError> {
    let mut reply = stream.take(LONGEST_REPLY);
    let mut line = Vec::new();
    while line.get(3) != Some(&b' ') {
        line.clear();
        if reply.read_until(b'\n', &mut line).await? == 0 {
            return Err(LookError::NoTls);
        }
    }
    if line.starts_with(code.as_bytes()) { Ok(()) } else { Err(LookError::NoTls) }
}

async fn ask_postgres(mut stream: TcpStream) -> Result<TcpStream, LookError> {
    stream.write_all(&POSTGRES_TLS).await?;
    if stream.read_u8().await? == b'S' { Ok(stream) } else { Err(LookError::NoTls) }
}

fn config() -> Result<ClientConfig, LookError> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Anybody(Arc::clone(&provider)));
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(io::Error::other)?;
    Ok(versions.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Takes whatever certificate is shown: a look has to see one that has ended too, and sends nothing to whoever shows it.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
