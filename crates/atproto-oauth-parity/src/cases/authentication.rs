//! Authentication of confidential clients: endpoints and keys.

use serde_json::json;

use crate::Case;
use crate::flow::{Client, KID, confidential_metadata, jwks};
use crate::jwt::Key;

pub(super) const CASES: &[Case] = &[
    Case::new(
        "a confidential client logs in, refreshes and logs out",
        |lab| {
            let login = Client::confidential(lab).login();
            let tokens = login.tokens(lab, "alice");
            login.get_session(lab, &tokens.access).send(lab);
            let answer = login.refresh_grant(lab, &tokens.refresh).send(lab);
            lab.members(&answer);
            let token = answer.text("access_token");
            login.revocation(lab, &token).send(lab);
            login.get_session(lab, &token).send(lab);
        },
        "
        GET getSession 200 - nonce
        POST token 200 - nonce
        + access_token expires_in~3600 refresh_token scope=\"atproto transition:generic\" sub token_type=\"DPoP\"
        POST revoke 200 - nonce
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "a client_assertion that is not a JWT is refused with invalid_request",
        |lab| {
            for assertion in ["", "assertion", "a.b.c", ".."] {
                let draft = Client::confidential(lab).login().par(lab);
                draft.field("client_assertion", assertion).label(assertion).send(lab);
            }
        },
        "
        POST par 400 invalid_request nonce
        POST par 400 invalid_request nonce (assertion)
        POST par 400 invalid_request nonce (a.b.c)
        POST par 400 invalid_request nonce (..)
        ",
    ),
    Case::new(
        "client_assertion and client_assertion_type are sent together, and the type is jwt-bearer",
        |lab| {
            let login = Client::confidential(lab).login();
            let assertion = login.par(lab).signed_assertion();
            let draft = login.par(lab).no_assertion().field("client_assertion", &assertion);
            draft.clone().label("no type").send(lab);
            let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
            login.par(lab).field("client_assertion_type", saml).label("SAML").send(lab);
            let jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let draft = login.par(lab).no_assertion().field("client_assertion_type", jwt);
            draft.label("only a type").send(lab);
            let draft = login.par(lab).no_assertion().field("client_secret", "secret");
            draft.label("a secret").send(lab);
        },
        "
        POST par 400 invalid_request nonce (no type)
        POST par 400 invalid_request nonce (SAML)
        POST par 400 invalid_request nonce (only a type)
        POST par 400 invalid_request nonce (a secret)
        ",
    ),
    Case::new(
        "an unauthenticated request of a confidential client has no effect on its code and tokens",
        |lab| {
            let login = Client::confidential(lab).login();
            login.par(lab).no_assertion().send(lab);
            let code = login.code(lab, "alice");
            login.code_grant(lab, &code).no_assertion().label("code").send(lab);
            let tokens = login.code_grant(lab, &code).send(lab);
            let refresh = tokens.text("refresh_token");
            login.refresh_grant(lab, &refresh).no_assertion().label("refresh").send(lab);
            login.revocation(lab, &refresh).no_assertion().send(lab);
            let draft = login.refresh_grant(lab, &refresh);
            draft.asserting(|jwt| jwt.claim("aud", "https://other.dev")).label("aud").send(lab);
            login.refresh_grant(lab, &refresh).send(lab);
        },
        "
        POST par 400 invalid_request nonce
        POST token 400 invalid_request nonce (code)
        POST token 200 - nonce
        POST token 400 invalid_request nonce (refresh)
        POST revoke 200 - nonce
        POST token 400 invalid_client nonce (aud)
        POST token 200 - nonce
        ",
    ),
    Case::new(
        "client_id and client_assertion must name the same client",
        |lab| {
            let login = Client::confidential(lab).login();
            let other = Client::confidential(lab);
            login.par(lab).field("client_id", &other.id).send(lab);
        },
        "
        POST par 400 invalid_client nonce
        ",
    ),
    Case::new(
        "the client assertion of a public client is ignored",
        |lab| {
            let login = Client::public(lab).login();
            let assertion = login.assertion(lab, &Key::new(), KID);
            login.par(lab).assertion(assertion).send(lab);
        },
        "
        POST par 201 - nonce
        ",
    ),
    Case::new(
        "a DPoP proof and a client assertion that are signed by the same key",
        |lab| {
            let login = Client::confidential(lab).login();
            let key = login.client.secret.clone().unwrap();
            login.par(lab).key(&key).send(lab);
        },
        "
        POST par 201 - nonce
        ",
    )
    .stricter(
        "AT Protocol OAuth: a client must not sign proofs and client assertions with the same key",
        "POST par 400 invalid_request nonce",
    ),
    Case::new(
        "the key set of a confidential client may be at its jwks_uri",
        |lab| {
            let id = lab.client_id();
            let key = Key::new();
            let keys = id.replace("metadata.json", "jwks.json");
            lab.publish(&keys, &jwks(&[(&key, KID)]));
            let mut metadata = confidential_metadata(&id, &[]);
            metadata.as_object_mut().unwrap().remove("jwks");
            metadata["jwks_uri"] = keys.clone().into();
            let login = Client { secret: Some(key), ..Client::with(lab, &id, &metadata) }.login();
            login.tokens(lab, "alice");
            login.par(lab).send(lab);
            lab.publish(&keys, &jwks(&[(&Key::new(), KID)]));
            login.par(lab).label("another key of that name").send(lab);
            lab.publish(&keys, &json!({"keys": "none"}));
            login.par(lab).label("no key set").send(lab);
        },
        "
        POST par 201 - nonce
        POST par 400 invalid_client nonce (another key of that name)
        POST par 400 invalid_client_metadata nonce (no key set)
        ",
    ),
    Case::new(
        "a refresh with another key of the client's key set ends the session",
        |lab| {
            let id = lab.client_id();
            let (old, new) = (Key::new(), Key::new());
            let metadata = confidential_metadata(&id, &[(&old, KID), (&new, "key-2")]);
            let login = Client { secret: Some(old), ..Client::with(lab, &id, &metadata) }.login();
            let tokens = login.tokens(lab, "alice");
            let assertion = login.assertion(lab, &new, "key-2");
            login.refresh_grant(lab, &tokens.refresh).assertion(assertion).send(lab);
            login.refresh_grant(lab, &tokens.refresh).send(lab);
            login.get_session(lab, &tokens.access).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        GET getSession 401 invalid_token nonce DPoP
        ",
    ),
    Case::new(
        "a code exchange with another key of the client's key set makes the code invalid",
        |lab| {
            let id = lab.client_id();
            let (old, new) = (Key::new(), Key::new());
            let metadata = confidential_metadata(&id, &[(&old, KID), (&new, "key-2")]);
            let login = Client { secret: Some(old), ..Client::with(lab, &id, &metadata) }.login();
            let code = login.code(lab, "alice");
            let assertion = login.assertion(lab, &new, "key-2");
            login.code_grant(lab, &code).assertion(assertion).send(lab);
            login.code_grant(lab, &code).send(lab);
        },
        "
        POST token 400 invalid_grant nonce
        POST token 400 invalid_grant nonce
        ",
    ),
];
