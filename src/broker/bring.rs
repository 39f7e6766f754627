//! Bringing an event to its lane again when its delivery was acknowledged long ago: a receipt said that its message did not
//! arrive. Or it was held back, and its summary is due. And a new event of our own.

use std::collections::BTreeMap;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, LongString, ShortString};
use tokio_util::sync::CancellationToken;

use super::properties::is_left_behind;
use super::{BrokerError, Names, Outgoing, Publisher, header};
use crate::event::{Lane, RawEvent};

/// The way back into the lanes. Cheap to clone.
#[derive(Clone)]
pub struct BringAgain {
    pub(crate) publisher: Publisher,
    pub(crate) names: Names,
    /// Gives up what the broker has not confirmed.
    pub(crate) give_up: CancellationToken,
}

impl BringAgain {
    /// Publishes a new event once, straight to its lane: whoever else is bound to upstream's exchange does not hear of it.
    ///
    /// # Errors
    /// [`BrokerError`]; after a timeout the broker may have it all the same.
    pub async fn send(&self, lane: Lane, raw: RawEvent) -> Result<(), BrokerError> {
        let message = Outgoing::new("", &self.names.lane(lane), raw.body, "application/cloudevents+json");
        self.publisher.publish(&message).await
    }

    /// Publishes until the broker has it. False when the program stopped first: the event may be there or not.
    pub async fn bring(&self, lane: Lane, raw: RawEvent, deaths: u32) -> bool {
        let properties = properties(&raw, deaths);
        let message = Outgoing::with_properties("", &self.names.lane(lane), raw.body, properties);
        self.publisher.deliver(&message, &self.give_up).await
    }
}

/// What the message had around its body, with our own headers as on its first day but for its deaths. A summary stays one.
fn properties(raw: &RawEvent, deaths: u32) -> BasicProperties {
    let is_ours = |name: &str| name.starts_with("x-shirase-") && name != header::OTHERS;
    let theirs = raw.headers.iter().filter(|(name, _)| !is_left_behind(name) && !is_ours(name));
    let ours = (header::DEATHS.to_owned(), deaths.to_string());
    let headers: BTreeMap<ShortString, AMQPValue> = theirs
        .map(|(name, value)| (name.clone(), value.clone()))
        .chain([ours])
        .filter_map(|(name, value)| {
            Some((ShortString::try_new(name).ok()?, AMQPValue::LongString(LongString::from(value))))
        })
        .collect();
    let properties = BasicProperties::default().with_headers(headers.into());
    match raw.content_type.clone().map(ShortString::try_new) {
        Some(Ok(content_type)) => properties.with_content_type(content_type),
        _ => properties,
    }
}
