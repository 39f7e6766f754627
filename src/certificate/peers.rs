//! Who shows a certificate, by the configuration. Pure.

use url::Url;

use crate::config::Config;
use crate::gateway::{RelayConfig, RelayTls, SmsGatewayConfig};

/// Who shows a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The gateway's or relay's name, `broker` or `ledger`.
    pub name: String,
    /// Where; several for the nodes of a cluster.
    pub places: Vec<Place>,
}

/// Where a certificate is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What comes before TLS.
    pub opening: Opening,
}

/// What is said in the clear before TLS begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Nothing.
    None,
    /// SMTP up to STARTTLS.
    StartTls {
        /// The name in EHLO.
        client_name: String,
    },
    /// PostgreSQL's request for TLS.
    Postgres,
}

/// Everybody that is spoken to with TLS. A gateway or relay that is called `broker` or `ledger` shares that name's series.
pub fn peers(config: &Config) -> Vec<Peer> {
    let gateways = config.sms.gateways.iter().filter_map(gateway);
    let relays = config.email.relays.iter().filter_map(relay);
    let nodes = config.broker.urls.iter().filter_map(|url| url.tls_place());
    let databases = config.ledger.url.tls_places();
    let broker = several("broker", nodes, &Opening::None);
    let ledger = several("ledger", databases.into_iter(), &Opening::Postgres);
    gateways.chain(relays).chain(broker).chain(ledger).collect()
}

fn gateway(config: &SmsGatewayConfig) -> Option<Peer> {
    let url = Url::parse(config.url()).ok().filter(|url| url.scheme() == "https")?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let place = Place { host, port: url.port_or_known_default()?, opening: Opening::None };
    Some(Peer { name: config.common.name.clone(), places: vec![place] })
}

fn relay(config: &RelayConfig) -> Option<Peer> {
    let opening = match config.url.tls {
        RelayTls::Implicit => Opening::None,
        RelayTls::Required | RelayTls::Opportunistic => {
            Opening::StartTls { client_name: config.client_name.clone() }
        }
        RelayTls::None => return None,
    };
    let place = Place { host: config.url.host.clone(), port: config.url.port, opening };
    Some(Peer { name: config.name.clone(), places: vec![place] })
}

fn several(name: &str, places: impl Iterator<Item = (String, u16)>, opening: &Opening) -> Option<Peer> {
    let place = |(host, port)| Place { host, port, opening: opening.clone() };
    let places: Vec<_> = places.map(place).collect();
    (!places.is_empty()).then(|| Peer { name: name.to_owned(), places })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Vec<String> {
        let variables =
            variables.iter().map(|(name, value)| (format!("SHIRASE_{name}"), (*value).to_owned()));
        let config = Config::load(None, variables).unwrap_or_else(|error| panic!("{error}"));
        let place = |place: &Place| {
            let opening = match place.opening {
                Opening::None => "",
                Opening::StartTls { .. } => " starttls",
                Opening::Postgres => " postgres",
            };
            format!("{}:{}{opening}", place.host, place.port)
        };
        let peer = |peer: Peer| {
            format!("{}: {}", peer.name, peer.places.iter().map(place).collect::<Vec<_>>().join(", "))
        };
        peers(&config).into_iter().map(peer).collect()
    }

    #[test]
    fn nobody_is_looked_at_who_is_spoken_to_in_the_clear() {
        assert_eq!(places(&[]), [""; 0]);
        assert_eq!(places(&[("LEDGER__URL", "postgres://u@db.example.jp/s?sslmode=disable")]), [""; 0]);
    }

    #[test]
    fn whoever_is_spoken_to_with_tls_is_looked_at_by_its_name() {
        let found = places(&[
            ("SMS__GATEWAYS__0__URL", "https://[::1]/sms"),
            ("EMAIL__RELAYS__0__URL", "smtp://relay.example.jp"),
            ("BROKER__URLS", "amqps://u:p@one.example.jp/%2f, amqp://u:p@two, amqps://u:p@three:5679/%2f"),
            ("LEDGER__URL", "postgres://u:p@db.example.jp,db2.example.jp:6432/s"),
        ]);
        assert_eq!(
            found,
            [
                "primary: ::1:443",
                "mta: relay.example.jp:587 starttls",
                "broker: one.example.jp:5671, three:5679",
                "ledger: db.example.jp:5432 postgres, db2.example.jp:6432 postgres",
            ]
        );
        let implicit = places(&[("EMAIL__RELAYS__0__URL", "smtps://relay.example.jp")]);
        assert_eq!(implicit, ["mta: relay.example.jp:465"]);
    }
}
