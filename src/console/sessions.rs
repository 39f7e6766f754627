//! Who is signed in: in memory, for a while, and no more than so many.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::hex::hex;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use super::access::Token;

/// Sessions at once; beyond that the oldest ends.
const MOST: usize = 256;

/// The digest of a session's id: a look-up by it tells nobody who measures how much of an id was right.
type Key = [u8; 32];

/// Everybody who is signed in.
pub(super) struct Sessions {
    lasts: Duration,
    open: HashMap<Key, Session>,
}

struct Session {
    token: Arc<Token>,
    until: Instant,
}

impl Sessions {
    /// Each lasts so long.
    pub fn new(lasts: Duration) -> Self {
        Self { lasts, open: HashMap::new() }
    }

    /// Begins one; its id is 128 random bits in hex. Nothing when the system has no randomness.
    pub fn begin(&mut self, token: Arc<Token>, now: Instant) -> Option<String> {
        self.open.retain(|_, session| session.until > now);
        if self.open.len() >= MOST {
            let oldest = self.open.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key);
            oldest.and_then(|key| self.open.remove(&key));
        }
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).ok()?;
        let id: String = hex(&bytes);
        self.open.insert(key(&id), Session { token, until: now + self.lasts });
        Some(id)
    }

    /// Whose session this is, while it lasts.
    pub fn token(&self, id: &str, now: Instant) -> Option<Arc<Token>> {
        let session = self.open.get(&key(id)).filter(|session| session.until > now)?;
        Some(Arc::clone(&session.token))
    }

    /// Ends one.
    pub fn end(&mut self, id: &str) {
        self.open.remove(&key(id));
    }
}

fn key(id: &str) -> Key {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, id.as_bytes()).as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn token() -> Arc<Token> {
        Arc::new(Token { name: "oncall".to_owned(), digest: [0; 32], reads: true, acts: false })
    }

    #[test]
    fn a_session_lasts_until_it_is_over_or_ended_and_no_id_is_like_another() {
        let (mut sessions, start) = (Sessions::new(HOUR), Instant::now());
        let one = sessions.begin(token(), start).expect("randomness");
        let other = sessions.begin(token(), start).expect("randomness");
        assert!(one.len() == 32 && one != other);
        let known = |sessions: &Sessions, id: &str, at| sessions.token(id, at).is_some();
        assert!(
            known(&sessions, &one, start)
                && !known(&sessions, "", start)
                && !known(&sessions, &one[1..], start)
        );
        assert!(!known(&sessions, &one, start + HOUR));
        sessions.end(&one);
        assert!(!known(&sessions, &one, start) && known(&sessions, &other, start));
    }

    #[test]
    fn there_are_no_more_than_so_many_and_the_oldest_goes_first() {
        let (mut sessions, start) = (Sessions::new(HOUR), Instant::now());
        let at = |number: usize| start + Duration::from_millis(number as u64);
        let ids: Vec<_> =
            (0..=MOST).map(|number| sessions.begin(token(), at(number)).expect("randomness")).collect();
        assert_eq!(sessions.open.len(), MOST);
        assert!(sessions.token(&ids[0], at(MOST)).is_none() && sessions.token(&ids[1], at(MOST)).is_some());
    }
}
