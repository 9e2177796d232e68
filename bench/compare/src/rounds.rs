//! Times of several works, which alternate: each round measures each of them once. If the machine becomes slower or
//! faster during the run, all of them do.

use std::time::{Duration, Instant};

/// A work, and its times so far.
pub(crate) struct Work<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
}

/// The times of works, by name.
pub(crate) struct Times(Vec<(String, Vec<Duration>)>);

impl<'a> Work<'a> {
    pub(crate) fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Self { name: name.into(), run: Box::new(run), times: Vec::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Allocations of this thread in most runs. The first runs fill buffers and caches, and one run in each second
    /// keeps the nonce of the server for longer.
    pub(crate) fn allocations(&mut self) -> u64 {
        let mut count = || allocation_counter::measure(&mut self.run).count_total;
        let mut counts: Vec<_> = (0..21).map(|_| count()).collect();
        counts.sort_unstable();
        counts[counts.len() / 2]
    }
}

/// Measures each of `works` once in each round. A run that is not measured goes first, because the caches belong to
/// the work before it. The first tenth of the rounds is not counted.
pub(crate) fn alternate(rounds: usize, mut works: Vec<Work<'_>>) -> Times {
    for round in 0..rounds + rounds / 10 {
        for work in &mut works {
            (work.run)();
            let begun = Instant::now();
            (work.run)();
            let time = begun.elapsed();
            if round >= rounds / 10 {
                work.times.push(time);
            }
        }
    }
    let sorted = works.into_iter().map(|mut work| {
        work.times.sort_unstable();
        (work.name, work.times)
    });
    Times(sorted.collect())
}

impl Times {
    /// The 5th percentile of a work in microseconds. Interrupts and other processes only make a work slower, so
    /// the fast runs are its cost.
    pub(crate) fn low(&self, name: &str) -> f64 {
        let (_, times) = self.0.iter().find(|(known, _)| known == name).unwrap();
        times[times.len() / 20].as_secs_f64() * 1e6
    }
}
