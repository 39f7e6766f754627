//! What a process has used, from /proc.

use std::fs;
use std::time::Duration;

/// CPU time and memory of a process.
pub struct Usage {
    pub cpu: Duration,
    pub peak_kib: u64,
}

/// Linux counts CPU time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;

impl Usage {
    /// Of a process that is still there.
    pub fn of(pid: u32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
        // Fields 14 and 15 are utime and stime; the name in field 2 may hold spaces, so count from its end.
        let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks: u64 =
            [11, 12].iter().map(|at| fields[*at].parse::<u64>().expect("a number of ticks")).sum();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak of memory");
        let peak_kib = peak.trim().trim_end_matches(" kB").trim().parse().expect("a number of kB");
        Self { cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND), peak_kib }
    }
}
