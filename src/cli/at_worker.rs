//! Asking the worker of a configuration over HTTP.

use std::time::Duration;

use crate::admin::Listen;

/// A worker on the same machine or in the same network answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a page of the worker is, seen from this machine: one that listens everywhere is reached on loopback.
pub(super) fn url(listen: Listen, path: &str) -> String {
    let Listen(address) = listen;
    let host = match address.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => "127.0.0.1".to_owned(),
        ip if ip.is_unspecified() => "[::1]".to_owned(),
        ip if ip.is_ipv6() => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    format!("http://{host}:{}{path}", address.port())
}

/// `GET` of a page that answers with a success.
pub(super) async fn get(url: &str) -> reqwest::Result<reqwest::Response> {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
    client.get(url).send().await?.error_for_status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_listens_everywhere_is_reached_on_loopback() {
        for (listen, expected) in [
            ("0.0.0.0:9464", "http://127.0.0.1:9464/metrics"),
            ("[::]:9464", "http://[::1]:9464/metrics"),
            ("192.0.2.7:80", "http://192.0.2.7:80/metrics"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:80/metrics"),
        ] {
            assert_eq!(url(listen.parse().expect("an address"), "/metrics"), expected);
        }
    }
}
