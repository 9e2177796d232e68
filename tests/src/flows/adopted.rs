//! A session that is adopted from the four values that another program has stored.

use atproto_dpop::{DpopKey, P256Keys};
use atproto_oauth_core::{Credentials, Error, Origin, SessionEffect, xrpc};
use atproto_sansio::SecretString;
use serde_json::Value;

use crate::flows::{Stage, Wire, who_am_i};

pub fn a_session_is_adopted_from_four_values(stage: &dyn Stage) {
    // Rule L-03: alice's PDS is its own issuer, and rita's is behind an entryway.
    for name in ["alice", "rita"] {
        let account = stage.account(name);
        let session = stage.log_in(&*stage.client(), name);
        let stored = Credentials::of(&session).unwrap();
        let values = [
            stored.did.to_string(),
            stored.pds.to_string(),
            stored.refresh_token.expose().to_owned(),
            stored.dpop_key.to_jwk().unwrap().expose().to_owned(),
        ];
        let read = || {
            let [did, pds, refresh_token, jwk] = values.clone();
            Credentials {
                did: did.parse().unwrap(),
                pds: Origin::parse(&pds, true).unwrap(),
                refresh_token: SecretString::new(refresh_token),
                dpop_key: DpopKey::from_jwk(&jwk, &P256Keys).unwrap(),
            }
        };

        // Another process, which knows the four values alone.
        let client = stage.client();
        stage.clear_log();
        let mut wire = Wire::of(stage, &account.issuer);
        let adopted = client.adopt(read()).unwrap().session;
        let seen = wire.step();
        let tokens = seen.iter().filter(|line| *line == "POST /oauth/token 200").count();
        assert_eq!(tokens, 1, "{seen:?}");
        assert_eq!(adopted.did().as_str(), account.did);
        assert_eq!(adopted.pds().as_str(), account.pds);
        assert_eq!(adopted.issuer().as_str(), account.issuer);
        assert_eq!(adopted.scopes(), session.scopes());
        assert_eq!(adopted.dpop_key().thumbprint(), session.dpop_key().thumbprint());
        assert_ne!(adopted.session_id(), session.session_id());
        let answer = client.request(&adopted, who_am_i()).unwrap();
        assert_eq!(xrpc::json::<Value>(&answer).unwrap()["did"], account.did);

        // The session can be refreshed, and its credentials adopted again.
        let refreshed = client.refresh(adopted).unwrap().session;
        let again = client.adopt(Credentials::of(&refreshed).unwrap()).unwrap().session;
        assert_eq!(again.did().as_str(), account.did);

        // The first credentials are spent.
        let failed = client.adopt(read()).unwrap_err();
        assert_eq!(failed.effect, SessionEffect::Dead);
        assert_eq!(failed.error.oauth_error_code(), Some("invalid_grant"));
        assert!(matches!(failed.error, Error::Refused(_)), "{failed:?}");
        assert!(failed.session.is_none());
    }
}
