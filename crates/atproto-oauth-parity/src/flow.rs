//! The requests of a login and a session, so that a case can begin at any of them.

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
    /// Private key of a confidential client; `None` for a public client.
    pub(crate) secret: Option<Key>,
}

/// A login and its later session: client, authorization server, DPoP key and PKCE verifier.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) client: Client,
    pub(crate) issuer: Server,
    pub(crate) key: Key,
    pub(crate) verifier: String,
}

/// The tokens of a session.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Client {
    /// Returns a loopback client, which has no metadata document.
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

    /// Publishes the metadata of a new public client.
    pub(crate) fn public(lab: &mut Lab<'_>) -> Self {
        let id = lab.client_id();
        let metadata = metadata(&id);
        Self::with(lab, &id, &metadata)
    }

    /// Publishes the metadata of a new confidential client with one key.
    pub(crate) fn confidential(lab: &mut Lab<'_>) -> Self {
        let id = lab.client_id();
        let key = Key::new();
        let metadata = confidential_metadata(&id, &[(&key, KID)]);
        Self { secret: Some(key), ..Self::with(lab, &id, &metadata) }
    }

    /// Publishes `metadata` at the client id `id`.
    pub(crate) fn with(lab: &mut Lab<'_>, id: &str, metadata: &Value) -> Self {
        lab.publish(id, metadata);
        Self {
            id: id.to_owned(),
            redirect_uri: WEB_CALLBACK.to_owned(),
            scope: "atproto transition:generic".to_owned(),
            secret: None,
        }
    }

    /// Returns a client with this id, and publishes no metadata.
    pub(crate) fn of(id: &str) -> Self {
        let (id, scope) = (id.to_owned(), "atproto".to_owned());
        Self { id, redirect_uri: WEB_CALLBACK.to_owned(), scope, secret: None }
    }

    /// Returns a login at server `a` with a new DPoP key and verifier.
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

    /// Returns a client assertion signed with `key`.
    pub(crate) fn assertion(&self, lab: &Lab<'_>, key: &Key, kid: &str) -> Jwt {
        let issuer = lab.url(self.issuer, "");
        Jwt::assertion(key, kid, &self.client.id, &issuer, lab.target.now())
    }

    fn oauth(&self, lab: &mut Lab<'_>, path: &str) -> Draft {
        let proof = lab.proof(&self.key, self.issuer, "POST", path);
        let draft = Draft::new(self.issuer, Method::POST, path).proof(proof);
        self.authenticated(lab, draft)
    }

    /// Returns the pushed authorization request (RFC 9126).
    pub(crate) fn par(&self, lab: &mut Lab<'_>) -> Draft {
        self.oauth(lab, "/oauth/par")
            .field("response_type", "code")
            .field("redirect_uri", &self.client.redirect_uri)
            .field("scope", &self.client.scope)
            .field("state", &random())
            .field("code_challenge", &challenge(&self.verifier))
            .field("code_challenge_method", "S256")
    }

    /// Sends the pushed authorization request, and returns the authorization URL.
    pub(crate) fn url(&self, lab: &mut Lab<'_>) -> String {
        let draft = self.par(lab);
        self.url_of(lab, draft)
    }

    /// Sends `draft` as the pushed authorization request, and returns the authorization URL.
    pub(crate) fn url_of(&self, lab: &mut Lab<'_>, draft: Draft) -> String {
        let request_uri = draft.send_quietly(lab).text("request_uri");
        self.url_with(lab, &request_uri)
    }

    pub(crate) fn url_with(&self, lab: &Lab<'_>, request_uri: &str) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("client_id", &self.client.id).append_pair("request_uri", request_uri);
        lab.url(self.issuer, &format!("/oauth/authorize?{}", query.finish()))
    }

    /// Pushes the request, signs in as `name`, and returns the authorization code.
    pub(crate) fn code(&self, lab: &mut Lab<'_>, name: &str) -> String {
        let url = self.url(lab);
        let landing = lab.approve(&url, name, None);
        landing.parameter("code").unwrap_or_else(|| panic!("no code: {landing:?}"))
    }

    /// Returns the token request for a code (RFC 6749 section 4.1.3).
    pub(crate) fn code_grant(&self, lab: &mut Lab<'_>, code: &str) -> Draft {
        self.oauth(lab, "/oauth/token")
            .field("grant_type", "authorization_code")
            .field("code", code)
            .field("redirect_uri", &self.client.redirect_uri)
            .field("code_verifier", &self.verifier)
    }

    /// Logs in as `name`, and returns the tokens.
    pub(crate) fn tokens(&self, lab: &mut Lab<'_>, name: &str) -> Tokens {
        let code = self.code(lab, name);
        let answer = self.code_grant(lab, &code).send_quietly(lab);
        Tokens { access: answer.text("access_token"), refresh: answer.text("refresh_token") }
    }

    /// Returns the token request for a refresh token (RFC 6749 section 6).
    pub(crate) fn refresh_grant(&self, lab: &mut Lab<'_>, refresh_token: &str) -> Draft {
        self.oauth(lab, "/oauth/token")
            .field("grant_type", "refresh_token")
            .field("refresh_token", refresh_token)
    }

    /// Returns the revocation request for a token (RFC 7009).
    pub(crate) fn revocation(&self, lab: &mut Lab<'_>, token: &str) -> Draft {
        self.oauth(lab, "/oauth/revoke").field("token", token)
    }

    /// Returns a `getSession` request to the login's server.
    pub(crate) fn get_session(&self, lab: &mut Lab<'_>, access_token: &str) -> Draft {
        self.get_session_at(lab, self.issuer, access_token)
    }

    pub(crate) fn get_session_at(&self, lab: &mut Lab<'_>, server: Server, token: &str) -> Draft {
        self.xrpc(lab, server, Method::GET, "com.atproto.server.getSession", token)
    }

    /// Returns an XRPC request to `server`, without a body.
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

    /// Adds the line of a visit.
    pub(crate) fn note(&self, lab: &mut Lab<'_>, landing: &Landing) {
        let issuer = lab.url(self.issuer, "");
        lab.note(landing.line(&self.client.redirect_uri, &issuer));
    }
}

/// Returns the metadata of a confidential web client with these keys and their `kid`.
pub(crate) fn confidential_metadata(client_id: &str, keys: &[(&Key, &str)]) -> Value {
    let mut document = metadata(client_id);
    document["token_endpoint_auth_method"] = "private_key_jwt".into();
    document["token_endpoint_auth_signing_alg"] = "ES256".into();
    document["jwks"] = jwks(keys);
    document
}

/// Returns a JWK set of the public keys with their `kid`.
pub(crate) fn jwks(keys: &[(&Key, &str)]) -> Value {
    let keys = keys.iter().map(|(key, kid)| {
        let mut jwk = key.public_jwk();
        jwk["kid"] = (*kid).into();
        jwk["alg"] = "ES256".into();
        jwk
    });
    json!({"keys": keys.collect::<Vec<_>>()})
}

/// Returns the base64url SHA-256 of a PKCE verifier.
pub(crate) fn challenge(verifier: &str) -> String {
    hash(verifier)
}

/// Returns the base64url SHA-256 of `text`, as `ath` has it.
pub(crate) fn hash(text: &str) -> String {
    Base64UrlUnpadded::encode_string(&Sha256::digest(text))
}

/// `kid` of the key of [`Client::confidential`].
pub(crate) const KID: &str = "key-1";
pub(crate) const CALLBACK: &str = "http://127.0.0.1/callback";
pub(crate) const WEB_CALLBACK: &str = "https://app.client.dev/callback";
