//! The long run: two workers on PostgreSQL, a broker of three nodes, a gateway and a relay, and faults drawn from a seed,
//! round after round. Started by `tests/run.sh chaos [--minutes N] [--seed S]`; prints a table and ends with 1 if anything
//! was lost, or sent twice without an answer that was cut.

#![allow(dead_code, reason = "it shares files with the end-to-end tests and uses a part of each")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a run of minutes, by the real clock")]

#[path = "../e2e/amqp.rs"]
mod amqp;
#[path = "../e2e/events.rs"]
mod events;
mod fault;
#[path = "../e2e/house.rs"]
mod house;
#[path = "../e2e/reading.rs"]
mod reading;
mod report;
#[path = "../support/mod.rs"]
mod support;
#[path = "../trial/mod.rs"]
mod trial;
mod world;

use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fastrand::Rng;

use self::fault::Fault;
use self::report::Report;
use self::world::World;

/// Events of a round, published steadily while its faults happen.
const EVENTS: usize = 1000;

/// Until all events of a round must be told or given up, once everything is healed.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let Some(minutes) = value("--minutes") else {
        println!("chaos: nothing was run; tests/run.sh chaos [--minutes N] [--seed S]");
        return ExitCode::SUCCESS;
    };
    // Printed below, so that a run can be repeated.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let seed = value("--seed").unwrap_or(now);
    println!("chaos: {minutes} minute(s), seed {seed}");
    run(Duration::from_secs(minutes * 60), seed)
}

fn run(time: Duration, seed: u64) -> ExitCode {
    let mut random = Rng::with_seed(seed);
    let world = World::start(seed);
    let mut report = Report::default();
    let begun = Instant::now();
    let mut next = 0;
    while begun.elapsed() < time {
        let faults = Fault::draw(&mut random);
        println!("{:>5} s  {}", begun.elapsed().as_secs(), fault::names(&faults));
        let publishing = world.trial.publish_paced(next..next + EVENTS, Duration::from_millis(100));
        next += EVENTS;
        for fault in &faults {
            fault.happen(&world, &mut random);
        }
        world.heal();
        publishing.join().expect("every event of the round confirmed");
        let healed = Instant::now();
        world.wait_told(PATIENCE);
        report.round(&faults, healed.elapsed());
    }
    world.wait_quiet(PATIENCE);
    report.end(&world, begun.elapsed())
}
