//! Client assertions: a confidential client adds a new assertion to each request to the
//! authorization server, signed with a local key or by a remote signer.

use std::collections::BTreeSet;
use std::sync::Arc;

use atproto_dpop::{DpopError, P256Keys, verify};
use atproto_oauth_core::{
    CallbackParams, Client, ClientBuilder, ClientKey, ConfigError, Error, NoncePolicy, Scopes,
    SessionEffect, SessionError, Sessions, Subject,
};
use atproto_oauth_sandbox::{Process, Sandbox};
use atproto_oauth_tests::replayer::network::Network;
use atproto_sansio::{Body, Call, Entropy, Flow, Keys, Machine, Output, Signer};
use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn signer(byte: u8) -> Arc<dyn Signer> {
    P256Keys.generate(&mut Fixed(byte))
}

fn client(keys: impl IntoIterator<Item = ClientKey>) -> Client {
    builder(keys).build().unwrap()
}

fn builder(keys: impl IntoIterator<Item = ClientKey>) -> ClientBuilder {
    let scopes = Scopes::parse("atproto transition:generic").unwrap();
    let builder = Client::web("https://app.example.com/c.json", scopes)
        .redirect_uri("https://app.example.com/cb")
        .nonce_policy(NoncePolicy::Strict);
    keys.into_iter().fold(builder, ClientBuilder::key)
}

/// Runs a machine like [`Network::run`]. Appends each form of a request to `forms`, and signs with
/// `remote_signer` if the key is remote.
fn run<M: Machine>(
    network: &mut Network,
    machine: M,
    remote_signer: Option<&dyn Signer>,
    forms: &mut Vec<Value>,
) -> Result<M::Output, M::Error> {
    let mut flow = Flow::new(machine);
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(Call::Sign(call)) => {
                assert_eq!(call.key_id, "the key in the safe");
                let signature = remote_signer.unwrap().sign(&call.message).unwrap();
                flow.handle_reply(call.respond.with(Ok(signature)));
            }
            Output::Call(call) => {
                if let Call::Http(http) = &call
                    && let Body::Bytes(body) = http.request.body()
                    && !body.is_empty()
                {
                    let fields = url::form_urlencoded::parse(body).into_owned();
                    forms.push(fields.map(|(name, value)| (name, Value::from(value))).collect());
                }
                flow.handle_reply(network.answer(call));
            }
            Output::Wait => panic!("every call was answered"),
            Output::Done(result) => return result,
        }
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(part).unwrap()).unwrap()
}

/// Checks an assertion of `key` (Rules F-01 to F-05), and returns its `jti`.
fn check_assertion(form: &Value, key: &ClientKey, now: u64) -> String {
    assert_eq!(form["client_id"], "https://app.example.com/c.json");
    assert_eq!(
        form["client_assertion_type"],
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    let assertion = form["client_assertion"].as_str().unwrap();
    let (message, signature) = assertion.rsplit_once('.').unwrap();
    let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
    assert!(verify(
        key.jwk().point(),
        message.as_bytes(),
        signature.as_slice().try_into().unwrap()
    ));
    let (header, claims) = message.split_once('.').unwrap();
    let expected = serde_json::json!({"alg": "ES256", "kid": key.kid(), "typ": "JWT"});
    assert_eq!(decoded(header), expected);
    let claims = decoded(claims);
    let names: Vec<_> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "sub"]);
    assert_eq!(claims["aud"], "https://pds.example.com");
    assert_eq!((&claims["iss"], &claims["sub"]), (&form["client_id"], &form["client_id"]));
    assert_eq!(claims["iat"].as_u64().unwrap(), now - 25);
    assert_eq!(claims["exp"].as_u64().unwrap(), now + 35);
    claims["jti"].as_str().unwrap().to_owned()
}

/// Runs a login whose pushed request is repeated for a nonce, a refresh and a logout. Returns the
/// forms of all requests, and the time.
fn forms_of_a_session(client: &Client, remote_signer: Option<&dyn Signer>) -> (Vec<Value>, u64) {
    let mut network = Network::new();
    let mut forms = Vec::new();
    let mut asked = false;
    network.mutate(move |_, url, response| {
        if url.ends_with("/par") && !std::mem::replace(&mut asked, true) {
            *response.status_mut() = StatusCode::BAD_REQUEST;
            *response.body_mut() = Bytes::from_static(br#"{"error":"use_dpop_nonce"}"#);
        }
    });
    let subject = Subject::parse("alice.example.com").unwrap();
    let begun = run(&mut network, client.authorize(subject), remote_signer, &mut forms).unwrap();
    let state = begun.pending.state();
    let params = format!("state={state}&iss=https://pds.example.com&code=c-1");
    let params = CallbackParams::parse(&params).unwrap();
    let callback = client.callback(begun.pending, params);
    let session = run(&mut network, callback, remote_signer, &mut forms).unwrap().session;
    let refreshed = run(&mut network, client.refresh(session), remote_signer, &mut forms).unwrap();
    let revoke = client.revoke(refreshed.session);
    let _ = run(&mut network, revoke, remote_signer, &mut forms).unwrap();
    (forms, network.environment.now.as_secs())
}

#[test]
fn each_attempt_carries_an_assertion_of_its_own() {
    let key = ClientKey::new(signer(1)).unwrap();
    let remote = ClientKey::remote("the key in the safe", *key.jwk());
    for (key, remote_signer) in [(key, None), (remote, Some(&*signer(1)))] {
        let (forms, now) = forms_of_a_session(&client([key.clone()]), remote_signer);
        // Two pushed requests, code exchange, refresh, revocation of two tokens.
        assert_eq!(forms.len(), 6);
        let jtis: BTreeSet<_> = forms.iter().map(|form| check_assertion(form, &key, now)).collect();
        assert_eq!(jtis.len(), 6, "an assertion was used twice");
    }
}

#[test]
fn a_signature_by_another_key_is_not_sent() {
    let key = ClientKey::remote("the key in the safe", *ClientKey::new(signer(1)).unwrap().jwk());
    let mut network = Network::new();
    let mut forms = Vec::new();
    let login = client([key]).authorize(Subject::parse("alice.example.com").unwrap());
    let error = run(&mut network, login, Some(&*signer(2)), &mut forms).unwrap_err();
    assert_eq!(error, Error::Dpop(DpopError::Signature));
    assert_eq!(forms, [] as [Value; 0]);
}

#[test]
fn a_session_keeps_the_client_key_of_its_login() {
    // Rules F-08, F-09
    let [first, second] = [1, 2].map(|byte| ClientKey::new(signer(byte)).unwrap());
    let mut network = Network::new();
    let old = client([first.clone()]);
    let session = network.session(&old);

    let rotated = client([second.clone(), first.clone()]);
    let mut forms = Vec::new();
    let _ = run(&mut network, rotated.refresh(session.clone()), None, &mut forms).unwrap();
    check_assertion(&forms[0], &first, network.environment.now.as_secs());

    // If the client has no key with the `kid` of the session, or another key has that `kid`, no
    // request is sent, and the session is kept.
    for keys in [vec![second.clone()], vec![second.with_kid(first.kid())], vec![]] {
        let failed = network.run(client(keys).refresh(session.clone())).unwrap_err();
        assert!(
            matches!(failed.error, Error::Session(SessionError::NoSuchKey { .. })),
            "{failed:?}"
        );
        assert_eq!(failed.effect, SessionEffect::Keep);
    }
}

#[test]
fn a_rejected_assertion_does_not_end_the_session() {
    // Rule G-33
    let client = client([ClientKey::new(signer(1)).unwrap()]);
    let mut network = Network::new();
    let session = network.session(&client);
    network.mutate(|_, url, response: &mut Response<Bytes>| {
        if url.ends_with("/token") {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            *response.body_mut() = Bytes::from_static(br#"{"error":"invalid_client"}"#);
        }
    });
    let failed = network.run(client.refresh(session)).unwrap_err();
    assert_eq!(failed.effect, SessionEffect::Keep);
    assert_eq!(failed.error.oauth_error_code(), Some("invalid_client"));
}

#[test]
fn a_session_of_a_public_client_goes_on_when_the_client_gets_a_key() {
    // Rule F-11
    let mut network = Network::new();
    let session = network.session(&client([]));
    let [first, second] = [1, 2].map(|byte| ClientKey::new(signer(byte)).unwrap());

    // Without the option, the session goes on as a public one.
    let mut forms = Vec::new();
    let confidential = client([first.clone()]);
    let _ = run(&mut network, confidential.refresh(session.clone()), None, &mut forms).unwrap();
    assert!(forms[0].get("client_assertion").is_none());

    let upgrading = |keys: Vec<ClientKey>| {
        let builder = builder(keys).upgrade_public_sessions();
        builder.build().unwrap()
    };
    let mut forms = Vec::new();
    let client = upgrading(vec![first.clone()]);
    let renewed = run(&mut network, client.refresh(session), None, &mut forms).unwrap().session;
    check_assertion(&forms[0], &first, network.environment.now.as_secs());

    // It stays with that key, whatever key comes later.
    let mut forms = Vec::new();
    let client = upgrading(vec![second, first.clone()]);
    let _ = run(&mut network, client.refresh(renewed), None, &mut forms).unwrap();
    check_assertion(&forms[0], &first, network.environment.now.as_secs());
}

#[test]
fn new_sessions_use_the_active_key_and_old_ones_the_retired_key() {
    // Rules F-07, F-09, F-13
    let [old, new] = [1, 2].map(|byte| ClientKey::new(signer(byte)).unwrap());
    let mut network = Network::new();
    let session = network.session(&client([old.clone()]));

    let rotated = builder([new.clone()]).retired_key(old.clone()).build().unwrap();
    let mut forms = Vec::new();
    let renewed = run(&mut network, rotated.refresh(session.clone()), None, &mut forms).unwrap();
    check_assertion(&forms[0], &old, network.environment.now.as_secs());
    assert_eq!(renewed.session.auth_method(), session.auth_method());
    let mut forms = Vec::new();
    let login = rotated.authorize(Subject::parse("alice.example.com").unwrap());
    let _ = run(&mut network, login, None, &mut forms).unwrap();
    check_assertion(&forms[0], &new, network.environment.now.as_secs());
    // Both keys are published.
    for key in [&old, &new] {
        assert!(rotated.jwks().contains(key.kid()));
    }

    // A revoked key is not published, and its session fails before anything is sent.
    let revoking = builder([new.clone()]).revoked_key(old.kid()).build().unwrap();
    assert!(!revoking.jwks().contains(old.kid()));
    let mut forms = Vec::new();
    let failed = run(&mut network, revoking.refresh(session), None, &mut forms).unwrap_err();
    let expected = SessionError::KeyRevoked { kid: old.kid().to_owned() };
    assert!(expected.needs_login());
    assert_eq!(failed.error, expected.into());
    assert_eq!(forms, [] as [Value; 0]);
}

#[test]
fn a_set_of_keys_without_an_active_one_or_with_a_revoked_one_is_refused() {
    // Rule F-07
    let key = || ClientKey::new(signer(1)).unwrap();
    let refused = |builder: ClientBuilder| builder.build().unwrap_err();
    let none: [ClientKey; 0] = [];
    assert_eq!(refused(builder(none).retired_key(key())), ConfigError::NoActiveKey.into());
    let kid = key().kid().to_owned();
    let revoked = Error::from(ConfigError::RevokedKey(kid.clone()));
    assert_eq!(refused(builder([key()]).revoked_key(&kid)), revoked);
    let other = ClientKey::new(signer(2)).unwrap();
    assert_eq!(refused(builder([other]).retired_key(key()).revoked_key(&kid)), revoked);
    assert_eq!(refused(builder([key()]).retired_key(key())), ConfigError::SameKid(kid).into());
}

#[test]
fn the_sessions_of_each_key_are_counted() {
    // Rule F-13
    let [old, new] = [1, 2].map(|byte| ClientKey::new(signer(byte)).unwrap());
    let mut network = Network::new();
    let rotated = builder([new.clone()]).retired_key(old.clone()).build().unwrap();
    let sessions = Sessions::new(&rotated);
    let (mut sandbox, mut process) = (Sandbox::new(1), Process::new(1));
    for (client, count) in [(client([old.clone()]), 2), (client([new.clone()]), 1), (client([]), 1)]
    {
        for _ in 0..count {
            let session = network.session(&client);
            sandbox.run_in(&mut process, sessions.add(session)).unwrap();
        }
    }
    let count = sandbox.run_in(&mut process, sessions.count_keys()).unwrap();
    assert_eq!((count.of(old.kid()), count.of(new.kid())), (2, 1));
    assert_eq!((count.public, count.unreadable, count.of("other")), (1, 0, 0));
}
