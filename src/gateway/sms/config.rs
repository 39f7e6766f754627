//! `[sms]` and `[[sms.gateways]]`: what all kinds have in common here, the rest beside each kind.

use std::borrow::Cow;
use std::num::NonZeroU32;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::{Balance, BreakerConfig, Failure, OnUnknown, default_unknown_wait, default_weight};
use super::http::HttpGatewayConfig;
use super::infobip::{self, InfobipConfig};
use super::text::Repertoire;
use super::twilio::{self, TwilioConfig};
use super::vonage::{self, VonageConfig};
use crate::config::{Certificates, Span};
use crate::template::{Segments, segments};

/// `[sms]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmsConfig {
    /// Prefixes of Japanese mobile numbers that get SMS.
    pub prefixes: Vec<String>,
    /// How many SMS a number gets a day, by Japanese time; 0 for no limit.
    #[serde(default)]
    pub day_limit: u32,
    /// Which gateway is tried first.
    #[serde(default)]
    pub balance: Balance,
    /// The ways out.
    pub gateways: Vec<SmsGatewayConfig>,
}

impl SmsConfig {
    /// Names of the gateways in the order in which they are tried for a notification.
    pub fn order(&self, reference: &str) -> Vec<&str> {
        let gateways = self.gateways.iter().map(|it| (it.common.name.as_str(), it.common.weight));
        self.balance.order(gateways, reference).map(|(name, _)| name).collect()
    }
}

/// One of `[[sms.gateways]]`.
#[derive(Debug, Clone, Deserialize)]
pub struct SmsGatewayConfig {
    /// What all kinds have.
    #[serde(flatten)]
    pub common: CommonConfig,
    /// How it speaks, with what that kind needs.
    #[serde(flatten)]
    pub kind: KindConfig,
}

/// What every SMS gateway has, whatever its kind.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CommonConfig {
    /// Name in metrics and logs, and in the address for its receipts.
    pub name: String,
    /// Its share where the gateways share by weight.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// Number of requests a second, from all workers together; no limit without it.
    #[schemars(range(min = 1))]
    pub rate_per_second: Option<NonZeroU32>,
    /// Number of requests at once, from each worker.
    #[serde(default = "default_concurrency")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: u32,
    /// When it is left alone.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// One attempt, from connecting to the answer's end.
    #[serde(default = "super::default_timeout")]
    pub timeout: Span,
    /// Connecting alone, TLS included; half of `timeout` at most, so that what was never written is not taken for unanswered.
    #[serde(default = "default_connect_timeout")]
    pub connect_timeout: Span,
    /// When the answer never came.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// With `on_unknown = "wait"`: how long.
    #[serde(default = "default_unknown_wait")]
    pub unknown_wait: Span,
    /// Certificates (PEM) of a private authority that are trusted beside the system's.
    pub ca: Option<Certificates>,
    /// The route carries only characters of Shift_JIS.
    #[serde(default)]
    pub shift_jis: bool,
    /// The longest text that it carries whole, in UTF-16 units; no limit without it.
    #[schemars(range(min = 1))]
    pub max_length: Option<NonZeroU32>,
    /// How many of these a line break counts.
    #[serde(default = "default_newline_units")]
    #[schemars(range(min = 1, max = 2))]
    pub newline_units: u8,
}

impl CommonConfig {
    pub(super) fn repertoire(&self) -> Repertoire {
        let Self { shift_jis, max_length, newline_units, .. } = *self;
        Repertoire { shift_jis, max_length, newline_units }
    }
}

fn default_newline_units() -> u8 {
    1
}

fn default_concurrency() -> u32 {
    128
}

fn default_connect_timeout() -> Span {
    Span::seconds(3)
}

/// How an SMS gateway speaks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum KindConfig {
    /// JSON or a form over HTTP, as configured.
    Http(Box<HttpGatewayConfig>),
    /// Twilio's Messages resource.
    Twilio(TwilioConfig),
    /// Vonage's Messages API.
    Vonage(VonageConfig),
    /// Infobip's SMS API.
    Infobip(InfobipConfig),
}

impl SmsGatewayConfig {
    /// What a text takes as this gateway sends it.
    ///
    /// # Errors
    /// Why it cannot carry the text.
    pub fn size(&self, text: &str) -> Result<Segments, Failure> {
        self.common.repertoire().fit(text).map(|text| segments(&text))
    }

    /// Where it is asked: the configured URL, or the vendor's own.
    pub fn url(&self) -> &str {
        let (url, own) = match &self.kind {
            KindConfig::Http(kind) => (Some(&kind.url), ""),
            KindConfig::Twilio(kind) => (kind.url.as_ref(), twilio::URL),
            KindConfig::Vonage(kind) => (kind.url.as_ref(), vonage::URL),
            KindConfig::Infobip(kind) => (kind.url.as_ref(), infobip::URL),
        };
        url.map_or(own, |url| url.url().as_str())
    }

    /// What one key alone cannot show: keys below the gateway's, and what is wrong with them.
    pub fn problems(&self) -> Vec<(String, String)> {
        match &self.kind {
            KindConfig::Http(kind) => kind.problems(),
            KindConfig::Twilio(kind) => kind.problems(),
            KindConfig::Vonage(kind) => kind.problems(),
            KindConfig::Infobip(kind) => kind.problems(),
        }
    }
}

type KindSchema = fn(&mut SchemaGenerator) -> Schema;

/// Every kind and the schema of its own keys.
const KINDS: [(&str, KindSchema); 4] = [
    ("http", HttpGatewayConfig::json_schema),
    ("twilio", TwilioConfig::json_schema),
    ("vonage", VonageConfig::json_schema),
    ("infobip", InfobipConfig::json_schema),
];

impl KindConfig {
    /// What `kind` may be.
    pub fn names() -> impl Iterator<Item = &'static str> {
        KINDS.iter().map(|(name, _)| *name)
    }
}

/// One schema a kind, so that a wrong key is reported as wrong for that kind, not for all of them.
impl JsonSchema for SmsGatewayConfig {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "sms-gateway".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = KindConfig::names().collect();
        let common = CommonConfig::json_schema(generator).to_value();
        let choices: Vec<Value> = KINDS
            .iter()
            .map(|(name, schema)| {
                let own = schema(generator).to_value();
                json!({
                    "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                    "then": both(&common, &own),
                })
            })
            .collect();
        json_schema!({
            "type": "object",
            "properties": {"kind": {"enum": names}},
            "required": ["kind"],
            "allOf": choices
        })
    }
}

/// The keys of both, and no others.
fn both(common: &Value, own: &Value) -> Value {
    let fields =
        |name: &str| [common, own].map(|schema| schema[name].as_object().cloned().unwrap_or_default());
    let properties: Map<String, Value> = [("kind".to_owned(), json!(true))]
        .into_iter()
        .chain(fields("properties").into_iter().flatten())
        .collect();
    let required: Vec<Value> = [common, own]
        .iter()
        .flat_map(|schema| schema["required"].as_array().cloned().unwrap_or_default())
        .collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
