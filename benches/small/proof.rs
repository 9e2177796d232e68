//! Time of a whole proof compared to its signature alone, in each backend; run by
//! `cargo bench -p atproto-oauth-benches --features aws-lc-rs --bench proof`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use atproto_dpop::{AccessToken, DpopKey, P256Keys, Proof, htu};
use atproto_keys::RingKeys;
use atproto_sansio::{Keys, SystemEntropy};
use http::Uri;

const ROUNDS: usize = 4000;

fn main() {
    compare("p256", &P256Keys);
    compare("ring", &RingKeys);
    #[cfg(feature = "aws-lc-rs")]
    compare("AWS-LC", &atproto_keys::AwsLcKeys);
}

fn compare(name: &str, keys: &dyn Keys) {
    let signer = keys.generate(&mut SystemEntropy);
    let key = DpopKey::generate(keys, &mut SystemEntropy);
    let text = "an-access-token-of-some-length";
    let token = AccessToken::new(text).expect("visible ASCII");
    let uri = Uri::from_static("https://pds.example.com/xrpc/com.atproto.repo.createRecord?a=b");
    let proof = Proof {
        jti: [7; 16],
        htm: "POST",
        htu: "https://pds.example.com/xrpc/com.atproto.repo.createRecord",
        iat: 1_700_000_000,
        nonce: Some("a-nonce-of-the-server"),
        ath: Some(token.ath()),
    };
    let message = [b'x'; 400];
    let (mut signatures, mut proofs, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    // The measurements alternate, so that other load on the machine affects all equally.
    for _ in 0..ROUNDS {
        signatures.push(time(|| _ = black_box(signer.sign(black_box(&message)))));
        proofs.push(time(|| drop(black_box(key.prove(black_box(&proof), keys)))));
        whole.push(time(|| {
            let token = AccessToken::new(black_box(text)).expect("visible ASCII");
            let htu = htu(black_box(&uri)).expect("a URL");
            let proof = Proof { htu: &htu, ath: Some(token.ath()), ..proof };
            drop(black_box(key.prove(&proof, keys)));
        }));
    }
    let [signature, proof, whole] = [signatures, proofs, whole].map(fifth_percentile);
    println!("{name}: the signature alone takes {:.2} µs", signature * 1e6);
    println!("{name}: a proof takes {:.3} times as long", proof / signature);
    println!("{name}: a proof with its `htu` and token hash, {:.3} times", whole / signature);
}

fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

/// The 5th percentile in seconds.
fn fifth_percentile(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 20).copied().unwrap_or_default().as_secs_f64()
}
