//! Processor time of processes, as the scheduler of Linux counts it.

use std::fs;
use std::time::Duration;

/// User and system time of the threads that the process has now.
pub(crate) fn of_process(id: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{id}/task")).unwrap();
    // The first field counts nanoseconds. A thread may end before its file is read.
    let times = tasks.filter_map(|task| {
        let counted = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        counted.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}
