//! Proofs of other libraries, with the key, the token and the nonce of all rows. Each is made by the public
//! function that the library's own requests use.

use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use atproto_oauth::dpop::request_dpop;
use atrium_xrpc::HttpClient;
use http::{HeaderValue, Request, Response};
use jacquard_oauth::dpop::build_dpop_proof;
use peer_identity::key::{KeyData, KeyType};
use skyauth::dpop::{DPoPKey, compute_access_token_hash};

use crate::keys::{JWK, scalar};
use crate::proofs::{METHOD, NONCE, TOKEN, URL};
use crate::rounds::Work;

pub(crate) const SKYAUTH: Option<&str> = Some("skyauth 0.3.9");

pub(crate) fn all() -> Vec<Work<'static>> {
    vec![
        Work::new("skyauth 0.3.9", skyauth()),
        Work::new("jacquard-oauth 0.12.2, with a hash that is there already", jacquard()),
        Work::new("atrium-oauth 0.2.0, with a copy of the request", atrium()),
        Work::new("atproto-oauth 0.14.5, without a nonce, which it does not keep", atproto_oauth()),
    ]
}

fn skyauth() -> impl FnMut() {
    let key = DPoPKey::from_slice(scalar().expose()).unwrap();
    let prove = move || {
        let ath = compute_access_token_hash(black_box(TOKEN));
        key.create_proof(METHOD, black_box(URL), Some(NONCE), Some(&ath)).unwrap()
    };
    check(&prove(), Some(NONCE));
    move || drop(black_box(prove()))
}

fn jacquard() -> impl FnMut() {
    let key: jose_jwk::Key = serde_json::from_str(JWK).unwrap();
    let ath = compute_access_token_hash(TOKEN);
    let prove = move || {
        let (nonce, ath) = (Some(NONCE), Some(ath.as_str()));
        build_dpop_proof(&key, METHOD, black_box(URL), nonce, ath).unwrap()
    };
    check(&prove(), Some(NONCE));
    move || drop(black_box(prove()))
}

/// The library has no function for a proof: its client adds one to a request.
fn atrium() -> impl FnMut() {
    let key: jose_jwk::Key = serde_json::from_str(JWK).unwrap();
    let client =
        atrium_oauth::DpopClient::new(key, Arc::new(Silent(AtomicUsize::new(0))), false, &None)
            .unwrap();
    let mut request = Request::new(Vec::new());
    *request.method_mut() = METHOD.parse().unwrap();
    *request.uri_mut() = URL.parse().unwrap();
    let token = HeaderValue::from_str(&format!("DPoP {TOKEN}")).unwrap();
    request.headers_mut().insert("authorization", token);
    move || drop(black_box(at_once(client.send_http(request.clone())).unwrap()))
}

fn atproto_oauth() -> impl FnMut() {
    let key = KeyData::new(KeyType::P256Private, scalar().expose().to_vec());
    let prove = move || request_dpop(&key, METHOD, black_box(URL), black_box(TOKEN)).unwrap().0;
    check(&prove(), None);
    move || drop(black_box(prove()))
}

/// Answers each request at once: the first one with a nonce, which the second one must have.
struct Silent(AtomicUsize);

impl HttpClient for Silent {
    async fn send_http(
        &self,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let mut response = Response::new(Vec::new());
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => {
                response.headers_mut().insert("dpop-nonce", HeaderValue::from_static(NONCE));
            }
            1 => check(request.headers()["dpop"].to_str().unwrap(), Some(NONCE)),
            _ => {}
        }
        Ok(response)
    }
}

/// Checks that a proof has the claims that are compared.
fn check(proof: &str, nonce: Option<&str>) {
    let payload = proof.split('.').nth(1).unwrap();
    let payload = data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    let expected = [
        ("htm", Some(METHOD)),
        ("htu", Some(URL)),
        ("nonce", nonce),
        ("ath", Some(&*compute_access_token_hash(TOKEN))),
    ];
    for (name, value) in expected {
        assert_eq!(claims.get(name).and_then(|claim| claim.as_str()), value, "{name}");
    }
}

/// The output of a future that waits for nothing.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}
