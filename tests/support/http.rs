//! An HTTP client of a few lines.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Long enough for any answer on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Status and body of a `GET` on loopback.
#[track_caller]
pub fn http_get(port: u16, path: &str) -> (u16, String) {
    try_http_get(port, path).unwrap_or_else(|error| panic!("GET http://127.0.0.1:{port}{path}: {error}"))
}

/// As [`http_get`], for a server that may not be there yet.
pub fn try_http_get(port: u16, path: &str) -> io::Result<(u16, String)> {
    exchange(port, &format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\r\n"))
}

/// Status and body of a `POST` on loopback.
#[track_caller]
pub fn http_post(port: u16, path: &str, content_type: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n\
         Content-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    exchange(port, &request).unwrap_or_else(|error| panic!("POST http://127.0.0.1:{port}{path}: {error}"))
}

/// Status and body of any request on loopback, with these header lines (`Host: …\r\n`).
#[track_caller]
pub fn http_request(port: u16, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let length = body.len();
    let request = format!("{method} {path} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
    exchange(port, &request).unwrap_or_else(|error| panic!("{method} http://127.0.0.1:{port}{path}: {error}"))
}

/// Everything that a server sends in answer to a request, head and body, until `enough` or the end.
#[track_caller]
pub fn http_raw(port: u16, request: &str, enough: impl Fn(&str) -> bool) -> String {
    let answer = read_until(port, request, enough).unwrap_or_else(|error| panic!("{error}: {request}"));
    String::from_utf8_lossy(&answer).into_owned()
}

fn read_until(port: u16, request: &str, enough: impl Fn(&str) -> bool) -> io::Result<Vec<u8>> {
    let (mut stream, mut answer, mut piece) = (open(port, request)?, Vec::new(), [0; 4096]);
    while !enough(&String::from_utf8_lossy(&answer)) {
        match stream.read(&mut piece)? {
            0 => break,
            length => answer.extend_from_slice(&piece[..length]),
        }
    }
    Ok(answer)
}

/// HTTP/1.0, so that the answer ends with the connection and never comes in chunks.
fn exchange(port: u16, request: &str) -> io::Result<(u16, String)> {
    let mut answer = Vec::new();
    open(port, request)?.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::other("not an HTTP answer"))
}

/// A connection on which a request was sent.
fn open(port: u16, request: &str) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
