//! The disk under a SQLite ledger is full: nothing is sent, nothing is acknowledged, and all of it goes on when there is
//! room again.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::trial;
use crate::house::PATIENCE;
use crate::support::{Scratch, eventually, http_get};

const EVENTS: usize = 200;

/// A file system of its own, as small as given, gone with the value.
struct SmallDisk(Scratch);

impl SmallDisk {
    fn new(size: &str) -> Self {
        let scratch = Scratch::new("disk");
        let options = format!("size={size}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "shirase-test"]).arg(scratch.path()));
        Self(scratch)
    }

    /// Leaves not a byte.
    fn fill(&self) {
        let filler = self.0.join("filler");
        let mut filling = Command::new("dd");
        filling.arg("if=/dev/zero").arg(format!("of={}", filler.display())).arg("bs=4k");
        let status = filling.output().expect("dd is on every system").status;
        assert!(!status.success(), "the disk took everything");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).expect("there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still holds a file of it may go on until it ends.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("mount is on every system");
    assert!(output.status.success(), "{command:?} (these tests run as root): {output:?}");
}

#[test]
fn while_the_disk_is_full_nothing_is_sent_or_acknowledged_and_then_it_goes_on_by_itself() {
    let disk = SmallDisk::new("16m");
    let ledger = format!("url = \"sqlite:{}\"", disk.0.join("l.db").display());
    let trial = trial("disk-full").with(|house| house.set("ledger", &ledger));
    let worker = trial.house.start();
    trial.publish(0..10).join().expect("confirmed");
    trial.wait_settled(PATIENCE);
    let before = trial.taken().len();

    disk.fill();
    trial.publish(10..EVENTS).join().expect("confirmed");
    let body = eventually(PATIENCE, "/readyz to say so", || {
        let (status, body) = http_get(trial.house.http, "/readyz");
        (status == 503).then_some(body)
    });
    assert!(body.contains("ledger") && body.contains("full"), "{body}");
    thread::sleep(Duration::from_secs(2));
    let sent = trial.taken().len() - before;
    // Claims that were durable before the disk was full may be used; no others.
    assert_eq!(sent, 0, "sent without a durable claim");
    let unacknowledged: u32 = ["critical", "standard"]
        .iter()
        .map(|lane| trial.house.amqp.look(&trial.house.queue(lane)).expect("a lane").messages)
        .sum();
    let in_flight = trial.house.metric("shirase_in_flight", &[]) as u32;
    assert_eq!(unacknowledged + in_flight, (EVENTS - 10) as u32, "acknowledged");

    disk.make_room();
    trial.wait_settled(PATIENCE);
    worker.wait_ready(trial.house.http, PATIENCE);
    let account = trial.account(&worker);
    account.assert_all_told();
    assert!(account.twice.is_empty(), "{account}");
    trial.house.stop_and_assert_empty(&worker);
}
