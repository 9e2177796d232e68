//! Fuzz targets for the parsers and the machines of this workspace.
//!
//! A target is a plain function of bytes. It returns whether the code under test accepted them, so that
//! a seed which is no longer accepted is noticed. It panics if a property does not hold. The binaries in
//! `fuzz_targets/` run the targets under libFuzzer; `tests/it/corpus.rs` replays the corpus with a
//! stable compiler.

#![allow(clippy::panic, reason = "a panic is a finding")]

mod canned;
mod engine;
mod parsers;

/// A function that feeds bytes to the code under test, and returns whether the code accepted them.
pub type Target = fn(&[u8]) -> bool;

/// All targets by name. Each has a binary `fuzz_targets/<name>.rs` and a folder `corpus/<name>`.
pub const TARGETS: [(&str, Target); 24] = [
    ("address", parsers::policy::address),
    ("callback", parsers::callback::callback),
    ("challenge", parsers::headers::challenge),
    ("client_id", parsers::client::client_id),
    ("client_metadata", parsers::client::client_metadata),
    ("did", parsers::names::did),
    ("did_document", parsers::documents::did_document),
    ("dns_message", parsers::dns::dns_message),
    ("doh", parsers::dns::doh),
    ("engine", engine::engine),
    ("handle", parsers::names::handle),
    ("key_import", parsers::keys::key_import),
    ("pending_record", parsers::records::pending_record),
    ("redirect_uri", parsers::client::redirect_uri),
    ("resource_metadata", parsers::documents::resource_metadata),
    ("scopes", parsers::client::scopes),
    ("server_metadata", parsers::documents::server_metadata),
    ("session_record", parsers::records::session_record),
    ("subject", parsers::names::subject),
    ("token_response", parsers::tokens::token_response),
    ("txt", parsers::dns::txt),
    ("url", parsers::policy::url),
    ("well_known", parsers::dns::well_known),
    ("xrpc_response", parsers::headers::xrpc_response),
];

/// Runs the target `name`. The binaries call it.
///
/// # Panics
///
/// Panics if there is no such target, or if a property of the target does not hold.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) = TARGETS
        .iter()
        .find(|(own, _)| *own == name)
        .unwrap_or_else(|| panic!("there is no target {name}: add it to `TARGETS`"));
    target(data)
}
