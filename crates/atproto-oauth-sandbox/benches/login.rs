//! How long a whole login takes, beside its cryptography alone: `cargo bench -p atproto-oauth-sandbox`.
//!
//! A login is `authorize`, a consent, and `callback`. Its cryptography is what can't be spared: a key,
//! a signature of the client for each proof, and the server's verification of each of them.
#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]

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

/// Logins of each kind.
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
    // Interleaved, so that all see the same machine.
    for _ in 0..LOGINS {
        costs.measure();
        for bench in &mut benches {
            bench.log_in(&client)?;
        }
    }
    let [key, signature, verification] = costs.costs();
    println!("a key {key:.0?}, a signature {signature:.0?}, a verification {verification:.0?}\n");
    println!(
        "{:<20}{:>9}{:>10}{:>15}{:>7}{:>12}{:>13}",
        "", "a second", "takes µs", "cryptography", "ratio", "client more", "sandbox more"
    );
    for bench in benches {
        bench.report([key, signature, verification]);
    }
    println!(
        "\ncold: nothing is remembered; warm: metadata and nonce are.\n\
         more: what each takes beyond its cryptography, where they can be told apart."
    );
    Ok(())
}

/// One way to log in, again and again.
struct Bench {
    name: String,
    how: How,
    is_cold: bool,
    sandbox: Sandbox,
    counts: Arc<Counts>,
    keys: u32,
    signatures: u32,
    times: Vec<Duration>,
    /// The sandbox's part of them.
    answering: Vec<Duration>,
}

enum How {
    /// All calls outstanding together, in virtual time.
    Together(Process),
    /// One call after another, in real time.
    InTurn(System),
}

impl Bench {
    fn new(how: &str, is_cold: bool, keeps_log: bool) -> Self {
        let state = if is_cold { "cold" } else { "warm" };
        let log = if keeps_log { ", log" } else { "" };
        let counts = Arc::<Counts>::default();
        let keys = Counted(Arc::clone(&counts));
        let mut sandbox = Sandbox::new(1);
        sandbox.keep_log(keeps_log);
        Self {
            name: format!("{how}, {state}{log}"),
            how: match how {
                "run" => How::Together(Process::new(1).with_keys(keys)),
                _ => How::InTurn(System::new(keys)),
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
            match &mut self.how {
                How::Together(process) => process.forget(),
                How::InTurn(system) => *system = System::new(Counted(Arc::clone(&self.counts))),
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
            self.times.push(took); // only later ones can be warm
            self.answering.push(answering + consenting);
        }
        Ok(())
    }

    fn run<M: Machine>(
        &mut self,
        machine: M,
        answering: &mut Duration,
    ) -> Result<M::Output, M::Error> {
        match &mut self.how {
            How::Together(process) => self.sandbox.run_in(process, machine),
            How::InTurn(system) => drive(system, machine, |call| {
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
        match self.how {
            How::Together(_) => println!(),
            How::InTurn(_) => println!(
                "{:>12}{:>13}",
                takes.saturating_sub(answering + clients).as_micros(),
                answering.saturating_sub(servers).as_micros()
            ),
        }
    }
}

/// How long the operations take.
struct Costs {
    signer: Arc<dyn Signer>,
    times: [Vec<Duration>; 3],
}

impl Costs {
    fn new() -> Self {
        Self { signer: P256Keys.generate(&mut SystemEntropy), times: Default::default() }
    }

    /// Of each operation, as many as a login has or more.
    fn measure(&mut self) {
        const MESSAGE: [u8; 400] = [b'x'; 400];
        let [keys, signatures, verifications] = &mut self.times;
        for _ in 0..4 {
            let (_, key) = timed(|| drop(black_box(P256Keys.generate(&mut SystemEntropy))));
            let (signed, signature) = timed(|| self.signer.sign(black_box(&MESSAGE)));
            let signed = signed.expect("a new key signs");
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

/// How many keys and signatures were made. Each signature is verified once.
#[derive(Default)]
struct Counts {
    keys: AtomicU32,
    signatures: AtomicU32,
}

struct Counted(Arc<Counts>);

struct CountedSigner(Arc<dyn Signer>, Arc<Counts>);

impl Keys for Counted {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        self.0.keys.fetch_add(1, Relaxed);
        Arc::new(CountedSigner(P256Keys.generate(entropy), Arc::clone(&self.0)))
    }

    fn import(&self, scalar: &SecretKey) -> Result<Arc<dyn Signer>, KeyError> {
        P256Keys.import(scalar)
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
