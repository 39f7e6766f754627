//! What kind `http` needs to be told: the request's shape, where an answer holds what, and what receipts look like.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::receipt_auth::ReceiptAuth;
use super::super::url::GatewayUrl;
use super::answer::AnswerClass;
use super::receipts::{ReceiptFields, ReceiptStatus};
use super::request;
use crate::config::Secret;

/// What kind `http` needs.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct HttpGatewayConfig {
    /// Where it listens.
    pub url: GatewayUrl,
    /// The whole `Authorization` header, for example `Bearer …`.
    pub authorization: Option<Secret>,
    /// `Authorization: Bearer …`: the token alone.
    pub bearer: Option<Secret>,
    /// `Authorization: Basic …`, with `password`.
    pub user: Option<String>,
    /// With `user`.
    pub password: Option<Secret>,
    /// Further headers. None of their values is ever printed, so a secret may stand here, too.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// JSON or a form.
    #[serde(default)]
    pub body: BodyFormat,
    /// How it wants numbers.
    #[serde(default)]
    pub number_format: NumberFormat,
    /// What it calls the fields.
    #[serde(default)]
    pub fields: Fields,
    /// The sender as the gateway knows it, in the field `fields.sender`; not sent without it.
    pub sender: Option<String>,
    /// Tells the gateway until when the message is worth anything; not told without it.
    pub valid_until: Option<ValidUntil>,
    /// Further fields, always the same; a list repeats the field in a form and is an array in JSON.
    #[serde(default)]
    pub extra: BTreeMap<String, Extra>,
    /// Where its answer holds the message's id: names separated by dots, list positions as numbers.
    #[serde(default = "default_message_id")]
    pub message_id: String,
    /// Where its answer holds an error code.
    pub error_code: Option<String>,
    /// What an answer 2xx has to hold to be an acceptance, for gateways that answer 200 with an error inside.
    pub success: Option<Success>,
    /// Classes of answers by error code, over those by status.
    #[serde(default)]
    pub codes: BTreeMap<String, AnswerClass>,
    /// Classes of answers by HTTP status, over the built-in ones.
    #[serde(default)]
    pub answers: BTreeMap<String, AnswerClass>,
    /// What `shirase check --connect` asks; `HEAD` of `url` without it.
    pub probe: Option<Probe>,
    /// How a receipt shows that it is the gateway's own; receipts are refused without it.
    pub receipts: Option<ReceiptAuth>,
    /// Where a receipt holds what.
    #[serde(default)]
    pub receipt_fields: ReceiptFields,
    /// The gateway's words for what became of a message, and what they mean.
    #[serde(default)]
    pub receipt_statuses: BTreeMap<String, ReceiptStatus>,
}

/// How the request's body is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BodyFormat {
    /// One object of texts.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`
    Form,
}

/// How a gateway wants numbers written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberFormat {
    /// `09012345678`
    #[default]
    National,
    /// `+819012345678`
    E164,
    /// `819012345678`
    E164Digits,
}

/// Names of the fields in the request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The number.
    pub to: String,
    /// The text.
    pub text: String,
    /// Our idempotency key; not sent when this is empty.
    pub reference: String,
    /// The sender, where one is configured.
    pub sender: String,
}

impl Default for Fields {
    fn default() -> Self {
        let [to, text, reference, sender] = ["to", "text", "reference", "sender"].map(str::to_owned);
        Self { to, text, reference, sender }
    }
}

/// How the gateway is told when a message stops being worth anything.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidUntil {
    /// The name of the field.
    pub field: String,
    /// How it is written.
    #[serde(default)]
    pub format: ValidityFormat,
}

/// How the end of a message's validity is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValidityFormat {
    /// The time, in Japan's zone: `2026-11-22T15:14:05+09:00`
    #[default]
    Rfc3339,
    /// The number of seconds from now on.
    Seconds,
}

/// The value of a further field.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Extra {
    /// One.
    One(String),
    /// Several of the same name.
    Many(Vec<String>),
}

/// `success = { path = "result", value = "OK" }`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Success {
    /// Where it stands in the answer.
    pub path: String,
    /// What it is when the message was taken.
    pub value: String,
}

/// `probe = { method = "GET", url = "https://…" }`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// A method that changes nothing.
    #[serde(default)]
    pub method: ProbeMethod,
    /// What is asked; the gateway's own `url` without it.
    pub url: Option<GatewayUrl>,
}

/// A method that changes nothing (RFC 9110, 9.2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProbeMethod {
    /// The head of the answer alone.
    #[default]
    Head,
    /// The whole answer.
    Get,
    /// What the address takes.
    Options,
}

fn default_message_id() -> String {
    "message_id".to_owned()
}

impl HttpGatewayConfig {
    /// The gateway at `url` that takes the default shape.
    pub fn at(url: GatewayUrl) -> Self {
        Self {
            url,
            authorization: None,
            bearer: None,
            user: None,
            password: None,
            headers: BTreeMap::new(),
            body: BodyFormat::default(),
            number_format: NumberFormat::default(),
            fields: Fields::default(),
            sender: None,
            valid_until: None,
            extra: BTreeMap::new(),
            message_id: default_message_id(),
            error_code: None,
            success: None,
            codes: BTreeMap::new(),
            answers: BTreeMap::new(),
            probe: None,
            receipts: None,
            receipt_fields: ReceiptFields::default(),
            receipt_statuses: BTreeMap::new(),
        }
    }

    /// What one key alone cannot show.
    pub(in crate::gateway::sms) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = self.request_problems();
        problems.extend(self.answer_problems());
        problems.extend(self.receipt_problems());
        problems
    }

    fn request_problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: &str| problems.push((key.to_owned(), message.to_owned()));
        if let Err(message) = request::authorization(self) {
            problem("authorization", &message);
        }
        for (name, value) in &self.headers {
            let key = format!("headers.{name}");
            match name.parse::<HeaderName>() {
                Err(_) => problem(&key, "is no name of a header"),
                Ok(AUTHORIZATION) => problem(&key, "is what authorization, bearer and user are for"),
                Ok(_) if HeaderValue::from_str(value.reveal()).is_err() => {
                    problem(&key, "holds a character that no header may hold");
                }
                Ok(_) => {}
            }
        }
        for (key, name) in [("fields.to", &self.fields.to), ("fields.text", &self.fields.text)] {
            if name.is_empty() {
                problem(key, "is empty; give the field's name");
            }
        }
        problems
    }

    fn answer_problems(&self) -> Vec<(String, String)> {
        let is_status = |text: &str| text.parse::<u16>().is_ok_and(|status| (100..600).contains(&status));
        let wrong = self.answers.keys().filter(|status| !is_status(status));
        let message = "is no HTTP status; write it as \"422\"";
        let mut problems: Vec<_> =
            wrong.map(|status| (format!("answers.{status}"), message.to_owned())).collect();
        if !self.codes.is_empty() && self.error_code.is_none() {
            let mend = "have no place to be found at; say where in error_code, for example \"error.code\"";
            problems.push(("codes".to_owned(), mend.to_owned()));
        }
        problems
    }

    fn receipt_problems(&self) -> Vec<(String, String)> {
        let Some(auth) = &self.receipts else { return Vec::new() };
        let mut problems = auth.problems("receipts");
        if self.receipt_statuses.is_empty() {
            let mend =
                "is missing: receipts mean nothing without it; for example { DELIVERED = \"delivered\" }";
            problems.push(("receipt_statuses".to_owned(), mend.to_owned()));
        }
        problems
    }
}
