//! The dead-letter queue as people see it: what a letter is, why it is there and since when, but not whom it is about. Shared
//! by `shirase dead` and the console.
//!
//! | file | |
//! |---|---|
//! | `letter` | what may be shown of a letter |
//! | `filter` | which letters |
//! | `look` | one pass over the queue |
//! | `outcome` | what became of a letter, and putting one back |

mod filter;
mod letter;
mod look;
mod outcome;

pub use self::filter::{Filter, Fit};
pub use self::letter::{Letter, NOTHING};
pub use self::look::{Found, Look, LookError};
pub use self::outcome::{Outcome, Tried, put_back};
