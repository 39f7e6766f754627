//! SMS gateways: what all kinds have in common. A kind knows its wire shape alone ([`wire::Wire`], pure); the network is
//! here, once.

mod client;
mod config;
mod http;
mod infobip;
mod receipt_auth;
#[cfg(test)]
mod samples;
mod text;
mod twilio;
mod url;
mod vendor;
mod vonage;
mod wire;

use std::time::Duration;

use ::url::Url;
use jiff::Timestamp;

use self::client::Client;
use self::config::KindConfig;
pub use self::config::{KindConfig as SmsKindConfig, SmsConfig, SmsGatewayConfig};
pub use self::http::HttpGatewayConfig;
pub use self::infobip::InfobipConfig;
use self::text::Repertoire;
pub use self::twilio::TwilioConfig;
pub use self::url::GatewayUrl;
pub use self::vonage::VonageConfig;
use self::wire::{Sms, Wire};
use super::receipt::{Callback, CallbackError, Report};
use super::{Accepted, BuildError, Class, Failure, Letter, Reason};
use crate::plan::Address;
use crate::template::{Message, segments};

/// An SMS gateway: one vendor account.
pub(super) struct SmsGateway {
    client: Client,
    wire: Box<dyn Wire>,
    repertoire: Repertoire,
    /// Where the vendor reaches our receipts listener.
    callback: Option<Url>,
}

impl SmsGateway {
    /// `callback` is where the vendor is told to send receipts to.
    pub fn new(config: &SmsGatewayConfig, callback: Option<Url>) -> Result<Self, BuildError> {
        let failed = |detail: String| BuildError { name: config.common.name.clone(), detail };
        let client = Client::new(config).map_err(failed)?;
        let wire: Box<dyn Wire> = match &config.kind {
            KindConfig::Http(kind) => Box::new(http::Http::new(kind).map_err(failed)?),
            KindConfig::Vonage(kind) => Box::new(vonage::Vonage::new(kind).map_err(failed)?),
            KindConfig::Infobip(kind) => Box::new(infobip::Infobip::new(kind).map_err(failed)?),
            KindConfig::Twilio(kind) => Box::new(twilio::Twilio::new(kind).map_err(failed)?),
        };
        Ok(Self { client, wire, repertoire: config.common.repertoire(), callback })
    }

    /// Hands a message over.
    pub async fn send(&self, letter: &Letter<'_>) -> Result<Accepted, Failure> {
        let (Address::Sms(phone), Message::Sms { text }) = (letter.address, letter.message) else {
            return Err(Failure::new(Class::Permanent, Reason::Build, "not an SMS"));
        };
        let text = &self.repertoire.fit(text)?;
        let (reference, now, valid_for) = (letter.reference, letter.now, letter.valid_for);
        let callback = self.callback.as_ref();
        let request = self.wire.request(&Sms { phone, text, reference, now, valid_for, callback });
        let answer = self.client.ask(request, now).await?;
        let mut accepted = self.wire.read(&answer)?;
        accepted.provider_id = accepted.provider_id.filter(|id| !vendor::holds_number(id, phone));
        accepted.segments = accepted.segments.or(u32::try_from(segments(text).segments).ok());
        Ok(accepted)
    }

    /// Asks something that sends nothing and shows whether the account is in order.
    pub async fn probe(&self, now: Timestamp) -> Result<(), Failure> {
        let request = self.wire.probe(now);
        let host = request.url.host_str().unwrap_or_default().to_owned();
        let answer = self.client.ask(request, now).await?;
        self.wire.read_probe(&answer).map_err(|failure| {
            let detail = format!("{host}: {}", failure.detail);
            Failure::new(failure.class, failure.reason, detail)
        })
    }

    /// Whether receipts can be told from forgeries, so that they are taken.
    pub fn verifies_receipts(&self) -> bool {
        let known = self.callback.is_some() || !self.wire.signs_the_address();
        known && self.wire.verifies_receipts()
    }

    /// Verifies a callback and reads what it says.
    pub fn receipts(&self, callback: &Callback<'_>) -> Result<Vec<Report>, CallbackError> {
        self.wire.receipts(callback)
    }
}

/// `timeout` where the configuration says nothing.
fn default_timeout() -> crate::config::Span {
    crate::config::Span(Duration::from_secs(10))
}
