//! The sandbox's SMTP server: as much of RFC 5321 as a client needs to hand over a mail.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mail_parser::{MessageParser, MimeHeaders};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::Sandbox;

/// A longer mail is refused.
const MAX_MAIL_BYTES: usize = 10 * 1024 * 1024;

/// A longer command line ends the session.
const MAX_LINE_BYTES: u64 = 4096;

/// A mail as the server was given it, taken apart for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Number in the order of arrival.
    pub id: String,
    /// When.
    pub received_at: String,
    /// `From`, decoded.
    pub from: String,
    /// `RCPT TO`.
    pub to: String,
    /// `Subject`, decoded.
    pub subject: String,
    /// The plain part.
    pub text: String,
    /// The HTML part.
    pub html: Option<String>,
    /// Names and values as they came.
    pub headers: Vec<(String, String)>,
    /// Bytes.
    pub size: usize,
}

pub(super) async fn start(sandbox: Sandbox, listen: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors: a later accept may do.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let session = Session::new(stream, sandbox.clone());
            tokio::spawn(async move { session.run().await });
        }
    });
    Ok(address)
}

struct Session {
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    sandbox: Sandbox,
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    fn new(stream: TcpStream, sandbox: Sandbox) -> Self {
        // Small replies must not wait for company; a stream without the option works all the same.
        let _ = stream.set_nodelay(true);
        let (input, output) = stream.into_split();
        Self { input: BufReader::new(input), output, sandbox, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        self.reply("220 sandbox ESMTP").await?;
        while let Some(line) = self.line().await? {
            let command = line.to_ascii_uppercase();
            match command.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => {
                    self.reply("250-sandbox\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10485760")
                        .await?
                }
                "HELO" | "NOOP" => self.reply("250 2.0.0 Ok").await?,
                "MAIL" => self.mail(&line).await?,
                "RCPT" => self.rcpt(&line).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    self.reset();
                    self.reply("250 2.0.0 Ok").await?;
                }
                "QUIT" => return self.reply("221 2.0.0 Bye").await,
                _ => self.reply("502 5.5.2 Command not known").await?,
            }
        }
        Ok(())
    }

    async fn mail(&mut self, line: &str) -> io::Result<()> {
        self.reset();
        self.from = path(line);
        let reply = if self.from.is_some() { "250 2.1.0 Ok" } else { "501 5.5.4 MAIL FROM:<address>" };
        self.reply(reply).await
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.reply("503 5.5.1 MAIL first").await;
        }
        match path(line).filter(|path| !path.is_empty()) {
            Some(to) => {
                self.to.push(to);
                self.reply("250 2.1.5 Ok").await
            }
            None => self.reply("501 5.5.4 RCPT TO:<address>").await,
        }
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            return self.reply("503 5.5.1 RCPT first").await;
        }
        self.reply("354 End data with <CR><LF>.<CR><LF>").await?;
        let Some(message) = self.message().await? else {
            self.reset();
            return self.reply("552 5.3.4 Message too big").await;
        };
        for to in std::mem::take(&mut self.to) {
            let received_at = self.sandbox.clock.now().to_string();
            self.sandbox.keep_mail(|number| read(number, received_at, to, &message));
        }
        self.reset();
        self.reply("250 2.0.0 Ok: kept").await
    }

    /// The lines up to the lone dot, unstuffed; `None` when they are too many.
    async fn message(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut message = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.input.read_until(b'\n', &mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == b".\r\n" {
                return Ok((message.len() <= MAX_MAIL_BYTES).then_some(message));
            }
            if message.len() <= MAX_MAIL_BYTES {
                message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let read = (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await?;
        let whole = read > 0 && line.ends_with(b"\n");
        Ok(whole.then(|| String::from_utf8_lossy(&line).trim_end().to_owned()))
    }

    async fn reply(&mut self, reply: &str) -> io::Result<()> {
        self.output.write_all(format!("{reply}\r\n").as_bytes()).await
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// What stands between the angle brackets.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.rsplit_once('>')?;
    Some(path.to_owned())
}

fn read(number: u64, received_at: String, to: String, message: &[u8]) -> Mail {
    let parsed = MessageParser::default().parse(message);
    let from = parsed.as_ref().and_then(|mail| mail.from()).and_then(|from| from.first()).map(|from| {
        let address = from.address().unwrap_or_default();
        from.name().map_or_else(|| address.to_owned(), |name| format!("{name} <{address}>"))
    });
    let text = |text: Option<std::borrow::Cow<'_, str>>| {
        text.map(|text| text.replace("\r\n", "\n").trim_end().to_owned())
    };
    // Only a part that is HTML itself: the parser would turn plain text into some.
    let has_html = parsed
        .as_ref()
        .is_some_and(|mail| mail.parts.iter().any(|part| part.is_content_type("text", "html")));
    Mail {
        id: format!("mail-{number}"),
        received_at,
        from: from.unwrap_or_default(),
        to,
        subject: parsed.as_ref().and_then(|mail| mail.subject()).unwrap_or_default().to_owned(),
        text: parsed.as_ref().and_then(|mail| text(mail.body_text(0))).unwrap_or_default(),
        html: parsed.as_ref().filter(|_| has_html).and_then(|mail| text(mail.body_html(0))),
        headers: parsed
            .as_ref()
            .map(|mail| {
                mail.headers_raw().map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
            })
            .unwrap_or_default(),
        size: message.len(),
    }
}
