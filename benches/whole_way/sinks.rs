//! An SMS gateway and an SMTP server that keep nothing but when each event's message was accepted: on two cores their own work
//! counts too.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// Both sinks.
pub struct Sinks {
    pub http_port: u16,
    pub smtp_port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Microseconds that an answer takes.
    delay: AtomicU64,
    /// The SMS gateway takes nothing.
    refuses: AtomicBool,
    accepted: Mutex<Vec<(usize, Instant)>>,
}

impl Sinks {
    /// Starts both on free ports.
    pub fn start() -> Self {
        let seen: Arc<Seen> = Arc::default();
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

    /// Forgets what was accepted; from now on an answer takes this long.
    pub fn reset(&self, delay: Duration) {
        self.seen.delay.store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.locked().clear();
    }

    /// From now on the SMS gateway answers 503.
    pub fn refuse(&self) {
        self.seen.refuses.store(true, Ordering::Relaxed);
    }

    pub fn count(&self) -> usize {
        self.locked().len()
    }

    /// Numbers of events, and when each was accepted, in that order.
    pub fn accepted(&self) -> Vec<(usize, Instant)> {
        self.locked().clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<(usize, Instant)>> {
        self.seen.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// The answer is due: the event counts as accepted.
    async fn accept(&self, number: usize) {
        let delay = Duration::from_micros(self.delay.load(Ordering::Relaxed));
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner).push((number, Instant::now()));
    }
}

/// The number of an event is in its address: the last digits before the first byte that is none, read from the right.
fn number(address: &[u8], digits: usize) -> usize {
    let digits = address.iter().filter(|byte| byte.is_ascii_digit()).rev().take(digits);
    digits.zip(0..).map(|(byte, place)| usize::from(byte - b'0') * 10_usize.pow(place)).sum()
}

/// The value of `"to"`.
fn addressee(body: &[u8]) -> &[u8] {
    let begin = body.windows(6).position(|window| window == b"\"to\":\"").expect("an addressee") + 6;
    let length = body[begin..].iter().position(|byte| *byte == b'"').expect("a closed string");
    &body[begin..begin + length]
}

/// One keep-alive HTTP connection. A connection that breaks ends; the worker opens another.
async fn sms(stream: TcpStream, seen: Arc<Seen>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if stream.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            if line == b"\r\n" {
                break;
            }
            line.make_ascii_lowercase();
            if let Some(value) = line.strip_prefix(b"content-length:") {
                length = number(value, 9);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        if seen.refuses.load(Ordering::Relaxed) {
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        }
        seen.accept(number(addressee(&body), 7)).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{\"message_id\":\"1\"}").await?;
    }
}

/// One SMTP connection.
async fn mail(stream: TcpStream, seen: Arc<Seen>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 sink\r\n").await?;
    let (mut line, mut recipient) = (Vec::new(), 0);
    loop {
        line.clear();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let reply: &[u8] = match line.get(..4) {
            Some(b"EHLO") => b"250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
            Some(b"RCPT") => {
                recipient = number(&line, 7);
                b"250 ok\r\n"
            }
            Some(b"DATA") => {
                stream.write_all(b"354 go\r\n").await?;
                while line != b".\r\n" {
                    line.clear();
                    if stream.read_until(b'\n', &mut line).await? == 0 {
                        return Ok(());
                    }
                }
                seen.accept(recipient).await;
                b"250 kept\r\n"
            }
            Some(b"QUIT") => return stream.write_all(b"221 bye\r\n").await,
            _ => b"250 ok\r\n",
        };
        stream.write_all(reply).await?;
    }
}
