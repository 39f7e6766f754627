//! `message/delivery-status` (RFC 3464): one group of fields for the message, then one for each recipient.

use super::loss::loss;
use crate::gateway::StatusCode;
use crate::gateway::receipt::Status;

/// What a report says of our one recipient.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub status: Status,
    /// `5.1.1`, or `550` where there is none.
    pub code: Option<String>,
}

/// Reads a report.
///
/// A mail has one recipient, but her mail system may pass it on to several addresses. She is told as soon as one of
/// them has it, so the best of the final news counts.
pub(super) fn read(report: &str) -> Option<Verdict> {
    let rank = |verdict: &Verdict| match verdict.status {
        Status::Delivered => 2,
        Status::Undelivered(_) => 1,
        Status::Underway => 0,
    };
    groups(report).iter().filter_map(verdict).max_by_key(rank)
}

type Group = Vec<(String, String)>;

/// Empty lines part the groups; a line that begins with white space goes on with the one before.
fn groups(report: &str) -> Vec<Group> {
    let (mut groups, mut group) = (Vec::new(), Group::new());
    for line in report.lines() {
        if line.trim().is_empty() {
            groups.push(std::mem::take(&mut group));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            group.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    groups.push(group);
    groups
}

/// What a group says, if it is a recipient's.
fn verdict(group: &Group) -> Option<Verdict> {
    let field = |name: &str| group.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let status = field("status").and_then(StatusCode::leading);
    let (reply, in_reply) = field("diagnostic-code").map(diagnosed).unwrap_or_default();
    // `5.0.0` is what a mail system writes that was not told more.
    let precise = |code: &StatusCode| code.subject != 0;
    let code = status.filter(precise).or(in_reply).or(status);
    let word = field("action").and_then(|action| action.split([' ', '\t', '(', ';']).next());
    let status = match (word.map(str::to_ascii_lowercase).as_deref(), code.map(|code| code.class)) {
        (Some("failed"), _) => Status::Undelivered(loss(code, reply)),
        (Some("delivered"), _) => Status::Delivered,
        // Handed on to where no report will come from, or still being tried.
        (Some("delayed" | "relayed" | "expanded"), _) => Status::Underway,
        // Some leave the action out.
        (_, Some(5)) => Status::Undelivered(loss(code, reply)),
        _ => return None,
    };
    let shown = code.filter(precise).map(|code| code.to_string());
    let shown = shown.or(reply.map(|reply| reply.to_string())).or(code.map(|code| code.to_string()));
    Some(Verdict { status, code: shown })
}

/// Reply code and enhanced code of `smtp; 550-5.1.1 …`; the words after them echo the address and are not read.
fn diagnosed(diagnostic: &str) -> (Option<u16>, Option<StatusCode>) {
    let Some((kind, text)) = diagnostic.split_once(';') else { return (None, None) };
    if !kind.trim().eq_ignore_ascii_case("smtp") {
        return (None, None);
    }
    let text = text.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let reply = text.get(..digits).filter(|_| digits == 3).and_then(|digits| digits.parse().ok());
    let reply = reply.filter(|code| (200..600).contains(code));
    let rest = if reply.is_some() { text[digits..].trim_start_matches(['-', ' ']) } else { text };
    (reply, StatusCode::leading(rest))
}
