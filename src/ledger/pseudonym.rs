//! What the ledger and logs hold in the place of something personal.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::Sealed;
use crate::config::Secret;
use crate::event::{EmailAddress, PhoneNumber};
use crate::hex::hex;

/// HMACs with the house's key: the same customer has the same pseudonym, and nobody without the key can tell whose it is.
#[derive(Clone)]
pub struct Pseudonyms {
    key: hmac::Key,
    /// Tells fingerprints by this key from those by another.
    key_id: Arc<str>,
    seal: Arc<LessSafeKey>,
}

/// What the sealing key is derived for; another word is another key.
const SEAL_PURPOSE: &[u8] = b"shirase: sealed event, version 1";

/// What the key's own name is derived for.
const NAME_PURPOSE: &[u8] = b"shirase: name of the key, version 1";

impl Pseudonyms {
    /// With this key.
    pub fn new(key: &Secret) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes());
        let derived = hmac::sign(&key, SEAL_PURPOSE);
        let seal = UnboundKey::new(&AES_256_GCM, derived.as_ref()).expect("HMAC-SHA-256 gives 32 bytes");
        let key_id = hex(&hmac::sign(&key, NAME_PURPOSE).as_ref()[..4]);
        Self { key, key_id: key_id.into(), seal: Arc::new(LessSafeKey::new(seal)) }
    }

    /// Encrypts something personal that has to be read again; `of` is what it belongs to, and it can be opened only as
    /// that. AES-256-GCM under a key derived from the house's, with a random nonce in front.
    pub fn seal(&self, personal: Vec<u8>, of: &str) -> Sealed {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).expect("the system has randomness");
        let mut text = personal;
        self.seal
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(of.as_bytes()),
                &mut text,
            )
            .expect("an event is far shorter than the cipher's limit");
        Sealed([nonce.as_slice(), &text].concat())
    }

    /// Opens what [`Self::seal`] closed; nothing when it was closed with another key, or for something else.
    pub fn unseal(&self, sealed: &Sealed, of: &str) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.0.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.seal.open_in_place(nonce, Aad::from(of.as_bytes()), &mut text).ok()?;
        Some(opened.to_vec())
    }

    /// Of any bytes: 16 bytes in hex.
    pub fn of(&self, personal: &[u8]) -> String {
        hex(&hmac::sign(&self.key, personal).as_ref()[..16])
    }

    /// Of an event's body, with the key's name in front: two fingerprints by different keys say nothing of each other.
    pub fn fingerprint(&self, body: &[u8]) -> String {
        format!("{}.{}", self.key_id, self.of(body))
    }

    /// Of a number, however it was written.
    pub fn of_phone(&self, phone: &PhoneNumber) -> String {
        self.of(phone.e164().as_bytes())
    }

    /// Of a mailbox; upper and lower case are one.
    pub fn of_email(&self, email: &EmailAddress) -> String {
        self.of(email.as_str().to_ascii_lowercase().as_bytes())
    }
}

/// Whether two fingerprints are known to be of different bodies. What other keys made, or versions before the name of the
/// key was in front, may be of the same: an event must not be taken for another because the house has a new key.
pub(super) fn differ(one: &str, other: &str) -> bool {
    match (one.split_once('.'), other.split_once('.')) {
        (Some((one_key, one)), Some((other_key, other))) => one_key == other_key && one != other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_bodies_apart_that_one_key_has_seen_and_no_others() {
        let house = |key: &str| Pseudonyms::new(&key.parse().expect("not empty"));
        let (ours, new) = (house("one"), house("two"));
        let (first, second) = (ours.fingerprint(b"first"), ours.fingerprint(b"second"));
        assert!(differ(&first, &second) && !differ(&first, &ours.fingerprint(b"first")));
        assert!(!differ(&first, &new.fingerprint(b"first")) && !differ(&first, &new.fingerprint(b"second")));
        assert!(!differ(&ours.of(b"first"), &second), "of a version that did not name its key");
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_for_what_it_belongs_to_and_no_other_way() {
        let house = |key: &str| Pseudonyms::new(&key.parse().expect("not empty"));
        let (ours, others) = (house("one"), house("two"));
        let personal = "090-1234-5678 山田".as_bytes().to_vec();
        let sealed = ours.seal(personal.clone(), "/t\u{1f}e");
        assert_eq!(ours.unseal(&sealed, "/t\u{1f}e").as_deref(), Some(personal.as_slice()));
        assert_eq!(ours.unseal(&sealed, "/t\u{1f}f"), None);
        assert_eq!(others.unseal(&sealed, "/t\u{1f}e"), None);
        let holds = |part: &[u8]| sealed.0.windows(part.len()).any(|window| window == part);
        assert!(!holds(b"090") && !holds("山田".as_bytes()));
        assert_ne!(ours.seal(personal.clone(), "e"), ours.seal(personal, "e"), "no nonce is used twice");
        for length in [0, 5, 12, 27] {
            assert_eq!(ours.unseal(&Sealed(vec![7; length]), "e"), None);
        }
    }
}
