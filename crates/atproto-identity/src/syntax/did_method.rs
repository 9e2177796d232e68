//! [`DidMethod`]: the two DID methods of AT Protocol, and the rules for their DIDs.
//!
//! The identifier of a `did:web` becomes the host of a URL, so it must be a public hostname without
//! percent-encoding. In development, `localhost` may have a port after an encoded colon (`%3A`).
//!
//! atproto DID, «Blessed DID Methods».

use crate::syntax::did::{Did, DidError};
use crate::syntax::hostname;

/// A DID method that AT Protocol allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the specification allows exactly these methods")]
pub enum DidMethod {
    /// `did:plc`: a PLC directory has the document.
    Plc,
    /// `did:web`: the host in the DID has the document.
    Web,
}

pub(crate) fn check_method(did: &Did, development: bool) -> Result<DidMethod, DidError> {
    let (name, identifier) = did.parts();
    let (method, method_name, broken) = match name {
        "plc" => (DidMethod::Plc, "plc", plc_rule(identifier)),
        "web" => (DidMethod::Web, "web", web_rule(identifier, development)),
        _ => return Err(DidError::UnsupportedMethod(name.to_owned())),
    };
    match broken {
        Some(reason) => Err(DidError::Method { method: method_name, reason }),
        None => Ok(method),
    }
}

/// Returns the URL of the document of a `did:web`. The DID must have passed [`Did::check`].
pub(crate) fn web_url(did: &Did) -> String {
    let (_, identifier) = did.parts();
    match localhost_port(identifier) {
        Some("") => format!("http://localhost{WELL_KNOWN}"),
        Some(port) => format!("http://localhost:{port}{WELL_KNOWN}"),
        None => format!("https://{identifier}{WELL_KNOWN}"),
    }
}

fn plc_rule(identifier: &str) -> Option<&'static str> {
    let base32 = |c: u8| matches!(c, b'a'..=b'z' | b'2'..=b'7');
    let good = identifier.len() == PLC_LENGTH && identifier.bytes().all(base32);
    (!good).then_some("its identifier must have 24 characters of a-z and 2-7")
}

fn web_rule(identifier: &str, development: bool) -> Option<&'static str> {
    if localhost_port(identifier).is_some() {
        return (!development).then_some("localhost needs `development()`");
    }
    if identifier.contains(':') {
        return Some("it must name a host, without a path");
    }
    if identifier.contains('%') {
        return Some("it must name a host, without a port or percent-encoding");
    }
    if hostname::check(identifier).is_err() {
        return Some("its host is not a public DNS name");
    }
    if !development && hostname::is_test(identifier) {
        return Some("a host below .test needs `development()`");
    }
    hostname::reserved_domain(identifier, development)
        .map(|_| "its host is below a reserved top-level domain")
}

/// Returns the port of `localhost`, or an empty string if it has none. `None` for any other host.
fn localhost_port(identifier: &str) -> Option<&str> {
    let rest = identifier.strip_prefix("localhost")?;
    if rest.is_empty() {
        return Some(rest);
    }
    let port = rest.strip_prefix("%3A")?;
    let plain = port.bytes().all(|c| c.is_ascii_digit()) && !port.starts_with('0');
    (plain && port.parse::<u16>().is_ok()).then_some(port)
}

const PLC_LENGTH: usize = 24;
const WELL_KNOWN: &str = "/.well-known/did.json";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, development: bool) -> Result<DidMethod, DidError> {
        Did::parse(text).unwrap().check(development)
    }

    #[test]
    fn a_did_plc_has_32_characters() {
        // Rule A-21
        assert_eq!(check("did:plc:z72i7hdynmk6r22z27h6tvur", false), Ok(DidMethod::Plc));
        for text in [
            "did:plc:z72i7hdynmk6r22z27h6tvu",
            "did:plc:z72i7hdynmk6r22z27h6tvurr",
            "did:plc:z72i7hdynmk6r22z27h6tvu1",
            "did:plc:z72i7hdynmk6r22z27h6tvu8",
            "did:plc:Z72i7hdynmk6r22z27h6tvur",
            "did:plc:z72i7hdynmk6r22z27h6tv%2",
            "did:plc:z72i7hdynmk6:22z27h6tvur",
        ] {
            assert!(matches!(check(text, true), Err(DidError::Method { method: "plc", .. })));
        }
    }

    #[test]
    fn a_did_web_names_a_public_host() {
        // Rules
        for text in ["did:web:blueskyweb.xyz", "did:web:Example.com", "did:web:a-b.co.uk"] {
            assert_eq!(check(text, false), Ok(DidMethod::Web), "{text}");
        }
        for text in [
            "did:web:example.com:u:alice",
            "did:web:example.com%3A8443",
            "did:web:example.com%2Fpath",
            "did:web:user%40example.com",
            "did:web:example%00.com",
            "did:web:ex%61mple.com",
            "did:web:127.0.0.1",
            "did:web:localhost%3A",
            "did:web:localhost%3a1234",
            "did:web:localhost%3A0",
            "did:web:localhost%3A080",
            "did:web:localhost%3A65536",
            "did:web:localhost%3A1234:path",
            "did:web:localhost:1234",
            "did:web:localhost.",
            "did:web:printer",
            "did:web:host_name.com",
            "did:web:-a.com",
            "did:web:pds.local",
            "did:web:pds.localhost",
            "did:web:pds.onion",
            "did:web:pds.ARPA",
        ] {
            let refused = Err(DidError::Method { method: "web", reason: "" });
            let plain = |result: Result<_, DidError>| {
                result.map_err(|error| match error {
                    DidError::Method { method, .. } => DidError::Method { method, reason: "" },
                    other => other,
                })
            };
            assert_eq!(plain(check(text, true)), refused, "{text}");
        }
    }

    #[test]
    fn a_path_and_a_port_are_told_apart() {
        let path = check("did:web:example.com:u:alice", false).unwrap_err().to_string();
        assert!(path.ends_with("without a path"), "{path}");
        let port = check("did:web:example.com%3A8443", false).unwrap_err().to_string();
        assert!(port.ends_with("without a port or percent-encoding"), "{port}");
    }

    #[test]
    fn localhost_and_test_are_for_development() {
        for (text, url) in [
            ("did:web:localhost", "http://localhost/.well-known/did.json"),
            ("did:web:localhost%3A2583", "http://localhost:2583/.well-known/did.json"),
            ("did:web:pds.test", "https://pds.test/.well-known/did.json"),
        ] {
            let refused = check(text, false).unwrap_err().to_string();
            assert!(refused.contains("`development()`"), "{refused}");
            assert_eq!(check(text, true), Ok(DidMethod::Web), "{text}");
            assert_eq!(web_url(&Did::parse(text).unwrap()), url);
        }
    }

    #[test]
    fn syntax_method_and_identifier_errors_differ() {
        // Rule A-24
        assert!(matches!(Did::parse("did:plc:"), Err(DidError::Syntax(_))));
        assert_eq!(check("did:key:z6Mk", false), Err(DidError::UnsupportedMethod("key".into())));
        assert!(matches!(check("did:plc:x", false), Err(DidError::Method { .. })));
    }
}
