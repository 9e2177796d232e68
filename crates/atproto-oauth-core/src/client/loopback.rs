//! The `client_id` of a loopback client, which needs no metadata document: its redirect URIs and
//! scopes are query parameters of the `client_id`.
//!
//! The redirect URIs have no port, so that the client can listen on any free port, and a session
//! stays valid when the port changes.
//!
//! atproto OAuth, «Localhost Client Development»; RFC 8252 section 7.3.

use url::Url;
use url::form_urlencoded::{self, Serializer};

use crate::client::lint::code::{Broken, FindingCode};
use crate::client::redirect_rules::Declarer;
use crate::client::redirect_uri::{self, RedirectUri};
use crate::error::{ConfigError, Error};
use crate::origin::shown;
use crate::scope::Scopes;

/// Whether `client_id` is that of a loopback client; any other is an https URL.
pub(crate) fn is_loopback(client_id: &str) -> bool {
    client_id.starts_with("http://")
}

/// Builds the `client_id`: `http://localhost?redirect_uri=…&scope=…`
pub(crate) fn client_id(redirect_uris: &[RedirectUri], scopes: &Scopes) -> String {
    let mut query = Serializer::new(String::new());
    for uri in redirect_uris {
        query.append_pair("redirect_uri", uri.as_str());
    }
    query.append_pair("scope", &scopes.to_string());
    format!("http://localhost?{}", query.finish())
}

/// Returns the redirect URIs and the scopes that the `client_id` of a loopback client declares.
/// Without the parameters these are the root of both loopback addresses, and `atproto`. Fails with
/// the first rule that the `client_id` breaks.
pub(crate) fn parse_client_id(text: &str) -> Result<(Vec<RedirectUri>, Scopes), Error> {
    let Parameters { redirect_uris, scopes, broken } = Parameters::of(text);
    if let Some(Broken { why, .. }) = broken.first() {
        return Err(ConfigError::ClientId { client_id: shown(text), why }.into());
    }
    let redirect_uris = match redirect_uris.as_slice() {
        [] => self::redirect_uris("/")?,
        uris => uris
            .iter()
            .map(|uri| redirect_uri::parse(uri, Declarer::Loopback))
            .collect::<Result<_, _>>()?,
    };
    let scopes = scopes.first().map_or("atproto", String::as_str);
    Ok((redirect_uris, Scopes::parse(scopes)?))
}

/// The parameters of the `client_id` of a loopback client, as far as they can be read.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// The values of all parameters `redirect_uri`, unchecked.
    pub(crate) redirect_uris: Vec<String>,
    /// The values of all parameters `scope`, unchecked.
    pub(crate) scopes: Vec<String>,
    /// All rules that the `client_id` breaks, each of them once, but for those of the values.
    pub(crate) broken: Vec<Broken>,
}

impl Parameters {
    /// Reads the text as it is spelled, because a URL parser accepts spellings that an authorization
    /// server takes for another `client_id`.
    pub(crate) fn of(text: &str) -> Self {
        let mut parameters = Self::default();
        let Some(rest) = text.strip_prefix("http://localhost") else {
            parameters.broken.push(NOT_LOCALHOST);
            return parameters;
        };
        let (front, query) = rest.split_once('?').unwrap_or((rest, ""));
        match front.strip_prefix('/').unwrap_or(front) {
            "" => {}
            rest if rest.starts_with('#') => parameters.broken.push(FRAGMENT),
            rest if rest.starts_with(':') => {
                parameters.broken.push(PORT);
                if rest.split_once('/').is_some_and(|(_, path)| !path.is_empty()) {
                    parameters.broken.push(PATH);
                }
            }
            _ if !front.starts_with('/') => {
                parameters.broken.push(NOT_LOCALHOST);
                return parameters;
            }
            _ => parameters.broken.push(PATH),
        }
        let (query, fragment) = query.split_once('#').map_or((query, None), |(q, f)| (q, Some(f)));
        if fragment.is_some() && !parameters.broken.contains(&FRAGMENT) {
            parameters.broken.push(FRAGMENT);
        }
        if !query.bytes().all(|byte| byte.is_ascii_graphic()) {
            parameters.broken.push(NOT_ENCODED);
        }
        parameters.read_query(query);
        parameters
    }

    fn read_query(&mut self, query: &str) {
        let mut has_unknown = false;
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "redirect_uri" => self.redirect_uris.push(value.into_owned()),
                "scope" => self.scopes.push(value.into_owned()),
                _ => has_unknown = true,
            }
        }
        if self.scopes.len() > 1 {
            self.broken.push(DUPLICATE_SCOPE);
        }
        if has_unknown {
            self.broken.push(UNKNOWN_PARAM);
        }
    }
}

/// The redirect URIs with this path: on `127.0.0.1` and `[::1]`. The name `localhost` is not used,
/// because name resolution may return another address for it.
pub(crate) fn redirect_uris(path: &str) -> Result<Vec<RedirectUri>, ConfigError> {
    let refused = |why| ConfigError::RedirectUri { uri: shown(path), why };
    if !path.starts_with('/') {
        return Err(refused("the path must begin with a slash"));
    }
    ["http://127.0.0.1", "http://[::1]"]
        .iter()
        .map(|origin| {
            let url = Url::parse(&format!("{origin}{path}"));
            let url = url.map_err(|_| refused("it is not a URL"))?;
            if url.path() != path || url.query().is_some() || url.fragment().is_some() {
                return Err(refused(
                    "it must be a path in canonical form, without query and fragment",
                ));
            }
            Ok(url.into())
        })
        .collect()
}

const NOT_LOCALHOST: Broken = Broken::new(
    FindingCode::LoopbackClientIdNotLocalhost,
    "it does not begin with http://localhost and perhaps a slash",
);
const PORT: Broken = Broken::new(
    FindingCode::LoopbackClientIdPort,
    "http://localhost may be followed by a query, but not by a port: the port of a redirect URI is \
     free anyway",
);
const PATH: Broken = Broken::new(
    FindingCode::LoopbackClientIdPath,
    "http://localhost may be followed by a query, but not by a path: the paths of the redirect \
     URIs are in the parameters redirect_uri",
);
const FRAGMENT: Broken = Broken::new(
    FindingCode::LoopbackClientIdFragment,
    "it must not have a fragment: in a parameter, a # is written as %23",
);
const NOT_ENCODED: Broken = Broken::new(
    FindingCode::LoopbackClientIdNotEncoded,
    "its query has a character that is not encoded: a space is written as + or %20",
);
const DUPLICATE_SCOPE: Broken = Broken::new(
    FindingCode::LoopbackClientIdDuplicateScope,
    "it has more than one scope parameter: write all scopes into one, separated by spaces",
);
const UNKNOWN_PARAM: Broken = Broken::new(
    FindingCode::LoopbackClientIdUnknownParam,
    "it has a parameter that is neither redirect_uri nor scope",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_id_declares_both_loopback_addresses_and_all_scopes() {
        // Rules C-45 to C-48
        let scopes = Scopes::parse("atproto rpc:a.b.c?aud=did:web:x.example%23y&lxm=z").unwrap();
        assert_eq!(
            client_id(&redirect_uris("/callback").unwrap(), &scopes),
            "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback\
             &redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%2Fcallback\
             &scope=atproto+rpc%3Aa.b.c%3Faud%3Ddid%3Aweb%3Ax.example%2523y%26lxm%3Dz"
        );
    }

    #[test]
    fn a_client_id_is_read_as_it_is_spelled() {
        // Rules C-45, C-46
        let scopes = Scopes::parse("atproto transition:generic repo:a.b.c?x=y&z#+").unwrap();
        let good = client_id(&redirect_uris("/callback").unwrap(), &scopes);
        assert_eq!(parse_client_id(&good).unwrap(), (redirect_uris("/callback").unwrap(), scopes));
        let root = || redirect_uris("/").unwrap();
        let atproto = || Scopes::parse("atproto").unwrap();
        for bare in ["http://localhost", "http://localhost/", "http://localhost?"] {
            assert_eq!(parse_client_id(bare).unwrap(), (root(), atproto()), "{bare}");
        }
        let only_scope = parse_client_id("http://localhost/?scope=atproto%20a:b").unwrap();
        assert_eq!(only_scope, (root(), Scopes::parse("atproto a:b").unwrap()));
        let fixed = "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%3A80%2Fcb";
        let (uris, scopes) = parse_client_id(fixed).unwrap();
        assert_eq!((uris[0].as_str(), scopes), ("http://127.0.0.1:80/cb", atproto()));
        for bad in [
            "",
            "http://localhost:8080",
            "http://localhost:8080?scope=atproto",
            "http://localhost/path?scope=atproto",
            "http://localhost.evil.com?scope=atproto",
            "HTTP://localhost?scope=atproto",
            "http://localhost#",
            "http://localhost?scope=atproto x",
            "http://localhost?scope=transition:generic",
            "http://localhost?scope=",
            &format!("{good}&scope=atproto"),
            &format!("{good}&x=y"),
            &format!("{good}#x"),
            &good.replace("127.0.0.1", "127.0.0.2"),
            &good.replace("127.0.0.1", "localhost"),
            &good.replace("127.0.0.1", "user%40127.0.0.1"),
            &good.replace("http%3A%2F%2F127", "https%3A%2F%2F127"),
            &good.replace("%2Fcallback", "%2Fcallback%23x"),
            "https://app.example.com/client.json",
        ] {
            assert!(parse_client_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_redirect_path_is_a_path() {
        for path in ["", "callback", "/a?b", "/a#b", "/a/../b", "/a b", "//evil.com"] {
            // A path that begins with two slashes stays on the loopback host, so it is accepted.
            let outcome = redirect_uris(path);
            assert!(outcome.is_err() || path == "//evil.com", "{path}");
        }
    }
}
