//! Kind `http`: what an answer means, by its error code, its status and what it has to hold.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::super::{Accepted, Class, Failure, Reason};
use super::super::wire::Answer;
use super::config::{HttpGatewayConfig, Success};
use super::path::{code, find, id, text};

/// What an answer means, in the configuration's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerClass {
    /// Taken, or taken before.
    Accepted,
    /// Surely not taken.
    Retryable,
    /// Slow down.
    Throttled,
    /// Refused credentials.
    Credentials,
    /// No credit left.
    Credit,
    /// No route from here.
    Route,
    /// The number is refused.
    Recipient,
    /// The text is refused.
    Rejected,
    /// Taken for spam.
    Filtered,
    /// May have been taken.
    Unknown,
}

/// How answers are read.
pub(super) struct Answers {
    message_id: String,
    error_code: Option<String>,
    success: Option<Success>,
    codes: BTreeMap<String, AnswerClass>,
    statuses: BTreeMap<u16, AnswerClass>,
}

impl Answers {
    /// # Errors
    /// A key of `answers` that is no HTTP status.
    pub fn new(config: &HttpGatewayConfig) -> Result<Self, String> {
        let status = |(text, class): (&String, &AnswerClass)| {
            let status: u16 = text.parse().map_err(|_| format!("answers: \"{text}\" is no HTTP status"))?;
            Ok::<_, String>((status, *class))
        };
        // Variables of the environment are in lower case, so codes are compared without regard to it.
        let code = |(code, class): (&String, &AnswerClass)| (code.to_ascii_lowercase(), *class);
        Ok(Self {
            message_id: config.message_id.clone(),
            error_code: config.error_code.clone(),
            success: config.success.clone(),
            codes: config.codes.iter().map(code).collect(),
            statuses: config.answers.iter().map(status).collect::<Result<_, _>>()?,
        })
    }

    /// The code's table first, then the status's, then what the answer has to hold.
    pub fn read(&self, answer: &Answer) -> Result<Accepted, Failure> {
        let body = answer.json();
        let code = self.code_in(&body);
        let known = code.as_deref().and_then(|code| self.codes.get(&code.to_ascii_lowercase()));
        let class = match known {
            Some(class) => *class,
            None => {
                self.statuses.get(&answer.status).copied().unwrap_or_else(|| default_class(answer.status))
            }
        };
        if class != AnswerClass::Accepted {
            return Err(refused(class, answer, code.as_deref()));
        }
        if known.is_none() && (200..300).contains(&answer.status) {
            self.confirm(answer, &body, code.as_deref())?;
        }
        // The status line is the acceptance; a body that breaks off takes only the id with it.
        Ok(Accepted::with_id(find(&body, &self.message_id).and_then(id)))
    }

    /// Whether a 2xx says inside that it is none. Without anything configured to look at, the status line says it all.
    fn confirm(&self, answer: &Answer, body: &Value, code: Option<&str>) -> Result<(), Failure> {
        if self.error_code.is_none() && self.success.is_none() {
            return Ok(());
        }
        let garbage = || {
            let detail = format!("HTTP {}, and what it has to hold is not there", answer.status);
            Failure::new(Class::Unknown, Reason::Garbage, detail)
        };
        if !answer.whole || !(body.is_object() || body.is_array()) {
            return Err(garbage());
        }
        let holds = match &self.success {
            Some(success) => {
                let found = find(body, &success.path).and_then(text).ok_or_else(garbage)?;
                found == success.value
            }
            None => code.is_none(),
        };
        // The gateway says that it did not take it, and nobody told us why: another one may.
        if holds { Ok(()) } else { Err(Failure::new(Class::Route, Reason::Rejected, detail(answer, code))) }
    }

    /// The error code, where there is one: null, false and nothing are none.
    fn code_in(&self, body: &Value) -> Option<String> {
        let found = find(body, self.error_code.as_ref()?)?;
        text(found).filter(|text| !text.is_empty() && text != "false")
    }
}

/// What an HTTP status means when the configuration says nothing of it.
///
/// A 5xx on a POST may come after the message was taken, so it is unknown; 404 and 405 are a wrong URL, never the
/// recipient's fault.
fn default_class(status: u16) -> AnswerClass {
    match status {
        200..=299 => AnswerClass::Accepted,
        401 | 403 | 407 => AnswerClass::Credentials,
        402 => AnswerClass::Credit,
        408 | 425 => AnswerClass::Retryable,
        429 => AnswerClass::Throttled,
        400 | 422 => AnswerClass::Recipient,
        413 | 414 => AnswerClass::Rejected,
        500..=599 => AnswerClass::Unknown,
        _ => AnswerClass::Route,
    }
}

/// The failure, with the code for a person as far as it looks like one.
fn refused(class: AnswerClass, answer: &Answer, found: Option<&str>) -> Failure {
    let (class, reason) = match class {
        AnswerClass::Accepted | AnswerClass::Unknown => (Class::Unknown, Reason::Server),
        AnswerClass::Retryable => (Class::Retryable, Reason::Server),
        AnswerClass::Throttled => (Class::Throttled { wait: answer.retry_after }, Reason::RateLimit),
        AnswerClass::Credentials => (Class::Credentials, Reason::Credentials),
        AnswerClass::Credit => (Class::Credentials, Reason::Credit),
        AnswerClass::Route => (Class::Route, Reason::Route),
        AnswerClass::Recipient => (Class::Permanent, Reason::Recipient),
        AnswerClass::Rejected => (Class::Permanent, Reason::Rejected),
        AnswerClass::Filtered => (Class::Filtered, Reason::Filtered),
    };
    Failure::new(class, reason, detail(answer, found))
}

fn detail(answer: &Answer, found: Option<&str>) -> String {
    let code = found.and_then(code).map(|code| format!(", code {code}")).unwrap_or_default();
    format!("HTTP {}{code}", answer.status)
}

/// What the answer to a probe means. `strict`: the house chose what is asked, so that anything but success is a finding; the
/// address of messages itself may well refuse a `HEAD`.
pub(super) fn read_probe(answer: &Answer, strict: bool) -> Result<(), Failure> {
    match default_class(answer.status) {
        AnswerClass::Accepted => Ok(()),
        class @ (AnswerClass::Credentials | AnswerClass::Credit) => Err(refused(class, answer, None)),
        _ if !strict => Ok(()),
        _ if answer.status >= 500 => Err(refused(AnswerClass::Retryable, answer, None)),
        _ => Err(refused(AnswerClass::Route, answer, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &str) -> Answers {
        let config = format!("url = 'http://127.0.0.1:1/'\n{text}");
        Answers::new(&toml::from_str(&config).expect("keys")).expect("in order")
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, retry_after: None, body: body.into(), whole: true }
    }

    fn read(answers: &Answers, status: u16, body: &str) -> Result<Option<String>, (Class, Reason, String)> {
        let failed = |failure: Failure| (failure.class, failure.reason, failure.detail);
        answers.read(&answer(status, body)).map(|accepted| accepted.provider_id).map_err(failed)
    }

    #[test]
    fn every_status_has_a_class_and_only_success_is_acceptance() {
        for code in 100..=599_u16 {
            let accepted = default_class(code) == AnswerClass::Accepted;
            assert_eq!(accepted, (200..300).contains(&code), "{code}");
        }
    }

    #[test]
    fn the_table_of_codes_goes_over_the_table_of_statuses() {
        let answers = answers(
            "error_code = 'error.code'\ncodes = { E1 = 'credit', 7 = 'accepted' }\nanswers = { 400 = 'rejected' }",
        );
        let coded = |code: &str| format!(r#"{{"message_id": "m", "error": {{"code": {code}}}}}"#);
        let credit = Err((Class::Credentials, Reason::Credit, "HTTP 400, code E1".to_owned()));
        assert_eq!(read(&answers, 400, &coded("\"E1\"")), credit);
        let credit = Err((Class::Credentials, Reason::Credit, "HTTP 200, code e1".to_owned()));
        assert_eq!(read(&answers, 200, &coded("\"e1\"")), credit, "with a 2xx, too");
        assert_eq!(read(&answers, 400, &coded("7")), Ok(Some("m".to_owned())), "sent before");
        let unlisted = Err((Class::Permanent, Reason::Rejected, "HTTP 400, code E2".to_owned()));
        assert_eq!(read(&answers, 400, &coded("\"E2\"")), unlisted);
        let plain = Err((Class::Permanent, Reason::Rejected, "HTTP 400".to_owned()));
        assert_eq!(read(&answers, 400, "no JSON"), plain);
    }

    #[test]
    fn an_error_inside_a_2xx_is_no_acceptance() {
        let coded = answers("error_code = 'code'");
        for none in ["{}", r#"{"code": null}"#, r#"{"code": ""}"#, r#"{"code": false}"#] {
            assert_eq!(read(&coded, 200, none), Ok(None), "{none}");
        }
        let refused = Err((Class::Route, Reason::Rejected, "HTTP 200, code E9".to_owned()));
        assert_eq!(read(&coded, 200, r#"{"code": "E9"}"#), refused);

        let success = answers("success = { path = 'ok', value = 'true' }");
        assert_eq!(read(&success, 200, r#"{"ok": true, "message_id": 5}"#), Ok(Some("5".to_owned())));
        let refused = Err((Class::Route, Reason::Rejected, "HTTP 200".to_owned()));
        assert_eq!(read(&success, 200, r#"{"ok": false}"#), refused);
    }

    #[test]
    fn a_2xx_that_does_not_hold_what_it_has_to_may_have_been_an_acceptance() {
        for keys in ["success = { path = 'ok', value = 'true' }", "error_code = 'code'"] {
            let answers = answers(keys);
            for garbage in ["", "<html>", "\"ok\"", "{\"ok\": tr"] {
                let read = read(&answers, 200, garbage).map_err(|(class, reason, _)| (class, reason));
                assert_eq!(read, Err((Class::Unknown, Reason::Garbage)), "{keys} {garbage}");
            }
            let cut = Answer { whole: false, ..answer(200, r#"{"ok": true}"#) };
            assert_eq!(answers.read(&cut).map_err(|failure| failure.class), Err(Class::Unknown), "{keys}");
        }
        let missing = read(&answers("success = { path = 'ok', value = 'true' }"), 200, "{}");
        assert_eq!(missing.map_err(|(class, ..)| class), Err(Class::Unknown));
    }

    #[test]
    fn a_code_that_may_be_a_number_of_a_person_is_not_shown() {
        let answers = answers("error_code = 'code'");
        for code in ["09012345678", "090-1234-5678", "番号が違います", "no such number"] {
            let (.., detail) = read(&answers, 400, &format!(r#"{{"code": "{code}"}}"#)).expect_err("refused");
            assert_eq!(detail, "HTTP 400", "{code}");
        }
    }

    #[test]
    fn a_probe_finds_refused_credentials_and_with_an_address_of_its_own_every_refusal() {
        for (status, strict, in_order) in [
            (200, false, true),
            (405, false, true),
            (404, false, true),
            (500, false, true),
            (401, false, false),
            (402, false, false),
            (403, false, false),
            (407, false, false),
            (204, true, true),
            (404, true, false),
            (301, true, false),
            (503, true, false),
        ] {
            assert_eq!(read_probe(&answer(status, ""), strict).is_ok(), in_order, "{status} {strict}");
        }
    }
}
