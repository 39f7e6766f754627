//! Draining a gateway: what somebody asks for, and whether it may be. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::Channel;
use crate::printable::printable;

/// A gateway that is not to be asked for a while, because somebody says so. Nothing personal but who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drain {
    /// Its configured name.
    pub gateway: String,
    /// When it was drained.
    pub since: Timestamp,
    /// From then on it is asked again, whether or not anybody resumes it.
    pub until: Timestamp,
    /// Why, for whoever wonders.
    pub reason: String,
    /// Who drained it.
    pub by: String,
}

impl Drain {
    /// Not over yet.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// A configured gateway or relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Its name.
    pub name: String,
    /// The channel that it serves.
    pub channel: Channel,
}

/// What somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrainRequest {
    /// A gateway's name.
    pub gateway: String,
    /// For how long, a second to seven days: a drain that is forgotten must end by itself.
    pub length: Duration,
    /// Why, 1 to 200 characters. It is shown and logged: nothing personal.
    pub reason: String,
    /// Who, 1 to 64 characters.
    pub by: String,
    /// Also when the channel has no other gateway that is not drained.
    pub even_the_last: bool,
}

/// Why a gateway is not drained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DrainRefusal {
    /// There is no such gateway.
    #[error("\"{name}\" is no gateway or relay; there are {}", known.join(", "))]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Too short or too long.
    #[error("a drain lasts from a second to seven days")]
    Length,
    /// None, or too long.
    #[error("a drain needs a reason, of {} characters at most", DrainRequest::LONGEST_REASON)]
    Reason,
    /// None, or too long.
    #[error("a drain needs a name of who wants it, of {} characters at most", DrainRequest::LONGEST_NAME)]
    By,
    /// Nothing would go out by the channel any more.
    #[error("{gateway} is the last gateway of {} that is not drained: nothing would go out by it", channel.as_str())]
    LastWayOut {
        /// The gateway.
        gateway: String,
        /// Its channel.
        channel: Channel,
    },
}

impl DrainRequest {
    /// Characters of a reason.
    pub const LONGEST_REASON: usize = 200;
    /// Characters of a name.
    pub const LONGEST_NAME: usize = 64;
    const LENGTHS: std::ops::RangeInclusive<Duration> =
        Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);

    /// The drain that this comes to at `now`, with these configured `ways` and the `drains` that there are.
    ///
    /// # Errors
    /// [`DrainRefusal`].
    pub fn judge(self, ways: &[Way], drains: &[Drain], now: Timestamp) -> Result<Drain, DrainRefusal> {
        let Some(way) = ways.iter().find(|way| way.name == self.gateway) else {
            let known = ways.iter().map(|way| way.name.clone()).collect();
            return Err(DrainRefusal::Unknown { name: printable(&self.gateway), known });
        };
        let until = now.checked_add(self.length).ok().filter(|_| Self::LENGTHS.contains(&self.length));
        let until = until.ok_or(DrainRefusal::Length)?;
        let reason = words(&self.reason, Self::LONGEST_REASON).ok_or(DrainRefusal::Reason)?;
        let by = words(&self.by, Self::LONGEST_NAME).ok_or(DrainRefusal::By)?;
        let is_drained =
            |other: &Way| drains.iter().any(|drain| drain.gateway == other.name && drain.is_in_force(now));
        let mut others = ways.iter().filter(|other| other.channel == way.channel && *other != way);
        if others.all(is_drained) && !self.even_the_last {
            return Err(DrainRefusal::LastWayOut { gateway: self.gateway, channel: way.channel });
        }
        Ok(Drain { gateway: self.gateway, since: now, until, reason, by })
    }
}

/// On one line and of one to `longest` characters.
fn words(text: &str, longest: usize) -> Option<String> {
    let words = printable(text).trim().to_owned();
    (1..=longest).contains(&words.chars().count()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_790_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    fn ways() -> Vec<Way> {
        [("primary", Channel::Sms), ("backup", Channel::Sms), ("mta", Channel::Email)]
            .map(|(name, channel)| Way { name: name.to_owned(), channel })
            .to_vec()
    }

    fn request(gateway: &str) -> DrainRequest {
        DrainRequest {
            gateway: gateway.to_owned(),
            length: Duration::from_secs(900),
            reason: " 業者の保守\n".to_owned(),
            by: "kato".to_owned(),
            even_the_last: false,
        }
    }

    fn drained(gateway: &str, since: i64) -> Drain {
        request(gateway).judge(&ways(), &[], at(since)).expect("may be")
    }

    #[test]
    fn a_drain_lasts_as_long_as_was_asked_and_keeps_who_and_why() {
        let expected = Drain {
            gateway: "primary".to_owned(),
            since: at(NOON),
            until: at(NOON + 900),
            reason: "業者の保守".to_owned(),
            by: "kato".to_owned(),
        };
        let drain = request("primary").judge(&ways(), &[], at(NOON)).expect("may be");
        assert_eq!(drain, expected);
        assert!(drain.is_in_force(at(NOON + 899)) && !drain.is_in_force(at(NOON + 900)));
    }

    #[test]
    fn a_channel_s_last_way_out_is_drained_only_when_that_is_meant() {
        let last =
            |gateway: &str, channel| Err(DrainRefusal::LastWayOut { gateway: gateway.to_owned(), channel });
        assert_eq!(request("mta").judge(&ways(), &[], at(NOON)), last("mta", Channel::Email));
        let drains = [drained("primary", NOON)];
        let refused = request("backup").judge(&ways(), &drains, at(NOON + 1));
        assert_eq!(refused, last("backup", Channel::Sms));
        let words = refused.expect_err("refused").to_string();
        assert_eq!(
            words,
            "backup is the last gateway of sms that is not drained: nothing would go out by it"
        );
        let meant = DrainRequest { even_the_last: true, ..request("backup") };
        assert!(meant.judge(&ways(), &drains, at(NOON + 1)).is_ok());
        assert!(request("backup").judge(&ways(), &drains, at(NOON + 900)).is_ok(), "the other's is over");
        assert!(request("primary").judge(&ways(), &drains, at(NOON + 1)).is_ok(), "again, for longer");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        let refusal =
            |request: DrainRequest| request.judge(&ways(), &[], at(NOON)).expect_err("refused").to_string();
        let unknown = refusal(request("second\u{1b}"));
        assert_eq!(unknown, "\"second\" is no gateway or relay; there are primary, backup, mta");
        for millis in [0, 999, 604_800_001] {
            let length = Duration::from_millis(millis);
            assert!(
                refusal(DrainRequest { length, ..request("primary") }).contains("seven days"),
                "{millis}"
            );
        }
        for reason in ["", " \n", &"x".repeat(201)] {
            let reason = reason.to_owned();
            assert!(refusal(DrainRequest { reason, ..request("primary") }).contains("needs a reason"));
        }
        let nobody = DrainRequest { by: String::new(), ..request("primary") };
        assert!(refusal(nobody).contains("who wants it"));
    }
}
