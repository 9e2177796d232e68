//! Binding of a login to the browser that began it: the defence against login CSRF.
//!
//! An attacker can begin a login with their own account, and lure a victim's browser to its callback.
//! Without a binding the victim would then act in the attacker's account. So the browser that begins a
//! login gets a cookie with a random value, and the callback has to bring it along.
//!
//! RFC 9700 section 4.7; RFC 6749 section 10.12.

use std::fmt;

use atproto_sansio::{Cx, SecretString};
use base64ct::{Base64UrlUnpadded, Encoding};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::login::pkce;

/// The cookie that the browser of a callback brings along.
#[derive(Clone)]
pub struct Binding(Brought);

#[derive(Clone)]
enum Brought {
    Nothing,
    Value(SecretString),
    /// The pairs of a `Cookie` header.
    Cookies(Vec<(String, SecretString)>),
}

/// The cookie of one login. Each login has one of its own, so that two tabs of a browser do not disturb
/// each other.
#[derive(Clone)]
#[non_exhaustive]
pub struct LoginCookie {
    /// Name of the cookie, which follows from the `state` of the login.
    pub name: String,
    /// Value of the cookie: 128 random bits in base64url.
    pub value: SecretString,
    /// Whether the cookie may be sent over https only: true unless the redirect URI is an http URL.
    pub secure: bool,
}

impl Binding {
    /// The value of the login's cookie ([`LoginCookie::value`]).
    pub fn cookie(value: impl Into<String>) -> Self {
        Self(Brought::Value(SecretString::new(value)))
    }

    /// The whole `Cookie` header of the callback (RFC 6265 section 4.2). The cookie of the login is
    /// found by its name.
    pub fn cookie_header(header: &str) -> Self {
        let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        let pairs = pairs.filter(|(name, _)| name.starts_with(PREFIX));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), SecretString::new(value)));
        Self(Brought::Cookies(pairs.collect()))
    }

    /// The headers of the callback's request. The cookie of the login is found by its name, in any of
    /// the `Cookie` headers: with HTTP/2, each cookie may have one of its own (RFC 9113 section 8.2.3).
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let values: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
        // Cookies of other applications may have any bytes.
        Self::cookie_header(&String::from_utf8_lossy(&values.join(&b";"[..])))
    }

    /// For a login that was begun without a binding, such as that of a command line whose listener
    /// waits for the browser. A login with a binding refuses it.
    pub fn unbound() -> Self {
        Self(Brought::Nothing)
    }

    /// Whether the browser brought the cookie of the login `state`, of whose value the record has
    /// this hash.
    pub(crate) fn fits(&self, state: &str, hash: &str) -> bool {
        match &self.0 {
            Brought::Nothing => false,
            Brought::Value(value) => hash_of(value.expose()) == hash,
            Brought::Cookies(pairs) => {
                let name = cookie_name(state);
                pairs.iter().any(|(found, value)| *found == name && hash_of(value.expose()) == hash)
            }
        }
    }
}

impl LoginCookie {
    pub(crate) fn new(state: &str, secure: bool, cx: &mut Cx<'_>) -> Self {
        let value = SecretString::new(pkce::random_name(cx.entropy()));
        Self { name: cookie_name(state), value, secure }
    }

    /// Hash of the value, for the record.
    pub(crate) fn hash(&self) -> String {
        hash_of(self.value.expose())
    }

    /// The value of a `Set-Cookie` header that sets the cookie for ten minutes (RFC 6265 section
    /// 4.1). `SameSite=Lax` lets the browser send it with the redirect to the callback.
    pub fn set_cookie(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let (name, value) = (&self.name, self.value.expose());
        format!("{name}={value}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax{secure}")
    }
}

/// Name of the cookie of the login with this `state`. The name does not show the `state`.
fn cookie_name(state: &str) -> String {
    let hash = hash_of(state);
    format!("{PREFIX}{}", hash.get(..16).unwrap_or(&hash))
}

fn hash_of(value: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(value))
}

const PREFIX: &str = "atproto-oauth-";

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Brought::Nothing => "Binding::unbound()",
            Brought::Value(_) => "Binding::cookie(..)",
            Brought::Cookies(_) => "Binding::cookie_header(..)",
        })
    }
}

impl fmt::Debug for LoginCookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginCookie").field("name", &self.name).finish_non_exhaustive()
    }
}
