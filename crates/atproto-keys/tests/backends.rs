//! One key in every backend.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failed test panics")]

use std::sync::Arc;

use atproto_dpop::{AccessToken, DpopError, DpopKey, P256Keys, Proof, verify};
use atproto_keys::RingKeys;
use atproto_sansio::{Entropy, KeyError, Keys, SecretKey, Signer};
use proptest::prelude::*;

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The prime of the field of P-256.
const PRIME: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

/// Every backend of this build.
fn backends() -> Vec<(&'static str, &'static dyn Keys)> {
    vec![
        ("p256", &P256Keys),
        ("ring", &RingKeys),
        #[cfg(feature = "aws-lc-rs")]
        ("AWS-LC", &atproto_keys::AwsLcKeys),
    ]
}

/// Entropy that repeats some bytes.
struct Repeated(Vec<u8>, usize);

impl Entropy for Repeated {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0[self.1 % self.0.len()];
            self.1 += 1;
        }
    }
}

/// `ORDER` and a small number, or the small number alone.
fn scalar(base: [u8; 32], plus: i8) -> SecretKey {
    let mut scalar = base;
    scalar[31] = scalar[31].wrapping_add_signed(plus);
    SecretKey::new(scalar)
}

fn signs(key: &dyn Signer, public: &[u8; 64]) {
    for message in [b"".as_slice(), b"message", &[7; 1000]] {
        let signature = key.sign(message).unwrap();
        assert!(verify(public, message, &signature));
        assert!(!verify(public, b"another", &signature));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_is_the_same_in_every_backend(seed in prop::collection::vec(any::<u8>(), 32)) {
        let all: Vec<_> = backends()
            .into_iter()
            .map(|(name, keys)| (name, keys.generate(&mut Repeated(seed.clone(), 0))))
            .collect();
        let (_, first) = &all[0];
        for (made_by, key) in &all {
            prop_assert_eq!(key.public(), first.public(), "{}", made_by);
            let scalar = key.export().unwrap();
            prop_assert!(scalar.expose() == first.export().unwrap().expose(), "{}", made_by);
            signs(&**key, first.public());
            for (name, keys) in backends() {
                for public in [None, Some(key.public())] {
                    let again = keys.import(&scalar, public).unwrap();
                    prop_assert_eq!(again.public(), key.public(), "{} to {}", made_by, name);
                    prop_assert!(again.export().unwrap().expose() == scalar.expose());
                    signs(&*again, key.public());
                }
            }
        }
    }
}

#[test]
fn the_edges_of_the_range_are_the_same_in_every_backend() {
    let one = P256Keys.import(&scalar([0; 32], 1), None).unwrap();
    for (name, keys) in backends() {
        for good in [scalar([0; 32], 1), scalar([0; 32], 2), scalar(ORDER, -1), scalar(ORDER, -2)] {
            let expected = *P256Keys.import(&good, None).unwrap().public();
            for public in [None, Some(&expected)] {
                let key = keys.import(&good, public).unwrap();
                assert_eq!(*key.public(), expected, "{name}");
                signs(&*key, &expected);
            }
        }
        for bad in [[0; 32], [0xff; 32], ORDER, *scalar(ORDER, 1).expose(), PRIME] {
            let bad = SecretKey::new(bad);
            assert!(keys.import(&bad, None).is_err(), "{name}");
            assert!(keys.import(&bad, Some(one.public())).is_err(), "{name}");
        }
    }
}

#[test]
fn a_point_of_another_key_is_refused_by_every_backend() {
    let key = P256Keys.generate(&mut Repeated(vec![7], 0));
    let (scalar, public) = (key.export().unwrap(), *key.public());
    let other = *P256Keys.generate(&mut Repeated(vec![8], 0)).public();
    // The negated point has the same `x`.
    let mut negated = public;
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i16::from(PRIME[at]) - i16::from(public[32 + at]) - borrow;
        borrow = i16::from(digit < 0);
        negated[32 + at] = digit.rem_euclid(256).try_into().unwrap();
    }
    let mut swapped = public;
    swapped.rotate_left(32);
    let mut broken = public;
    broken[63] ^= 1;
    let wrong = [other, negated, swapped, broken, [0; 64], [0xff; 64]];
    for (name, keys) in backends() {
        keys.import(&scalar, Some(&public)).unwrap();
        for wrong in wrong {
            let refused = keys.import(&scalar, Some(&wrong)).err();
            assert_eq!(refused, Some(KeyError::MISMATCH), "{name}");
        }
    }
}

#[test]
fn a_generation_ends_although_the_entropy_is_stuck() {
    for (name, keys) in backends() {
        for byte in [0, 0xff] {
            let key = keys.generate(&mut Repeated(vec![byte], 0));
            signs(&*key, key.public());
            let again = keys.generate(&mut Repeated(vec![byte], 0));
            assert_eq!(key.public(), again.public(), "{name}");
        }
    }
}

/// Keys of which each counts its imports.
struct Counting<'a>(&'a dyn Keys, std::sync::atomic::AtomicUsize);

impl Keys for Counting<'_> {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        self.0.generate(entropy)
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        assert!(public.is_some(), "the stored point is checked, and not computed");
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.import(scalar, public)
    }
}

#[test]
fn a_stored_key_is_imported_once_and_into_the_backend_of_the_program() {
    let token = AccessToken::new("at").unwrap();
    let proof = Proof { ath: Some(token.ath()), ..proof() };
    let key = DpopKey::generate(&RingKeys, &mut Repeated(vec![3], 0));
    let stored = serde_json::to_string(&key).unwrap();
    for (name, keys) in backends() {
        let read: DpopKey = serde_json::from_str(&stored).unwrap();
        let counting = Counting(keys, 0.into());
        let proofs = [0; 3].map(|_| read.prove(&proof, &counting).unwrap());
        assert_eq!(counting.1.into_inner(), 1, "{name}");
        // Only the signatures of pure Rust are the same each time (RFC 6979).
        assert_eq!(proofs[0] == proofs[1], name == "p256", "{name}");
        assert_eq!(serde_json::to_string(&read).unwrap(), stored, "{name}");
    }
}

/// Keys that fail a number of times first.
struct Unsteady<'a>(&'a dyn Keys, std::sync::atomic::AtomicUsize);

impl Keys for Unsteady<'_> {
    fn generate(&self, entropy: &mut dyn Entropy) -> Arc<dyn Signer> {
        self.0.generate(entropy)
    }

    fn import(
        &self,
        scalar: &SecretKey,
        public: Option<&[u8; 64]>,
    ) -> Result<Arc<dyn Signer>, KeyError> {
        let ordering = std::sync::atomic::Ordering::Relaxed;
        match self.1.fetch_update(ordering, ordering, |left| left.checked_sub(1)) {
            Ok(_) => Err(KeyError("the key store does not answer")),
            Err(_) => self.0.import(scalar, public),
        }
    }
}

fn proof() -> Proof<'static> {
    let htu = "https://pds.example.com/xrpc/a.b.c";
    Proof { jti: [7; 16], htm: "GET", htu, iat: 1_700_000_000, nonce: None, ath: None }
}

#[test]
fn a_stored_key_that_does_not_fit_its_point_never_signs() {
    let stored = |byte| {
        let key = DpopKey::generate(&P256Keys, &mut Repeated(vec![byte], 0));
        serde_json::to_value(&key).unwrap()
    };
    let mut mixed = stored(3);
    mixed["d"] = stored(4)["d"].clone();
    let refused = Err(DpopError::Key(KeyError::MISMATCH));
    for (name, first) in backends() {
        let key: DpopKey = serde_json::from_value(mixed.clone()).unwrap();
        // Clones in several threads sign at the same time, in whatever backend.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (key, refused) = (key.clone(), &refused);
                scope.spawn(move || {
                    for (other, then) in backends() {
                        assert_eq!(key.prove(&proof(), first), *refused, "{name}");
                        assert_eq!(key.prove(&proof(), then), *refused, "{name}, then {other}");
                    }
                });
            }
        });
        let unsteady = Unsteady(first, 1.into());
        let key: DpopKey = serde_json::from_value(mixed.clone()).unwrap();
        assert!(key.prove(&proof(), &unsteady).is_err(), "{name}");
        assert_eq!(key.prove(&proof(), &unsteady), refused, "{name}");
        assert!(!format!("{key:?}").contains(mixed["d"].as_str().unwrap()), "{name}");
    }
}

#[test]
fn a_stored_key_signs_after_an_import_that_failed() {
    let key = DpopKey::generate(&P256Keys, &mut Repeated(vec![3], 0));
    let stored = serde_json::to_string(&key).unwrap();
    for (name, keys) in backends() {
        let key: DpopKey = serde_json::from_str(&stored).unwrap();
        let (clone, unsteady) = (key.clone(), Unsteady(keys, 2.into()));
        for key in [&key, &clone] {
            let failed = key.prove(&proof(), &unsteady).unwrap_err();
            assert!(failed.to_string().contains("does not answer"), "{name}: {failed}");
        }
        for key in [&key, &clone] {
            key.prove(&proof(), &unsteady).unwrap();
        }
    }
}

#[test]
fn a_proof_of_ring_needs_one_allocation() {
    let key = DpopKey::generate(&RingKeys, &mut Repeated(vec![3], 0));
    let proof = Proof { nonce: Some("a-nonce-of-the-server"), ..proof() };
    key.prove(&proof, &RingKeys).unwrap();
    let counted = allocation_counter::measure(|| drop(key.prove(&proof, &RingKeys).unwrap()));
    assert_eq!(counted.count_total, 1);
}
