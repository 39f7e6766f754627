//! The journal: one JSON line for each message that the sandbox took, on disk before the sender is answered. It outlives
//! both, so that what was sent twice, or not at all, can be told afterwards.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tracing::error;

use crate::plan::Channel;

/// A message that the sandbox took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// By which of its servers.
    pub channel: Channel,
    /// The sender's idempotency key: an SMS's `reference`, a mail's `Message-ID` without its brackets.
    pub reference: String,
    /// The number or address as it was given.
    pub to: String,
    /// The sandbox's id of it.
    pub id: String,
    /// False: a fault keeps a whole and timely answer from the sender.
    pub answered: bool,
}

/// A file of [`Entry`]s. Cheap to clone; the last clone dropped closes it.
#[derive(Debug, Clone)]
pub struct Journal {
    lines: Sender<Line>,
}

/// A line, and who waits until it is on disk.
type Line = (Vec<u8>, oneshot::Sender<()>);

impl Journal {
    /// Opens the file to append to it, creating it when it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let writer = Writer::open(path)?;
        let (lines, queue) = mpsc::channel();
        thread::Builder::new().name("journal".to_owned()).spawn(move || writer.run(&queue))?;
        Ok(Self { lines })
    }

    /// Durable when it returns.
    pub(super) async fn append(&self, entry: &Entry) -> io::Result<()> {
        let closed = |_| io::Error::other("the journal could not be written");
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let (written, durable) = oneshot::channel();
        self.lines.send((line, written)).map_err(|_| io::Error::other("the journal is closed"))?;
        durable.await.map_err(closed)
    }

    /// What a journal holds, oldest first. A last line that was not finished was never answered for, and is left out.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> io::Result<Vec<Entry>> {
        let mut bytes = fs::read(path)?;
        bytes.truncate(whole_lines(&bytes));
        let entry = |(index, line): (usize, &[u8])| {
            serde_json::from_slice(line).map_err(|error| {
                io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", index + 1))
            })
        };
        bytes.split_inclusive(|byte| *byte == b'\n').enumerate().map(entry).collect()
    }
}

/// The length of what ends with a line's end.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)
}

/// The one thread that writes: lines that wait while the disk works share the next flush.
struct Writer {
    file: File,
    /// What is durable and whole.
    length: u64,
    /// There may be more than that in the file.
    torn: bool,
}

impl Writer {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no regular file"));
        }
        // Whoever else writes here would be cut off with a torn end.
        file.try_lock()?;
        // The file's name has to last, too.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        let length = whole_lines(&fs::read(path)?) as u64;
        Ok(Self { file, length, torn: true })
    }

    fn run(mut self, queue: &Receiver<Line>) {
        while let Ok((mut batch, written)) = queue.recv() {
            let mut waiting = vec![written];
            for (line, written) in queue.try_iter() {
                batch.extend(line);
                waiting.push(written);
            }
            if let Err(error) = self.write(&batch) {
                // Those who wait see that nobody will tell them.
                error!(%error, "the journal cannot be written");
                continue;
            }
            for written in waiting {
                // A sender that went away needs no word.
                let _ = written.send(());
            }
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
        }
        self.torn = true;
        self.file.write_all(batch)?;
        self.file.sync_data()?;
        self.torn = false;
        self.length += batch.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry {
            at: "2026-11-22T06:04:05Z".parse().expect("a time"),
            channel: Channel::Sms,
            reference: "r-1".to_owned(),
            to: "090 山".to_owned(),
            id: id.to_owned(),
            answered: true,
        }
    }

    #[tokio::test]
    async fn a_journal_goes_on_after_a_torn_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let journal = Journal::open(&path).expect("opened");
        journal.append(&entry("sms-1")).await.expect("written");
        assert!(Journal::open(&path).is_err(), "one writer at a time");
        drop(journal);

        let whole = fs::read(&path).expect("there");
        for torn in 1..whole.len() {
            fs::write(&path, [&whole, &whole[..torn]].concat()).expect("written");
            assert_eq!(Journal::read(&path).expect("read"), [entry("sms-1")], "{torn} bytes");
        }
        let journal = open_again(&path);
        journal.append(&entry("sms-2")).await.expect("written");
        assert_eq!(Journal::read(&path).expect("read"), [entry("sms-1"), entry("sms-2")]);
    }

    /// The first one's thread ends a moment after it was dropped.
    fn open_again(path: &Path) -> Journal {
        (0..500)
            .find_map(|_| {
                thread::sleep(std::time::Duration::from_millis(10));
                Journal::open(path).ok()
            })
            .expect("free again")
    }

    #[test]
    fn something_else_is_no_journal() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        fs::write(&path, "{}\n").expect("written");
        let error = Journal::read(&path).expect_err("no entry");
        assert!(error.to_string().starts_with("line 1: "), "{error}");
    }
}
