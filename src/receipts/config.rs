//! `[receipts]`

use schemars::JsonSchema;
use serde::Deserialize;

use crate::admin::Listen;
use crate::config::{Secret, Span};
use crate::gateway::GatewayUrl;

/// `[receipts]`
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReceiptsConfig {
    /// A listener of its own, which a reverse proxy makes public; without it `/receipts/…` is served beside `/metrics`.
    pub listen: Option<Listen>,
    /// Under which base URL the gateways reach it: they are told, and Twilio signs it.
    pub public_url: Option<GatewayUrl>,
    /// How long a callback waits for ledger and broker; after that it is answered 503 and the vendor brings it again.
    pub patience: Span,
    /// How long an event is kept, encrypted, in case a receipt says that its message was not delivered. Never past the
    /// event's deadline.
    pub keep: Span,
    /// Shared by `shirase bounce` and the worker.
    pub bounce_secret: Option<Secret>,
}

impl Default for ReceiptsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            public_url: None,
            patience: Span::seconds(1),
            keep: Span::seconds(6 * 3600),
            bounce_secret: None,
        }
    }
}
