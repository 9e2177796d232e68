//! `POST <token_endpoint>`
//!
//! Exchanges an authorization code or a refresh token, each single-use, for tokens that are bound
//! to the DPoP key.
//!
//! The tokens of a response are [`Issued`] until they are checked, and [`Granted`] after it, so
//! that tokens that fail a check can still be revoked. Tokens are opaque and never parsed.
//!
//! RFC 6749 sections 4.1.3, 5 and 6; RFC 9449 section 5; atproto OAuth, «Tokens and Session
//! Lifetime».

use std::time::Duration;

use atproto_dpop::AccessToken;
use atproto_identity::Did;
use atproto_sansio::{Body, Endpoint, Fresh, How, SecretString, ToSign, UnixTime};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::value::RawValue;
use url::Url;

use crate::endpoints::form::FormEndpoint;
use crate::error::{EndpointName, Error};
use crate::json::Members;
use crate::scope::Scopes;

/// One token request.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) endpoint: FormEndpoint,
    pub(crate) grant: Grant,
    pub(crate) limits: Limits,
}

/// Until when a request with a single-use credential may be sent. If it is too late, the credential
/// is spared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Latest time to send an attempt; `None` for no limit.
    pub(crate) start_by: Option<UnixTime>,
    /// Least time that must be left for the response when an attempt is sent.
    pub(crate) least_time: Duration,
}

/// The grant of a token request: an authorization code or a refresh token.
#[derive(Debug)]
pub(crate) enum Grant {
    Code { code: SecretString, redirect_uri: String, code_verifier: SecretString },
    Refresh { refresh_token: SecretString },
}

/// Members of a successful token response, not checked yet; at least one token is present.
#[derive(Debug)]
pub(crate) struct Issued {
    /// The tokens of the response, each with its `token_type_hint`. A well-formed response has at
    /// most one of each; all are kept, so that all can be revoked.
    tokens: Vec<(&'static str, SecretString)>,
    /// The rule that the response as a whole breaks.
    problem: Option<String>,
    token_type: Option<String>,
    scope: Option<String>,
    sub: Option<String>,
    expires_in: Option<Box<RawValue>>,
}

/// Checked tokens. They must not be used before their issuer is verified to be the authorization
/// server of the account `sub` (`discovery/verify.rs`).
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) access_token: AccessToken,
    pub(crate) refresh_token: Option<SecretString>,
    pub(crate) scopes: Scopes,
    pub(crate) sub: Did,
    pub(crate) expires_at: Option<UnixTime>,
}

impl Default for Limits {
    /// Two seconds, in which most servers respond.
    fn default() -> Self {
        Self { start_by: None, least_time: Duration::from_secs(2) }
    }
}

/// Longest plausible `expires_in` in seconds: 24 hours.
const MAX_EXPIRES_IN: f64 = 24.0 * 60.0 * 60.0;
/// Assumed lifetime of an access token whose `expires_in` is above [`MAX_EXPIRES_IN`].
const ASSUMED_LIFETIME: Duration = Duration::from_secs(60 * 60);

impl Endpoint for Token {
    type Output = Issued;
    type Error = Error;

    fn url(&self) -> Option<&Url> {
        Some(&self.endpoint.url)
    }

    fn to_sign(&self, fresh: Fresh<'_>) -> Result<Option<ToSign>, Error> {
        Ok(self.endpoint.to_sign(fresh))
    }

    fn request(&self, fresh: Fresh<'_>) -> Result<Request<Body>, Error> {
        self.endpoint.post(fresh, |form| match &self.grant {
            Grant::Code { code, redirect_uri, code_verifier } => {
                form.field("grant_type", "authorization_code")
                    .secret("code", code)
                    .field("redirect_uri", redirect_uri)
                    .secret("code_verifier", code_verifier);
            }
            Grant::Refresh { refresh_token } => {
                form.field("grant_type", "refresh_token").secret("refresh_token", refresh_token);
            }
        })
    }

    fn how(&self) -> How {
        let Limits { start_by, least_time } = self.limits;
        How { start_by, least_time, ..self.endpoint.how() }
    }

    fn response(&self, response: Response<Bytes>) -> Result<Issued, Error> {
        let status = response.status();
        if !status.is_success() {
            let secrets = self.grant.secrets();
            return Err(self.endpoint.refused(EndpointName::Token, &response, &secrets));
        }
        let (members, problem) = Members::salvage(response.body());
        // A refresh token may survive an answer that can't be read, so the session is kept. A code is
        // spent, so the tokens for it must be revoked.
        if let (Some(problem), Grant::Refresh { .. }) = (&problem, &self.grant) {
            return Err(malformed(problem.as_str()));
        }
        let issued = Issued::of_members(&members, problem, status);
        if issued.tokens.is_empty() {
            let neither = "it has neither `access_token` nor `refresh_token`";
            return Err(malformed(issued.problem.as_deref().unwrap_or(neither)));
        }
        Ok(issued)
    }
}

impl Grant {
    /// The secrets of the request, which no error may repeat.
    fn secrets(&self) -> Vec<&str> {
        match self {
            Self::Code { code, code_verifier, .. } => vec![code.expose(), code_verifier.expose()],
            Self::Refresh { refresh_token } => vec![refresh_token.expose()],
        }
    }
}

/// The members of a token response that this crate reads.
const READ: [&str; 6] =
    ["access_token", "refresh_token", "token_type", "scope", "sub", "expires_in"];

impl Issued {
    fn of_members(members: &Members, malformed: Option<String>, status: StatusCode) -> Self {
        let tokens = |name: &'static str| {
            let texts =
                members.all(name).filter_map(|value| serde_json::from_str(value.get()).ok());
            let texts = texts.filter(|text: &String| !text.is_empty());
            texts.map(move |text| (name, SecretString::new(text)))
        };
        let repeated = || {
            let name = READ.into_iter().find(|name| members.all(name).nth(1).is_some())?;
            Some(format!("`{name}` is there twice"))
        };
        let problem = malformed.or_else(repeated).or_else(|| {
            (status != StatusCode::OK)
                .then(|| format!("its status is {status} instead of 200 (RFC 6749 section 5.1)"))
        });
        Self {
            tokens: tokens("refresh_token").chain(tokens("access_token")).collect(),
            problem,
            token_type: members.text("token_type"),
            scope: members.text("scope"),
            sub: members.text("sub"),
            expires_in: members.all("expires_in").next().map(ToOwned::to_owned),
        }
    }

    /// All tokens of the response with their `token_type_hint`, refresh tokens first.
    pub(crate) fn tokens(&self) -> Vec<(&'static str, SecretString)> {
        self.tokens.clone()
    }

    pub(crate) fn has_refresh_token(&self) -> bool {
        self.token("refresh_token").is_some()
    }

    fn token(&self, name: &str) -> Option<&SecretString> {
        self.tokens.iter().find(|(hint, _)| *hint == name).map(|(_, token)| token)
    }

    /// Checks all members, without any request. The expiry is counted from `requested_at`, a time
    /// before the token request was sent, so that the access token does not expire earlier than
    /// assumed.
    pub(crate) fn check(&self, requested_at: UnixTime) -> Result<Granted, Error> {
        if let Some(problem) = &self.problem {
            return Err(malformed(problem.clone()));
        }
        let access_token = self.token("access_token").ok_or_else(|| missing("access_token"))?;
        let token_type = self.token_type.as_ref().ok_or_else(|| missing("token_type"))?;
        if !token_type.eq_ignore_ascii_case("DPoP") {
            return Err(malformed(
                "the token is not bound to the DPoP key: `token_type` is not DPoP",
            ));
        }
        let scope = self.scope.as_ref().ok_or_else(|| missing("scope"))?;
        let scopes =
            Scopes::granted(scope).map_err(|error| malformed(format!("`scope`: {error}")))?;
        let sub = self.sub.as_ref().ok_or_else(|| missing("sub"))?;
        let sub: Did = sub.parse().map_err(|_| malformed("`sub` is not a DID"))?;
        Ok(Granted {
            access_token: AccessToken::new(access_token.expose())?,
            refresh_token: self.token("refresh_token").cloned(),
            scopes,
            sub,
            expires_at: self.expires_in.as_deref().and_then(|value| expiry(value, requested_at)),
        })
    }
}

/// Returns the time at which the access token expires; `None` if `expires_in` is not a number.
fn expiry(value: &RawValue, requested_at: UnixTime) -> Option<UnixTime> {
    // A JSON string begins with a quotation mark, which no number does.
    let seconds: f64 = value.get().parse().ok()?;
    let lifetime = if seconds > MAX_EXPIRES_IN {
        ASSUMED_LIFETIME
    } else {
        Duration::try_from_secs_f64(seconds.floor()).unwrap_or_default()
    };
    Some(requested_at + lifetime)
}

fn malformed(what: impl Into<String>) -> Error {
    Error::Malformed { endpoint: EndpointName::Token, what: what.into() }
}

fn missing(member: &str) -> Error {
    malformed(format!("`{member}` is missing or not a string"))
}

#[cfg(test)]
mod tests {
    use atproto_sansio::Reach;
    use serde_json::{Value, json};

    use super::*;
    use crate::client::auth::ClientAuth;
    use crate::origin::Origin;

    const REQUESTED_AT: UnixTime = UnixTime::from_secs(1000);

    fn good() -> Value {
        json!({
            "access_token": "at", "refresh_token": "rt", "token_type": "dpop",
            "scope": "atproto repo:a.b.c", "sub": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
            "expires_in": 3599, "id_token": "ignored",
        })
    }

    fn check(document: &Value) -> Result<Granted, Error> {
        endpoint().response(Response::new(Bytes::from(document.to_string())))?.check(REQUESTED_AT)
    }

    fn endpoint() -> Token {
        Token {
            endpoint: FormEndpoint {
                url: "https://bsky.social/oauth/token".parse().unwrap(),
                auth: ClientAuth {
                    client_id: String::new(),
                    issuer: Origin::parse("https://bsky.social", false).unwrap(),
                    key: None,
                },
                reach: Reach::Public,
            },
            grant: Grant::Refresh { refresh_token: SecretString::new("x") },
            limits: Limits::default(),
        }
    }

    #[test]
    fn good_tokens_are_granted() {
        let granted = check(&good()).unwrap();
        assert_eq!(granted.expires_at, Some(UnixTime::from_secs(4599)));
        assert_eq!(granted.refresh_token.unwrap().expose(), "rt");
        assert!(granted.scopes.contains("repo:a.b.c"));
    }

    #[test]
    fn tokens_that_break_a_rule_are_not_granted() {
        // Rules D-71 to D-74
        for (member, value) in [
            ("access_token", json!(null)),
            ("access_token", json!("")),
            ("access_token", json!(7)),
            ("access_token", json!("a b")),
            ("access_token", json!("a\r\nX-Y: z")),
            ("token_type", json!("Bearer")),
            ("token_type", json!(null)),
            ("scope", json!(null)),
            ("scope", json!("")),
            ("scope", json!("notatproto repo:a.b.c")),
            ("sub", json!(null)),
            ("sub", json!("alice.example.com")),
            ("sub", json!("did:")),
            ("sub", json!(["did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"])),
        ] {
            let mut document = good();
            document[member] = value.clone();
            assert!(check(&document).is_err(), "{member}: {value}");
        }
    }

    #[test]
    fn an_expiry_is_a_plausible_number_of_seconds() {
        // Rule D-76
        for (value, expected) in [
            (json!(60), Some(60)),
            (json!(60.9), Some(60)),
            (json!(0), Some(0)),
            (json!(-5), Some(0)),
            (json!(86_400), Some(86_400)),
            (json!(86_401), Some(3600)),
            (json!(1e300), Some(3600)),
            (json!("60"), None),
            (json!([60]), None),
            (json!(null), None),
        ] {
            let mut document = good();
            document["expires_in"] = value.clone();
            let expires_at = check(&document).unwrap().expires_at;
            assert_eq!(
                expires_at,
                expected.map(|left| UnixTime::from_secs(1000 + left)),
                "{value}"
            );
        }
    }

    #[test]
    fn an_expires_in_that_is_too_large_hides_no_token() {
        let document = good().to_string().replace("3599", "1e400");
        let response = Response::new(Bytes::from(document));
        let granted = endpoint().response(response).unwrap().check(REQUESTED_AT).unwrap();
        assert_eq!(granted.expires_at, Some(UnixTime::from_secs(4600)));
    }

    #[test]
    fn a_session_may_lack_a_refresh_token() {
        // Rule D-77
        let mut document = good();
        document.as_object_mut().unwrap().remove("refresh_token");
        assert!(check(&document).unwrap().refresh_token.is_none());
    }

    #[test]
    fn tokens_of_a_response_that_breaks_a_rule_can_be_revoked() {
        // Rule D-80
        let issued = |status: u16, body: &str| {
            let response = Response::builder().status(status);
            let response = response.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
            endpoint().response(response).unwrap()
        };
        let tokens = |issued: &Issued| {
            let tokens = issued.tokens().into_iter();
            tokens.map(|(hint, token)| format!("{hint} {}", token.expose())).collect::<Vec<_>>()
        };
        let created = issued(201, &good().to_string());
        assert_eq!(tokens(&created), ["refresh_token rt", "access_token at"]);
        assert!(created.check(REQUESTED_AT).unwrap_err().to_string().contains("201"));

        let twice = good().to_string().replacen('{', r#"{"access_token":"first","#, 1);
        let twice = issued(200, &twice);
        assert_eq!(tokens(&twice), ["refresh_token rt", "access_token first", "access_token at"]);
        assert!(twice.check(REQUESTED_AT).unwrap_err().to_string().contains("`access_token`"));

        // Each body has a fault behind the tokens, or around them.
        let deep = format!(r#"{{"x":{}{},"#, "[".repeat(70_000), "]".repeat(70_000));
        let (good, not_utf8) = (good().to_string(), b"{\"x\":\"\xf6\",");
        for body in [
            [good.as_bytes(), b"}"].concat(),
            [good.trim_end_matches('}').as_bytes(), b",\"x\":"].concat(),
            [deep.as_bytes(), &good.as_bytes()[1..]].concat(),
            [not_utf8, &good.as_bytes()[1..]].concat(),
        ] {
            let response = Response::new(Bytes::from(body));
            let code = Grant::Code {
                code: SecretString::new("c"),
                code_verifier: SecretString::new("v"),
                redirect_uri: "https://app.example.com/callback".to_owned(),
            };
            let exchange = Token { grant: code, ..endpoint() };
            let malformed = exchange.response(response.clone()).unwrap();
            assert_eq!(tokens(&malformed), ["refresh_token rt", "access_token at"]);
            assert!(malformed.check(REQUESTED_AT).is_err());
            assert!(matches!(endpoint().response(response), Err(Error::Malformed { .. })));
        }

        // A member that is not read may be there twice.
        let unread = good.replacen('{', r#"{"id_token":1,"id_token":2,"#, 1);
        assert!(issued(200, &unread).check(REQUESTED_AT).is_ok());
    }
}
