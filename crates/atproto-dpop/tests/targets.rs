//! The URL that a proof names, and the URL that a transport gets.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed test panics"
)]

use std::time::Duration;

use atproto_dpop::{AccessToken, Dpop, DpopError, DpopKey, P256Keys, htu};
use atproto_sansio::{
    Answer, Body, Call, Endpoint, Fresh, How, Reach, System, SystemEntropy, TransportError, drive,
};
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};

struct Get(Uri);

#[derive(Debug)]
enum Error {
    Dpop(DpopError),
    Transport,
}

impl Endpoint for Get {
    type Output = ();
    type Error = Error;

    fn request(&self, _: Fresh<'_>) -> Result<Request<Body>, Error> {
        Ok(Request::get(self.0.clone()).body(Body::default()).unwrap())
    }

    fn how(&self) -> How {
        How {
            timeout: Duration::from_secs(1),
            answer: Answer::Buffered(1000),
            reach: Reach::Configured,
            start_by: None,
            least_time: Duration::ZERO,
        }
    }

    fn response(&self, _: Response<Bytes>) -> Result<(), Error> {
        Ok(())
    }
}

/// Sends a request with a proof, and returns the URL that the transport gets and the `htu` of the proof.
fn sent(uri: &str) -> Result<(String, String), Error> {
    let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
    let request = Dpop::new(Get(uri.parse().unwrap()), &key);
    let request = request.bound_to(&AccessToken::new("at").unwrap());
    let mut seen = None;
    let _reply = drive(&System::new(P256Keys), request, |call| {
        let Call::Http(call) = call else { panic!("the layer makes HTTP calls only") };
        let uri = call.request.uri();
        let (scheme, authority) = (uri.scheme_str().unwrap(), uri.authority().unwrap());
        let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
        let proof = call.request.headers()["dpop"].to_str().unwrap();
        let claims = Base64UrlUnpadded::decode_vec(proof.split('.').nth(1).unwrap()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        let named = claims["htu"].as_str().unwrap().to_owned();
        seen = Some((format!("{scheme}://{authority}{target}"), named));
        call.respond.with(Ok(Response::new(Bytes::new())))
    })?;
    Ok(seen.unwrap())
}

#[test]
fn a_proof_is_for_the_url_that_is_sent() {
    // Rule E-06
    for uri in [
        "https://pds.example.com",
        "https://pds.example.com/",
        "https://pds.example.com/?",
        "https://pds.example.com/a?b=/../c",
        "https://pds.example.com//a//b/",
        "https://pds.example.com:8443/a;b/c,d/%2F/%41",
        "https://pds.example.com/a|b/[c]/'d'",
        "https://pds.example.com/...",
        "http://127.0.0.1:0/a",
        "http://[::1]:2583/.well-known/a",
    ] {
        let (url, named) = sent(uri).unwrap();
        assert_eq!(url.split('?').next().unwrap(), named, "{uri}");
    }
    for uri in [
        "https://pds.example.com/a/../b",
        "https://pds.example.com/.",
        "https://pds.example.com/a/..",
        "https://pds.example.com/%2e/a",
        "https://pds.example.com/a/%2E%2e/b",
        "https://pds.example.com/{a}",
        "https://pds.example.com/\u{e9}",
    ] {
        // A transport would send the one, and the proof would name the other.
        assert_ne!(htu(&uri.parse().unwrap()).unwrap(), uri);
        let refused = sent(uri).unwrap_err();
        assert!(matches!(refused, Error::Dpop(DpopError::Htu)), "{uri}: {refused:?}");
    }
}

impl From<DpopError> for Error {
    fn from(error: DpopError) -> Self {
        Self::Dpop(error)
    }
}

impl From<TransportError> for Error {
    fn from(_: TransportError) -> Self {
        Self::Transport
    }
}
