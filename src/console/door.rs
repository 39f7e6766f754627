//! Who is let in: tokens, sessions and the brake on guessing, behind their locks.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;

use super::access::{Access, Shown, Token, Tokens, is_loopback, session_id, shown};
use super::brake::Brake;
use super::config::ConsoleConfig;
use super::refusal::Refusal;
use super::sessions::Sessions;
use crate::clock::Steady;
use crate::config::Span;
use crate::telemetry;

/// Who is let in.
pub(super) struct Door {
    tokens: Tokens,
    loopback: bool,
    lasts: Span,
    sessions: Mutex<Sessions>,
    brake: Mutex<Brake>,
    time: Steady,
}

impl Door {
    pub fn new(config: &ConsoleConfig) -> Self {
        Self {
            tokens: Tokens::new(config),
            loopback: config.loopback,
            lasts: config.sessions,
            sessions: Mutex::new(Sessions::new(config.sessions.0)),
            brake: Mutex::default(),
            time: Steady::system(),
        }
    }

    /// Who asks, and what they may.
    ///
    /// # Errors
    /// When the request carries a token that is none; one that carries nothing, or a session that has ended, is nobody's.
    pub fn access(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Access, Refusal> {
        let here = self.loopback && is_loopback(peer, headers);
        let token = match shown(headers) {
            Shown::Bearer(text) => return self.known(text, peer).map(|token| Access::of(&token)),
            Shown::Session(id) => self.sessions().token(id, self.time.now()),
            Shown::Nothing => None,
        };
        Ok(match token {
            Some(token) => Access::of(&token).or_reads(here),
            None if here => Access::loopback(),
            None => Access::default(),
        })
    }

    /// Signs in: the session's id, and what it allows.
    ///
    /// # Errors
    /// When there is no such token, or too many wrong ones came from there.
    pub fn sign_in(&self, text: &str, peer: IpAddr) -> Result<(String, Access), Refusal> {
        let token = self.known(text, peer)?;
        let access = Access::of(&token);
        telemetry::console_signed_in(&token.name, peer);
        let id = self.sessions().begin(token, self.time.now());
        Ok((id.ok_or(Refusal::Busy("the system has no randomness"))?, access))
    }

    /// Ends the session of a request, where it has one.
    pub fn sign_out(&self, headers: &HeaderMap) {
        if let Some(id) = session_id(headers) {
            self.sessions().end(id);
        }
    }

    /// For how long a browser should keep the cookie.
    pub fn session_seconds(&self) -> u64 {
        self.lasts.0.as_secs()
    }

    fn known(&self, text: &str, peer: IpAddr) -> Result<Arc<Token>, Refusal> {
        let now = self.time.now();
        if self.brake().holds(peer, now) {
            return Err(Refusal::Braked);
        }
        self.tokens.find(text).ok_or_else(|| {
            self.brake().wrong(peer, now);
            telemetry::console_refused(peer);
            Refusal::Unauthorised
        })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn brake(&self) -> MutexGuard<'_, Brake> {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
