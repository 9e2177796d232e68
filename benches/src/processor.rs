//! Processor time of this process and of one of its threads, as Linux counts it.

use std::fs;
use std::time::Duration;

/// User and system time of this process, with that of its threads that have ended.
pub fn of_process() -> Duration {
    time("/proc/self/stat")
}

/// User and system time of the running threads of this name.
pub fn of_threads(name: &str) -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let named = tasks.filter(|task| {
        fs::read_to_string(task.join("comm")).is_ok_and(|found| found.trim() == name)
    });
    named.map(|task| time(task.join("stat").to_str().unwrap())).sum()
}

/// Number of processors of this machine that the process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// The fields `utime` and `stime` of proc_pid_stat(5), in clock ticks of 10 ms. The name of the process is
/// in parentheses and may contain any character, so fields are counted from the last one.
fn time(path: &str) -> Duration {
    let stat = fs::read_to_string(path).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
