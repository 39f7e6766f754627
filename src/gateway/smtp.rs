//! SMTP relays.
//!
//! lettre speaks the protocol; the connections are ours. Its own pool probes each connection with NOOP before use and
//! leaves Nagle's algorithm on, which together cost most of the throughput. The dialogue is walked stage by stage,
//! because the stage decides what a lost connection means: before the final dot nothing was accepted, after it nobody
//! knows.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Noop, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::mail::{Built, Mailbox, build};
use super::relay_url::{RelayUrl, Tls};
use super::{
    Accepted, BreakerConfig, Class, Failure, Letter, OnUnknown, Reason, default_unknown_wait, default_weight,
};
use crate::config::Span;

/// A connection that rested longer is closed rather than used: relays hang up on idle clients.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// One of `[[email.relays]]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayConfig {
    /// Name in metrics and logs.
    pub name: String,
    /// Where it listens, with credentials when it wants them.
    pub url: RelayUrl,
    /// Connections at most.
    #[serde(default = "default_pool")]
    #[schemars(range(min = 1, max = 1000))]
    pub pool: u32,
    /// Its share where the relays share by weight.
    #[serde(default = "default_weight")]
    #[schemars(range(min = 1, max = 1000))]
    pub weight: u32,
    /// When it is left alone.
    #[serde(default)]
    pub breaker: BreakerConfig,
    /// Mails a second, from all workers together; no limit without it.
    #[schemars(range(min = 1))]
    pub rate_per_second: Option<NonZeroU32>,
    /// One attempt, from connecting to the last reply.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// When the last reply never came.
    #[serde(default)]
    pub on_unknown: OnUnknown,
    /// With `on_unknown = "wait"`: how long.
    #[serde(default = "default_unknown_wait")]
    pub unknown_wait: Span,
    /// The name in EHLO; receivers compare it with the address's PTR record.
    #[serde(default = "default_client_name")]
    pub client_name: String,
}

fn default_pool() -> u32 {
    16
}

fn default_timeout() -> Span {
    Span::seconds(30)
}

fn default_client_name() -> String {
    "localhost".to_owned()
}

/// Where in the dialogue something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    FinalDot,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connecting",
            Self::Hello => "EHLO",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::FinalDot => "end of data",
        }
    }
}

/// A relay and its connections.
pub(super) struct Relay {
    url: RelayUrl,
    from: Mailbox,
    hello: ClientId,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Relay {
    pub(super) fn new(config: &RelayConfig, from: &Mailbox) -> Result<Self, String> {
        let url = config.url.clone();
        let tls = match url.tls {
            Tls::None => None,
            _ => Some(TlsParameters::new_rustls(url.host.clone()).map_err(|error| format!("TLS: {error}"))?),
        };
        let credentials = url
            .credentials
            .as_ref()
            .map(|(user, password)| Credentials::new(user.clone(), password.reveal().to_owned()));
        Ok(Self {
            from: from.clone(),
            hello: ClientId::Domain(config.client_name.clone()),
            tls,
            credentials,
            idle: Mutex::new(Vec::new()),
            url,
        })
    }

    pub(super) async fn send(&self, letter: &Letter<'_>, patience: Duration) -> Result<Accepted, Failure> {
        let mail = build(letter, &self.from)?;
        let mut stage = Stage::Connect;
        match timeout(patience, self.deliver(&mail, &mut stage)).await {
            Ok(result) => result.map(|()| Accepted::with_id(Some(mail.message_id))),
            Err(_) => Err(lost(stage, Reason::Timeout)),
        }
    }

    /// Connects, and says NOOP.
    pub(super) async fn probe(&self, patience: Duration) -> Result<(), Failure> {
        let mut stage = Stage::Connect;
        let probed = async {
            let mut connection = self.connect(&mut stage).await?;
            connection.command(Noop).await.map_err(|error| failure(stage, &error))?;
            self.keep(connection);
            Ok(())
        };
        timeout(patience, probed)
            .await
            .unwrap_or_else(|_| Err(Failure::new(Class::Retryable, Reason::Timeout, "no answer in time")))
    }

    async fn deliver(&self, mail: &Built, stage: &mut Stage) -> Result<(), Failure> {
        if let Some(mut connection) = self.rested() {
            *stage = Stage::Mail;
            match dialogue(&mut connection, mail, stage).await {
                // The relay hung up on a resting connection: nothing of this mail was accepted, so a new one is tried.
                Err(error) if hung_up(&error) && *stage != Stage::FinalDot => {}
                ended => return self.ended(connection, *stage, ended).await,
            }
        }
        let mut connection = self.connect(stage).await?;
        *stage = Stage::Mail;
        let ended = dialogue(&mut connection, mail, stage).await;
        self.ended(connection, *stage, ended).await
    }

    /// Keeps the connection after a success or a clean refusal; drops it after anything else.
    async fn ended(
        &self,
        mut connection: AsyncSmtpConnection,
        stage: Stage,
        ended: Result<(), Error>,
    ) -> Result<(), Failure> {
        let Err(error) = ended else {
            self.keep(connection);
            return Ok(());
        };
        let refused_before_data = error.status().is_some() && stage != Stage::FinalDot;
        if refused_before_data && connection.command("RSET\r\n").await.is_ok() {
            self.keep(connection);
        }
        Err(failure(stage, &error))
    }

    fn rested(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one used is the least likely to have been hung up on; the others age at the front.
        idle.retain(|idle| idle.since.elapsed() < MAX_IDLE);
        idle.pop().map(|idle| idle.connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let idle = Idle { connection, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }

    async fn connect(&self, stage: &mut Stage) -> Result<AsyncSmtpConnection, Failure> {
        *stage = Stage::Connect;
        let at = (self.url.host.as_str(), self.url.port);
        let mut connection = if self.url.tls == Tls::Implicit {
            AsyncSmtpConnection::connect_tokio1(at, None, &self.hello, self.tls.clone(), None).await
        } else {
            let refused = |_| Failure::new(Class::Retryable, Reason::Connect, "no connection");
            let stream = TcpStream::connect(at).await.map_err(refused)?;
            stream.set_nodelay(true).map_err(refused)?;
            *stage = Stage::Hello;
            AsyncSmtpConnection::connect_with_transport(Box::new(stream), &self.hello).await
        }
        .map_err(|error| failure(*stage, &error))?;
        self.secure(&mut connection, stage).await?;
        Ok(connection)
    }

    async fn secure(&self, connection: &mut AsyncSmtpConnection, stage: &mut Stage) -> Result<(), Failure> {
        let wanted = match self.url.tls {
            Tls::Required => true,
            Tls::Opportunistic => connection.can_starttls(),
            Tls::Implicit | Tls::None => false,
        };
        if let Some(tls) = self.tls.clone().filter(|_| wanted) {
            *stage = Stage::StartTls;
            if !connection.can_starttls() {
                return Err(Failure::new(Class::Retryable, Reason::Tls, "the relay offers no STARTTLS"));
            }
            connection.starttls(tls, &self.hello).await.map_err(|error| failure(*stage, &error))?;
        }
        if let Some(credentials) = &self.credentials {
            *stage = Stage::Auth;
            connection
                .auth(DEFAULT_MECHANISMS, credentials)
                .await
                .map_err(|error| failure(*stage, &error))?;
        }
        Ok(())
    }
}

/// The connection is gone, or the relay says goodbye (421, RFC 5321, 3.8).
fn hung_up(error: &Error) -> bool {
    error.status().is_none_or(|code| u16::from(code) == 421)
}

/// One transaction on an open connection; `stage` tells how far it came.
async fn dialogue(
    connection: &mut AsyncSmtpConnection,
    mail: &Built,
    stage: &mut Stage,
) -> Result<(), Error> {
    *stage = Stage::Mail;
    connection.command(Mail::new(Some(mail.from.clone()), vec![])).await?;
    *stage = Stage::Rcpt;
    connection.command(Rcpt::new(mail.to.clone(), vec![])).await?;
    *stage = Stage::Data;
    connection.command(Data).await?;
    *stage = Stage::FinalDot;
    connection.message(&mail.bytes).await?;
    Ok(())
}

/// A connection lost or silent at this stage.
fn lost(stage: Stage, reason: Reason) -> Failure {
    let class = if stage == Stage::FinalDot { Class::Unknown } else { Class::Retryable };
    let reason = if stage == Stage::Connect && reason == Reason::Cut { Reason::Connect } else { reason };
    Failure::new(class, reason, format!("at {}", stage.as_str()))
}

/// Classifies by stage, reply code and enhanced code (RFC 5321, RFC 3463). The reply's text is not kept: it echoes the
/// address.
fn failure(stage: Stage, error: &Error) -> Failure {
    let Some(code) = error.status() else {
        let reason = match error {
            error if error.is_tls() => Reason::Tls,
            // An ended connection is a response that ends early; what lettre could not parse is one that never began.
            error if error.is_response() && !error.to_string().contains("incomplete") => Reason::Garbage,
            _ => Reason::Cut,
        };
        return lost(stage, reason);
    };
    let code = u16::from(code);
    let enhanced = enhanced_code(&error.to_string());
    let (class, reason) = classify(stage, code, enhanced.as_deref());
    let enhanced = enhanced.map(|enhanced| format!(" {enhanced}")).unwrap_or_default();
    Failure::new(class, reason, format!("SMTP {code}{enhanced} at {}", stage.as_str()))
}

fn classify(stage: Stage, code: u16, enhanced: Option<&str>) -> (Class, Reason) {
    let about_us =
        matches!(code, 530 | 534 | 535 | 538) || enhanced.is_some_and(|code| code.starts_with("5.7."));
    match (stage, code) {
        (Stage::Auth, _) => (Class::Credentials, Reason::Credentials),
        (_, 400..=499) => (Class::Retryable, Reason::Server),
        _ if about_us => (Class::Credentials, Reason::Credentials),
        (Stage::Connect | Stage::Hello | Stage::StartTls | Stage::Mail, _) => (Class::Route, Reason::Route),
        (Stage::Rcpt, _) => (Class::Permanent, Reason::Recipient),
        (Stage::Data | Stage::FinalDot, _) => (Class::Permanent, Reason::Rejected),
    }
}

/// The first `5.1.1`-like code in a reply's text (RFC 2034): digits only, so nothing personal.
fn enhanced_code(text: &str) -> Option<String> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').find(|word| is_enhanced(word)).map(str::to_owned)
}

fn is_enhanced(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len());
    matches!(parts.as_slice(), ["2" | "4" | "5", subject, detail] if number(subject) && number(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_classified_by_stage_and_code() {
        use Class::*;
        for (stage, code, enhanced, class) in [
            (Stage::Hello, 421, None, Retryable),
            (Stage::Hello, 554, None, Route),
            (Stage::Auth, 535, Some("5.7.8"), Credentials),
            (Stage::Auth, 454, Some("4.7.0"), Credentials),
            (Stage::Mail, 530, None, Credentials),
            (Stage::Mail, 553, None, Route),
            (Stage::Rcpt, 450, Some("4.2.0"), Retryable),
            (Stage::Rcpt, 451, Some("4.7.1"), Retryable),
            (Stage::Rcpt, 550, Some("5.1.1"), Permanent),
            (Stage::Rcpt, 554, Some("5.7.1"), Credentials),
            (Stage::FinalDot, 452, None, Retryable),
            (Stage::FinalDot, 554, Some("5.6.0"), Permanent),
        ] {
            assert_eq!(classify(stage, code, enhanced).0, class, "{stage:?} {code}");
        }
    }

    #[test]
    fn a_connection_lost_before_the_final_dot_was_not_accepted_and_after_it_nobody_knows() {
        for stage in [
            Stage::Connect,
            Stage::Hello,
            Stage::StartTls,
            Stage::Auth,
            Stage::Mail,
            Stage::Rcpt,
            Stage::Data,
        ] {
            assert_eq!(lost(stage, Reason::Cut).class, Class::Retryable, "{stage:?}");
        }
        assert_eq!(lost(Stage::FinalDot, Reason::Timeout).class, Class::Unknown);
    }

    #[test]
    fn the_enhanced_code_is_found_and_nothing_else() {
        assert_eq!(
            enhanced_code("permanent error (550): 5.1.1 <taro@203.0.113.7> unknown").as_deref(),
            Some("5.1.1")
        );
        assert_eq!(enhanced_code("permanent error (550): no such user at 203.0.113.7"), None);
    }
}
