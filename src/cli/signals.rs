//! SIGTERM and Ctrl-C: the first stops intake and drains, the second ends the process at once. SIGHUP: templates are read
//! anew.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::worker::Stop;

/// What a shell expects of a process that a signal ended.
const ENDED_BY_SIGNAL: i32 = 130;

/// Listens for both signals from now on.
///
/// # Errors
/// When the system refuses the handlers.
pub(super) fn listen(stop: Stop) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if first {
                info!("stopping: no more intake, finishing what is in flight; a second signal ends at once");
                stop.soft.cancel();
            } else {
                warn!("second signal: ending at once; what was in flight comes again");
                std::process::exit(ENDED_BY_SIGNAL);
            }
        }
    });
    Ok(())
}

/// Notifies at each SIGHUP from now on, which would end the process otherwise.
///
/// # Errors
/// When the system refuses the handler.
pub(super) fn on_hangup(asked: Arc<Notify>) -> std::io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            info!("SIGHUP: templates are read anew");
            asked.notify_one();
        }
    });
    Ok(())
}
