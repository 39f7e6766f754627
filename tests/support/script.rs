//! Servers that do as a test's script says, faults included.

#![allow(dead_code, reason = "several test binaries share it and each uses a part of it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a server does next.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Writes this and goes on.
    Say(String),
    /// Writes this and closes.
    SayAndClose(String),
    /// Writes the first, a moment later the second, and closes.
    SayThenClose(String, String),
    /// Writes this a while later and goes on.
    SayLate(Duration, String),
    /// Neither answers nor closes.
    Silence,
}

/// Closes without a word.
pub fn cut() -> Reply {
    Reply::SayAndClose(String::new())
}

/// An HTTP answer.
pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    Reply::Say(format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()))
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    /// Lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

/// An HTTP server whose script gets each request and its number, from 0.
pub struct Http {
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
    at_once: Arc<Mutex<Vec<usize>>>,
}

impl Http {
    pub async fn start(script: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (requests, connections, script) =
            (Arc::default(), Arc::<AtomicUsize>::default(), Arc::new(script));
        let kept: Arc<Mutex<Vec<Request>>> = Arc::clone(&requests);
        let counted = Arc::clone(&connections);
        let at_once = Arc::<Mutex<Vec<usize>>>::default();
        let (seen, open) = (Arc::clone(&at_once), Arc::<AtomicUsize>::default());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (kept, script) = (Arc::clone(&kept), Arc::clone(&script));
                let (seen, open) = (Arc::clone(&seen), Arc::clone(&open));
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(request) = read_request(&mut stream).await {
                        let number = {
                            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                            kept.push(request.clone());
                            seen.lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(open.fetch_add(1, Ordering::SeqCst) + 1);
                            kept.len() - 1
                        };
                        let mut said = script(&request, number);
                        if let Reply::SayLate(delay, text) = said {
                            tokio::time::sleep(delay).await;
                            said = Reply::Say(text);
                        }
                        // Before the answer: with it in hand the client may ask again at once.
                        open.fetch_sub(1, Ordering::SeqCst);
                        if !reply(stream.get_mut(), said).await {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, requests, connections, at_once }
    }

    /// For each request, how many were without an answer when it came, itself included. Those to which there is none
    /// ([`Reply::Silence`]) do not count.
    pub fn at_once(&self) -> Vec<usize> {
        self.at_once.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Always the same.
    pub async fn always(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sms", self.port)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let body = String::from_utf8(body).expect("UTF-8");
    Some(Request { line: line.trim_end().to_owned(), headers, body })
}

/// Whether the connection goes on.
async fn reply(stream: &mut TcpStream, reply: Reply) -> bool {
    let (text, more) = match reply {
        Reply::Say(text) => return stream.write_all(text.as_bytes()).await.is_ok(),
        Reply::SayAndClose(text) => (text, None),
        Reply::SayThenClose(text, more) => (text, Some(more)),
        Reply::SayLate(delay, text) => {
            tokio::time::sleep(delay).await;
            return stream.write_all(text.as_bytes()).await.is_ok();
        }
        Reply::Silence => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            return false;
        }
    };
    // The client may be gone, as some scripts want it.
    let _ = stream.write_all(text.as_bytes()).await;
    if let Some(more) = more {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let _ = stream.write_all(more.as_bytes()).await;
    }
    let _ = stream.shutdown().await;
    false
}

/// Where in the dialogue an SMTP script is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Greeting,
    /// Offer what is wanted here: the friendly relay takes several commands at once, and that is all.
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the final dot.
    Dot,
}

/// An SMTP server whose script may replace any reply; `None` is what a friendly relay says.
pub struct Smtp {
    pub port: u16,
    mails: Arc<Mutex<Vec<(String, String)>>>,
    connections: Arc<AtomicUsize>,
}

impl Smtp {
    /// The script gets the stage, the command line and how often this stage was reached before.
    pub async fn start(script: impl Fn(Stage, &str, usize) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let (mails, connections) = (Arc::default(), Arc::<AtomicUsize>::default());
        let kept: Arc<Mutex<Vec<(String, String)>>> = Arc::clone(&mails);
        let counted = Arc::clone(&connections);
        let reached: Arc<[AtomicUsize; 8]> = Arc::default();
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                let (kept, reached, script) = (Arc::clone(&kept), Arc::clone(&reached), Arc::clone(&script));
                tokio::spawn(async move {
                    let ask = move |stage: Stage, line: &str| {
                        let before = reached[stage as usize].fetch_add(1, Ordering::Relaxed);
                        script(stage, line, before)
                    };
                    session(BufReader::new(stream), ask, &kept).await;
                });
            }
        });
        Self { port, mails, connections }
    }

    /// Replaces every reply of one stage.
    pub async fn at(stage: Stage, reply: Reply) -> Self {
        Self::start(move |reached, _, _| (reached == stage).then(|| reply.clone())).await
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Recipients and contents of the mails whose final dot came.
    pub fn mails(&self) -> Vec<(String, String)> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn session(
    mut stream: BufReader<TcpStream>,
    ask: impl Fn(Stage, &str) -> Option<Reply>,
    kept: &Mutex<Vec<(String, String)>>,
) -> Option<()> {
    let say = |text: &str| Reply::Say(format!("{text}\r\n"));
    let mut to = None;
    if !reply(stream.get_mut(), ask(Stage::Greeting, "").unwrap_or(say("220 script"))).await {
        return None;
    }
    loop {
        let line = read_line(&mut stream).await?;
        let (stage, friendly) = match line.split([' ', ':']).next()? {
            "EHLO" => (Stage::Ehlo, "250-script\r\n250 PIPELINING"),
            "STARTTLS" => (Stage::StartTls, "220 2.0.0 Go on"),
            "AUTH" => (Stage::Auth, "235 2.7.0 Welcome"),
            "MAIL" => (Stage::Mail, "250 2.1.0 Ok"),
            "RCPT" => (Stage::Rcpt, "250 2.1.5 Ok"),
            "DATA" if to.is_none() => (Stage::Data, "554 5.5.1 No valid recipients"),
            "DATA" => (Stage::Data, "354 Go on"),
            "QUIT" => return None,
            _ => {
                reply(stream.get_mut(), say("250 2.0.0 Ok")).await;
                continue;
            }
        };
        let said = ask(stage, &line).unwrap_or(say(friendly));
        let says = |digit: char| matches!(&said, Reply::Say(text) if text.starts_with(digit));
        match stage {
            Stage::Mail => to = None,
            Stage::Rcpt if says('2') => to = Some(line.split_once('<')?.1.trim_end_matches('>').to_owned()),
            _ => {}
        }
        let accepted = says('3');
        if !reply(stream.get_mut(), said).await {
            return None;
        }
        if stage == Stage::Data && accepted {
            let mut mail = String::new();
            loop {
                match read_line(&mut stream).await?.as_str() {
                    "." => break,
                    line => mail.push_str(&format!("{}\r\n", line.strip_prefix('.').unwrap_or(line))),
                }
            }
            kept.lock().unwrap_or_else(PoisonError::into_inner).push((to.take().unwrap_or_default(), mail));
            if !reply(stream.get_mut(), ask(Stage::Dot, "").unwrap_or(say("250 2.0.0 Kept"))).await {
                return None;
            }
        }
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}
