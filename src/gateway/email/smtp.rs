//! SMTP relays.
//!
//! lettre speaks the protocol; the connections are ours. Its own pool probes each connection with NOOP before use and
//! leaves Nagle's algorithm on, which together cost most of the throughput. Before the final dot nothing was accepted,
//! after it nobody knows.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream, TlsParameters};
use lettre::transport::smtp::commands::Noop;
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::{Accepted, Class, Failure, Letter, Reason};
use super::cleartext::LineByLine;
use super::dialogue::Session;
use super::mail::{Built, Sender, build};
use super::relay_url::{RelayUrl, Tls};
use super::reply::{Broken, Stage, failure, lost};
use super::{EmailConfig, RelayConfig, tls};

/// A connection that rested longer is closed rather than used: relays hang up on idle clients.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// A relay and its connections.
pub(in crate::gateway) struct Relay {
    url: RelayUrl,
    sender: Sender,
    hello: ClientId,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    session: Session,
    since: Instant,
}

impl Relay {
    /// Bounces come back to an address that names their notification.
    pub fn hears_of_bounces(&self) -> bool {
        self.sender.has_return_path()
    }

    /// # Errors
    /// In words, when certificates or the key for signatures cannot be used.
    pub fn new(config: &RelayConfig, email: &EmailConfig) -> Result<Self, String> {
        let url = config.url.clone();
        let tls = match url.tls {
            Tls::None => None,
            _ => Some(tls::parameters(&url.host, config.ca.as_ref())?),
        };
        let credentials = url
            .credentials
            .as_ref()
            .map(|(user, password)| Credentials::new(user.clone(), password.reveal().to_owned()));
        Ok(Self {
            sender: Sender::new(email)?,
            hello: ClientId::Domain(config.client_name.clone()),
            tls,
            credentials,
            idle: Mutex::new(Vec::new()),
            url,
        })
    }

    pub async fn send(&self, letter: &Letter<'_>, patience: Duration) -> Result<Accepted, Failure> {
        let mail = build(letter, &self.sender)?;
        let mut stage = Stage::Connect;
        match timeout(patience, self.deliver(&mail, &mut stage)).await {
            Ok(result) => result.map(|()| Accepted::with_id(Some(mail.message_id))),
            Err(_) => Err(lost(stage, Reason::Timeout)),
        }
    }

    /// Connects, and says NOOP.
    pub async fn probe(&self, patience: Duration) -> Result<(), Failure> {
        let mut stage = Stage::Connect;
        let probed = async {
            let mut session = self.connect(&mut stage).await?;
            let said = session.connection.command(Noop).await;
            said.map_err(|error| failure(stage, &error, &self.url.host))?;
            self.keep(session);
            Ok(())
        };
        timeout(patience, probed)
            .await
            .unwrap_or_else(|_| Err(Failure::new(Class::Retryable, Reason::Timeout, "no answer in time")))
    }

    async fn deliver(&self, mail: &Built, stage: &mut Stage) -> Result<(), Failure> {
        if let Some(mut session) = self.rested() {
            *stage = Stage::Mail;
            match session.deliver(mail, stage).await {
                // The relay hung up on a resting connection: nothing of this mail was accepted, so a new one is tried.
                Err(broken) if broken.hung_up() && *stage != Stage::FinalDot => {}
                ended => return self.ended(session, *stage, ended).await,
            }
        }
        // On the heap: with TLS in it, it is most of what every event's task would have to hold, for one in thousands.
        let mut session = Box::pin(self.connect(stage)).await?;
        let ended = session.deliver(mail, stage).await;
        self.ended(session, *stage, ended).await
    }

    /// Keeps the connection after a success or a clean refusal; drops it after anything else.
    async fn ended(
        &self,
        mut session: Session,
        stage: Stage,
        ended: Result<(), Broken>,
    ) -> Result<(), Failure> {
        let Err(broken) = ended else {
            self.keep(session);
            return Ok(());
        };
        let refused_before_data = broken.refused() && stage != Stage::FinalDot;
        if refused_before_data && session.connection.command("RSET\r\n").await.is_ok() {
            self.keep(session);
        }
        Err(broken.at(stage, &self.url.host))
    }

    fn rested(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The last one used is the least likely to have been hung up on; the others age at the front.
        idle.retain(|idle| idle.since.elapsed() < MAX_IDLE);
        idle.pop().map(|idle| idle.session)
    }

    fn keep(&self, session: Session) {
        let idle = Idle { session, since: Instant::now() };
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(idle);
    }

    async fn connect(&self, stage: &mut Stage) -> Result<Session, Failure> {
        *stage = Stage::Connect;
        let at = (self.url.host.as_str(), self.url.port);
        let mut connection = if self.url.tls == Tls::Implicit {
            AsyncSmtpConnection::connect_tokio1(at, None, &self.hello, self.tls.clone(), None).await
        } else {
            let refused = |_| {
                let detail = format!("no connection to {}", self.url);
                Failure::new(Class::Retryable, Reason::Connect, detail)
            };
            let stream = TcpStream::connect(at).await.map_err(refused)?;
            stream.set_nodelay(true).map_err(refused)?;
            *stage = Stage::Hello;
            let stream: Box<dyn AsyncTokioStream> = match self.url.tls {
                Tls::None => Box::new(stream),
                _ => Box::new(LineByLine(stream)),
            };
            AsyncSmtpConnection::connect_with_transport(stream, &self.hello).await
        }
        .map_err(|error| failure(*stage, &error, &self.url.host))?;
        self.secure(&mut connection, stage).await?;
        *stage = Stage::Hello;
        Session::begin(connection, &self.hello).await.map_err(|error| failure(*stage, &error, &self.url.host))
    }

    async fn secure(&self, connection: &mut AsyncSmtpConnection, stage: &mut Stage) -> Result<(), Failure> {
        let wanted = match self.url.tls {
            Tls::Required => true,
            // A password is worth more than the mail: whoever strips the offer of STARTTLS must not get it.
            Tls::Opportunistic => connection.can_starttls() || self.credentials.is_some(),
            Tls::Implicit | Tls::None => false,
        };
        if let Some(tls) = self.tls.clone().filter(|_| wanted) {
            *stage = Stage::StartTls;
            if !connection.can_starttls() {
                return Err(Failure::new(Class::Retryable, Reason::Tls, NO_STARTTLS));
            }
            connection
                .starttls(tls, &self.hello)
                .await
                .map_err(|error| failure(*stage, &error, &self.url.host))?;
        }
        if let Some(credentials) = &self.credentials {
            *stage = Stage::Auth;
            connection
                .auth(DEFAULT_MECHANISMS, credentials)
                .await
                .map_err(|error| failure(*stage, &error, &self.url.host))?;
        }
        Ok(())
    }
}

const NO_STARTTLS: &str = "the relay offers no STARTTLS";
