//! Waiting for a condition.

use std::thread;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Asks until there is an answer, and panics naming `what` when there is none in time.
///
/// The timeout is not an assertion about speed: be generous, a busy machine must not fail a test.
#[track_caller]
pub fn eventually<T>(timeout: Duration, what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(timeout, ask).unwrap_or_else(|| panic!("waited {timeout:?} in vain for {what}"))
}

/// As [`eventually`], for callers with more to say about a failure.
pub fn within<T>(timeout: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let last = Instant::now() >= deadline;
        let answer = ask();
        if answer.is_some() || last {
            return answer;
        }
        thread::sleep(STEP);
    }
}
