//! The sandbox's SMTP server: as much of RFC 5321 as a client needs to hand over a mail.

use std::io;
use std::net::SocketAddr;

use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders};
use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy, sink};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::{sleep, timeout};

use super::faults::{Asked, LONGEST_HANG, MailFault, Stage};
use super::{Sandbox, listen};

/// A longer mail is refused.
const MAX_MAIL_BYTES: usize = 10 * 1024 * 1024;

/// What it offers. The replies to commands that come at once go out one by one, as those of most relays do.
const OFFER: &str =
    "250-sandbox\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 10485760";

/// A longer command line ends the session.
const MAX_LINE_BYTES: u64 = 4096;

/// A mail as the server was given it, taken apart for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// Number in the order of arrival.
    pub id: String,
    /// When.
    pub received_at: Timestamp,
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

impl Mail {
    /// `Message-ID` without its brackets; empty when it has none.
    pub fn message_id(&self) -> &str {
        let header = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("message-id"));
        header.map_or("", |(_, value)| value.trim_start_matches('<').trim_end_matches('>'))
    }
}

pub(super) async fn start(sandbox: Sandbox, address: SocketAddr) -> io::Result<SocketAddr> {
    listen(address, move |stream| {
        let session = Session::new(stream, sandbox.clone());
        // However it ends, it is the client's to notice.
        async move { drop(session.run().await) }
    })
    .await
}

struct Session {
    input: BufReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    sandbox: Sandbox,
    from: Option<String>,
    to: Vec<Recipient>,
}

struct Recipient {
    address: String,
    /// How often it was asked for before.
    before: u64,
}

impl Session {
    fn new(stream: TcpStream, sandbox: Sandbox) -> Self {
        let (input, output) = stream.into_split();
        Self { input: BufReader::new(input), output, sandbox, from: None, to: Vec::new() }
    }

    async fn run(mut self) -> io::Result<()> {
        self.reply("220 sandbox ESMTP").await?;
        while let Some(line) = self.line().await? {
            let command = line.to_ascii_uppercase();
            match command.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => self.reply(OFFER).await?,
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
        let Some(from) = path(line) else { return self.reply("501 5.5.4 MAIL FROM:<address>").await };
        let before = self.sandbox.faults.ask(format!("mail from {from}"));
        if let Some(fault) = self.fault(Stage::Mail, &Asked { reference: "", to: "", before }) {
            return self.refuse(fault).await;
        }
        self.from = Some(from);
        self.reply("250 2.1.0 Ok").await
    }

    async fn rcpt(&mut self, line: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.reply("503 5.5.1 MAIL first").await;
        }
        let Some(address) = path(line).filter(|path| !path.is_empty()) else {
            return self.reply("501 5.5.4 RCPT TO:<address>").await;
        };
        let before = self.sandbox.faults.ask(format!("mail to {address}"));
        if let Some(fault) = self.fault(Stage::Rcpt, &Asked { reference: "", to: &address, before }) {
            return self.refuse(fault).await;
        }
        self.to.push(Recipient { address, before });
        self.reply("250 2.1.5 Ok").await
    }

    async fn data(&mut self) -> io::Result<()> {
        let Some(first) = self.to.first() else { return self.reply("503 5.5.1 RCPT first").await };
        let asked = Asked { reference: "", to: &first.address, before: first.before };
        if let Some(fault) = self.fault(Stage::Data, &asked) {
            return self.refuse(fault).await;
        }
        self.reply("354 End data with <CR><LF>.<CR><LF>").await?;
        let Some(message) = self.message().await? else {
            self.reset();
            return self.reply("552 5.3.4 Message too big").await;
        };
        let taken = self.end_of_data(read(&message, self.sandbox.clock.now())).await;
        self.reset();
        taken
    }

    async fn end_of_data(&mut self, mail: Mail) -> io::Result<()> {
        let Some(first) = self.to.first() else { return Ok(()) };
        let asked = Asked { reference: mail.message_id(), to: &first.address, before: first.before };
        let fault = self.fault(Stage::EndOfData, &asked);
        if let Some(refused) = fault.filter(|fault| fault.refusal().is_some()) {
            return self.refuse(refused).await;
        }
        for to in std::mem::take(&mut self.to) {
            let mail = Mail { to: to.address, ..mail.clone() };
            if self.sandbox.take_mail(mail, fault.is_none()).await.is_err() {
                return self.reply("451 4.3.0 The journal cannot be written").await;
            }
        }
        match fault {
            Some(MailFault::Cut) => return Err(hung_up()),
            Some(MailFault::Hang) => return self.hang().await,
            Some(MailFault::Late(delay)) => sleep(delay).await,
            _ => {}
        }
        self.reply("250 2.0.0 Ok: kept").await
    }

    fn fault(&self, stage: Stage, asked: &Asked<'_>) -> Option<MailFault> {
        self.sandbox.faults.of_mail(stage, asked)
    }

    /// The end of what goes wrong before anything was kept.
    async fn refuse(&mut self, fault: MailFault) -> io::Result<()> {
        if let Some(reply) = fault.refusal() {
            self.reply(reply).await?;
        }
        match fault {
            MailFault::Unavailable | MailFault::CutAtData => Err(hung_up()),
            _ => Ok(()),
        }
    }

    /// Says nothing until the client leaves.
    async fn hang(&mut self) -> io::Result<()> {
        // It ends the same way whether the client left or was left.
        let _ = timeout(LONGEST_HANG, copy(&mut self.input, &mut sink())).await;
        Err(hung_up())
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

/// The session's end by this side.
fn hung_up() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

/// What stands between the angle brackets.
fn path(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.rsplit_once('>')?;
    Some(path.to_owned())
}

/// Takes a mail apart; its id and recipient come later.
fn read(message: &[u8], received_at: Timestamp) -> Mail {
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
        id: String::new(),
        received_at,
        from: from.unwrap_or_default(),
        to: String::new(),
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
