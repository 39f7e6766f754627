//! What a database has to do to be a ledger.

use ring::rand::{SecureRandom, SystemRandom};

use super::operation::{Answer, Operation};
use crate::hex::hex;

/// Events forgotten in one step: short enough not to hold up a commit that customers wait for.
pub(super) const SWEEP_STEP: i64 = 500;

/// Reopened events looked up in one step.
pub(super) const STRANDED_STEP: i64 = 100;

/// A database that can write a batch durably, all or nothing.
pub(super) trait Engine: Send {
    /// Writes a batch and returns only when it is durable; one answer an operation. After an error nobody needs to know
    /// whether it was written: the same batch is committed again.
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError>;
}

/// The engine could not write, or nobody knows whether it did.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct EngineError(pub String);

/// Random bytes in hex.
pub(super) fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).expect("the system has randomness");
    hex(&random)
}
