//! What became of every event of a trial.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use shirase::config::Config;
use shirase::ledger::{LedgerUrl, NotificationStory, Reader, Story};

use super::Trial;
use crate::house::block_on;
use crate::support::Worker;

/// What became of every event of a trial.
#[derive(Debug)]
pub struct Account {
    pub published: usize,
    /// Messages that gateway and relay took.
    pub accepted: usize,
    pub dead: BTreeMap<usize, String>,
    /// Neither told nor dead-lettered.
    pub lost: Vec<usize>,
    pub twice: Vec<Twice>,
    /// Events that the ledger still holds open.
    pub open: Vec<String>,
}

/// A message that was taken more than once, with what the ledger knows of it.
#[derive(Debug)]
pub struct Twice {
    pub reference: String,
    pub taken: usize,
    /// Of these, the sandbox kept the answer back, or gave it to somebody who was gone.
    pub story: Option<NotificationStory>,
}

impl Twice {
    /// Each send too many has an attempt before it whose answer never came.
    pub fn is_matched(&self) -> bool {
        self.story.as_ref().is_some_and(|story| story.unknowns as usize >= self.taken - 1)
    }

    /// Why the answers were cut, as the ledger has it.
    pub fn reasons(&self) -> Vec<String> {
        let attempts = self.story.iter().flat_map(|story| &story.attempts);
        let unknown = attempts.filter(|attempt| attempt.outcome == "unknown");
        unknown.map(|attempt| attempt.reason.as_deref().unwrap_or("?").to_owned()).collect()
    }
}

impl Account {
    pub(super) fn of(trial: &Trial, worker: &Worker) -> Self {
        let dead = dead(trial);
        let taken = trial.taken();
        let mut references = BTreeMap::<String, usize>::new();
        for entry in &taken {
            let reference = entry.reference.split('@').next().unwrap_or_default();
            *references.entry(reference.to_owned()).or_default() += 1;
        }
        let stories = stories(trial, worker);
        let twice = references.into_iter().filter(|(_, taken)| *taken > 1);
        let twice = twice.map(|(reference, taken)| Twice {
            story: stories.notifications.get(&reference).cloned(),
            reference,
            taken,
        });
        Self {
            published: trial.published().len(),
            accepted: taken.len(),
            lost: trial.missing(&dead.keys().copied().collect()),
            twice: twice.collect(),
            open: stories.open,
            dead,
        }
    }

    /// Nothing lost, nothing open, and nothing sent twice but after an answer that never came.
    #[track_caller]
    pub fn assert_kept(&self) {
        assert!(self.published > 0, "nothing was published");
        assert!(self.lost.is_empty(), "lost {:?}\n{self}", self.lost);
        let unmatched: Vec<_> = self.twice.iter().filter(|twice| !twice.is_matched()).collect();
        assert!(unmatched.is_empty(), "sent twice without a reason: {unmatched:#?}\n{self}");
        assert!(self.open.is_empty(), "open for ever: {:?}\n{self}", self.open);
    }

    /// As [`Self::assert_kept`], and everybody was told.
    #[track_caller]
    pub fn assert_all_told(&self) {
        self.assert_kept();
        assert!(self.dead.is_empty(), "dead letters: {:?}", self.dead);
    }

    /// Why messages were sent twice, counted.
    pub fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for reason in self.twice.iter().flat_map(Twice::reasons) {
            *reasons.entry(reason).or_default() += 1;
        }
        reasons
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, accepted, dead, lost, twice, .. } = self;
        write!(
            f,
            "published {published}, messages accepted {accepted}, dead-lettered {}, lost {}, sent twice {} {:?}",
            dead.len(),
            lost.len(),
            twice.len(),
            self.reasons()
        )
    }
}

/// Numbers and reasons of what is in the dead-letter queue.
fn dead(trial: &Trial) -> BTreeMap<usize, String> {
    let letters = trial.house.amqp.take_all(&trial.house.queue("dead"));
    let number = |letter: &crate::amqp::Dead| {
        let event: Value = serde_json::from_slice(&letter.body).ok()?;
        let number = event["id"].as_str()?.strip_prefix("trial-")?.parse().ok()?;
        Some((number, letter.header("x-shirase-reason").to_owned()))
    };
    letters.iter().filter_map(number).collect()
}

struct Stories {
    /// By reference.
    notifications: BTreeMap<String, NotificationStory>,
    open: Vec<String>,
}

/// What the ledger says of every event that was published.
fn stories(trial: &Trial, worker: &Worker) -> Stories {
    let published: BTreeSet<usize> = trial.published();
    block_on(async {
        let reader = reader(worker).await;
        let mut stories = Stories { notifications: BTreeMap::new(), open: Vec::new() };
        for number in published {
            for story in reader.by_id(&format!("trial-{number}")).await.expect("readable") {
                if story.state == "open" {
                    stories.open.push(story.event_id.clone());
                }
                let told = story.notifications.into_iter();
                stories.notifications.extend(told.map(|one| (one.reference.clone(), one)));
            }
        }
        stories
    })
}

#[track_caller]
pub(super) fn story(worker: &Worker, number: usize) -> Story {
    block_on(async {
        let stories = reader(worker).await.by_id(&format!("trial-{number}")).await;
        stories.expect("readable").pop().unwrap_or_else(|| panic!("the ledger has never heard of {number}"))
    })
}

/// Of the ledger that a worker's configuration names.
async fn reader(worker: &Worker) -> Reader {
    let config = Config::load(Some(&worker.config_file()), []).expect("the worker's configuration");
    let mut ledger = config.ledger;
    if let LedgerUrl::File(file) = &mut ledger.url {
        *file = worker.path().join(&*file);
    }
    Reader::open(&ledger).await.expect("readable")
}
