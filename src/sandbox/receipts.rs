//! Receipts: some time after the sandbox took an SMS it calls back and says what became of it, as vendors do. It calls until it
//! is answered 2xx, twenty times at most.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use fastrand::Rng;
use reqwest::{Client, redirect};
use serde_json::{Value, json};
use tokio::time::sleep;
use url::Url;

use super::sms::Sms;
use crate::config::Secret;

/// One call; a worker answers within a second or two.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const MAX_CALLS: usize = 20;

/// How the sandbox calls back.
#[derive(Debug, Clone)]
pub struct Receipts {
    /// `POST` to this address.
    pub url: Url,
    /// `Authorization: Bearer …`
    pub secret: Secret,
    /// So long after it took the SMS.
    pub after: Duration,
    /// The share of the SMS, 0 to 1, that do not arrive.
    pub lost: f64,
    /// Draws which: the same references are lost again.
    pub seed: u64,
}

/// The one who calls.
pub(super) struct Caller {
    receipts: Receipts,
    client: Client,
}

impl Caller {
    pub fn new(receipts: Receipts) -> reqwest::Result<Arc<Self>> {
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(CALL_TIMEOUT).build()?;
        Ok(Arc::new(Self { receipts, client }))
    }

    /// Calls back about this SMS, later.
    pub fn call(self: &Arc<Self>, sms: &Sms) {
        let (caller, body) = (Arc::clone(self), self.receipts.body(sms));
        tokio::spawn(async move {
            sleep(caller.receipts.after).await;
            let pauses = ExponentialBuilder::default()
                .with_min_delay(Duration::from_millis(200))
                .with_max_delay(Duration::from_secs(5))
                .with_max_times(MAX_CALLS);
            // Whoever does not listen for so long does not hear of it: vendors give up too.
            let _ = (|| caller.once(&body)).retry(pauses).await;
        });
    }

    async fn once(&self, body: &Value) -> reqwest::Result<()> {
        let call = self.client.post(self.receipts.url.clone()).bearer_auth(self.receipts.secret.reveal());
        call.json(body).send().await?.error_for_status().map(drop)
    }
}

impl Receipts {
    fn body(&self, sms: &Sms) -> Value {
        let (status, code) =
            if self.is_lost(&sms.reference) { ("undelivered", Some("27")) } else { ("delivered", None) };
        json!({"reference": sms.reference, "message_id": sms.id, "status": status, "code": code})
    }

    /// Whether an SMS of this reference never arrives.
    pub fn is_lost(&self, reference: &str) -> bool {
        let mut hasher = DefaultHasher::new();
        (self.seed, reference).hash(&mut hasher);
        Rng::with_seed(hasher.finish()).f64() < self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_share_of_the_same_messages_is_lost_again() {
        let receipts = |lost| Receipts {
            url: "http://127.0.0.1/".parse().expect("a URL"),
            secret: "s".parse().expect("not empty"),
            after: Duration::ZERO,
            lost,
            seed: 7,
        };
        let lost = |share| (0..1000).filter(|n| receipts(share).is_lost(&format!("r-{n}"))).count();
        assert_eq!((lost(0.0), lost(1.0)), (0, 1000));
        assert!((200..300).contains(&lost(0.25)), "{}", lost(0.25));
        assert_eq!(lost(0.25), lost(0.25));
    }
}
