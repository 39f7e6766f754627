//! Why an event was given up: a closed list, in the dead letter's header, the ledger and the metrics alike.

use crate::event::BadReason;
use crate::plan::PlanError;

/// Why an event was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadReason {
    /// It could not be used.
    Bad(BadReason),
    /// No usable address.
    NoAddress,
    /// Past its deadline.
    Expired,
    /// A template failed.
    Render,
    /// Refused for good.
    Refused,
    /// Tried as often as the schedule says.
    Exhausted,
    /// The worker panicked: a bug.
    Internal,
}

impl DeadReason {
    /// Those that are not the event's own fault.
    const OURS: [Self; 6] =
        [Self::NoAddress, Self::Expired, Self::Render, Self::Refused, Self::Exhausted, Self::Internal];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        BadReason::ALL.into_iter().map(Self::Bad).chain(Self::OURS)
    }

    /// Nothing that this side does could have told anybody: the event could not be used, or names no address. What is given up
    /// so does not count against the objective.
    pub fn is_upstreams(self) -> bool {
        matches!(self, Self::Bad(_) | Self::NoAddress)
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bad(reason) => reason.as_str(),
            Self::NoAddress => "no_address",
            Self::Expired => "expired",
            Self::Render => "render",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Internal => "internal",
        }
    }
}

impl From<PlanError> for DeadReason {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Expired => Self::Expired,
            PlanError::NoAddress => Self::NoAddress,
        }
    }
}
