//! The small work of the benches of time, instructions and allocations, which measure the same functions.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use atproto_dpop::{AccessToken, DpopKey, P256Keys, Proof, htu};
use atproto_keys::RingKeys;
use atproto_oauth_core::{Origin, Scopes, ServerMetadataEndpoint, Session};
use atproto_sansio::{Endpoint, Keys, System, SystemEntropy};
use bytes::Bytes;
use http::{Response, Uri};

use crate::keys::Constant;
use crate::session::{self, client, make_request};

/// A function that is measured.
pub struct Work {
    /// Name of the work in a table, such as `ring: proof`.
    pub name: String,
    run: Box<dyn Fn() + Send + Sync>,
}

impl Work {
    fn new(name: impl Into<String>, run: impl Fn() + Send + Sync + 'static) -> Self {
        Self { name: name.into(), run: Box::new(run) }
    }

    /// The work of this name after three runs, which import the key, learn the nonce, and share it.
    ///
    /// # Panics
    ///
    /// Panics if no work has this name.
    pub fn warm(name: &str) -> Self {
        let work = all().into_iter().find(|work| work.name == name).unwrap();
        (0..3).for_each(|_| work.run());
        work
    }

    /// Does the work once.
    pub fn run(&self) {
        (self.run)();
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All work of this build.
pub fn all() -> Vec<Work> {
    let mut all = vec![from_json(), to_json(), scopes(), metadata(), request()];
    all.extend(proofs("p256", P256Keys));
    all.extend(proofs("ring", RingKeys));
    #[cfg(feature = "aws-lc-rs")]
    all.extend(proofs("AWS-LC", atproto_keys::AwsLcKeys));
    all
}

/// A signature of as many bytes as a proof has, a proof, and a proof with its `htu` and token hash.
fn proofs(backend: &str, keys: impl Keys + Clone + 'static) -> [Work; 3] {
    let signer = keys.generate(&mut SystemEntropy);
    let key = Arc::new(DpopKey::generate(&keys, &mut SystemEntropy));
    let signature =
        Work::new(format!("{backend}: signature"), move || _ = black_box(signer.sign(&MESSAGE)));
    let (shared, own) = (Arc::clone(&key), keys.clone());
    let token = AccessToken::new(TOKEN).unwrap();
    let proof = Work::new(format!("{backend}: proof"), move || {
        let proof = Proof { ath: Some(token.ath()), ..PROOF };
        drop(black_box(shared.prove(black_box(&proof), &own)));
    });
    let whole = Work::new(format!("{backend}: proof, htu, ath"), move || {
        let token = AccessToken::new(black_box(TOKEN)).unwrap();
        let htu = htu(black_box(&Uri::from_static(URL))).unwrap();
        let proof = Proof { htu: &htu, ath: Some(token.ath()), ..PROOF };
        drop(black_box(key.prove(&proof, &keys)));
    });
    [signature, proof, whole]
}

fn from_json() -> Work {
    let stored = session::stored("https://pds.example.com");
    Work::new("Session::from_json", move || {
        drop(black_box(Session::from_json(black_box(&stored)).unwrap()));
    })
}

fn to_json() -> Work {
    let session = Session::from_json(&session::stored("https://pds.example.com")).unwrap();
    Work::new("Session::to_json", move || drop(black_box(session.to_json().unwrap())))
}

fn scopes() -> Work {
    Work::new("Scopes::parse", || drop(black_box(Scopes::parse(black_box(SCOPES)).unwrap())))
}

fn metadata() -> Work {
    let issuer = Origin::parse("https://pds.example.com", false).unwrap();
    let endpoint = ServerMetadataEndpoint { issuer, development: false };
    Work::new("server metadata", move || {
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Bytes::from_static(METADATA))
            .unwrap();
        drop(black_box(endpoint.response(response).unwrap()));
    })
}

/// A request of the engine alone: everything but the signature and the network.
fn request() -> Work {
    let (system, client) = (System::new(Constant), client());
    let session = Session::from_json(&session::stored("https://pds.example.com")).unwrap();
    Work::new("request", move || make_request(&system, &client, &session))
}

const MESSAGE: [u8; 400] = [b'x'; 400];
const TOKEN: &str = "an-access-token-of-some-length";
const URL: &str = "https://pds.example.com/xrpc/com.atproto.repo.createRecord?a=b";
const SCOPES: &str = "atproto repo:app.bsky.feed.post?action=create&action=delete blob:image/* \
    rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview account:email?action=read";
const METADATA: &[u8] = include_bytes!("../../tests/transcripts/fixtures/server-metadata.json");

const PROOF: Proof<'static> = Proof {
    jti: [7; 16],
    htm: "POST",
    htu: "https://pds.example.com/xrpc/com.atproto.repo.createRecord",
    iat: 1_700_000_000,
    nonce: Some("a-nonce-of-the-server"),
    ath: None,
};
