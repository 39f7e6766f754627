//! `broker.urls`.

use std::fmt;
use std::str::FromStr;

use lapin::uri::{AMQPScheme, AMQPUri};

use crate::config::text_value;

/// A node of the broker, with its credentials. `Display` and `Debug` hide them.
#[derive(Clone)]
pub struct AmqpUrl {
    pub(super) uri: AMQPUri,
}

/// A node of the broker, for people and documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Host and port.
    pub host: String,
    /// It speaks TLS.
    pub tls: bool,
    /// The virtual host.
    pub vhost: String,
}

/// A broker that froze is noticed after two missed heartbeats; its own default is a minute.
const HEARTBEAT_SECONDS: u16 = 10;

/// A text that is no [`AmqpUrl`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no broker; write \"amqp://USER:PASSWORD@HOST:PORT/%2f\", or amqps:// for TLS")]
pub struct AmqpUrlError;

impl FromStr for AmqpUrl {
    type Err = AmqpUrlError;

    fn from_str(text: &str) -> Result<Self, AmqpUrlError> {
        let mut uri: AMQPUri = text.parse().map_err(|_| AmqpUrlError)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri })
    }
}

impl AmqpUrl {
    /// Host and port, of a node that speaks TLS.
    pub fn tls_place(&self) -> Option<(String, u16)> {
        let authority = &self.uri.authority;
        (self.uri.scheme == AMQPScheme::AMQPS).then(|| (authority.host.clone(), authority.port))
    }

    /// The node without its credentials.
    pub fn node(&self) -> Node {
        let tls = self.uri.scheme == AMQPScheme::AMQPS;
        Node { host: self.to_string(), tls, vhost: self.uri.vhost.clone() }
    }
}

impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uri.authority.host, self.uri.authority.port)
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_value!(AmqpUrl, "amqp-url");
