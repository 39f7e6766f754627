//! `shirase send-test`: one real message through one gateway, for whoever puts it into operation.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};

use super::house;
use super::{ConfigArg, NOT_IN_ORDER, Usage};
use crate::clock::Clock;
use crate::config::{Config, process_environment};
use crate::event::{EmailAddress, Lane, PhoneKind, PhoneNumber};
use crate::gateway::{Accepted, Failure, Gateway, Letter};
use crate::plan::{Address, Channel};
use crate::template::{DEFAULT_LOCALE, Message};

/// How long it may wait for its turn, and how long its text is worth anything.
const PATIENCE: Duration = Duration::from_secs(60);
const VALID_FOR: Duration = Duration::from_secs(600);

/// Send one real message that says it is a test through exactly one gateway or relay.
///
/// The ledger is not opened, and nothing is retried. Exit code 1 means that the gateway did not take it.
#[derive(clap::Args)]
pub(super) struct SendTest {
    /// The name of an SMS gateway or a relay
    #[arg(long, value_name = "NAME")]
    gateway: String,
    /// A Japanese mobile number, or for a relay an email address
    #[arg(long, value_name = "ADDRESS")]
    to: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// What came of it.
struct Sent<'a> {
    gateway: &'a str,
    address: &'a Address,
    reference: &'a str,
    result: Result<Accepted, Failure>,
    took: Duration,
}

impl SendTest {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let config = Config::load(self.config.config.as_deref(), process_environment())?;
        let gateways = house::gateways(&config).map_err(|error| Usage(error.to_string()))?;
        let Some(gateway) = gateways.iter().find(|gateway| gateway.name() == self.gateway) else {
            let known: Vec<&str> = gateways.iter().map(Gateway::name).collect();
            let message = format!("--gateway {}: not configured; known: {}", self.gateway, known.join(", "));
            return Err(Usage(message).into());
        };
        let address = address(gateway.channel(), &self.to).map_err(Usage)?;
        let now = Clock::system().now();
        let message = message(gateway, &config.brand.company, now);
        let reference = format!("{:032x}", fastrand::u128(..));
        let letter =
            Letter { reference: &reference, address: &address, message: &message, now, valid_for: VALID_FOR };
        let started = Instant::now();
        let result = hand_over(gateway, &letter).await;
        let took = started.elapsed();
        let sent = Sent { gateway: gateway.name(), address: &address, reference: &reference, result, took };
        let mut out = stdout().lock();
        if self.json {
            writeln!(out, "{}", sent.in_json())?;
        } else {
            writeln!(out, "{}", sent.in_words())?;
        }
        Ok(if sent.result.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(NOT_IN_ORDER) })
    }
}

async fn hand_over(gateway: &Gateway, letter: &Letter<'_>) -> Result<Accepted, Failure> {
    let turn = gateway.turn(Lane::Critical, PATIENCE).await?;
    gateway.send(letter, turn).await
}

/// An address of the gateway's channel. `Err`: what is wrong with it, which never repeats it.
fn address(channel: Channel, text: &str) -> Result<Address, String> {
    match channel {
        Channel::Sms => {
            let phone =
                PhoneNumber::parse(text).map_err(|error| format!("--to: {error}; this gateway sends SMS"))?;
            match phone.kind() {
                PhoneKind::JapaneseMobile => Ok(Address::Sms(phone)),
                kind => Err(format!("--to: {}; SMS goes to Japanese mobile numbers", kind.in_words())),
            }
        }
        Channel::Email => EmailAddress::parse(text)
            .map(Address::Email)
            .map_err(|error| format!("--to: {error}; this relay sends mail")),
    }
}

/// What the test says: who sends it, that it is a test, when, and that there is nothing to do.
fn message(gateway: &Gateway, company: &str, now: Timestamp) -> Message {
    let time = now.to_zoned(TimeZone::fixed(Offset::constant(9))).strftime("%m/%d %H:%M").to_string();
    let subject = format!("【{company}】Shirase 送信テスト");
    let text = format!("{subject} {time}（日本時間） これは送信試験です。お手続きは不要です。");
    match gateway.channel() {
        Channel::Sms => Message::Sms { text },
        Channel::Email => Message::Email { language: DEFAULT_LOCALE.to_owned(), subject, text, html: None },
    }
}

impl Sent<'_> {
    fn in_json(&self) -> Value {
        let failure = self.result.as_ref().err();
        let accepted = self.result.as_ref().ok();
        json!({
            "gateway": self.gateway, "channel": self.address.channel().as_str(), "to": self.address.to_string(),
            "outcome": failure.map_or("accepted", |failure| failure.class.as_str()),
            "reason": failure.map(|failure| failure.reason.as_str()), "detail": failure.map(|failure| &failure.detail),
            "mend": failure.and_then(|failure| failure.reason.mend()), "reference": self.reference,
            "provider_id": accepted.and_then(|accepted| accepted.provider_id.as_ref()),
            "segments": accepted.and_then(|accepted| accepted.segments), "ms": self.took.as_millis()
        })
    }

    fn in_words(&self) -> String {
        let came = match &self.result {
            Ok(accepted) => {
                let id = accepted.provider_id.as_ref().map(|id| format!(", its id {id}")).unwrap_or_default();
                let segments =
                    accepted.segments.map(|count| format!(", {count} segment(s)")).unwrap_or_default();
                format!("accepted{id}{segments}")
            }
            Err(failure) => format!("{}: {}", failure.class.as_str(), failure.with_mend()),
        };
        let (channel, ms) = (self.address.channel().as_str(), self.took.as_millis());
        format!(
            "{channel} → {} via {}: {came}, {ms} ms, reference {}",
            self.address, self.gateway, self.reference
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_another_channel_is_refused_and_not_repeated() {
        assert!(address(Channel::Sms, "090-1234-5678").is_ok());
        assert!(address(Channel::Email, "taro@example.jp").is_ok());
        for (channel, text) in [
            (Channel::Sms, "taro@example.jp"),
            (Channel::Sms, "0312345678"),
            (Channel::Sms, "0800-123-4567"),
            (Channel::Sms, "+12025550123"),
            (Channel::Email, "09012345678"),
            (Channel::Email, "taro"),
        ] {
            let problem = address(channel, text).expect_err(text);
            assert!(problem.starts_with("--to: ") && !problem.contains(text), "{problem}");
        }
    }
}
