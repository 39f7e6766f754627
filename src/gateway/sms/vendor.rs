//! What the vendors' kinds have in common: what their codes mean, and how ids and codes are taken from what they write.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::super::receipt::{Loss, Report, Status, Which};
use super::super::{Accepted, Class, Failure, Reason};
use super::url::GatewayUrl;
use super::wire::{Answer, authorization};
use crate::event::PhoneNumber;

/// What a vendor's code says, in an answer and in a receipt alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The same message was taken before.
    AlreadySent,
    /// Slow down.
    Throttled,
    /// Our account or key is refused.
    Credentials,
    /// No credit left.
    Credit,
    /// No way from here to that number, or our sender is refused.
    Route,
    /// No such subscriber, a landline, opted out.
    Recipient,
    /// Handset off, out of reach, or full.
    Unreachable,
    /// Taken for spam.
    Filtered,
    /// The text is refused.
    Rejected,
    /// Its validity was over first.
    Expired,
    /// The vendor's or carrier's passing trouble; surely not sent.
    Trouble,
    /// The vendor's trouble; may have been sent.
    Unknown,
    /// Refused for a reason that we do not know: another gateway may take it.
    Refused,
}

impl Meaning {
    /// What an answer that says so comes to. `detail` holds codes only.
    pub fn outcome(self, answer: &Answer, detail: String) -> Result<Accepted, Failure> {
        let (class, reason) = match self {
            Self::AlreadySent => return Ok(Accepted::with_id(None)),
            Self::Throttled => (Class::Throttled { wait: answer.retry_after }, Reason::RateLimit),
            Self::Credentials => (Class::Credentials, Reason::Credentials),
            Self::Credit => (Class::Credentials, Reason::Credit),
            Self::Route => (Class::Route, Reason::Route),
            Self::Recipient | Self::Unreachable => (Class::Permanent, Reason::Recipient),
            Self::Filtered => (Class::Filtered, Reason::Filtered),
            Self::Rejected => (Class::Permanent, Reason::Rejected),
            Self::Expired | Self::Trouble => (Class::Retryable, Reason::Server),
            Self::Unknown => (Class::Unknown, Reason::Server),
            Self::Refused => (Class::Route, Reason::Rejected),
        };
        Err(Failure::new(class, reason, detail))
    }

    /// What a final receipt with this code says. "Already sent" is about our second request, not about the message.
    pub fn lost(self) -> Status {
        Status::Undelivered(match self {
            Self::AlreadySent => return Status::Underway,
            Self::Recipient => Loss::Recipient,
            Self::Unreachable => Loss::Unreachable,
            Self::Filtered => Loss::Filtered,
            Self::Expired => Loss::Expired,
            Self::Throttled | Self::Credentials | Self::Credit | Self::Route | Self::Rejected => {
                Loss::Refused
            }
            Self::Trouble | Self::Unknown | Self::Refused => Loss::Other,
        })
    }
}

/// A vendor's codes and what they mean.
pub(super) type Codes = [(&'static str, Meaning)];

/// What `code` means, if the table knows it.
pub(super) fn known(codes: &Codes, code: &str) -> Option<Meaning> {
    codes.iter().find(|(known, _)| *known == code).map(|(_, meaning)| *meaning)
}

/// What an HTTP status means that comes without a code that we know. A 5xx on a POST may come after the message was taken;
/// 404 and redirects are a wrong URL, never the recipient's fault.
pub(super) fn by_status(status: u16) -> Meaning {
    match status {
        401 | 403 | 407 => Meaning::Credentials,
        402 => Meaning::Credit,
        408 | 425 => Meaning::Trouble,
        429 => Meaning::Throttled,
        413 | 414 => Meaning::Rejected,
        500..=599 => Meaning::Unknown,
        300..=399 | 404 | 405 => Meaning::Route,
        _ => Meaning::Refused,
    }
}

/// A 2xx that says neither that the message was taken nor that it was not.
pub(super) fn garbage(answer: &Answer) -> Failure {
    let how = if answer.whole { "not as documented" } else { "broken off or too long" };
    Failure::new(Class::Unknown, Reason::Garbage, format!("HTTP {}, {how}", answer.status))
}

/// The answer to a request to send that names nobody: whoever may send is told 400 or 422, everyone else is not.
pub(super) fn probed(read: Result<Accepted, Failure>, status: u16) -> Result<(), Failure> {
    match read {
        Err(Failure { class: Class::Route | Class::Permanent, .. }) if matches!(status, 400 | 422) => Ok(()),
        read => read.map(|_| ()),
    }
}

/// A vendor's number of a reason: up to six digits, after an `E` perhaps. What is longer may be a phone number.
pub(super) fn code(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    let digits = text.strip_prefix('E').unwrap_or(&text);
    let fits = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(text)
}

/// A vendor's id of a message: one word of at most 200 ASCII characters. Whatever else stands there may be the message
/// itself, said back.
pub(super) fn id(text: &str) -> Option<String> {
    let fits = (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| text.to_owned())
}

/// Whether an id holds the number that the message went to, however it is written there: then it is personal, and no id.
pub(super) fn holds_number(id: &str, phone: &PhoneNumber) -> bool {
    let digits: String = id.chars().filter(char::is_ascii_digit).collect();
    let international = phone.e164_digits();
    let subscriber = phone.national();
    [international.as_str(), subscriber.trim_start_matches(['0', '+'])]
        .iter()
        .any(|number| digits.contains(number))
}

/// A count of segments, as a number or as text. Zero: the vendor does not know yet.
pub(super) fn segments(value: &Value) -> Option<u32> {
    let count = match value {
        Value::String(text) => text.parse().ok()?,
        value => value.as_u64()?,
    };
    u32::try_from(count).ok().filter(|count| *count > 0)
}

/// A report of a message, by our reference where the vendor echoes it and by its own id otherwise; nothing when it names
/// neither.
pub(super) fn report(
    reference: Option<&str>,
    provider_id: Option<&str>,
    status: Status,
    code: Option<String>,
) -> Option<Report> {
    let provider_id = provider_id.and_then(id);
    let message = match reference.filter(|text| is_reference(text)) {
        Some(reference) => Which::Reference(reference.to_owned()),
        None => Which::ProviderId(provider_id.clone()?),
    };
    Some(Report { message, provider_id, status, code })
}

/// Our references are 32 hexadecimal digits.
fn is_reference(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The configured URL or the vendor's own, and a path below it.
pub(super) fn endpoint(configured: Option<&GatewayUrl>, own: &str, path: &[&str]) -> Result<Url, String> {
    let mut url = match configured {
        Some(configured) => configured.url().clone(),
        None => Url::parse(own).map_err(|_| "url: is no URL".to_owned())?,
    };
    let refused = |()| "url: takes no path".to_owned();
    url.path_segments_mut().map_err(refused)?.pop_if_empty().extend(path);
    Ok(url)
}

/// `Authorization: Basic …`
pub(super) fn basic(user: &str, password: &str) -> Result<(HeaderName, HeaderValue), String> {
    authorization(&format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
}

/// What is wrong with a base URL: the HTTP client would send its user along with our own credentials.
pub(super) fn url_problems(url: Option<&GatewayUrl>) -> Vec<(String, String)> {
    let with_user = url.is_some_and(|url| !url.url().username().is_empty() || url.url().password().is_some());
    let mend = "holds a user or password; this kind has keys of their own for credentials";
    with_user.then(|| ("url".to_owned(), mend.to_owned())).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_is_short_digits_so_that_no_number_passes_for_one() {
        for (value, found) in [
            (json!(21211), Some("21211")),
            (json!("1120"), Some("1120")),
            (json!("E400"), Some("E400")),
            (json!("819012345678"), None),
            (json!(819_012_345_678_u64), None),
            (json!("9012345"), None),
            (json!("taro"), None),
            (json!("E"), None),
            (json!(""), None),
            (json!(-1), None),
            (json!(1.5), None),
            (json!(null), None),
        ] {
            assert_eq!(code(&value).as_deref(), found, "{value}");
        }
    }

    #[test]
    fn an_id_is_one_bounded_word() {
        assert_eq!(id("SM1").as_deref(), Some("SM1"));
        assert_eq!(id(&"x".repeat(200)).map(|id| id.len()), Some(200));
        for text in ["", "a\u{0}b", "a\nb", "to 090", "番号", &"x".repeat(201)] {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn segments_are_counted_once_the_vendor_knows_them() {
        for (value, count) in [
            (json!("3"), Some(3)),
            (json!(2), Some(2)),
            (json!("0"), None),
            (json!(-1), None),
            (json!("x"), None),
        ] {
            assert_eq!(segments(&value), count, "{value}");
        }
    }

    #[test]
    fn a_path_prefix_of_the_configured_url_is_kept() {
        let at = |url: &str| {
            let url = url.parse().expect("a URL");
            endpoint(Some(&url), "https://api.example.com", &["v1", "a b"]).map(|url| url.to_string())
        };
        assert_eq!(at("http://mock:8080").as_deref(), Ok("http://mock:8080/v1/a%20b"));
        assert_eq!(at("http://mock:8080/vendor/").as_deref(), Ok("http://mock:8080/vendor/v1/a%20b"));
        let own = endpoint(None, "https://api.example.com", &["v1"]).map(|url| url.to_string());
        assert_eq!(own.as_deref(), Ok("https://api.example.com/v1"));
    }

    #[test]
    fn a_base_url_with_a_user_is_a_problem() {
        for (url, problems) in [("https://api.example.com/x", 0), ("https://u:p@x/", 1), ("https://u@x/", 1)]
        {
            assert_eq!(url_problems(url.parse().ok().as_ref()).len(), problems, "{url}");
        }
    }

    #[test]
    fn only_a_success_or_a_complaint_about_the_empty_request_is_a_good_probe() {
        let failed = |class| Err(Failure::new(class, Reason::Rejected, ""));
        assert_eq!(probed(Ok(Accepted::with_id(None)), 200), Ok(()));
        for (class, status, good) in [
            (Class::Route, 400, true),
            (Class::Permanent, 422, true),
            (Class::Route, 404, false),
            (Class::Credentials, 400, false),
            (Class::Throttled { wait: None }, 400, false),
            (Class::Unknown, 500, false),
        ] {
            assert_eq!(probed(failed(class), status).is_ok(), good, "{class:?} {status}");
        }
    }

    #[test]
    fn an_id_that_holds_the_number_is_found_however_it_is_written() {
        let phone = PhoneNumber::parse("090-1234-5678").expect("valid");
        for id in ["09012345678", "+819012345678", "to:090-1234-5678/1", "819012345678.1"] {
            assert!(holds_number(id, &phone), "{id}");
        }
        for id in ["SM0123", "9012345", "id-1"] {
            assert!(!holds_number(id, &phone), "{id}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_for_a_code_holds_no_phone_number(text in "E?[0-9]{0,14}") {
            if let Some(code) = code(&json!(text)) {
                prop_assert!(code.len() <= 7);
            }
        }
    }
}
