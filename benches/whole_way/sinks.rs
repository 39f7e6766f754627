//! An SMS gateway and an SMTP server that answer at once and keep nothing: on two cores their own work counts too.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::Span;

#[derive(Default)]
struct Seen {
    count: usize,
    span: Span,
}

/// Both sinks.
pub struct Sinks {
    pub http_port: u16,
    pub smtp_port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Sinks {
    /// Starts both on free ports.
    pub fn start() -> Self {
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (ports, received) = std::sync::mpsc::channel();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let http = TcpListener::bind("127.0.0.1:0").await.expect("listens");
                let smtp = TcpListener::bind("127.0.0.1:0").await.expect("listens");
                let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
                ports.send((port(&http), port(&smtp))).expect("somebody waits");
                loop {
                    tokio::select! {
                        Ok((stream, _)) = http.accept() => drop(tokio::spawn(sms(stream, Arc::clone(&shared)))),
                        Ok((stream, _)) = smtp.accept() => drop(tokio::spawn(mail(stream, Arc::clone(&shared)))),
                    }
                }
            });
        });
        let (http_port, smtp_port) = received.recv().expect("the sinks started");
        Self { http_port, smtp_port, seen }
    }

    pub fn count(&self) -> usize {
        self.locked().count
    }

    /// From the first message to the last.
    pub fn span(&self) -> Duration {
        self.locked().span.length()
    }

    pub fn reset(&self) {
        *self.locked() = Seen::default();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(seen: &Mutex<Seen>) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.count += 1;
    seen.span.mark(Instant::now());
}

/// One keep-alive HTTP connection. A connection that breaks ends; the worker opens another.
async fn sms(stream: TcpStream, seen: Arc<Mutex<Seen>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        mark(&seen);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"message_id\":\"1\"}").await?;
    }
}

/// One SMTP connection.
async fn mail(stream: TcpStream, seen: Arc<Mutex<Seen>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.get(..4) {
            Some(b"EHLO") => b"250-sink\r\n250 8BITMIME\r\n",
            Some(b"DATA") => {
                stream.write_all(b"354 go\r\n").await?;
                loop {
                    line.clear();
                    if stream.read_until(b'\n', &mut line).await? == 0 {
                        return Ok(());
                    }
                    if line == b".\r\n" {
                        break;
                    }
                }
                mark(&seen);
                b"250 kept\r\n"
            }
            Some(b"QUIT") => return stream.write_all(b"221 bye\r\n").await,
            _ => b"250 ok\r\n",
        };
        stream.write_all(reply).await?;
    }
}
