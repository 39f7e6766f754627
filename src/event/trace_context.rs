//! The trace that an event belongs to: W3C Trace Context's `traceparent`. Pure.
//!
//! Source: W3C Trace Context Level 1, section 3.2 (the form), 4 (what is not understood is as if it were not there);
//! CloudEvents' Distributed Tracing extension (the attribute of the same name).

use std::fmt;

use super::envelope::{Attributes, RawEvent};

/// The header of a message, and the name of the CloudEvents extension.
const TRACEPARENT: &str = "traceparent";

/// The place in a trace that an event comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 16],
    parent_id: [u8; 8],
    sampled: bool,
}

impl TraceContext {
    /// Of an event: the message's own header is nearer to us than the extension, which names where the trace began. One
    /// that cannot be read is as none: an event is not refused for its trace.
    pub(super) fn of(raw: &RawEvent, attributes: &Attributes) -> Option<Self> {
        Self::of_message(raw).or_else(|| Self::parse(attributes.optional(TRACEPARENT).ok().flatten()?))
    }

    /// Of a message's own header, whatever its body.
    pub fn of_message(raw: &RawEvent) -> Option<Self> {
        Self::parse(raw.headers.get(TRACEPARENT)?)
    }

    /// `version-trace_id-parent_id-flags`, each in lower-case hexadecimal; a version of the future may have more behind it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let [version] = hex(parts.next()?)?;
        let (trace_id, parent_id) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let [flags] = hex(parts.next()?)?;
        let well_formed = match version {
            0 => parts.next().is_none(),
            0xff => false,
            _ => true,
        };
        let named = trace_id != [0; 16] && parent_id != [0; 8];
        (well_formed && named).then_some(Self { trace_id, parent_id, sampled: flags & 1 == 1 })
    }

    /// The trace.
    pub fn trace_id(&self) -> [u8; 16] {
        self.trace_id
    }

    /// The span that the event was published in.
    pub fn parent_id(&self) -> [u8; 8] {
        self.parent_id
    }

    /// Whoever began the trace keeps it.
    pub fn sampled(&self) -> bool {
        self.sampled
    }
}

/// The trace's id in hexadecimal, as log lines name it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_is_read() {
        let context = TraceContext::parse(GOOD).expect("the standard's");
        assert_eq!(context.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.parent_id(), [0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(context.sampled());
        assert!(!TraceContext::parse(&GOOD.replace("-01", "-02")).expect("another flag").sampled());
    }

    #[test]
    fn what_the_standard_calls_invalid_is_as_none() {
        let zero_trace = GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_parent = GOOD.replace("00f067aa0ba902b7", &"0".repeat(16));
        let upper = GOOD.to_uppercase();
        let long = format!("{GOOD}-00");
        let ff = GOOD.replacen("00", "ff", 1);
        let bad = ["", "00", &GOOD[..54], &zero_trace, &zero_parent, &upper, &long, &ff, "00-日本-00-01"];
        for text in bad {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_version_of_the_future_may_say_more() {
        let future = format!("{}-more", GOOD.replacen("00", "01", 1));
        assert!(TraceContext::parse(&future).is_some());
    }
}
