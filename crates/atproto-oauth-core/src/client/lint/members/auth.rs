//! The lint of the members that say how a client authenticates, and with which keys.

use crate::client::lint::code::FindingCode;
use crate::client::lint::document::Document;
use crate::client::lint::finding::{Findings, quoted};
use crate::client::lint::jwks::{self, JWKS_URI};
use crate::client::lint::members::pages;
use crate::client::redirect_uri::ApplicationType;

/// How a client authenticates, as far as the document says so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Method {
    Public,
    Confidential,
    /// The document names no method that AT Protocol has.
    Unknown,
}

/// Checks the authentication of the client and its keys.
pub(crate) fn check(kind: ApplicationType, document: &Document, findings: &mut Findings) {
    let method = check_method(document, findings);
    if method == Method::Confidential && kind == ApplicationType::Native {
        let why = "a native client can't be confidential, because every copy of the program would \
                   contain the key: write `none`, or let a web client on a server hold the key";
        findings.add(FindingCode::NativeConfidential, METHOD, why);
    }
    check_alg(method, document, findings);
    check_key_members(method, document, findings);
    if let Some(set) = document.get("jwks") {
        jwks::check(set, "jwks", findings);
    }
    pages::check_page(JWKS_URI, document, findings);
}

fn check_method(document: &Document, findings: &mut Findings) -> Method {
    if !document.has(METHOD) {
        let why = "the method is missing, which stands for `client_secret_basic`, and AT Protocol \
                   does not have that: write `none` or `private_key_jwt`";
        findings.add(FindingCode::AuthMethodMissing, METHOD, why);
        return Method::Unknown;
    }
    match document.text(METHOD, findings) {
        Some("none") => Method::Public,
        Some("private_key_jwt") => Method::Confidential,
        Some(other) => {
            let why = format!(
                "AT Protocol does not have the method {}: write `none` or `private_key_jwt`",
                quoted(other)
            );
            findings.add(FindingCode::AuthMethodUnsupported, METHOD, why);
            Method::Unknown
        }
        None => Method::Unknown,
    }
}

fn check_alg(method: Method, document: &Document, findings: &mut Findings) {
    let alg = document.text(ALG, findings);
    let (code, why) = match (method, alg) {
        (Method::Confidential, None) if !document.has(ALG) => {
            (FindingCode::AuthAlgMissing, "the algorithm is missing: write `ES256`".to_owned())
        }
        (Method::Confidential, Some("none")) => (
            FindingCode::AuthAlgNone,
            "with `none`, everybody could authenticate as this client: write `ES256`".to_owned(),
        ),
        (Method::Confidential, Some(alg)) if !KNOWN_ALGS.contains(&alg) => (
            FindingCode::AuthAlgUnknown,
            format!("{} is not an algorithm for signatures: write `ES256`", quoted(alg)),
        ),
        (Method::Confidential, Some(alg)) if alg != "ES256" => (
            FindingCode::AuthAlgNotEs256,
            format!("some servers do not know {}: write `ES256`, which all know", quoted(alg)),
        ),
        (Method::Public, _) if document.has(ALG) => (
            FindingCode::AuthAlgOnPublic,
            "a public client signs nothing: remove the member, or write `private_key_jwt` as the \
             `token_endpoint_auth_method`"
                .to_owned(),
        ),
        (Method::Confidential | Method::Public | Method::Unknown, _) => return,
    };
    findings.add(code, ALG, why);
}

/// Checks that the keys are in exactly one place.
fn check_key_members(method: Method, document: &Document, findings: &mut Findings) {
    let places = (document.has("jwks"), document.has(JWKS_URI));
    if places == (true, true) {
        let why =
            "the keys are also at the `jwks_uri`, and only one of both may be there: remove one";
        findings.add(FindingCode::JwksAndJwksUri, "jwks", why);
    }
    if places == (false, false) && method == Method::Confidential {
        let why = "a confidential client must publish its keys: add `jwks` or `jwks_uri`";
        findings.add(FindingCode::JwksMissing, "jwks", why);
    }
    if places != (false, false) && method == Method::Public {
        let member = if places.0 { "jwks" } else { JWKS_URI };
        let why = "a public client uses no keys: remove the member, or write `private_key_jwt` as the \
                   `token_endpoint_auth_method`";
        findings.add(FindingCode::JwksOnPublic, member, why);
    }
}

const METHOD: &str = "token_endpoint_auth_method";
const ALG: &str = "token_endpoint_auth_signing_alg";
/// Algorithms that verify with a public key: RFC 7518 section 3.1, RFC 8037, RFC 8812.
const KNOWN_ALGS: [&str; 11] = [
    "ES256", "ES256K", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384",
    "RS512",
];
