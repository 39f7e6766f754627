//! Failures that may come by the thousand: the first of a kind is a log line, the rest are counted and summed up. Each of
//! them is still a line at debug; what became of a single event is in the ledger.

use std::borrow::Cow;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::Level;

use super::repeats::{Repeats, Sum};

/// How often what goes on is summed up.
const WINDOW: Duration = Duration::from_secs(60);

/// Kinds that are counted. All of their parts are of closed sets or configured, so that there are far fewer.
const MOST: usize = 1000;

static REPEATS: LazyLock<Mutex<Repeats<Trouble>>> = LazyLock::new(|| Mutex::new(Repeats::new(WINDOW, MOST)));

/// What makes failures of one kind: the fields that all of their lines share, and so does their sum.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Trouble {
    pub level: Level,
    /// The line's message.
    pub what: &'static str,
    pub lane: Option<&'static str>,
    pub channel: Option<&'static str>,
    pub gateway: Option<String>,
    pub outcome: Option<&'static str>,
    pub result: Option<&'static str>,
    pub reason: Option<Cow<'static, str>>,
    pub role: Option<&'static str>,
    pub host: Option<String>,
    pub queue: Option<String>,
    /// Only where it is of few words that come again: what differs each time is no repetition.
    pub detail: Option<String>,
}

impl Trouble {
    pub fn new(level: Level, what: &'static str) -> Self {
        Self {
            level,
            what,
            lane: None,
            channel: None,
            gateway: None,
            outcome: None,
            result: None,
            reason: None,
            role: None,
            host: None,
            queue: None,
            detail: None,
        }
    }

    /// It happened: the level of its line.
    pub fn happened(&self) -> Level {
        if repeats().is_new(self, Instant::now()) { self.level } else { Level::DEBUG }
    }
}

/// A line with the fields of a [`Trouble`] and further ones of this single case.
macro_rules! say {
    ($trouble:expr $(, $($field:tt)+)?) => {{
        let trouble = &$trouble;
        $crate::telemetry::trouble::line_at!(trouble.happened(), trouble, [$($($field)+,)?], "{}", trouble.what);
    }};
}

/// The same line at whichever level.
macro_rules! line_at {
    ($level:expr, $trouble:ident, [$($field:tt)*], $($message:tt)+) => {
        match $level {
            ::tracing::Level::ERROR => $crate::telemetry::trouble::fields!(error, $trouble, [$($field)*], $($message)+),
            ::tracing::Level::WARN => $crate::telemetry::trouble::fields!(warn, $trouble, [$($field)*], $($message)+),
            ::tracing::Level::INFO => $crate::telemetry::trouble::fields!(info, $trouble, [$($field)*], $($message)+),
            _ => $crate::telemetry::trouble::fields!(debug, $trouble, [$($field)*], $($message)+),
        }
    };
}

macro_rules! fields {
    ($level:ident, $trouble:ident, [$($field:tt)*], $($message:tt)+) => {
        ::tracing::$level!(
            lane = $trouble.lane,
            channel = $trouble.channel,
            gateway = $trouble.gateway.as_deref(),
            outcome = $trouble.outcome,
            result = $trouble.result,
            reason = $trouble.reason.as_deref(),
            role = $trouble.role,
            host = $trouble.host.as_deref(),
            queue = $trouble.queue.as_deref(),
            $($field)*
            $($message)+
        )
    };
}

pub(super) use {fields, line_at, say};

/// Sums up what was counted for a minute. To be called every few seconds.
pub fn sum_up() {
    let sums = repeats().due(Instant::now());
    sums.iter().for_each(summed_up);
}

/// Sums up all that was counted so far: the process ends.
pub fn sum_up_all() {
    over(|_| true);
}

/// A trouble has an end: its sum comes at once, and the next time it is new.
pub(super) fn over(is_over: impl Fn(&Trouble) -> bool) {
    let sums = repeats().over(Instant::now(), is_over);
    sums.iter().for_each(summed_up);
}

fn summed_up(sum: &Sum<Trouble>) {
    let Sum { key: trouble, more, over } = sum;
    let over_ms = super::ms(*over);
    line_at!(
        trouble.level,
        trouble,
        [detail = trouble.detail.as_deref(), repeated = trouble.what, more, over_ms,],
        "{}: {more} more in the last {} s",
        trouble.what,
        over.as_secs_f64().ceil()
    );
}

fn repeats() -> MutexGuard<'static, Repeats<Trouble>> {
    REPEATS.lock().unwrap_or_else(PoisonError::into_inner)
}
