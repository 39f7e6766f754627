//! The one place that asks the system what time it is.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

/// A source of the current time, handed to whatever needs it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock.
    #[allow(clippy::disallowed_methods)]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that starts at the system's time and then runs steadily, whatever is done to the system's clock: for how
    /// long something lasts, within one process.
    pub fn steady() -> Self {
        let (start, since) = (Self::system().now(), Instant::now());
        Self::from_fn(move || start.saturating_add(since.elapsed()).unwrap_or(start))
    }

    /// A clock of one's own, for tests.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// A clock that stands still.
    pub fn fixed(now: Timestamp) -> Self {
        Self::from_fn(move || now)
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

/// How time passes, for whatever counts seconds and needs no date.
#[derive(Clone)]
pub struct Steady(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Steady {
    /// The system's steady clock.
    pub fn system() -> Self {
        Self(Arc::new(Instant::now))
    }

    /// One of one's own, for tests.
    pub fn from_fn(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current time.
    pub fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
