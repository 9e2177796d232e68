//! Runs schedules of the simulation: `atproto-oauth-simulation COUNT [FIRST_SEED]`. With `sabotage` in
//! place of the count, it breaks one rule after another, and shows the seed that notices it.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use atproto_oauth_simulation::{Counts, Sabotage, run};

/// Seeds within which each broken rule has to be noticed.
const SEEDS: u64 = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<_> = arguments.iter().map(|argument| argument.parse::<u64>()).collect();
    match (arguments.first().map(String::as_str), &numbers[..]) {
        (Some("sabotage"), [_]) => sabotage(),
        (_, [Ok(count)]) => honest(*count, 0),
        (_, [Ok(count), Ok(first)]) => honest(*count, *first),
        _ => {
            eprintln!("usage: atproto-oauth-simulation COUNT [FIRST_SEED] | sabotage");
            ExitCode::from(2)
        }
    }
}

fn honest(count: u64, first: u64) -> ExitCode {
    let begun = Instant::now();
    let (sum, failed) = run_all(count, first, None);
    let time = begun.elapsed().as_secs_f64();
    println!("{count} schedules in {time:.0} s, {:.0} per second: {sum:?}", count as f64 / time);
    match failed {
        None => ExitCode::SUCCESS,
        Some((seed, violation)) => {
            eprintln!("seed {seed}: {violation}");
            ExitCode::FAILURE
        }
    }
}

fn sabotage() -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for sabotage in Sabotage::ALL {
        match run_all(SEEDS, 0, Some(sabotage)).1 {
            Some((seed, violation)) => println!("{sabotage:?}: seed {seed}: {violation}"),
            None => {
                println!("{sabotage:?}: not noticed within {SEEDS} seeds");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Runs schedules on all processors, until one fails. Returns its seed, and the rule that was broken.
fn run_all(count: u64, first: u64, sabotage: Option<Sabotage>) -> (Counts, Option<(u64, String)>) {
    let (next, failed) = (AtomicU64::new(first), Mutex::new(None));
    let work = || {
        let mut sum = Counts::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first.saturating_add(count) {
                return sum;
            }
            match std::panic::catch_unwind(|| run(seed, sabotage)) {
                Ok(Ok(counts)) => sum = sum + counts,
                Ok(Err(violation)) => note(&failed, &next, seed, violation),
                Err(_) => note(&failed, &next, seed, "a panic".to_owned()),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sum = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let sums = handles.into_iter().filter_map(|handle| handle.join().ok());
        sums.fold(Counts::default(), |sum, counts| sum + counts)
    });
    (sum, failed.into_inner().unwrap_or_default())
}

/// Notes a failure, and lets no further schedule begin.
fn note(failed: &Mutex<Option<(u64, String)>>, next: &AtomicU64, seed: u64, violation: String) {
    next.store(u64::MAX / 2, Ordering::Relaxed);
    if let Ok(mut failed) = failed.lock() {
        failed.get_or_insert((seed, violation));
    }
}
