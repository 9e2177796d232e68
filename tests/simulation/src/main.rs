//! Runs schedules of the simulation: `simulate COUNT [FIRST_SEED]`.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use atproto_oauth_simulation::{self as simulation, Counts};

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>());
    let (count, first) = match (numbers.next(), numbers.next()) {
        (Some(Ok(count)), None) => (count, 0),
        (Some(Ok(count)), Some(Ok(first))) => (count, first),
        _ => {
            eprintln!("usage: simulate COUNT [FIRST_SEED]");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let (next, has_failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut sum = Counts::default();
        while !has_failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + count {
                break;
            }
            match simulation::run(seed, None) {
                Ok(counts) => sum = sum + counts,
                Err(violation) => {
                    has_failed.store(true, Ordering::Relaxed);
                    eprintln!("seed {seed}: {violation}");
                }
            }
        }
        sum
    };
    let sums = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join()).collect::<Result<Vec<_>, _>>()
    });
    let Ok(sums) = sums else { return ExitCode::FAILURE };
    let sum = sums.into_iter().fold(Counts::default(), |sum, counts| sum + counts);
    let time = begun.elapsed().as_secs_f64();
    println!("{count} schedules in {time:.0} s, {:.0} per second: {sum:?}", count as f64 / time);
    match has_failed.into_inner() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
