//! The client metadata document, which the client serves at its `client_id`.
//!
//! Authorization servers fetch the document from exactly that URL, as `application/json`, and
//! compare redirect URIs and scopes of a login with it as strings.
//!
//! atproto OAuth, «Client ID Metadata Document»; RFC 7591 section 2.

use serde_json::{Map, Value, json};

use crate::client::config::Config;
use crate::client::key::ClientKey;
use crate::client::loopback;
use crate::client::other_members;
use crate::client::redirect_uri::ApplicationType;

impl Config {
    /// Builds the document of [`Client::metadata`](crate::Client::metadata).
    pub(crate) fn metadata(&self) -> Option<String> {
        if loopback::is_loopback(&self.client_id) {
            return None;
        }
        let confidential = !self.keys.is_empty();
        let mut document = Map::new();
        let mut set = |name: &str, value: Value| document.insert(name.to_owned(), value);
        set("client_id", json!(self.client_id));
        set(
            "application_type",
            json!(match self.application_type {
                ApplicationType::Web => "web",
                ApplicationType::Native => "native",
            }),
        );
        set("grant_types", json!(["authorization_code", "refresh_token"]));
        set("response_types", json!(["code"]));
        set("redirect_uris", json!(self.redirect_uris));
        set("scope", json!(self.scopes));
        set("dpop_bound_access_tokens", json!(true));
        let method = if confidential { "private_key_jwt" } else { "none" };
        set("token_endpoint_auth_method", json!(method));
        if confidential {
            set("token_endpoint_auth_signing_alg", json!("ES256"));
            if self.jwks_uri.is_none() {
                set("jwks", self.jwks_value());
            }
        }
        if let Some(url) = &self.jwks_uri {
            set("jwks_uri", json!(url));
        }
        if let Some(name) = &self.description.client_name {
            set("client_name", json!(name));
        }
        for (name, url) in self.description.urls() {
            if let Some(url) = url {
                set(name, json!(url));
            }
        }
        for (name, value) in other_members::all(&self.description) {
            set(&name, value);
        }
        Some(format!("{:#}\n", Value::Object(document)))
    }

    /// Builds the document of [`Client::jwks`](crate::Client::jwks).
    pub(crate) fn jwks(&self) -> String {
        format!("{:#}\n", self.jwks_value())
    }

    fn jwks_value(&self) -> Value {
        let keys: Vec<_> = self.keys.iter().map(ClientKey::published).collect();
        json!({ "keys": keys })
    }
}

#[cfg(test)]
mod tests {
    use atproto_dpop::P256Keys;
    use atproto_sansio::{Entropy, Keys};
    use url::Url;

    use super::*;
    use crate::client::Client;
    use crate::client::description::Description;
    use crate::scope::Scopes;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn key(byte: u8) -> ClientKey {
        ClientKey::new(P256Keys.generate(&mut Fixed(byte))).unwrap()
    }

    fn client(keys: &[ClientKey], jwks_uri: Option<&str>) -> Client {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        let builder = Client::web("https://app.example.com/c.json", scopes)
            .redirect_uri("https://app.example.com/cb")
            .description(Description {
                client_name: Some("An app".to_owned()),
                ..Description::default()
            });
        let builder = match jwks_uri {
            Some(uri) => builder.jwks_uri(uri.parse().unwrap()),
            None => builder,
        };
        keys.iter().cloned().fold(builder, crate::ClientBuilder::key).build().unwrap()
    }

    #[test]
    fn the_document_says_what_the_profile_asks_for() {
        // Rules C-10 to C-18, C-21
        let public: Value = serde_json::from_str(&client(&[], None).metadata().unwrap()).unwrap();
        assert_eq!(
            public,
            json!({
                "client_id": "https://app.example.com/c.json",
                "application_type": "web",
                "client_name": "An app",
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "redirect_uris": ["https://app.example.com/cb"],
                "scope": "atproto transition:generic",
                "dpop_bound_access_tokens": true,
                "token_endpoint_auth_method": "none",
            })
        );
        let keys = [key(1), key(2).with_kid("second")];
        let document = client(&keys, None).metadata().unwrap();
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
        assert_eq!(document["token_endpoint_auth_signing_alg"], "ES256");
        let published = document["jwks"]["keys"].as_array().unwrap();
        assert_eq!(published[0]["kid"], keys[0].jwk().thumbprint());
        assert_eq!(published[1]["kid"], "second");
        for jwk in published {
            let members: Vec<_> = jwk.as_object().unwrap().keys().collect();
            assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        }
        let with_jwks_uri = client(&keys, Some("https://app.example.com/jwks.json"));
        let document: Value = serde_json::from_str(&with_jwks_uri.metadata().unwrap()).unwrap();
        assert_eq!(document["jwks"], Value::Null);
        assert_eq!(
            serde_json::from_str::<Value>(&with_jwks_uri.jwks()).unwrap()["keys"][1]["kid"],
            "second"
        );
    }

    #[test]
    fn a_client_that_servers_would_refuse_is_not_built() {
        // Rules N-06, N-07, C-14, C-18, C-19, C-21, C-22
        let scopes = || Scopes::parse("atproto").unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        let web = || {
            Client::web("https://app.example.com/c.json", scopes())
                .redirect_uri(url("https://app.example.com/cb"))
        };
        assert!(web().build().is_ok());
        assert!(Client::web("https://app.example.com/c.json", scopes()).build().is_err());
        assert!(web().redirect_uri(url("http://127.0.0.1/cb")).build().is_err());
        assert!(web().redirect_uri("https://app.example.com:443/cb").build().is_err());
        assert!(web().key(key(1).with_kid("k")).key(key(2).with_kid("k")).build().is_err());
        for kid in ["", " "] {
            let error = web().key(key(1).with_kid(kid)).build().unwrap_err().to_string();
            assert!(error.contains("`ClientKey::with_kid`"), "{error}");
        }
        let page = |uri: &str| Description { client_uri: Some(url(uri)), ..Description::default() };
        for uri in ["https://app.example.com/", "https://app.example.com/c.json"] {
            assert!(web().description(page(uri)).build().is_ok(), "{uri}");
        }
        assert!(web().description(page("https://app.example.com/home")).build().is_err());
        assert!(web().description(page("https://app.example.com/c")).build().is_err());
        let secret = page("https://user:secret@app.example.com/");
        let error = web().description(secret).build().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert!(error.to_string().contains("`client_uri` https://…@app.example.com/"), "{error}");
        assert!(web().description(page("https://other.example.com/")).build().is_err());
        assert!(web().description(page("http://app.example.com/")).build().is_err());
        let logo = Description {
            logo_uri: Some(url("https://10.0.0.1/logo.png")),
            ..Description::default()
        };
        assert!(web().description(logo).build().is_err());
        let jwks = |uri: &str| web().key(key(1)).jwks_uri(url(uri)).build();
        assert!(jwks("https://app.example.com/jwks.json").is_ok());
        for uri in ["http://app.example.com/j", "https://10.0.0.1/j", "https://app.test/j"] {
            assert!(jwks(uri).is_err(), "{uri}");
        }
        let public = web().jwks_uri(url("https://app.example.com/jwks.json")).build();
        let error = public.unwrap_err().to_string();
        assert!(error.contains("jwks_uri") && error.contains("`key`"), "{error}");
        let native = Client::native("https://app.example.com/c.json", scopes())
            .redirect_uri(url("com.example.app:/cb"));
        assert!(native.clone().build().is_ok());
        assert!(native.key(key(1)).build().is_err());
    }
}
