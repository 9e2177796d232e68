//! Builds DPoP proofs: JWTs about one HTTP request, signed by the key that the tokens are bound to.
//!
//! A proof carries `jti`, `htm`, `htu` and `iat`. If a nonce of the server is known, the proof
//! carries `nonce`; if the request has an access token, `ath`. No proof carries `iss` or `exp`.
//! RFC 9449 section 4.2; atproto OAuth, «DPoP».

use std::io::Write;

use atproto_sansio::is_normal;
use data_encoding::BASE64URL_NOPAD;
use http::Uri;
use url::Url;

use crate::error::DpopError;
use crate::jws::{JwsHeader, Unsigned};

/// Claims of one DPoP proof. A proof is valid for one HTTP attempt; a retry needs a new proof.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'a> {
    /// Unique id of the proof: 16 random bytes, which the proof contains in base64url.
    pub jti: [u8; 16],
    /// HTTP method of the request, for example `POST`.
    pub htm: &'a str,
    /// URL of the request without query and fragment, as [`htu`] returns it.
    pub htu: &'a str,
    /// Time of the proof in seconds since the Unix epoch.
    pub iat: u64,
    /// Last `DPoP-Nonce` of the server; `None` if no nonce is known.
    pub nonce: Option<&'a str>,
    /// Hash of the access token in the request ([`AccessToken::ath`](crate::AccessToken::ath));
    /// `None` for requests to an authorization server.
    pub ath: Option<&'a str>,
}

/// The `htu` of a request, which begins with the origin of its server.
#[derive(Debug)]
pub(crate) struct Target {
    htu: String,
    /// Length of the origin.
    origin: usize,
}

impl Target {
    /// Reads the URL of a request. A URL in normal form needs no parser.
    pub(crate) fn of(uri: &Uri) -> Result<Self, DpopError> {
        if let (true, Some(scheme), Some(authority)) =
            (is_normal(uri), uri.scheme_str(), uri.authority())
        {
            let htu = [scheme, "://", authority.as_str(), uri.path()].concat();
            let origin = htu.len() - uri.path().len();
            return Ok(Self { htu, origin });
        }
        let mut url = Url::parse(&uri.to_string()).map_err(|_| DpopError::Htu)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(DpopError::Htu);
        }
        url.set_query(None);
        url.set_fragment(None);
        url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| DpopError::Htu)?;
        let origin = url.as_str().len() - url.path().len();
        Ok(Self { htu: url.into(), origin })
    }

    /// Reads the URL of a request that a transport gets. A transport may send the path as it is, so that a path
    /// in another form than in the `htu` is an error.
    pub(crate) fn of_sent(uri: &Uri) -> Result<Self, DpopError> {
        let target = Self::of(uri)?;
        let (_, path) = target.htu.split_at(target.origin);
        if path == uri.path() { Ok(target) } else { Err(DpopError::Htu) }
    }

    pub(crate) fn htu(&self) -> &str {
        &self.htu
    }

    /// Scheme, host and port, as the URL standard serializes an origin.
    pub(crate) fn origin(&self) -> &str {
        self.htu.split_at(self.origin).0
    }
}

/// Returns the `htu` of a request: its URL without user information, query and fragment, normalized
/// as the WHATWG URL standard serializes URLs.
///
/// ```
/// let uri = "https://PDS.example.com:443/xrpc/a.b.c?x=1".parse().unwrap();
/// assert_eq!(atproto_dpop::htu(&uri).unwrap(), "https://pds.example.com/xrpc/a.b.c");
/// ```
///
/// # Errors
///
/// [`DpopError::Htu`] if `uri` is not an absolute `http` or `https` URL.
pub fn htu(uri: &Uri) -> Result<String, DpopError> {
    Target::of(uri).map(|target| target.htu)
}

impl Proof<'_> {
    /// Encodes `header` and the claims as an unsigned JWS in one buffer. The claims have a fixed
    /// order.
    pub(crate) fn unsigned(&self, header: &JwsHeader) -> Result<Unsigned, DpopError> {
        let claims = [
            ("htm", Some(self.htm)),
            ("htu", Some(self.htu)),
            ("nonce", self.nonce),
            ("ath", self.ath),
        ];
        for (name, value) in claims {
            // The claims are written without JSON escapes, so a character that needs an escape is
            // rejected.
            let is_allowed = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            // Without an early end, the compiler can check many bytes at once.
            let all =
                value.unwrap_or_default().bytes().fold(true, |all, byte| all & is_allowed(byte));
            if !all {
                return Err(DpopError::Claim(name));
            }
        }
        let mut jti = [0; 22]; // 16 bytes in base64url
        let jti = BASE64URL_NOPAD.encode_mut_str(&self.jti, &mut jti);
        let mut iat = [0; 20];
        let iat = decimal(self.iat, &mut iat);
        let (nonce_name, nonce) = member(r#","nonce":""#, self.nonce);
        let (ath_name, ath) = member(r#","ath":""#, self.ath);
        let pieces = [
            r#"{"jti":""#,
            jti,
            r#"","htm":""#,
            self.htm,
            r#"","htu":""#,
            self.htu,
            r#"","iat":"#,
            iat,
            nonce_name,
            nonce,
            quote(nonce_name),
            ath_name,
            ath,
            quote(ath_name),
            "}",
        ];
        Ok(header.with_payload(&pieces))
    }
}

fn member<'a>(name: &'static str, value: Option<&'a str>) -> (&'static str, &'a str) {
    value.map_or(("", ""), |value| (name, value))
}

fn quote(name: &str) -> &'static str {
    if name.is_empty() { "" } else { "\"" }
}

fn decimal(number: u64, buffer: &mut [u8; 20]) -> &str {
    let mut rest = &mut buffer[..];
    write!(rest, "{number}").expect("a u64 has at most 20 digits");
    let unused = rest.len();
    std::str::from_utf8(buffer.split_at(20 - unused).0).expect("digits are UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_would_add_another_claim_is_refused() {
        let proof =
            Proof { jti: [0; 16], htm: "GET", htu: "https://a.b/", iat: 0, nonce: None, ath: None };
        let header = JwsHeader::new("{}");
        assert!(proof.unsigned(&header).is_ok());
        let smuggled = r#"x","ath":"y"#;
        for (name, proof) in [
            ("htm", Proof { htm: smuggled, ..proof }),
            ("htu", Proof { htu: smuggled, ..proof }),
            ("nonce", Proof { nonce: Some(smuggled), ..proof }),
            ("ath", Proof { ath: Some("a\\"), ..proof }),
        ] {
            assert_eq!(proof.unsigned(&header).unwrap_err(), DpopError::Claim(name));
        }
    }

    #[test]
    fn htu_is_the_normalized_url_without_its_query() {
        // Rule E-06
        for (uri, expected) in [
            ("https://a.example", "https://a.example/"),
            ("HTTPS://A.example:443/b?c#d", "https://a.example/b"),
            ("https://a.example:8443/b//c/../d", "https://a.example:8443/b//d"),
            ("http://[::1]:80/%7Ea%2fb", "http://[::1]/%7Ea%2fb"),
            ("https://user:secret@a.example/b", "https://a.example/b"),
        ] {
            assert_eq!(htu(&uri.parse().unwrap()).unwrap(), expected, "{uri}");
        }
        for uri in ["/path", "*", "ftp://a.example/", "a.example:443"] {
            assert_eq!(htu(&uri.parse().unwrap()), Err(DpopError::Htu), "{uri}");
        }
    }
}
