//! Who asks, and what they may: a token in the request, a session, or the machine itself. Pure.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE, FORWARDED, HOST, ORIGIN, VIA};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;

use super::config::{ConsoleConfig, Scope};
use crate::loopback::is_own_name;

/// Who asks from this machine without a token.
pub(super) const LOOPBACK: &str = "loopback";

/// The cookie that holds a session's id.
pub(super) const SESSION_COOKIE: &str = "shirase_console";

/// A configured token, as its digest: what it is stays in the configuration.
pub(super) struct Token {
    pub name: String,
    pub digest: [u8; 32],
    pub reads: bool,
    pub acts: bool,
}

/// All of them.
pub(super) struct Tokens(Vec<Arc<Token>>);

/// How a request shows who it is from.
pub(super) enum Shown<'a> {
    /// `Authorization: Bearer …`
    Bearer(&'a str),
    /// The session cookie.
    Session(&'a str),
    /// Neither.
    Nothing,
}

/// Who asks, and what they may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Access {
    /// A token's name, `loopback`, or nobody.
    pub who: Option<String>,
    pub reads: bool,
    pub acts: bool,
}

impl Tokens {
    pub fn new(config: &ConsoleConfig) -> Self {
        let token = |token: &super::config::TokenConfig| Token {
            name: token.name.clone(),
            digest: digest_of(token.token.reveal()),
            reads: token.scopes.contains(&Scope::Read),
            acts: token.scopes.contains(&Scope::Act),
        };
        Self(config.tokens.iter().map(token).map(Arc::new).collect())
    }

    /// Whose token this is; in a time that does not tell how much of it was right, or whose.
    pub fn find(&self, text: &str) -> Option<Arc<Token>> {
        let given = digest_of(text);
        let mut found = None;
        for token in &self.0 {
            if bool::from(token.digest.ct_eq(&given)) {
                found = Some(Arc::clone(token));
            }
        }
        found
    }
}

impl Access {
    /// With a token.
    pub fn of(token: &Token) -> Self {
        Self { who: Some(token.name.clone()), reads: token.reads, acts: token.acts }
    }

    /// From this machine: it reads and does not act.
    pub fn loopback() -> Self {
        Self { who: Some(LOOPBACK.to_owned()), reads: true, acts: false }
    }

    /// What a token does not allow, the machine may.
    #[must_use]
    pub fn or_reads(self, also: bool) -> Self {
        Self { reads: self.reads || also, ..self }
    }
}

fn digest_of(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// What a request carries: a token goes over a session.
pub(super) fn shown(headers: &HeaderMap) -> Shown<'_> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let token = value.to_str().ok().and_then(|text| text.split_once(' '));
        let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        // Another scheme is no token of ours, and so a wrong one.
        return Shown::Bearer(token.map_or("", |(_, token)| token.trim()));
    }
    session_id(headers).map_or(Shown::Nothing, Shown::Session)
}

/// The id in the session cookie.
pub(super) fn session_id(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, id)| id)
}

/// The request comes from this machine and is not passed on for somebody else; and it calls us by an address or
/// `localhost`, so that no other site's page can make the browser at this machine read for it (DNS rebinding).
pub(super) fn is_loopback(peer: IpAddr, headers: &HeaderMap) -> bool {
    let passed_on = headers.contains_key(FORWARDED)
        || headers.contains_key(VIA)
        || headers
            .keys()
            .any(|name| name.as_str() == "x-real-ip" || name.as_str().starts_with("x-forwarded-"));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    peer.to_canonical().is_loopback() && !passed_on && is_own_name(host)
}

/// A browser says that a page of another origin asks. Programs say nothing.
pub(super) fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    if let Some(site) = text("sec-fetch-site") {
        return !matches!(site, "same-origin" | "none");
    }
    let (origin, host) = (text(ORIGIN.as_str()), text(HOST.as_str()).unwrap_or_default());
    origin.is_some_and(|origin| origin.split_once("://").is_none_or(|(_, authority)| authority != host))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn only_who_sits_at_this_machine_reads_without_a_token() {
        let here = IpAddr::from([127, 0, 0, 1]);
        let own = ("host", "127.0.0.1:9464");
        assert!(is_loopback(here, &headers(&[own])));
        assert!(is_loopback("::1".parse().expect("an address"), &headers(&[("host", "[::1]:9464")])));
        assert!(is_loopback(
            "::ffff:127.0.0.1".parse().expect("an address"),
            &headers(&[("host", "localhost:9464")])
        ));
        assert!(!is_loopback(IpAddr::from([192, 0, 2, 1]), &headers(&[own])));
        assert!(!is_loopback(here, &headers(&[("host", "evil.example.com:9464")])), "DNS rebinding");
        assert!(!is_loopback(here, &headers(&[])));
        for passed_on in
            ["forwarded", "via", "x-real-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"]
        {
            assert!(!is_loopback(here, &headers(&[own, (passed_on, "192.0.2.1")])), "{passed_on}");
        }
    }

    #[test]
    fn a_token_goes_over_a_session_and_a_session_is_found_among_other_cookies() {
        let session = ("cookie", "a=b; shirase_console=0123; c=d");
        assert!(matches!(shown(&headers(&[session])), Shown::Session("0123")));
        assert!(matches!(shown(&headers(&[session, ("authorization", "bearer t")])), Shown::Bearer("t")));
        assert!(matches!(shown(&headers(&[session, ("authorization", "Basic t")])), Shown::Bearer("")));
        assert!(matches!(shown(&headers(&[("cookie", "xshirase_console=1")])), Shown::Nothing));
        assert!(matches!(shown(&headers(&[])), Shown::Nothing));
    }

    #[test]
    fn a_token_is_known_whole_or_not_at_all_and_gives_its_scopes() {
        let config: ConsoleConfig = toml::from_str(
            "[[tokens]]\nname = 'reader'\ntoken = 'reader-0123456789'\nscopes = ['read']\n\
             [[tokens]]\nname = 'oncall'\ntoken = 'oncall-0123456789'\nscopes = ['read', 'act']\n",
        )
        .expect("keys");
        let tokens = Tokens::new(&config);
        let access = |text: &str| tokens.find(text).map(|token| Access::of(&token));
        let expected = |who: &str, acts| Some(Access { who: Some(who.to_owned()), reads: true, acts });
        assert_eq!(access("reader-0123456789"), expected("reader", false));
        assert_eq!(access("oncall-0123456789"), expected("oncall", true));
        for wrong in ["", "oncall", "oncall-012345678", "oncall-01234567890", "ONCALL-0123456789"] {
            assert_eq!(access(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_told_from_our_own_and_from_a_program() {
        let host = ("host", "console.example.jp");
        for (elsewhere, lines) in [
            (false, vec![]),
            (false, vec![("sec-fetch-site", "same-origin")]),
            (false, vec![("sec-fetch-site", "none")]),
            (true, vec![("sec-fetch-site", "cross-site")]),
            (true, vec![("sec-fetch-site", "same-site")]),
            // A proxy that speaks to us by another name: the browser knows better.
            (false, vec![("sec-fetch-site", "same-origin"), ("origin", "https://elsewhere.example.jp")]),
            (false, vec![("origin", "https://console.example.jp")]),
            (true, vec![("origin", "https://evil.example.com")]),
            (true, vec![("origin", "null")]),
        ] {
            let lines: Vec<_> = lines.iter().copied().chain([host]).collect();
            assert_eq!(is_from_elsewhere(&headers(&lines)), elsewhere, "{lines:?}");
        }
    }
}
