//! Requests per second with one session of 64 tasks or threads, on one core and on two: of the engine alone, of
//! each HTTP library alone, and of each adapter.
//!
//! ```text
//! cargo bench -p atproto-oauth-benches --bench requests [-- part of a name]
//! ```
//!
//! Each measurement is a process of its own that `taskset` pins to its cores; the async ones have a worker thread
//! for each core. The server is pinned to the machine's last core. So on a machine with two cores, clients with two
//! cores share one of them with the server, and the processor time of a request says more than their rate.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for developers")]

mod engine;
mod over_reqwest;
mod over_ureq;
mod server;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use atproto_oauth_benches::processor;

use crate::server::{SERVE, Server, serve};

/// Tasks or threads that share the session.
const TASKS: usize = 64;

/// Rounds of which the best is printed. The numbers of cores alternate, so that both see the same load.
const ROUNDS: usize = 3;

/// Time for which the requests of one measurement begin.
const TIME: Duration = Duration::from_secs(1);

/// The argument that makes this program a client. The number of cores, the server's origin and a part of the names
/// of the clients follow.
const MEASURE: &str = "measure";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [SERVE] => serve(),
        [MEASURE, cores, origin, part] => measure(cores.parse().unwrap(), origin, part),
        // cargo adds an option behind the arguments.
        [part, _] => compare(part),
        _ => compare(""),
    }
}

/// Results of one measurement.
#[derive(Clone, Copy, Default)]
struct Rate {
    per_second: f64,
    /// Processor time of a request in microseconds.
    micros: f64,
    /// Connections that the server accepted.
    connections: usize,
}

/// Starts the clients in turn, and prints the table.
fn compare(part: &str) {
    let cores = processor::cores();
    let server = Server::start(cores);
    let mut best = BTreeMap::<(String, usize), Rate>::new();
    for _ in 0..ROUNDS {
        for used in 1..=cores.min(2) {
            let list = if used == 1 { "0" } else { "0,1" };
            let mut command = pinned(list, &[MEASURE, &used.to_string(), &server.origin(), part]);
            let output = command.stderr(std::process::Stdio::inherit()).output().unwrap();
            assert!(output.status.success());
            for line in String::from_utf8(output.stdout).unwrap().lines() {
                let (name, rate) = read(line);
                let best = best.entry((name, used)).or_default();
                if rate.per_second > best.per_second {
                    *best = rate;
                }
            }
        }
    }
    println!(
        "{cores} cores; {TASKS} tasks or threads with one session; the best of {ROUNDS} rounds"
    );
    println!(
        "{:<26}{:>12}{:>12}{:>7}{:>9}{:>9}{:>13}",
        "", "1 core", "2 cores", "ratio", "CPU", "CPU", "connections"
    );
    for ((name, _), one) in best.iter().filter(|((_, used), _)| *used == 1) {
        let two = best.get(&(name.clone(), 2)).copied().unwrap_or_default();
        println!(
            "{name:<26}{:>10.0}/s{:>10.0}/s{:>7.2}{:>6.1} µs{:>6.1} µs{:>13}",
            one.per_second,
            two.per_second,
            two.per_second / one.per_second,
            one.micros,
            two.micros,
            two.connections,
        );
    }
}

/// Measures the clients in this process whose names contain `part`, and prints a line for each.
fn measure(cores: usize, origin: &str, part: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores)
        .enable_all()
        .build()
        .unwrap();
    let clients: [(_, &dyn Fn() -> Made); 6] = [
        ("engine, constant keys", &engine::constant),
        ("engine, ring", &engine::ring),
        ("reqwest alone", &|| runtime.block_on(over_reqwest::alone(origin))),
        ("reqwest, adapter", &|| runtime.block_on(over_reqwest::adapter(origin))),
        ("ureq alone", &|| over_ureq::alone(origin)),
        ("ureq, adapter", &|| over_ureq::adapter(origin)),
    ];
    for (name, run) in clients.into_iter().filter(|(name, _)| name.contains(part)) {
        let (begun, used) = (Instant::now(), processor::of_process());
        let Made { requests, connections } = run();
        let (time, used) = (begun.elapsed(), processor::of_process() - used);
        let requests = requests as f64;
        let (rate, micros) = (requests / time.as_secs_f64(), used.as_secs_f64() * 1e6 / requests);
        println!("{name};{rate};{micros};{connections}");
    }
}

/// Requests that a client made, and connections that they needed.
struct Made {
    requests: usize,
    connections: usize,
}

fn read(line: &str) -> (String, Rate) {
    let mut fields = line.split(';');
    let mut next = || fields.next().unwrap();
    let name = next().to_owned();
    let per_second = next().parse().unwrap();
    let micros = next().parse().unwrap();
    (name, Rate { per_second, micros, connections: next().parse().unwrap() })
}

/// This program on the cores of `list`.
fn pinned(list: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(list).arg(std::env::current_exe().unwrap()).args(arguments);
    command
}

/// The number of connections that the server had accepted before its answer.
fn connections(body: &[u8]) -> usize {
    std::str::from_utf8(body).unwrap().trim().parse().unwrap()
}

/// Runs `request` again and again in all threads until the time is over. Returns the requests that were made.
fn in_threads(request: impl Fn() + Sync) -> usize {
    let begun = Instant::now();
    let work = || {
        let mut made = 0;
        while begun.elapsed() < TIME {
            request();
            made += 1;
        }
        made
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..TASKS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}
