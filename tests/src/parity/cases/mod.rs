//! The cases, by topic.

mod assertions;
mod authentication;
mod authorize;
mod codes;
mod forms;
mod nonces;
mod par;
mod proof_claims;
mod proof_headers;
mod redirect_uris;
mod resource;

use super::Case;

/// All cases.
pub fn cases() -> Vec<Case> {
    [
        nonces::CASES,
        proof_claims::CASES,
        proof_headers::CASES,
        forms::CASES,
        par::CASES,
        redirect_uris::CASES,
        authorize::CASES,
        codes::CASES,
        assertions::CASES,
        authentication::CASES,
        resource::CASES,
    ]
    .concat()
}
