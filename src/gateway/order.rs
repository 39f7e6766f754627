//! In which order the gateways of a channel are tried for a notification. Pure, and the same for all its attempts: nobody
//! else needs to remember it.

use ring::digest;
use schemars::JsonSchema;
use serde::Deserialize;

/// Which gateway of a channel is tried first; the others follow when it fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Balance {
    /// As they stand in the configuration.
    #[default]
    Order,
    /// Each is first for a share of the notifications that its weight decides.
    Weight,
}

impl Balance {
    /// The names with their places in the list, in the order in which they are tried.
    ///
    /// By weight this is weighted rendezvous hashing: each gateway draws a number from the notification's reference and its
    /// own name, and the highest is first. So each is first as often as its weight says, and when one goes away only its
    /// own notifications move.
    pub(super) fn order<'a>(
        self,
        gateways: impl Iterator<Item = (&'a str, u32)>,
        reference: &str,
    ) -> impl Iterator<Item = (&'a str, usize)> {
        let mut drawn: Vec<_> = gateways
            .enumerate()
            .map(|(index, (name, weight))| {
                let score = match self {
                    Self::Order => 0.0,
                    Self::Weight => score(reference, name, weight),
                };
                (score, name, index)
            })
            .collect();
        // Stable: equal scores stay as they are configured.
        drawn.sort_by(|one, other| other.0.total_cmp(&one.0));
        drawn.into_iter().map(|(_, name, index)| (name, index))
    }
}

/// `weight / -ln(u)` with `u` evenly spread over (0, 1): the highest of several is each one's in proportion to its weight.
fn score(reference: &str, name: &str, weight: u32) -> f64 {
    let digest = digest::digest(&digest::SHA256, format!("{reference}\u{1f}{name}").as_bytes());
    let number = digest.as_ref().iter().take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    let evenly = (f64::from(number) + 0.5) / (f64::from(u32::MAX) + 1.0);
    f64::from(weight) / -evenly.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAYS: [(&str, u32); 3] = [("primary", 6), ("backup", 3), ("third", 1)];

    fn order(balance: Balance, gateways: &[(&'static str, u32)], reference: u32) -> Vec<&'static str> {
        let reference = format!("{reference:032x}");
        balance.order(gateways.iter().copied(), &reference).map(|(name, _)| name).collect()
    }

    fn by_weight(reference: u32) -> Vec<&'static str> {
        order(Balance::Weight, &GATEWAYS, reference)
    }

    #[test]
    fn each_gateway_is_first_as_often_as_its_weight_says() {
        let first = |name: &str| (0..10_000).filter(|reference| by_weight(*reference)[0] == name).count();
        for (name, weight) in GATEWAYS {
            let (found, expected) = (first(name), weight as usize * 1000);
            assert!(found.abs_diff(expected) < 150, "{name}: {found} of 10000 instead of {expected}");
        }
    }

    #[test]
    fn the_next_after_the_first_follows_the_weights_too() {
        let after_primary: Vec<_> =
            (0..10_000).map(by_weight).filter(|order| order[0] == "primary").map(|order| order[1]).collect();
        let backup = after_primary.iter().filter(|name| **name == "backup").count();
        assert!((backup * 100 / after_primary.len()).abs_diff(75) < 3, "{backup} of {}", after_primary.len());
    }

    #[test]
    fn when_a_gateway_goes_away_only_its_own_notifications_move() {
        for reference in 0..1000 {
            let mut before = by_weight(reference);
            let after = order(Balance::Weight, &GATEWAYS[1..], reference);
            before.retain(|name| *name != "primary");
            assert_eq!(before, after);
        }
    }

    #[test]
    fn in_the_configured_order_the_reference_says_nothing() {
        for reference in 0..100 {
            assert_eq!(order(Balance::Order, &GATEWAYS, reference), ["primary", "backup", "third"]);
        }
    }
}
