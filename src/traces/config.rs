//! `[traces]`: where spans go, and of which events.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use crate::config::{Certificates, Secret, Span, text_value};

/// `[traces]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TracesConfig {
    /// The collector's base URL, for OTLP over HTTP; `/v1/traces` is added.
    pub endpoint: CollectorUrl,
    /// Headers for the collector. None of their values is ever printed, so a secret may stand here, too.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// Authorities in PEM form that the collector's certificate may lead to, beside the system's.
    #[serde(default)]
    pub ca: Option<Certificates>,
    /// The share of events that are traced, of those that come without a trace; one that comes with a trace is traced
    /// when its sender says so.
    #[serde(default = "every")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample: f64,
    /// What the worker is called in traces.
    #[serde(default = "service_name")]
    #[schemars(length(min = 1))]
    pub service_name: String,
    /// How long the collector may take for a batch.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

fn every() -> f64 {
    1.0
}

fn service_name() -> String {
    "shirase".to_owned()
}

fn timeout() -> Span {
    Span::seconds(5)
}

impl TracesConfig {
    /// What one key alone cannot show, each with its key below `traces`.
    pub(crate) fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (name, value) in &self.headers {
            let wrong = match name.parse::<HeaderName>() {
                Err(_) => "is no name of a header",
                Ok(CONTENT_TYPE) => "is always application/x-protobuf",
                Ok(_) if HeaderValue::from_str(value.reveal()).is_err() => {
                    "holds a character that no header may hold"
                }
                Ok(_) => continue,
            };
            problems.push((format!("headers.{name}"), wrong.to_owned()));
        }
        if self.timeout.0.is_zero() {
            let message = "is nothing: every batch would be dropped; give it some seconds";
            problems.push(("timeout".to_owned(), message.to_owned()));
        }
        problems
    }

    /// The headers as they are sent, those that are none left out: [`Self::problems`] has named them.
    pub(super) fn header_map(&self) -> HeaderMap {
        let header = |(name, value): (&String, &Secret)| {
            let mut value = HeaderValue::from_str(value.reveal()).ok()?;
            value.set_sensitive(true);
            Some((name.parse::<HeaderName>().ok()?, value))
        };
        self.headers.iter().filter_map(header).collect()
    }
}

/// Where a collector listens for OTLP over HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct CollectorUrl(Url);

/// A text that is no [`CollectorUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollectorUrlError {
    /// Something else.
    #[error("is no http or https URL with a host, for example \"http://collector:4318\"")]
    NoUrl,
    /// With a user or a password, which would be shown.
    #[error("holds credentials: give them in traces.headers, for example authorization_file = \"…\"")]
    Credentials,
}

impl FromStr for CollectorUrl {
    type Err = CollectorUrlError;

    fn from_str(text: &str) -> Result<Self, CollectorUrlError> {
        let url = Url::parse(text).map_err(|_| CollectorUrlError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(CollectorUrlError::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CollectorUrlError::Credentials);
        }
        Ok(Self(url))
    }
}

impl fmt::Debug for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl CollectorUrl {
    /// Where spans are posted to (OTLP exporter specification, "Endpoint URLs for OTLP/HTTP": relative to the base).
    pub(super) fn traces(&self) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/v1/traces", self.0.path().trim_end_matches('/')));
        url
    }
}

text_value!(CollectorUrl, "collector-url");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_posted_below_the_endpoint_as_the_specification_says() {
        for (endpoint, posted) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            ("http://collector:4318/", "http://collector:4318/v1/traces"),
            ("https://otlp.example.jp/mycollector", "https://otlp.example.jp/mycollector/v1/traces"),
        ] {
            assert_eq!(endpoint.parse::<CollectorUrl>().expect("a URL").traces().as_str(), posted);
        }
    }

    #[test]
    fn what_is_no_url_of_a_collector_or_would_show_a_password_is_refused() {
        for text in ["", "collector:4318", "grpc://collector:4317", "http://"] {
            assert_eq!(text.parse::<CollectorUrl>(), Err(CollectorUrlError::NoUrl), "{text}");
        }
        assert_eq!("http://user:pass@collector".parse::<CollectorUrl>(), Err(CollectorUrlError::Credentials));
    }
}
