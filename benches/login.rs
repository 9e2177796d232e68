//! Duration of a complete login, compared with its cryptography alone:
//! `cargo bench -p atproto-oauth-benches --bench login`.
//!
//! A login is `authorize`, the user's consent, and `callback`. Its cryptography is the generation
//! of a key, the client's signature for each DPoP proof, and the server's verification of each
//! signature.
#![allow(clippy::print_stdout, reason = "a program for developers")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use atproto_dpop::{P256Keys, verify};
use atproto_oauth_core::{CallbackParams, Client, Scopes, Subject};
use atproto_oauth_sandbox::{Process, Sandbox};
use atproto_sansio::{
    Entropy, KeyError, Keys, Machine, SecretKey, Signer, System, SystemEntropy, drive,
};

const ALICE: &str = "alice.example.com";

/// Number of logins in each benchmark.
const LOGINS: usize = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::loopback(Scopes::parse("atproto transition:generic")?).build()?;
    let mut benches = Vec::new();
    for keeps_log in [false, true] {
        for is_cold in [true, false] {
            benches.push(Bench::new("run", is_cold, keeps_log));
            benches.push(Bench::new("drive", is_cold, keeps_log));
        }
    }
    let mut costs = Costs::new();
    // The benchmarks are interleaved, so that a change of the machine's load affects all of them.
    for _ in 0..LOGINS {
        costs.measure();
        for bench in &mut benches {
            bench.log_in(&client)?;
        }
    }
    let [key, signature, verification] = costs.costs();
    println!("key: {key:.0?}, signature: {signature:.0?}, verification: {verification:.0?}\n");
    println!(
        "{:<20}{:>9}{:>10}{:>15}{:>7}{:>12}{:>13}",
        "", "logins/s", "login µs", "crypto µs", "ratio", "client +µs", "sandbox +µs"
    );
    for bench in benches {
        bench.report([key, signature, verification]);
    }
    println!(
        "\ncold: with an empty memory; warm: with cached metadata and a cached nonce.\n\
         +µs: the time that the client or the sandbox takes in addition to its cryptography, where \
         the two can be measured separately."
    );
    Ok(())
}

/// One benchmark: the way in which its logins run, and its measurements.
struct Bench {
    name: String,
    driver: Driver,
    is_cold: bool,
    sandbox: Sandbox,
    counts: Arc<Counts>,
    /// Number of keys generated in the last login.
    keys: u32,
    /// Number of signatures made in the last login.
    signatures: u32,
    /// Duration of each login except the first.
    times: Vec<Duration>,
    /// The sandbox's part of each duration; without the calls of `Driver::Concurrent`, which can't
    /// be measured separately.
    answering: Vec<Duration>,
}

/// The driver of the machines.
enum Driver {
    /// `Sandbox::run_in`: all calls are in flight at the same time, in virtual time.
    Concurrent(Process),
    /// `drive`: one call after another, in real time.
    Sequential(System),
}

impl Bench {
    fn new(driver: &str, is_cold: bool, keeps_log: bool) -> Self {
        let state = if is_cold { "cold" } else { "warm" };
        let log = if keeps_log { ", log" } else { "" };
        let counts = Arc::<Counts>::default();
        let keys = Counted(Arc::clone(&counts));
        let mut sandbox = Sandbox::new(1);
        sandbox.keep_log(keeps_log);
        Self {
            name: format!("{driver}, {state}{log}"),
            driver: match driver {
                "run" => Driver::Concurrent(Process::new(1).with_keys(keys)),
                _ => Driver::Sequential(System::new(keys)),
            },
            is_cold,
            sandbox,
            counts,
            keys: 0,
            signatures: 0,
            times: Vec::new(),
            answering: Vec::new(),
        }
    }

    fn log_in(&mut self, client: &Client) -> Result<(), Box<dyn Error>> {
        let keys = self.counts.keys.load(Relaxed);
        let signatures = self.counts.signatures.load(Relaxed);
        if self.is_cold {
            match &mut self.driver {
                Driver::Concurrent(process) => process.forget(),
                Driver::Sequential(system) => {
                    *system = System::new(Counted(Arc::clone(&self.counts)));
                }
            }
        }
        let mut answering = Duration::ZERO;
        let began = Instant::now();
        let login = client.authorize(Subject::parse(ALICE)?);
        let begun = self.run(login, &mut answering)?;
        let (back, consenting) = timed(|| self.sandbox.approve(&begun.url, ALICE));
        let callback = client.callback(begun.pending, CallbackParams::parse(&back?)?);
        let _ = black_box(self.run(callback, &mut answering)?);
        let took = began.elapsed();

        let is_first = self.signatures == 0;
        self.keys = self.counts.keys.load(Relaxed) - keys;
        self.signatures = self.counts.signatures.load(Relaxed) - signatures;
        if !is_first {
            self.times.push(took); // the first login is always cold
            self.answering.push(answering + consenting);
        }
        Ok(())
    }

    fn run<M: Machine>(
        &mut self,
        machine: M,
        answering: &mut Duration,
    ) -> Result<M::Output, M::Error> {
        match &mut self.driver {
            Driver::Concurrent(process) => self.sandbox.run_in(process, machine),
            Driver::Sequential(system) => drive(system, machine, |call| {
                let (reply, took) = timed(|| {
                    self.sandbox.set_now(System::now());
                    self.sandbox.respond(call)
                });
                *answering += took;
                reply
            }),
        }
    }

    fn report(self, [key, signature, verification]: [Duration; 3]) {
        let clients = key * self.keys + signature * self.signatures;
        let servers = verification * self.signatures;
        let takes = fifth_percentile(self.times);
        let answering = fifth_percentile(self.answering);
        let ratio = takes.as_secs_f64() / (clients + servers).as_secs_f64();
        print!(
            "{:<20}{:>9.0}{:>10}{:>15}{ratio:>7.2}",
            self.name,
            1.0 / takes.as_secs_f64(),
            takes.as_micros(),
            (clients + servers).as_micros()
        );
        match self.driver {
            Driver::Concurrent(_) => println!(),
            Driver::Sequential(_) => println!(
                "{:>12}{:>13}",
                takes.saturating_sub(answering + clients).as_micros(),
                answering.saturating_sub(servers).as_micros()
            ),
        }
    }
}

/// Measured durations of key generation, signature and verification.
struct Costs {
    signer: Arc<dyn Signer>,
    times: [Vec<Duration>; 3],
}

impl Costs {
    fn new() -> Self {
        Self { signer: P256Keys.generate(&mut SystemEntropy), times: Default::default() }
    }

    /// Measures each operation four times.
    fn measure(&mut self) {
        const MESSAGE: [u8; 400] = [b'x'; 400];
        let [keys, signatures, verifications] = &mut self.times;
        for _ in 0..4 {
            let (_, key) = timed(|| drop(black_box(P256Keys.generate(&mut SystemEntropy))));
            let (signed, signature) = timed(|| self.signer.sign(black_box(&MESSAGE)));
            let signed = signed.expect("a generated key can sign");
            let (_, verification) =
                timed(|| black_box(verify(self.signer.public(), black_box(&MESSAGE), &signed)));
            keys.push(key);
            signatures.push(signature);
            verifications.push(verification);
        }
    }

    fn costs(self) -> [Duration; 3] {
        self.times.map(fifth_percentile)
    }
}

/// Number of keys and signatures made so far. The server verifies each signature once.
#[derive(Default)]
struct Counts {
    keys: AtomicU32,
    signatures: AtomicU32,
}

/// A source of keys that counts the keys and their signatures.
struct Counted(Arc<Counts>);

/// A key that counts its signatures.
struct CountedSigner(Arc<dyn Signer>, Arc<Counts>);

impl Keys for Counted {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        self.0.keys.fetch_add(1, Relaxed);
        Arc::new(CountedSigner(P256Keys.generate(entropy), Arc::clone(&self.0)))
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        P256Keys.import(scalar, public)
    }
}

impl Signer for CountedSigner {
    fn public(&self) -> &[u8; 64] {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        self.1.signatures.fetch_add(1, Relaxed);
        self.0.sign(message)
    }

    fn export(&self) -> Option<SecretKey> {
        self.0.export()
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let output = work();
    (output, began.elapsed())
}

fn fifth_percentile(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 20).copied().unwrap_or_default()
}
