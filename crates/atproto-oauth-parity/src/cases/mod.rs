//! The cases, by topic.

mod assertions;
mod authentication;
mod authorize;
mod client_documents;
mod client_ids;
mod client_kinds;
mod codes;
mod details;
mod documents;
mod edges;
mod entryway;
mod forms;
mod nonces;
mod par;
mod proof_claims;
mod proof_headers;
mod records;
mod redirect_uris;
mod refresh;
mod resource;
mod revoke;
mod scopes;
mod silent;
mod xrpc;

use super::Case;

/// Returns the cases that run against every target.
pub fn cases() -> Vec<Case> {
    [
        nonces::CASES,
        proof_claims::CASES,
        proof_headers::CASES,
        forms::CASES,
        client_ids::CASES,
        client_documents::CASES,
        client_kinds::CASES,
        par::CASES,
        redirect_uris::CASES,
        authorize::CASES,
        silent::CASES,
        xrpc::CASES,
        codes::CASES,
        refresh::CASES,
        assertions::CASES,
        authentication::CASES,
        revoke::CASES,
        resource::CASES,
        records::CASES,
        entryway::CASES,
        documents::CASES,
        details::CASES,
        scopes::CASES,
    ]
    .concat()
}

/// Returns the cases that need a target whose clock advances only by [`Target::wait`], because they
/// test times to the second.
///
/// [`Target::wait`]: crate::target::Target::wait
pub fn edges() -> Vec<Case> {
    edges::CASES.to_vec()
}
