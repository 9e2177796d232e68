//! Cost of a proof in heap allocations. The JWK, the JOSE header and `ath` are computed once, not
//! for each proof.

use atproto_dpop::{AccessToken, DpopKey, P256Keys, Proof};
use atproto_sansio::SystemEntropy;

#[test]
fn a_proof_is_written_into_one_buffer() {
    let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
    let token = AccessToken::new("at").unwrap();
    let proof = Proof {
        jti: [7; 16],
        htm: "POST",
        htu: "https://pds.example.com/xrpc/com.atproto.repo.createRecord",
        iat: 1_700_000_000,
        nonce: Some("a-nonce-of-the-server"),
        ath: Some(token.ath()),
    };
    key.prove(&proof, &P256Keys).unwrap();
    let counted = allocation_counter::measure(|| drop(key.prove(&proof, &P256Keys).unwrap()));
    assert_eq!(counted.count_total, 1);
}
