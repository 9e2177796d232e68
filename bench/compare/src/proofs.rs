//! Time and allocations of a proof for a request to a PDS, with `ath` and a nonce: this library, other
//! libraries, and the bare signatures below them.

use std::hint::black_box;

use atproto_dpop::{AccessToken, DpopKey, P256Keys, Proof, htu};
use atproto_keys::RingKeys;
use atproto_sansio::{Entropy, Keys, System, SystemEntropy};
use http::{HeaderValue, Uri};

use crate::keys::{DEFAULT_KEYS, bare_p256, bare_ring, dpop_key};
use crate::peers;
use crate::rounds::{Work, alternate};
use crate::table::{Goal, ProofRow, Report};

pub(crate) const TOKEN: &str = "acc-UbrXoCwMSxZ3uqj3geWSqgd1Lhvmb40ggo1wjn0EhEM";
pub(crate) const NONCE: &str = "a-nonce-of-the-server";
pub(crate) const METHOD: &str = "POST";
pub(crate) const URL: &str = "https://pds.example.com/xrpc/com.atproto.repo.createRecord";

const ROUNDS: usize = 4000;

const WHOLE: &str =
    "this library, default keys; from the URL and the token, with entropy and clock";
const P256: &str = "this library, keys of p256";
const RING: &str = "this library, keys of ring";
const RING_TARGET: &str =
    "this library, keys of ring; with `htu` from the URL, and the token's hash";
const BARE_P256: &str = "signature of p256 alone";
const BARE_RING: &str = "signature of ring alone";

pub(crate) fn measure(report: &mut Report) {
    let (sign_p256, sign_ring) = (bare_p256(), bare_ring());
    let message = message();
    let mut works = vec![
        Work::new(WHOLE, whole(DEFAULT_KEYS)),
        Work::new(P256, alone(dpop_key(&P256Keys), P256Keys)),
        Work::new(BARE_P256, || _ = black_box(sign_p256(black_box(&message)))),
        Work::new(RING, alone(dpop_key(&RingKeys), RingKeys)),
        Work::new(RING_TARGET, with_target(RingKeys)),
        Work::new(BARE_RING, || _ = black_box(sign_ring(black_box(&message)))),
    ];
    works.extend(peers::all());
    let counted: Vec<_> =
        works.iter_mut().map(|work| (work.name().to_owned(), work.allocations())).collect();
    let times = alternate(ROUNDS, works);
    for (name, allocations) in counted {
        let micros = times.low(&name);
        report.proofs.push(ProofRow { name, micros, allocations });
    }
    let ratio = |work: &str, floor: &str| times.low(work) / times.low(floor);
    report.add("proof over signature, p256", ratio(P256, BARE_P256), "", Goal::AtMost(1.05));
    report.add("proof over signature, ring", ratio(RING, BARE_RING), "", Goal::AtMost(1.06));
    let name = "the same with `htu` from the URL, and the token's hash";
    report.add(name, ratio(RING_TARGET, BARE_RING), "", Goal::AtMost(1.10));
    if let Some(skyauth) = peers::SKYAUTH {
        let name = "proof of skyauth over one of this library, the same work";
        report.add(name, ratio(skyauth, WHOLE), "", Goal::AtLeast(4.0));
    }
}

/// A proof whose claims are there already.
pub(crate) fn alone(key: DpopKey, keys: impl Keys) -> impl FnMut() {
    let token = AccessToken::new(TOKEN).unwrap();
    move || {
        let proof = proof([7; 16], URL, 1_700_000_000, &token);
        drop(black_box(key.prove(black_box(&proof), &keys)));
    }
}

/// A proof for a URL and a token.
fn with_target(keys: impl Keys) -> impl FnMut() {
    let (key, uri) = (dpop_key(&keys), URL.parse::<Uri>().unwrap());
    move || {
        let (token, htu) = (AccessToken::new(black_box(TOKEN)).unwrap(), htu(&uri).unwrap());
        let proof = proof([7; 16], &htu, 1_700_000_000, &token);
        drop(black_box(key.prove(black_box(&proof), &keys)));
    }
}

/// All that other libraries do for a proof: text in, header out, with a new id and the time.
fn whole(keys: impl Keys) -> impl FnMut() {
    let key = dpop_key(&keys);
    move || {
        let uri: Uri = black_box(URL).parse().unwrap();
        let (token, htu) = (AccessToken::new(black_box(TOKEN)).unwrap(), htu(&uri).unwrap());
        let mut jti = [0; 16];
        SystemEntropy.fill(&mut jti);
        let proof = proof(jti, &htu, System::now().as_secs(), &token);
        drop(black_box(key.prove(&proof, &keys)));
    }
}

fn proof<'a>(jti: [u8; 16], htu: &'a str, iat: u64, token: &'a AccessToken) -> Proof<'a> {
    Proof { jti, htm: METHOD, htu, iat, nonce: Some(NONCE), ath: Some(token.ath()) }
}

/// One such proof.
pub(crate) fn example() -> HeaderValue {
    let token = AccessToken::new(TOKEN).unwrap();
    let proof = proof([7; 16], URL, 1_700_000_000, &token);
    dpop_key(&P256Keys).prove(&proof, &P256Keys).unwrap()
}

/// The bytes that the signature of such a proof covers, for the bare signatures.
pub(crate) fn message() -> Vec<u8> {
    let proof = example();
    let (message, _) = proof.to_str().unwrap().rsplit_once('.').unwrap();
    message.as_bytes().to_vec()
}
