//! Gateways and a relay that say back whatever they were given, in every place of an answer that a client might repeat.

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::house::block_on;
use crate::script::{Http, Reply, Request, Smtp, Stage, answer};

/// What an SMS gateway does with one request after the other.
const STATUSES: [u16; 12] = [200, 400, 202, 401, 503, 201, 404, 422, 429, 302, 500, 403];

/// Every kind of SMS gateway: its name and keys; `{base}` is where the server listens.
pub const KINDS: [(&str, &str); 5] = [
    ("json", "kind = 'http'\nurl = '{base}/sms'"),
    (
        "form",
        "kind = 'http'\nurl = '{base}/sms'\nbody = 'form'\nerror_code = 'error.code'\nsuccess = { path = 'result', value = 'OK' }",
    ),
    (
        "twilio",
        "kind = 'twilio'\nurl = '{base}'\naccount_sid = 'AC0123456789abcdef0123456789abcdef'\nauth_token = 'token'\nfrom = '+15005550006'",
    ),
    (
        "vonage",
        "kind = 'vonage'\nurl = '{base}'\napi_key = 'key'\napi_secret = 'secret'\nfrom = 'BANK'\nsignature_secret = 'secret'",
    ),
    ("infobip", "kind = 'infobip'\nurl = '{base}'\napi_key = 'key'\nsender = 'BANK'"),
];

pub struct Echo {
    pub gateways: Vec<(&'static str, Http)>,
    pub relay: Smtp,
}

impl Echo {
    pub fn start() -> Self {
        let gateways = KINDS.iter().map(|(name, _)| (*name, block_on(Http::start(echo)))).collect();
        Self { gateways, relay: block_on(Smtp::start(echo_of_mail)) }
    }

    /// The gateways as configuration. No breaker, so that each is asked whatever it answered.
    pub fn config(&self) -> String {
        let section = |((name, server), (_, keys)): (&(&str, Http), &(&str, &str))| {
            let keys = keys.replace("{base}", &format!("http://127.0.0.1:{}", server.port));
            format!("[[sms.gateways]]\nname = '{name}'\nbreaker = {{ enabled = false }}\n{keys}\n")
        };
        self.gateways.iter().zip(&KINDS).map(section).collect()
    }
}

fn echo(request: &Request, number: usize) -> Reply {
    let sent = percent_decode_str(&request.body).decode_utf8_lossy().replace(['\r', '\n'], " ");
    let status = STATUSES[number % STATUSES.len()];
    if number % 17 == 16 {
        return Reply::SayAndClose(format!("{sent}\r\n\r\n"));
    }
    // Sometimes as the vendors do, sometimes with the echo where a code belongs.
    let code = if number.is_multiple_of(2) { json!(sent) } else { json!(20003) };
    let status_of_one = json!({"groupId": 5, "groupName": sent, "id": 51, "name": sent, "description": sent});
    let body = json!({
        "message_id": sent, "sid": sent, "message_uuid": sent, "result": sent, "code": code, "message": sent,
        "title": sent, "type": sent, "detail": sent, "error": {"code": code, "message": sent},
        "messages": [{"messageId": sent, "to": sent, "status": status_of_one}],
        "requestError": {"serviceException": {"messageId": sent, "text": sent}}
    });
    let echoed: String = sent.chars().filter(char::is_ascii).collect();
    let location = format!("/{echoed}").replace(' ', "%20");
    let headers =
        [("x-echo", echoed.as_str()), ("location", &location), ("content-type", "application/json")];
    answer(status, &headers, &body.to_string())
}

/// Refuses at one stage after the other, with the command that it was given; the third of three is taken.
fn echo_of_mail(stage: Stage, command: &str, before: usize) -> Option<Reply> {
    let code = match (stage, before % 3) {
        (Stage::Mail, 1) => "451 4.3.0",
        (Stage::Rcpt, 0) => "550 5.1.1",
        (Stage::Rcpt, 1) => "452 4.2.2",
        (Stage::Dot, 0) => "554 5.7.1",
        (Stage::Dot, 1) => "451 4.7.1",
        _ => return None,
    };
    let person = "<zqx.taro@example.jp> 秘匿 太郎 090-7778-8877";
    Some(Reply::Say(format!("{code} {command} {person}\r\n")))
}
