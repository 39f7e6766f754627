//! What somebody may have meant by a name that there is not.

use strsim::osa_distance;

/// The known name that is one or two slips away; of several, the nearest. A short name has no room for two.
pub fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = if name.chars().count() <= 4 { 1 } else { 2 };
    let distances = known.into_iter().map(|one| (osa_distance(name, one), one));
    distances.filter(|(distance, _)| (1..=slips).contains(distance)).min().map(|(_, one)| one)
}

/// `did you mean …?`, or what there is to choose from.
pub fn meant<'a>(name: &str, kind: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match near(name, known.iter().copied()) {
        Some(one) => format!("did you mean `{one}`?"),
        None if known.is_empty() => format!("there are no {kind}"),
        None => format!("{kind}: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_or_two_are_seen_through_and_another_word_is_not() {
        let known = ["device", "location", "ip"];
        for (name, one) in
            [("devcie", Some("device")), ("lokasion", Some("location")), ("iq", Some("ip")), ("os", None)]
        {
            assert_eq!(near(name, known), one, "{name}");
        }
        assert_eq!(meant("os", "fields", known), "fields: device, location, ip");
    }
}
