//! One finding for a place, whatever number of event types come by it.

use std::collections::BTreeMap;

use super::Sighting;
use crate::event::EventType;
use crate::lint::finding::Found;
use crate::template::Place;

/// How many event types a finding names.
const NAMED: usize = 3;

/// Judges everything that a walk saw: what is wrong and the mend, or nothing.
pub fn gathered(
    seen: &[(&EventType, Sighting)],
    judge: impl Fn(&Sighting) -> Option<(String, String)>,
) -> Vec<Found> {
    let mut all: BTreeMap<(Place, String, String), Vec<&str>> = BTreeMap::new();
    for (kind, sighting) in seen {
        let Some((what, mend)) = judge(sighting) else { continue };
        let types = all.entry((sighting.place.clone(), what, mend)).or_default();
        if types.last() != Some(&kind.name.as_str()) {
            types.push(&kind.name);
        }
    }
    all.into_iter().map(|((place, what, mend), types)| found(place, &what, mend, types)).collect()
}

fn found(place: Place, what: &str, mend: String, mut types: Vec<&str>) -> Found {
    // Several locales come by in turn.
    types.sort_unstable();
    types.dedup();
    match types.as_slice() {
        [one] => Found::new(place, what, mend).of_type(one),
        few if few.len() <= NAMED => Found::new(place, format!("{what} (in {})", few.join(", ")), mend),
        many => {
            let (named, more) = (many[..NAMED].join(", "), many.len() - NAMED);
            Found::new(place, format!("{what} (in {named} and {more} more)"), mend)
        }
    }
}
