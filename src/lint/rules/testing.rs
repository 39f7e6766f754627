//! For the rules' tests: a house with one event type, whose templates are a few strings.

use serde_json::{Value, json};

use super::super::{CheckConfig, Finding, Premises, Report, Rule, load};
use crate::assets::Files;
use crate::config::Config;
use crate::event::Catalog;
use crate::gateway::SmsGatewayConfig;
use crate::template::Brand;

pub const SMS: &str = "ja/security.login/sms.hbs";
pub const SUBJECT: &str = "ja/security.login/email.subject.hbs";
pub const TEXT: &str = "ja/security.login/email.txt.hbs";
pub const HTML: &str = "ja/security.login/email.html.hbs";

/// One event type with two examples of the same data.
pub struct House {
    catalog: Catalog,
    config: Config,
}

impl House {
    pub fn new(data: Value) -> Self {
        let mut schema = exactly(&data);
        schema["examples"] = json!([data, data]);
        Self::with_schema(schema)
    }

    pub fn with_schema(schema: Value) -> Self {
        Self::made(schema, "")
    }

    /// With this in its entry of the catalog.
    pub fn with_policy(self, line: &str) -> Self {
        let kind = self.catalog.iter().next().expect("one type");
        Self { catalog: Self::made(kind.schema.document().clone(), line).catalog, config: self.config }
    }

    fn made(schema: Value, line: &str) -> Self {
        let policy = "[\"security.login\"]\nlane = \"standard\"\nchannels = \"auto\"\nemail_to = \"auth\"\n\
                      user_may_choose = true\nuser_may_mute = false\nfallback = true\nmax_age = \"6h\"\n";
        let files = [
            ("events.toml".to_owned(), format!("{policy}{line}\n")),
            ("schemas/security.login.json".to_owned(), schema.to_string()),
        ];
        let mut config = Config::built_in();
        config.brand = Brand {
            company: "見本銀行".into(),
            phone: "0120-000-000".into(),
            hours: "24時間365日".into(),
            locales: std::collections::BTreeMap::new(),
        };
        Self { catalog: Catalog::load(&files.into_iter().collect()).expect("in order"), config }
    }

    /// With this for `[templates.check]`.
    pub fn with(mut self, check: &str) -> Self {
        self.config.templates.check = toml::from_str::<CheckConfig>(check).expect("in order");
        self
    }

    /// With every SMS gateway changed.
    pub fn with_gateways(mut self, change: impl FnMut(&mut SmsGatewayConfig)) -> Self {
        self.config.sms.gateways.iter_mut().for_each(change);
        self
    }

    /// What the whole check says of templates; parts that are not given are in order, and `absent` means no such file.
    pub fn report(&self, files: &[(&str, &str)]) -> Report {
        let parts = [
            (SMS, "【見本銀行】短文 0120-000-000"),
            (SUBJECT, "【見本銀行】件名"),
            (TEXT, "本文 0120-000-000 24時間365日"),
            (HTML, "<p>本文 0120-000-000 24時間365日</p>"),
        ];
        let merged =
            parts.iter().filter(|(name, _)| files.iter().all(|(given, _)| given != name)).chain(files);
        let files: Files = merged
            .filter(|(_, text)| *text != "absent")
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        let Config { brand, sms, templates, .. } = &self.config;
        let premises = Premises { catalog: &self.catalog, brand, sms, config: &templates.check };
        let now = "2026-11-22T06:05:00Z".parse().expect("a time");
        load(&premises, &files, now).map_or_else(|report| report, |(_, report)| report)
    }

    /// What one rule finds, as it is shown, whatever the number of messages that show it.
    pub fn findings(&self, rule: &Rule, files: &[(&str, &str)]) -> Vec<String> {
        let findings = self.report(files).findings.into_iter();
        let unable = ["renders", "parses"];
        let findings = findings.filter(|finding| finding.rule == rule.name || unable.contains(&finding.rule));
        findings.map(|finding| Finding { shown_by: 1, ..finding }.to_string().replace("given/", "")).collect()
    }
}

/// A schema that allows these data alone: the extremes that are made of it are the example again.
fn exactly(data: &Value) -> Value {
    let Some(fields) = data.as_object() else { return json!({"enum": [data]}) };
    let names: Vec<&String> = fields.keys().collect();
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|(name, value)| (name.clone(), exactly(value))).collect();
    json!({"type": "object", "required": names, "properties": properties})
}
