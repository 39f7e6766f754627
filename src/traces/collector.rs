//! Who is sent spans: one request, one bounded answer, and what it means.

use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use url::Url;

use super::{TracesConfig, TracesError, request};
use crate::{http_client, tls};

/// An answer longer than this is not read on: it holds a number.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Who is sent spans.
pub(super) struct Collector {
    client: Client,
    url: Url,
    headers: HeaderMap,
}

/// Why the collector has not taken a batch.
pub(super) struct Refusal {
    pub detail: String,
    /// It may take the same one later (OTLP specification, "Failures"); not after a time-out, because it may have it.
    pub for_now: bool,
}

impl Collector {
    pub fn new(config: &TracesConfig) -> Result<Self, TracesError> {
        let built = http_client::builder(config.ca.as_ref())
            .and_then(|builder| builder.timeout(config.timeout.0).build());
        let client = built.map_err(TracesError::Client)?;
        let mut headers = config.header_map();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        Ok(Self { client, url: config.endpoint.traces(), headers })
    }

    /// Whether it would take spans of this `resource`, asked with none.
    ///
    /// # Errors
    /// In words, when it would not.
    pub async fn probe(&self, resource: &Resource) -> Result<(), String> {
        let answer = self.post(request::encode(resource, Vec::new())).await;
        answer.map(|_| ()).map_err(|refusal| refusal.detail)
    }

    /// Hands over a body; how many of its spans the collector did not want.
    pub async fn post(&self, body: Bytes) -> Result<u64, Refusal> {
        let request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        let answer = request.send().await.map_err(|error| self.unreached(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(request::rejected(&read(answer).await));
        }
        let for_now = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        Err(Refusal { detail: format!("{} answers HTTP {}", self.place(), status.as_u16()), for_now })
    }

    fn unreached(&self, error: &reqwest::Error) -> Refusal {
        let place = self.place();
        let detail = match tls::explain(error, self.url.host_str().unwrap_or_default()) {
            Some(words) => words,
            None if error.is_timeout() => format!("{place} does not answer in time"),
            None if error.is_connect() => format!("no connection to {place}"),
            None => format!("{place} ended the connection before its answer"),
        };
        Refusal { detail, for_now: error.is_connect() }
    }

    fn place(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }
}

async fn read(mut answer: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            break;
        }
        body.extend_from_slice(&chunk);
    }
    body
}
