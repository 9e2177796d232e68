//! The steps of a login and a session, so that a case can begin at any of them.

use base64ct::{Base64UrlUnpadded, Encoding};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::form_urlencoded::Serializer;

use super::draft::Draft;
use super::jwt::{Jwt, Key, random};
use super::lab::{Lab, metadata};
use super::target::{Landing, Server};

/// An OAuth client.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: String,
    /// Of a confidential client.
    pub(crate) secret: Option<Key>,
}

/// A login, and the session that it becomes.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) client: Client,
    pub(crate) issuer: Server,
    pub(crate) key: Key,
    pub(crate) verifier: String,
}

/// What a login yields.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Client {
    /// A client without a document.
    pub(crate) fn loopback() -> Self {
        Self::loopback_with(CALLBACK, "atproto transition:generic")
    }

    pub(crate) fn loopback_with(redirect_uri: &str, scope: &str) -> Self {
        let mut query = Serializer::new(String::new());
        query.append_pair("redirect_uri", redirect_uri).append_pair("scope", scope);
        Self {
            id: format!("http://localhost/?{}", query.finish()),
            redirect_uri: redirect_uri.to_owned(),
            scope: scope.to_owned(),
            secret: None,
        }
    }

    /// A public client with a document.
    pub(crate) fn public(lab: &mut Lab<'_>) -> Self {
        let id = lab.client_id();
        let metadata = metadata(&id);
        Self::with(lab, &id, &metadata)
    }

    /// A client that authenticates itself.
    pub(crate) fn confidential(lab: &mut Lab<'_>) -> Self {
        let id = lab.client_id();
        let key = Key::new();
        let metadata = confidential_metadata(&id, &[(&key, KID)]);
        Self { secret: Some(key), ..Self::with(lab, &id, &metadata) }
    }

    /// The client that a document describes.
    pub(crate) fn with(lab: &mut Lab<'_>, id: &str, metadata: &Value) -> Self {
        lab.publish(id, metadata);
        Self {
            id: id.to_owned(),
            redirect_uri: WEB_CALLBACK.to_owned(),
            scope: "atproto transition:generic".to_owned(),
            secret: None,
        }
    }

    /// A client with this id, published or not.
    pub(crate) fn of(id: &str) -> Self {
        let (id, scope) = (id.to_owned(), "atproto".to_owned());
        Self { id, redirect_uri: WEB_CALLBACK.to_owned(), scope, secret: None }
    }

    /// A new login.
    pub(crate) fn login(&self) -> Login {
        let (client, key, verifier) = (self.clone(), Key::new(), random());
        Login { client, issuer: Server::A, key, verifier }
    }
}

impl Login {
    pub(crate) fn at(self, issuer: Server) -> Self {
        Self { issuer, ..self }
    }

    fn authenticated(&self, lab: &Lab<'_>, draft: Draft) -> Draft {
        let draft = draft.field("client_id", &self.client.id);
        match &self.client.secret {
            None => draft,
            Some(key) => draft.assertion(self.assertion(lab, key, KID)),
        }
    }

    /// A right assertion, if this is a key of the client.
    pub(crate) fn assertion(&self, lab: &Lab<'_>, key: &Key, kid: &str) -> Jwt {
        let issuer = lab.url(self.issuer, "");
        Jwt::assertion(key, kid, &self.client.id, &issuer, lab.target.now())
    }

    fn oauth(&self, lab: &mut Lab<'_>, path: &str) -> Draft {
        let proof = lab.proof(&self.key, self.issuer, "POST", path);
        let draft = Draft::new(self.issuer, Method::POST, path).proof(proof);
        self.authenticated(lab, draft)
    }

    /// The pushed authorization request (RFC 9126).
    pub(crate) fn par(&self, lab: &mut Lab<'_>) -> Draft {
        self.oauth(lab, "/oauth/par")
            .field("response_type", "code")
            .field("redirect_uri", &self.client.redirect_uri)
            .field("scope", &self.client.scope)
            .field("state", &random())
            .field("code_challenge", &challenge(&self.verifier))
            .field("code_challenge_method", "S256")
    }

    /// Pushes the request: where the browser goes.
    pub(crate) fn url(&self, lab: &mut Lab<'_>) -> String {
        let draft = self.par(lab);
        self.url_of(lab, draft)
    }

    /// Pushes this request: where the browser goes.
    pub(crate) fn url_of(&self, lab: &mut Lab<'_>, draft: Draft) -> String {
        let request_uri = draft.send_quietly(lab).text("request_uri");
        self.url_with(lab, &request_uri)
    }

    pub(crate) fn url_with(&self, lab: &Lab<'_>, request_uri: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", &self.client.id).append_pair("request_uri", request_uri);
        lab.url(self.issuer, &format!("/oauth/authorize?{}", query.finish()))
    }

    /// Logs somebody in: the code.
    pub(crate) fn code(&self, lab: &mut Lab<'_>, name: &str) -> String {
        let url = self.url(lab);
        let landing = lab.approve(&url, name, None);
        landing.parameter("code").unwrap_or_else(|| panic!("no code: {landing:?}"))
    }

    /// The request for tokens (RFC 6749 section 4.1.3).
    pub(crate) fn code_grant(&self, lab: &mut Lab<'_>, code: &str) -> Draft {
        self.oauth(lab, "/oauth/token")
            .field("grant_type", "authorization_code")
            .field("code", code)
            .field("redirect_uri", &self.client.redirect_uri)
            .field("code_verifier", &self.verifier)
    }

    /// A whole login.
    pub(crate) fn tokens(&self, lab: &mut Lab<'_>, name: &str) -> Tokens {
        let code = self.code(lab, name);
        let answer = self.code_grant(lab, &code).send_quietly(lab);
        Tokens { access: answer.text("access_token"), refresh: answer.text("refresh_token") }
    }

    /// The request for new tokens (RFC 6749 section 6).
    pub(crate) fn refresh_grant(&self, lab: &mut Lab<'_>, refresh_token: &str) -> Draft {
        self.oauth(lab, "/oauth/token")
            .field("grant_type", "refresh_token")
            .field("refresh_token", refresh_token)
    }

    /// The request to end a session (RFC 7009).
    pub(crate) fn revocation(&self, lab: &mut Lab<'_>, token: &str) -> Draft {
        self.oauth(lab, "/oauth/revoke").field("token", token)
    }

    /// A query at the account's server.
    pub(crate) fn get_session(&self, lab: &mut Lab<'_>, access_token: &str) -> Draft {
        self.get_session_at(lab, self.issuer, access_token)
    }

    pub(crate) fn get_session_at(&self, lab: &mut Lab<'_>, server: Server, token: &str) -> Draft {
        self.xrpc(lab, server, Method::GET, "com.atproto.server.getSession", token)
    }

    /// A request at an account's server, without a body.
    pub(crate) fn xrpc(
        &self,
        lab: &mut Lab<'_>,
        server: Server,
        method: Method,
        nsid: &str,
        access_token: &str,
    ) -> Draft {
        let path = format!("/xrpc/{nsid}");
        let proof = lab.proof(&self.key, server, method.as_str(), &path);
        Draft::new(server, method, &path)
            .proof(proof.claim("ath", hash(access_token)))
            .authorization(&format!("DPoP {access_token}"))
    }

    /// Writes a visit down.
    pub(crate) fn note(&self, lab: &mut Lab<'_>, landing: &Landing) {
        let issuer = lab.url(self.issuer, "");
        lab.note(landing.line(&self.client.redirect_uri, &issuer));
    }
}

/// The metadata of a confidential web client.
pub(crate) fn confidential_metadata(client_id: &str, keys: &[(&Key, &str)]) -> Value {
    let mut document = metadata(client_id);
    document["token_endpoint_auth_method"] = "private_key_jwt".into();
    document["token_endpoint_auth_signing_alg"] = "ES256".into();
    document["jwks"] = jwks(keys);
    document
}

/// A key set.
pub(crate) fn jwks(keys: &[(&Key, &str)]) -> Value {
    let keys = keys.iter().map(|(key, kid)| {
        let mut jwk = key.public_jwk();
        jwk["kid"] = (*kid).into();
        jwk["alg"] = "ES256".into();
        jwk
    });
    json!({"keys": keys.collect::<Vec<_>>()})
}

/// The base64url SHA-256: PKCE's challenge.
pub(crate) fn challenge(verifier: &str) -> String {
    hash(verifier)
}

/// The base64url SHA-256: `ath`.
pub(crate) fn hash(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text))
}

/// The `kid` of a confidential client's key.
pub(crate) const KID: &str = "key-1";
pub(crate) const CALLBACK: &str = "http://127.0.0.1/callback";
pub(crate) const WEB_CALLBACK: &str = "https://app.client.dev/callback";
