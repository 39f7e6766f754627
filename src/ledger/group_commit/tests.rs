use super::*;
use crate::ledger::{EventRecord, EventState};

/// An engine that fails until told otherwise.
struct Failing(Arc<AtomicBool>);

impl Engine for Failing {
    fn commit(&mut self, batch: &[Operation]) -> Result<Vec<Answer>, EngineError> {
        if self.0.load(Ordering::Relaxed) {
            return Err(EngineError("disk full".to_owned()));
        }
        Ok(batch.iter().map(|_| Answer::Closed(true)).collect())
    }
}

fn ledger(failing: &Arc<AtomicBool>, writers: usize) -> Ledger {
    let engines = (0..writers).map(|_| Failing(Arc::clone(failing)));
    Ledger::with_engines(engines, watch::channel(None).1)
}

fn close() -> Close {
    let event = EventRecord {
        key: "/t\u{1f}e".to_owned(),
        id: "e".to_owned(),
        event_type: "security.login".to_owned(),
        lane: "standard",
        fingerprint: "same".to_owned(),
        time: jiff::Timestamp::UNIX_EPOCH,
    };
    Close { event, state: EventState::Done, reason: None, deaths: 0 }
}

#[tokio::test]
async fn while_the_engine_cannot_write_callers_wait_and_why_can_be_seen() {
    for writers in [1, 3] {
        let failing = Arc::new(AtomicBool::new(true));
        let ledger = ledger(&failing, writers);
        let waiting = tokio::spawn({
            let ledger = ledger.clone();
            async move { ledger.close_event(close()).await }
        });
        while ledger.trouble().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(ledger.trouble().as_deref(), Some("disk full"));
        assert!(!waiting.is_finished());
        failing.store(false, Ordering::Relaxed);
        assert_eq!(waiting.await.expect("no panic"), Ok(true));
        assert_eq!(ledger.trouble(), None);
    }
}

#[tokio::test]
async fn an_abandoned_ledger_in_trouble_lets_its_callers_go() {
    let ledger = ledger(&Arc::new(AtomicBool::new(true)), 1);
    ledger.abandon();
    assert_eq!(ledger.close_event(close()).await, Err(LedgerClosed));
}
