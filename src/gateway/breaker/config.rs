//! `breaker = { … }` of a gateway or relay.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::Span;

/// When a gateway in trouble is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Without it every message finds out for itself that a gateway fails, or wants to be left alone (`Retry-After`).
    pub enabled: bool,
    /// The circuit opens when half of the attempts within this time failed.
    pub window: Span,
    /// Fewer attempts than this say nothing; this many failures in a row open the circuit however long they took.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts: u32,
    /// An attempt that takes longer counts as failed while nothing else is answered. Longer than usual answers take.
    pub slow: Span,
    /// For how long nobody is let through before one message tries; doubled each time when that fails.
    pub open_for: Span,
    /// But never for longer than this.
    pub open_for_at_most: Span,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            window: Span::seconds(10),
            attempts: 5,
            slow: Span::seconds(3),
            open_for: Span::seconds(5),
            open_for_at_most: Span::seconds(60),
        }
    }
}

impl BreakerConfig {
    /// Keys below the breaker's that cannot be, and why.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let spans = [
            ("window", self.window),
            ("slow", self.slow),
            ("open_for", self.open_for),
            ("open_for_at_most", self.open_for_at_most),
        ];
        let message = || "is nothing or longer than an hour; give it some seconds".to_owned();
        spans
            .into_iter()
            .filter(|(_, span)| span.0.is_zero() || span.0.as_secs() > 3600)
            .map(|(key, _)| (key, message()))
            .collect()
    }
}
