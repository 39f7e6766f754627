//! `GET /console/live`: how things stand, every second, for as long as somebody watches.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use super::Console;
use super::entry::Reader;
use super::refusal::Refusal;
use super::sampler::{Frame, Sampler};

/// Who watches at once. Each costs a connection and some kilobytes a second.
const SEATS: usize = 32;

/// What is shown, and who watches.
pub(super) struct Live {
    frames: watch::Receiver<Frame>,
    seats: Arc<Semaphore>,
    begun: Arc<Notify>,
}

impl Live {
    /// Takes the first look, and the others in a task of its own, which ends with the process.
    pub fn start(mut sampler: Sampler) -> Self {
        let (sender, frames) = watch::channel(sampler.next_step());
        let (seats, begun) = (Arc::new(Semaphore::new(SEATS)), Arc::new(Notify::new()));
        let taken = Arc::clone(&seats);
        let watched = move || taken.available_permits() < SEATS;
        tokio::spawn(sampler.run(sender, watched, Arc::clone(&begun)));
        Self { frames, seats, begun }
    }
}

/// Somebody who watches.
struct Viewer {
    console: Console,
    /// What let them in: asked again before each look, so that nobody sees more after the session has ended.
    peer: IpAddr,
    headers: HeaderMap,
    frames: watch::Receiver<Frame>,
    begun: bool,
    /// The step that they were sent last.
    step: u64,
    pending: VecDeque<Event>,
    _seat: OwnedSemaphorePermit,
}

pub(super) async fn watch(State(console): State<Console>, reader: Reader) -> Result<Response, Refusal> {
    let live = &console.0.live;
    let seat = Arc::clone(&live.seats).try_acquire_owned();
    let seat = seat.map_err(|_| Refusal::Busy("too many are watching; close another page"))?;
    let frames = live.frames.clone();
    live.begun.notify_one();
    let Reader { peer, headers, .. } = reader;
    let viewer = Viewer {
        console,
        peer,
        headers,
        frames,
        begun: false,
        step: 0,
        pending: VecDeque::new(),
        _seat: seat,
    };
    let events = stream::unfold(viewer, Viewer::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

impl Viewer {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some((Ok(event), self));
            }
            if self.begun {
                self.wait().await?;
            }
            self.begun = true;
            let frame = self.frames.borrow_and_update().clone();
            if frame.step != self.step {
                self.step = frame.step;
                self.pending.push_back(Event::default().event("history").data(&*frame.history));
            }
            self.pending.push_back(Event::default().event("state").data(&*frame.state));
        }
    }

    /// Until there is something new. Nothing when it is over.
    async fn wait(&mut self) -> Option<()> {
        tokio::select! {
            changed = self.frames.changed() => changed.ok()?,
            () = self.console.0.stop.cancelled() => return None,
        }
        let access = self.console.0.door.access(self.peer, &self.headers).ok()?;
        access.reads.then_some(())
    }
}
