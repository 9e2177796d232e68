//! The two headers of a request with a session, for requests that send the same ones each time.

use http::HeaderValue;

use crate::proofs;

pub(crate) struct Constant {
    pub(crate) authorization: HeaderValue,
    pub(crate) proof: HeaderValue,
}

impl Constant {
    pub(crate) fn new() -> Self {
        let authorization = HeaderValue::from_str(&format!("DPoP {}", proofs::TOKEN)).unwrap();
        Self { authorization, proof: proofs::example() }
    }
}
