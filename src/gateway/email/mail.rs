//! A notification as a mail: MIME and headers, no network.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use lettre::address::Envelope;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use lettre::message::{Body, MultiPart, SinglePart};
use lettre::{Address, Message as Mail, message};

use super::super::{Class, Failure, Letter, Reason};
use super::dkim::Signer;
use super::{EmailConfig, ReturnPath};
use crate::config::text_value;
use crate::event::EmailAddress;
use crate::{plan, template};

/// `お知らせ <no-reply@example.jp>`: a display name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    name: Option<String>,
    address: EmailAddress,
}

/// A text that is no [`Mailbox`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no sender; write it as \"お知らせ <no-reply@example.jp>\"")]
pub struct MailboxError;

impl FromStr for Mailbox {
    type Err = MailboxError;

    fn from_str(text: &str) -> Result<Self, MailboxError> {
        let (name, address) = match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"'), address),
            None => ("", text),
        };
        if name.chars().any(char::is_control) {
            return Err(MailboxError);
        }
        let address = EmailAddress::parse(address).map_err(|_| MailboxError)?;
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), address })
    }
}

text_value!(Mailbox, "mailbox");

impl Mailbox {
    fn to_lettre(&self) -> message::Mailbox {
        message::Mailbox::new(self.name.clone(), address(&self.address))
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address.as_str()),
            None => f.write_str(self.address.as_str()),
        }
    }
}

/// What all mails have in common.
pub(super) struct Sender {
    from: Mailbox,
    return_path: Option<ReturnPath>,
    signer: Option<Signer>,
}

impl Sender {
    /// # Errors
    /// In words, when the key for signatures cannot be used.
    pub fn new(config: &EmailConfig) -> Result<Self, String> {
        let signer = config.dkim.as_ref().map(Signer::new).transpose();
        let signer = signer.map_err(|(key, problem)| format!("email.dkim.{key}: {problem}"))?;
        Ok(Self { from: config.from.clone(), return_path: config.return_path.clone(), signer })
    }

    /// Bounces come back to an address that names their notification.
    pub fn has_return_path(&self) -> bool {
        self.return_path.is_some()
    }
}

/// A mail ready for a relay.
pub(super) struct Built {
    /// `MAIL FROM`.
    pub from: Address,
    /// `RCPT TO`.
    pub to: Address,
    /// What is sent after `DATA`, with its final dot.
    pub text: String,
    /// `Message-ID` without brackets.
    pub message_id: String,
}

/// Puts a mail together.
///
/// `Message-ID` comes from the notification's reference, so it is the same over all attempts; `Auto-Submitted` keeps
/// auto-responders quiet (RFC 3834); one recipient a mail, because one refused `RCPT` would take the others with it.
///
/// # Errors
/// [`Class::Permanent`] when there is no mail that says this.
pub(super) fn build(letter: &Letter<'_>, sender: &Sender) -> Result<Built, Failure> {
    let (plan::Address::Email(to), template::Message::Email { language, subject, text, html }) =
        (letter.address, letter.message)
    else {
        return Err(Failure::new(Class::Permanent, Reason::Build, "not a mail"));
    };
    let recipient = address(to);
    let bounces_to = match &sender.return_path {
        Some(path) => path.of(letter.reference),
        None => address(&sender.from.address),
    };
    let message_id = format!("{}@{}", letter.reference, sender.from.address.domain());
    let failed = |_| unbuilt();
    // The envelope is given: lettre cannot read a quoted local part back from the header it wrote itself.
    let envelope = Envelope::new(Some(bounces_to.clone()), vec![recipient.clone()]).map_err(failed)?;
    let builder = Mail::builder()
        .envelope(envelope)
        .from(sender.from.to_lettre())
        .to(message::Mailbox::new(None, recipient.clone()))
        .subject(subject.as_str())
        .date(SystemTime::from(letter.now))
        .message_id(Some(format!("<{message_id}>")))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("Content-Language", language));
    let plain = || part(ContentType::TEXT_PLAIN, text);
    let mail = match html {
        Some(html) => {
            let html = part(ContentType::TEXT_HTML, html);
            builder.multipart(MultiPart::alternative().singlepart(plain()).singlepart(html))
        }
        None => builder.singlepart(plain()),
    };
    let bytes = mail.map_err(failed)?.formatted();
    let bytes = match &sender.signer {
        Some(signer) => signer
            .sign(&bytes, letter.now)
            .map_err(|_| Failure::new(Class::Permanent, Reason::Build, "the mail could not be signed"))?,
        None => bytes,
    };
    let text = transparent(&String::from_utf8(bytes).map_err(|_| unbuilt())?);
    Ok(Built { from: bounces_to, to: recipient, text, message_id })
}

fn unbuilt() -> Failure {
    Failure::new(Class::Permanent, Reason::Build, "the mail could not be put together")
}

/// A mail as it is told from the dot that ends it: a dot at the beginning of a line is doubled (RFC 5321, 4.5.2).
fn transparent(mail: &str) -> String {
    let mut text = String::with_capacity(mail.len() + 64);
    for line in mail.split_inclusive('\n') {
        if line.starts_with('.') {
            text.push('.');
        }
        text.push_str(line);
    }
    if !text.ends_with("\r\n") {
        text.push_str("\r\n");
    }
    text.push_str(".\r\n");
    text
}

/// Always in base64: of Japanese text quoted-printable makes three times as much, and choosing between the two and writing
/// it costs more than all the rest of a mail.
fn part(kind: ContentType, text: &str) -> SinglePart {
    // As bytes: of a text lettre looks at each line end once more.
    let body = Body::new_with_encoding(crlf(text).into_bytes(), ContentTransferEncoding::Base64);
    let body = body.unwrap_or_else(Body::new);
    SinglePart::builder().header(kind).body(body)
}

/// Line ends as mail has them (RFC 2046, 4.1.1).
fn crlf(text: &str) -> String {
    let mut lines = String::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                lines.push_str(line.strip_suffix('\r').unwrap_or(line));
                lines.push_str("\r\n");
            }
            None => lines.push_str(line),
        }
    }
    lines
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// As lettre holds an address. Ours is already checked, more widely than lettre does.
fn address(address: &EmailAddress) -> Address {
    Address::new_dangerous(address.local_for_smtp(), address.domain())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mail_parser::MessageParser;

    use super::*;
    use crate::config::Config;

    fn built(to: &str, subject: &str, html: Option<&str>) -> Built {
        built_by(&Config::built_in().email, to, subject, html)
    }

    fn built_by(config: &EmailConfig, to: &str, subject: &str, html: Option<&str>) -> Built {
        let address = plan::Address::Email(EmailAddress::parse(to).expect("an address"));
        let message = template::Message::Email {
            language: "en".to_owned(),
            subject: subject.to_owned(),
            text: "本文です。\n二行目".to_owned(),
            html: html.map(str::to_owned),
        };
        let now = "2026-11-22T06:04:05Z".parse().expect("a time");
        let letter = Letter {
            reference: "abc123",
            address: &address,
            message: &message,
            now,
            valid_for: Duration::from_secs(60),
        };
        let sender = Sender::new(config).expect("in order");
        build(&letter, &sender).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_mail_reads_back_with_its_japanese_subject_sender_and_both_parts() {
        let built = built("taro@example.jp", "【サンプル銀行】ログインのお知らせ", Some("<p>本文</p>"));
        let mail = MessageParser::default().parse(built.text.as_bytes()).expect("a mail");
        assert_eq!(mail.subject(), Some("【サンプル銀行】ログインのお知らせ"));
        let from = mail.from().and_then(|from| from.first()).expect("a sender");
        assert_eq!((from.name(), from.address()), (Some("お知らせ"), Some("no-reply@example.jp")));
        assert_eq!(mail.message_id(), Some("abc123@example.jp"));
        assert_eq!(mail.body_text(0).expect("text").trim_end(), "本文です。\r\n二行目");
        assert_eq!(mail.body_html(0).expect("html").trim_end(), "<p>本文</p>");
        assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
        assert_eq!(mail.header_raw("Content-Language").map(str::trim), Some("en"));
        assert!(built.text.is_ascii(), "no 8BITMIME needed");
    }

    #[test]
    fn addresses_that_break_the_rfc_are_put_into_a_mail_and_its_envelope() {
        let built = built("a..b@docomo.ne.jp", "x", None);
        assert_eq!(built.to.to_string(), "\"a..b\"@docomo.ne.jp");
        assert!(built.text.contains("To: \"a..b\"@docomo.ne.jp\r\n"), "{}", built.text);
    }

    #[test]
    fn bounces_come_back_to_an_address_that_names_the_notification_and_the_sender_stays_as_it_is() {
        let plain = built("taro@example.jp", "x", None);
        assert_eq!(plain.from.to_string(), "no-reply@example.jp");
        let mut config = Config::built_in().email;
        config.return_path = Some("bounce@mail.example.jp".parse().expect("an address"));
        let built = built_by(&config, "taro@example.jp", "x", None);
        assert_eq!(built.from.to_string(), "bounce+abc123@mail.example.jp");
        assert_eq!(built.text, plain.text, "the header says nothing of it");
    }

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_a_mail() {
        for (mail, sent) in [
            ("a: b\r\n\r\n.\r\n..c\r\nd.\r\n", "a: b\r\n\r\n..\r\n...c\r\nd.\r\n.\r\n"),
            ("a: b\r\n\r\nc", "a: b\r\n\r\nc\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(transparent(mail), sent);
        }
    }

    #[test]
    fn a_sender_is_a_name_and_an_address() {
        for text in
            ["お知らせ <no-reply@example.jp>", "no-reply@example.jp", "\"銀行\" <no-reply@example.jp>"]
        {
            assert!(text.parse::<Mailbox>().is_ok(), "{text}");
        }
        for text in ["", "お知らせ", "お知らせ <>", "お\nBcc: x@example.jp <a@example.jp>"] {
            assert!(text.parse::<Mailbox>().is_err(), "{text}");
        }
    }
}
