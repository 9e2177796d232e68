//! The key of a confidential client is replaced, and later revoked.

use std::collections::BTreeSet;

use atproto_dpop::{Jwk, P256Keys};
use atproto_oauth_core::{
    Client, ClientBuilder, ClientKey, Error, Revocation, Scopes, SessionEffect, SessionError,
};
use atproto_sansio::SystemEntropy;

use crate::flows::stage::WEB_CALLBACK;
use crate::flows::{Account, REMOTE_KEY, REMOTE_KEY_ID, Stage, who_am_i};

pub fn a_session_keeps_its_client_key_until_the_key_is_revoked(stage: &dyn Stage) {
    // Rules F-07, F-08, F-09, F-13: the keys are in the metadata document, and the new key is local.
    let new = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
    Rotation { stage, client_id: INLINE, jwks_uri: None, account: stage.account("alice") }.run(new);
}

pub fn a_client_key_is_replaced_by_a_remote_one_at_the_jwks_uri(stage: &dyn Stage) {
    // Rules F-07, F-08, F-09, F-15: the keys are at the `jwks_uri`, and the new key is at a remote signer.
    let new = ClientKey::remote(REMOTE_KEY_ID, Jwk::new(*REMOTE_KEY.public()).unwrap());
    let account = stage.account("rita");
    Rotation { stage, client_id: BY_URL, jwks_uri: Some(JWKS_URI), account }.run(new);
}

const INLINE: &str = "https://app.client.dev/rotation.json";
const BY_URL: &str = "https://app.client.dev/rotation-by-url.json";
const JWKS_URI: &str = "https://app.client.dev/rotation-jwks.json";

/// A client whose keys change, and an account that logs in with it.
struct Rotation<'a> {
    stage: &'a dyn Stage,
    client_id: &'static str,
    jwks_uri: Option<&'static str>,
    account: Account,
}

impl Rotation<'_> {
    fn run(&self, new: ClientKey) {
        let old = ClientKey::generate(&P256Keys, &mut SystemEntropy).unwrap();
        let name = self.account.handle.split('.').next().unwrap();
        let first = self.client(|client| client.key(old.clone()));
        self.stage.publish(&first);
        let session = self.stage.log_in(&*self.stage.run(first), name);

        // Both keys are published. The old session stays with its key, and a new login uses the new one.
        let rotated = self.client(|client| client.key(new.clone()).retired_key(old.clone()));
        self.stage.publish(&rotated);
        let rotated = self.stage.run(rotated);
        self.stage.clear_log();
        let refreshed = rotated.refresh(session).unwrap().session;
        assert_eq!(self.kids("/oauth/token"), [old.kid()]);
        assert!(rotated.request(&refreshed, who_am_i()).unwrap().status().is_success());
        self.stage.clear_log();
        let later = self.stage.log_in(&*rotated, name);
        for path in ["/oauth/par", "/oauth/token"] {
            assert_eq!(self.kids(path), [new.kid()], "{path}");
        }

        // The old key leaks. Its session fails before anything is sent, and the new session goes on.
        let revoking = self.client(|client| client.key(new.clone()).revoked_key(old.kid()));
        self.stage.publish(&revoking);
        let revoking = self.stage.run(revoking);
        self.stage.clear_log();
        let failed = revoking.refresh(refreshed.clone()).unwrap_err();
        let revoked = SessionError::KeyRevoked { kid: old.kid().to_owned() };
        assert_eq!(failed.error, Error::from(revoked.clone()));
        assert_eq!(failed.effect, SessionEffect::Keep);
        let failed = revoking.revoke(refreshed.clone()).unwrap_err();
        assert_eq!(failed, Error::from(revoked));
        for server in [&self.account.pds, &self.account.issuer] {
            let log = self.stage.log(server);
            assert!(log.is_empty(), "{log:?}");
        }
        let later = revoking.refresh(later).unwrap().session;
        assert!(revoking.request(&later, who_am_i()).unwrap().status().is_success());
        assert_eq!(revoking.revoke(later).unwrap(), Revocation::Revoked);
        for path in ["/oauth/token", "/oauth/revoke"] {
            assert_eq!(self.kids(path), [new.kid()], "{path}");
        }

        // The server accepts the old key no more, from nobody who has it.
        let failed = rotated.refresh(refreshed).unwrap_err();
        assert_eq!(failed.error.oauth_error_code(), Some("invalid_client"), "{failed:?}");
        assert_eq!(failed.effect, SessionEffect::Keep);
    }

    fn client(&self, keys: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Client {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        let client = keys(Client::web(self.client_id, scopes).redirect_uri(WEB_CALLBACK));
        let client = match self.jwks_uri {
            Some(url) => client.jwks_uri(url.parse().unwrap()),
            None => client,
        };
        self.stage.configure(client).build().unwrap()
    }

    /// The `kid` of each client assertion in the requests to the issuer with this path. Each of these requests
    /// has an assertion.
    fn kids(&self, path: &str) -> Vec<String> {
        let log = self.stage.log(&self.account.issuer);
        let requests = log.iter().filter(|seen| seen.path == path);
        let kids: BTreeSet<_> = requests
            .map(|seen| seen.assertion.as_ref().unwrap().header["kid"].as_str().unwrap().to_owned())
            .collect();
        kids.into_iter().collect()
    }
}
