//! The table at the end.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use crate::fault::Fault;
use crate::trial::Twice;
use crate::world::World;

#[derive(Default)]
pub struct Report {
    rounds: usize,
    faults: BTreeMap<Fault, usize>,
    longest: Duration,
}

impl Report {
    pub fn round(&mut self, faults: &[Fault], until_told: Duration) {
        self.rounds += 1;
        faults.iter().for_each(|fault| *self.faults.entry(*fault).or_default() += 1);
        self.longest = self.longest.max(until_told);
    }

    /// Prints the table; fails when a promise was not kept.
    pub fn end(&self, world: &World, took: Duration) -> ExitCode {
        let account = world.trial.account(&world.workers[0]);
        let unmatched = account.twice.iter().filter(|twice| !twice.is_matched()).count();
        let why = account.reasons();
        let why: Vec<_> = why.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let faults: Vec<_> = self.faults.iter().map(|(fault, count)| format!("{count} {fault:?}")).collect();
        let dead: BTreeMap<&str, usize> = account.dead.values().fold(BTreeMap::new(), |mut dead, reason| {
            *dead.entry(reason.as_str()).or_default() += 1;
            dead
        });
        println!("\n| | |\n|---|---|");
        println!("| time, rounds | {} s, {} |", took.as_secs(), self.rounds);
        println!("| faults | {} |", faults.join(", "));
        println!("| events published (confirmed) | {} |", account.published);
        println!("| messages accepted by gateway and relay | {} |", account.accepted);
        println!("| events dead-lettered | {} {dead:?} |", account.dead.len());
        println!("| events lost | {} |", account.lost.len());
        println!(
            "| messages sent twice, attempts without an answer before them | {} ({}) |",
            account.twice.len(),
            why.join(", ")
        );
        println!("| of these without a cut answer | {unmatched} |");
        println!(
            "| longest until all of a round was told, after healing and its last confirm | {:.1} s |",
            self.longest.as_secs_f64()
        );
        for twice in account.twice.iter().filter(|twice: &&Twice| !twice.is_matched()) {
            println!("NOT MATCHED: {twice:#?}");
        }
        let kept =
            account.lost.is_empty() && unmatched == 0 && account.open.is_empty() && account.published > 0;
        if kept {
            return ExitCode::SUCCESS;
        }
        println!("NOT KEPT: lost {:?}, open {:?}", account.lost, account.open);
        for worker in &world.workers {
            let log = worker.log();
            let lines: Vec<_> = log.lines().rev().take(40).collect();
            println!(
                "--- the end of a worker's log\n{}",
                lines.into_iter().rev().collect::<Vec<_>>().join("\n")
            );
        }
        ExitCode::FAILURE
    }
}
