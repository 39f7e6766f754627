//! The sandbox's SMS gateway: takes `POST /sms` as gateway kind `http` sends it.
//!
//! On hyper itself, because an answer has to be able to break off anywhere.

use std::borrow::Cow;
use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::faults::{LONGEST_HANG, SmsFault};
use super::{Sandbox, listen};
use crate::template::{Segments, segments};

/// No request needs more.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// An SMS as the gateway was given it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sms {
    /// The gateway's id of it.
    pub id: String,
    /// When.
    pub received_at: Timestamp,
    /// The last part of the URL's path, else `sandbox`.
    pub gateway: String,
    /// The number as it was written.
    pub to: String,
    /// The text.
    pub text: String,
    /// The sender's idempotency key.
    pub reference: String,
    /// What it would be billed as.
    #[serde(flatten)]
    pub size: Segments,
}

#[derive(Deserialize)]
struct Submission {
    to: String,
    text: String,
    #[serde(default)]
    reference: String,
}

type Answer = Response<Full<Bytes>>;

/// The connection ends here, after these bytes of an answer.
#[derive(Debug, thiserror::Error)]
#[error("broken off on purpose")]
struct BrokenOff(Vec<u8>);

pub(super) async fn start(sandbox: Sandbox, address: SocketAddr) -> io::Result<SocketAddr> {
    listen(address, move |stream| serve(stream, sandbox.clone())).await
}

async fn serve(stream: TcpStream, sandbox: Sandbox) {
    let service = service_fn(|request| Box::pin(answer(&sandbox, request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let ended = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let mut stream = connection.into_parts().io.into_inner();
    // From here on the client may be gone.
    if let Err(error) = ended
        && let Some(BrokenOff(said)) = error.source().and_then(|source| source.downcast_ref())
    {
        let _ = stream.write_all(said).await;
    }
    let _ = stream.shutdown().await;
}

async fn answer(sandbox: &Sandbox, request: Request<Incoming>) -> Result<Answer, BrokenOff> {
    let Some(gateway) = gateway(request.uri().path()).map(Cow::into_owned) else {
        return Ok(plain(StatusCode::NOT_FOUND, "POST /sms\n"));
    };
    if request.method() != Method::POST {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "POST only\n");
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(answer);
    }
    let body = match Limited::new(request.into_body(), MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "1 MiB at most\n"));
        }
        Err(_gone) => return Err(BrokenOff(Vec::new())),
    };
    match serde_json::from_slice(&body) {
        Ok(submission) => submit(sandbox, gateway, submission).await,
        Err(_) => Ok(plain(StatusCode::BAD_REQUEST, "JSON with to, text and reference, please\n")),
    }
}

/// The gateway that a path names; `None` for one that leads nowhere.
fn gateway(path: &str) -> Option<Cow<'_, str>> {
    if path == "/sms" {
        return Some("sandbox".into());
    }
    let name = path.strip_prefix("/sms/")?;
    (!name.is_empty() && !name.contains('/')).then(|| percent_decode_str(name).decode_utf8_lossy())
}

async fn submit(sandbox: &Sandbox, gateway: String, sms: Submission) -> Result<Answer, BrokenOff> {
    let fault = sandbox.faults.of_sms(&sms.reference, &sms.to);
    match fault {
        Some(SmsFault::Refuse { status, retry_after }) => return Ok(refused(status, retry_after)),
        Some(SmsFault::Hang) => {
            // The client's leaving ends this sooner: hyper drops what it no longer needs.
            sleep(LONGEST_HANG).await;
            return Err(BrokenOff(Vec::new()));
        }
        _ => {}
    }
    let sms = Sms {
        id: String::new(),
        received_at: sandbox.clock.now(),
        gateway,
        to: sms.to,
        size: segments(&sms.text),
        text: sms.text,
        reference: sms.reference,
    };
    let Ok(sms) = sandbox.take_sms(sms, fault.is_none()).await else {
        return Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "the journal cannot be written\n"));
    };
    accepted(&sms, fault).await
}

/// The answer of an SMS that was taken, as far as the fault lets it come.
async fn accepted(sms: &Sms, fault: Option<SmsFault>) -> Result<Answer, BrokenOff> {
    let body = json!({"message_id": sms.id, "segments": sms.size.segments}).to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    match fault {
        Some(SmsFault::Cut) => return Err(BrokenOff(Vec::new())),
        Some(SmsFault::HalfHead) => return Err(BrokenOff(b"HTTP/1.1 2".to_vec())),
        Some(SmsFault::HalfBody) => return Err(BrokenOff((head + &body[..body.len() / 2]).into_bytes())),
        Some(SmsFault::Late(delay)) => sleep(delay).await,
        _ => {}
    }
    let mut answer = plain(StatusCode::OK, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

fn refused(status: StatusCode, retry_after: Option<Duration>) -> Answer {
    let mut answer = plain(status, "");
    if let Some(wait) = retry_after {
        answer.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    }
    answer
}

fn plain(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_path_names_its_gateway() {
        for (path, name) in [
            ("/sms", Some("sandbox")),
            ("/sms/primary", Some("primary")),
            ("/sms/%E4%B8%BB", Some("主")),
            ("/sms/", None),
            ("/sms/a/b", None),
            ("/smsx", None),
            ("/", None),
        ] {
            assert_eq!(gateway(path).as_deref(), name, "{path}");
        }
    }

    #[tokio::test]
    async fn a_request_that_hangs_ends_when_its_client_leaves() {
        let sandbox = Sandbox::new(Clock::system());
        sandbox.misbehave_sms(|_| Some(SmsFault::Hang));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("a client");
        let mut serving = tokio::spawn(serve(stream, sandbox));

        let body = r#"{"to": "09012345678", "text": "x"}"#;
        let request =
            format!("POST /sms HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        client.write_all(request.as_bytes()).await.expect("written");
        assert!(timeout(Duration::from_millis(100), &mut serving).await.is_err(), "it hangs");
        drop(client);
        timeout(Duration::from_secs(10), serving).await.expect("in time").expect("no panic");
    }
}
