//! What a process has used, from /proc.

use std::fs;
use std::time::Duration;

/// CPU time and memory of a process.
pub struct Usage {
    pub cpu: Duration,
    pub peak_kib: u64,
    pub resident_kib: u64,
}

/// Linux counts CPU time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// Fields of `/proc/PID/stat`, counted from the one after the name.
const PARENT: usize = 1;
const CPU: [usize; 2] = [11, 12];
const CPU_OF_ENDED_CHILDREN: [usize; 2] = [13, 14];

impl Usage {
    /// Of a process that is still there.
    pub fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        let kib = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of that name");
            value.trim().trim_end_matches(" kB").trim().parse().expect("a number of kB")
        };
        let cpu = ticks(&stat(pid).expect("the process runs"), &CPU);
        Self { cpu: time(cpu), peak_kib: kib("VmHWM:"), resident_kib: kib("VmRSS:") }
    }
}

/// CPU time of a server with all processes that it started, also those that have ended.
pub fn cpu_of_family(pid: u32) -> Duration {
    let numbers = fs::read_dir("/proc").into_iter().flatten();
    let numbers = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    // One may end while we read; its parent knows its time then.
    let processes: Vec<_> = numbers.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    time(family(&processes, pid))
}

fn family(processes: &[(u32, Vec<u64>)], pid: u32) -> u64 {
    let own = processes.iter().filter(|(other, _)| *other == pid);
    let own: u64 = own.map(|(_, stat)| ticks(stat, &CPU) + ticks(stat, &CPU_OF_ENDED_CHILDREN)).sum();
    let children = processes.iter().filter(|(_, stat)| stat[PARENT] == u64::from(pid));
    own + children.map(|(child, _)| family(processes, *child)).sum::<u64>()
}

/// The fields after the name, which may hold spaces; what is no number is 0.
fn stat(pid: u32) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    Some(after_name.split_whitespace().map(|field| field.parse().unwrap_or_default()).collect())
}

fn ticks(stat: &[u64], fields: &[usize]) -> u64 {
    fields.iter().map(|field| stat[*field]).sum()
}

fn time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}
