//! What the codes of a failed delivery come to (RFC 3463 and its registry).

use crate::gateway::StatusCode;
use crate::gateway::receipt::Loss;

/// By the enhanced code; by the reply's where that says nothing.
pub(super) fn loss(code: Option<StatusCode>, reply: Option<u16>) -> Loss {
    let Some(code) = code.filter(|code| code.subject != 0) else { return by_reply(reply) };
    match (code.class, code.subject, code.detail) {
        // The sender's address or domain is refused.
        (_, 1, 7 | 8) => Loss::Refused,
        (_, 1, _) => Loss::Recipient,
        // Disabled, closed for good.
        (5, 2, 1) => Loss::Recipient,
        // Full, or otherwise not taking mail at the moment.
        (_, 2, 0..=2) => Loss::Unreachable,
        (_, 4, 7) => Loss::Expired,
        (_, 3, 1) | (_, 4, _) => Loss::Unreachable,
        // "Not authorised": a filter, the recipient's own or her provider's.
        (_, 7, 1) => Loss::Filtered,
        // Given up, though the last reply was only "not now".
        (4, ..) => Loss::Expired,
        // Text too long, protocol, content, and policies about the sender: authentication, blocklists, DMARC.
        (_, 2, 3) | (_, 3 | 5 | 6 | 7, _) => Loss::Refused,
        _ => Loss::Other,
    }
}

/// RFC 5321, 4.2.3. docomo's `550 Unknown user` is this one; it says so of customers who block the sender, too.
fn by_reply(reply: Option<u16>) -> Loss {
    match reply {
        Some(550 | 551 | 553 | 556) => Loss::Recipient,
        Some(452 | 552) => Loss::Unreachable,
        Some(400..=499) => Loss::Expired,
        _ => Loss::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_to_what_a_person_would_do_about_them() {
        for (code, reply, expected) in [
            (Some("5.1.1"), None, Loss::Recipient),
            (Some("5.1.10"), Some(550), Loss::Recipient),
            (Some("5.1.8"), None, Loss::Refused),
            (Some("5.2.1"), None, Loss::Recipient),
            (Some("4.2.1"), None, Loss::Unreachable),
            (Some("5.2.2"), None, Loss::Unreachable),
            (Some("4.2.2"), Some(452), Loss::Unreachable),
            (Some("5.2.3"), None, Loss::Refused),
            (Some("4.3.1"), None, Loss::Unreachable),
            (Some("5.3.4"), None, Loss::Refused),
            (Some("4.4.1"), None, Loss::Unreachable),
            (Some("5.4.4"), None, Loss::Unreachable),
            (Some("4.4.7"), None, Loss::Expired),
            (Some("5.4.7"), None, Loss::Expired),
            (Some("5.5.2"), None, Loss::Refused),
            (Some("5.6.1"), None, Loss::Refused),
            (Some("5.7.1"), Some(554), Loss::Filtered),
            (Some("4.7.1"), Some(451), Loss::Filtered),
            (Some("5.7.26"), None, Loss::Refused),
            (Some("5.7.509"), None, Loss::Refused),
            (Some("4.7.0"), None, Loss::Expired),
            (Some("5.0.0"), Some(550), Loss::Recipient),
            (Some("5.0.0"), Some(552), Loss::Unreachable),
            (Some("5.0.0"), Some(554), Loss::Other),
            (Some("5.0.0"), None, Loss::Other),
            (Some("5.9.9"), None, Loss::Other),
            (None, Some(451), Loss::Expired),
            (None, None, Loss::Other),
        ] {
            let parsed = code.map(|text| StatusCode::parse(text).expect(text));
            assert_eq!(loss(parsed, reply), expected, "{code:?} {reply:?}");
        }
    }
}
