//! Which trace an event belongs to, and whether it is kept. Pure, apart from chance for what has no name.

use ring::digest::{Context, SHA256};

use crate::event::{Event, TraceContext};

/// The place in a trace that an event's spans begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub trace_id: [u8; 16],
    /// The span that it was published in.
    pub parent: Option<[u8; 8]>,
}

impl Origin {
    /// Of an event; nothing when it is not to be traced. A trace that it comes with goes on as its sender decided. Without
    /// one its own name makes the trace, so that every delivery, retry and replay of the event is found in the same one,
    /// all of them or none.
    pub fn of(event: &Event, sample: f64) -> Option<Self> {
        match event.trace {
            Some(context) => Self::continued(context),
            None => Self::begun(named(event), sample),
        }
    }

    /// Of a message that is no good event; what it is named cannot be relied on.
    pub fn of_rejected(context: Option<TraceContext>, sample: f64) -> Option<Self> {
        match context {
            Some(context) => Self::continued(context),
            None => Self::begun(fastrand::u128(1..).to_be_bytes(), sample),
        }
    }

    fn continued(context: TraceContext) -> Option<Self> {
        let origin = Self { trace_id: context.trace_id(), parent: Some(context.parent_id()) };
        context.sampled().then_some(origin)
    }

    fn begun(trace_id: [u8; 16], sample: f64) -> Option<Self> {
        (share(trace_id) < sample).then_some(Self { trace_id, parent: None })
    }
}

/// The beginning of SHA-256 of `source`, U+001F and `id`.
fn named(event: &Event) -> [u8; 16] {
    let mut hash = Context::new(&SHA256);
    for part in [event.source.as_str(), "\u{1f}", event.id.as_str()] {
        hash.update(part.as_bytes());
    }
    hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

/// Where a trace lies among all traces: 0 up to, but not, 1. Of the last seven bytes, which W3C Trace Context Level 2 wants
/// to be random; 53 bits of them are what the number holds exactly.
fn share(trace_id: [u8; 16]) -> f64 {
    let [.., a, b, c, d, e, f, g] = trace_id;
    let last = u64::from_be_bytes([0, a, b, c, d, e, f, g]) >> 3;
    #[allow(clippy::cast_precision_loss, reason = "53 bits")]
    let share = last as f64 / (1_u64 << 53) as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets::Files;
    use crate::event::{Catalog, RawEvent, decode};

    fn event(id: &str, traceparent: Option<&str>) -> Event {
        let catalog = Catalog::load(&Files::embedded("config")).expect("built-in");
        let event = serde_json::json!({
            "specversion": "1.0", "id": id, "source": "/auth", "type": "security.login",
            "time": "2026-11-22T06:04:05Z", "traceparent": traceparent,
            "data": {"recipient": {"user_id": "U1", "phone": "090-1234-5678"}, "device": {"os": "iOS"}}
        });
        let now = "2026-11-22T06:05:00Z".parse().expect("a time");
        decode(&RawEvent::structured(event.to_string()), &catalog, now).expect("good")
    }

    #[test]
    fn a_trace_that_an_event_comes_with_goes_on_as_its_sender_decided_whatever_our_share() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";
        let kept = Origin::of(&event("1", Some(&format!("{parent}01"))), 0.0).expect("sampled");
        assert_eq!(kept.trace_id[..2], [0x4b, 0xf9]);
        assert_eq!(kept.parent, Some([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]));
        assert_eq!(Origin::of(&event("1", Some(&format!("{parent}00"))), 1.0), None);
    }

    #[test]
    fn every_delivery_of_an_event_without_a_trace_is_in_the_same_one_that_its_name_makes() {
        let first = Origin::of(&event("01JD", None), 1.0).expect("all are kept");
        assert_eq!(Origin::of(&event("01JD", None), 1.0), Some(first));
        // printf '/auth\03701JD' | sha256sum | cut -c1-32
        assert_eq!(first.trace_id, 0xcf2a_e38f_ae9b_0e4b_135d_f13b_0b8c_953c_u128.to_be_bytes());
        assert_eq!(first.parent, None);
        assert_ne!(Origin::of(&event("01JE", None), 1.0), Some(first));
    }

    #[test]
    fn the_share_of_traces_that_are_kept_is_the_one_that_is_asked_for() {
        let kept = |sample| (0..4000).filter(|_| Origin::of_rejected(None, sample).is_some()).count();
        assert_eq!((kept(0.0), kept(1.0)), (0, 4000));
        assert!((800..1200).contains(&kept(0.25)), "{}", kept(0.25));
        assert_eq!((share([0; 16]), share([0xff; 16]) < 1.0), (0.0, true));
    }
}
