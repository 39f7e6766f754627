//! What the ledger and logs hold in the place of something personal.

use ring::hmac;

use crate::config::Secret;
use crate::event::{EmailAddress, PhoneNumber};

/// HMACs with the house's key: the same customer has the same pseudonym, and nobody without the key can tell whose it is.
#[derive(Clone)]
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// With this key.
    pub fn new(key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key.reveal().as_bytes()))
    }

    /// Of any bytes: 16 bytes in hex.
    pub fn of(&self, personal: &[u8]) -> String {
        hmac::sign(&self.0, personal).as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
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
