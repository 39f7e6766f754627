//! Bounces: what a mail to the return path says of one of our mails. Pure.
//!
//! Read is the report for programs (RFC 3464) that nearly every mail system sends. A bounce in words alone counts as one
//! only where it surely is one: an automatic answer to the notification comes to the same address, and a customer on
//! holiday has her mail.

mod delivery_status;
mod loss;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

use self::delivery_status::Verdict;
use crate::gateway::receipt::{Loss, Report, Status, Which};
use crate::gateway::{reference, reference_in};

/// A mail that settles nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// An automatic answer, spam, a person's words.
    #[error("no report of a delivery")]
    NoReport,
    /// A report about somebody else's mail, or without a word about which.
    #[error("no reference of ours in it")]
    NoReference,
}

/// Headers in which mail systems keep the address that a mail came to, the surest first.
const ADDRESSED: [&str; 4] = ["Delivered-To", "X-Original-To", "Envelope-To", "To"];

/// Reads a mail that came to the return path; `recipient` is the address that it came to, where the caller knows.
///
/// # Errors
/// [`Nothing`]: most of what comes to such an address is no bounce.
pub fn read(mail: &[u8], recipient: Option<&str>) -> Result<Report, Nothing> {
    let mail = MessageParser::default().parse(mail).ok_or(Nothing::NoReport)?;
    let verdict = verdict(&mail).ok_or(Nothing::NoReport)?;
    let addressed = recipient.and_then(reference_in).or_else(|| addressed(&mail));
    let reference = addressed.or_else(|| returned(&mail)).ok_or(Nothing::NoReference)?;
    let Verdict { status, code } = verdict;
    Ok(Report { message: Which::Reference(reference), provider_id: None, status, code })
}

fn verdict(mail: &Message<'_>) -> Option<Verdict> {
    let report =
        |part: &&MessagePart<'_>| is_type(part, "message", &["delivery-status", "global-delivery-status"]);
    match mail.parts.iter().find(report) {
        Some(part) => delivery_status::read(&String::from_utf8_lossy(part.contents())),
        None => is_bounce_in_words(mail)
            .then_some(Verdict { status: Status::Undelivered(Loss::Other), code: None }),
    }
}

/// A mail system's, to say that a delivery failed, without a report for programs: some Japanese carriers, qmail, old Exim.
fn is_bounce_in_words(mail: &Message<'_>) -> bool {
    // Exim's bounces say that they are automatic answers, so this header goes first.
    if mail.header_raw("X-Failed-Recipients").is_some() {
        return true;
    }
    let says = |name: &str, word: &str| {
        mail.header_raw(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    // RFC 3834, 5: who answers for a person says so, and uses the null return path as bounces do.
    let answers = says("Auto-Submitted", "auto-replied") || says("Precedence", "auto_reply");
    // Read receipts and complaints are reports of other kinds (RFC 6522).
    let other_report = mail.parts.first().is_some_and(|part| is_type(part, "multipart", &["report"]));
    let from_nobody = mail.header_raw("Return-Path").is_some_and(|path| is_nobody(path.trim()));
    from_nobody && is_mail_system(mail) && !answers && !other_report
}

/// The null return path, also as Postfix's pipe(8) writes it.
fn is_nobody(path: &str) -> bool {
    let bare = path.trim_start_matches('<').trim_end_matches('>');
    bare.is_empty() || local_part(bare).eq_ignore_ascii_case("mailer-daemon")
}

fn is_mail_system(mail: &Message<'_>) -> bool {
    let from = mail.from().and_then(|from| from.first()).and_then(|from| from.address());
    let local = from.map(local_part).unwrap_or_default().to_ascii_lowercase();
    matches!(local.as_str(), "mailer-daemon" | "postmaster")
}

fn local_part(address: &str) -> &str {
    address.split('@').next().unwrap_or_default()
}

/// The reference in the address that the mail came to, as its headers tell.
fn addressed(mail: &Message<'_>) -> Option<String> {
    let values = ADDRESSED.iter().flat_map(|name| {
        mail.headers_raw().filter(move |(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    });
    values
        .flat_map(|value| value.split([',', ';', '<', '>', '"', ' ', '\t', '\r', '\n']))
        .find_map(reference_in)
}

/// The reference in the `Message-ID` of the mail that came back: whole, its headers alone, or copied into the words.
fn returned(mail: &Message<'_>) -> Option<String> {
    mail.parts.iter().find_map(|part| match &part.body {
        PartType::Message(returned) => id_reference(returned.message_id()?),
        _ if is_type(part, "text", &["rfc822-headers"]) || is_type(part, "message", &["global-headers"]) => {
            id_reference(MessageParser::default().parse(part.contents())?.message_id()?)
        }
        PartType::Text(words) => words.lines().find_map(|line| {
            let (name, id) = line.split_once(':')?;
            let is_id = name.trim().eq_ignore_ascii_case("message-id");
            is_id.then(|| id_reference(id.trim().trim_start_matches('<').trim_end_matches('>')))?
        }),
        _ => None,
    })
}

fn id_reference(id: &str) -> Option<String> {
    reference(id.split_once('@')?.0)
}

fn is_type(part: &MessagePart<'_>, kind: &str, subtypes: &[&str]) -> bool {
    part.content_type().is_some_and(|found| {
        let subtype = found.subtype().unwrap_or_default();
        found.ctype().eq_ignore_ascii_case(kind)
            && subtypes.iter().any(|other| subtype.eq_ignore_ascii_case(other))
    })
}

#[cfg(test)]
mod tests;
