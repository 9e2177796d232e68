//! Time of a whole proof compared to its signature alone; run by `cargo bench -p atproto-dpop`.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use atproto_dpop::{AccessToken, DpopKey, P256Keys, Proof};
use atproto_sansio::{Keys, SystemEntropy};

fn main() {
    let signer = P256Keys.generate(&mut SystemEntropy);
    let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
    let token = AccessToken::new("an-access-token-of-some-length").expect("visible ASCII");
    let proof = Proof {
        jti: [7; 16],
        htm: "POST",
        htu: "https://pds.example.com/xrpc/com.atproto.repo.createRecord",
        iat: 1_700_000_000,
        nonce: Some("a-nonce-of-the-server"),
        ath: Some(token.ath()),
    };
    let message = [b'x'; 400];
    let (mut signatures, mut proofs) = (Vec::new(), Vec::new());
    // The two measurements alternate, so that other load on the machine affects both equally.
    for _ in 0..2000 {
        signatures.push(time(|| _ = black_box(signer.sign(black_box(&message)))));
        proofs.push(time(|| drop(black_box(key.prove(black_box(&proof))))));
    }
    println!("signature alone: {:?}", fifth_percentile(signatures));
    println!("whole proof:     {:?}", fifth_percentile(proofs));
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn fifth_percentile(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 20).copied().unwrap_or_default()
}
