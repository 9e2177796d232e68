//! `Debug` and `Display` output has no secrets: tokens, keys, codes, verifiers.

use std::fmt::Debug;

use atproto_oauth_core::{CallbackParams, Client, Credentials, Subject, xrpc};
use atproto_oauth_tests::replayer::network::Network;
use atproto_sansio::{Call, Flow, Output};
use serde_json::Value;

/// Names and values of secrets that no output may contain.
struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Adds the members `names` of a stored login or session, and the private key in `dpop_key`.
    fn collect(&mut self, json: &str, names: &[&str]) {
        let json: Value = serde_json::from_str(json).unwrap();
        for name in names {
            self.0.push(((*name).to_owned(), json[name].as_str().unwrap().to_owned()));
        }
        self.0.push(("d".to_owned(), json["dpop_key"]["d"].as_str().unwrap().to_owned()));
    }

    fn check(&self, value: &impl Debug) {
        for text in [format!("{value:?}"), format!("{value:#?}")] {
            self.check_text(&text);
        }
    }

    fn check_text(&self, text: &str) {
        for (name, secret) in &self.0 {
            assert!(!text.contains(secret.as_str()), "the secret {name} is in {text}");
        }
    }
}

#[test]
fn no_debug_output_of_a_value_has_a_secret() {
    let mut secrets = Secrets(vec![("code".to_owned(), "secret-code".to_owned())]);
    for token in ["secret-at", "secret-rt"] {
        secrets.0.push((token.to_owned(), token.to_owned()));
    }
    let mut network = Network::with_secret_tokens();
    let client: Client = network.client();

    let begun =
        network.run(client.authorize(Subject::parse("alice.example.com").unwrap())).unwrap();
    secrets.collect(begun.pending.to_json().unwrap().expose(), &["code_verifier"]);
    secrets.check(&begun);
    secrets.check(&begun.pending.to_json().unwrap());

    let params =
        format!("state={}&iss=https://pds.example.com&code=secret-code", begun.pending.state());
    let params = CallbackParams::parse(&params).unwrap();
    secrets.check(&params);
    let exchange = client.callback(begun.pending, params);
    secrets.check(&exchange);
    let logged_in = network.run(exchange).unwrap();
    secrets
        .collect(logged_in.session.to_json().unwrap().expose(), &["access_token", "refresh_token"]);
    secrets.check(&logged_in);
    let session = &logged_in.session;
    secrets.check(session.access_token());
    secrets.check(session.dpop_key());

    let query = xrpc::query("a.b.c", &[]).unwrap();
    secrets.check(&client.request(session, query).unwrap());
    secrets.check(&client.refresh(session.clone()));
    let credentials = Credentials::of(session).unwrap();
    secrets.check(&credentials);
    secrets.check(&client.adopt(credentials));
    secrets.check(&client.revoke(session.clone()));
    secrets.check(&Flow::new(client.refresh(session.clone())));
    secrets.check(&client);
}

#[test]
fn no_debug_output_of_a_call_has_a_secret() {
    let mut network = Network::with_secret_tokens();
    let client = network.client();
    let session = network.session(&client);
    let mut secrets = Secrets(Vec::new());
    secrets.collect(session.to_json().unwrap().expose(), &["access_token", "refresh_token"]);
    let mut flow = Flow::new(client.revoke(session));
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(call) => {
                secrets.check(&call);
                flow.handle_reply(network.answer(call));
            }
            Output::Wait => panic!("every call was answered"),
            Output::Done(result) => return assert!(result.is_ok()),
        }
    }
}

/// The server puts tokens into responses that are malformed in various ways.
#[test]
fn no_error_has_a_secret() {
    // An error shortens the text of a server, and quotes no token in the response.
    let bodies = [
        r#"{"access_token":{"x":"secret-at"},"refresh_token":"secret-rt"}"#,
        r#"{"access_token":"secret-at","refresh_token":"secret-rt","token_type":"Bearer"}"#,
        r#"{"access_token":"secret-at secret-at","token_type":"DPoP","scope":"atproto",
            "sub":"did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#,
        r#"{"access_token":"secret-at","access_token":"secret-at"}"#,
        r#"{"access_token":"secret-at""#,
        r#""secret-at""#,
        "secret-at",
    ];
    let secrets =
        ["secret-at", "secret-rt"].map(|secret| ("a token".to_owned(), secret.to_owned()));
    let secrets = Secrets(secrets.to_vec());
    for body in bodies {
        for status in [200, 400, 500] {
            let mut network = Network::with_secret_tokens();
            let client = network.client();
            let session = network.session(&client);
            network.mutate(move |_, url, response| {
                if url.ends_with("/oauth/token") {
                    *response.body_mut() = body.into();
                    *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
                }
            });
            let error = network.run(client.refresh(session)).unwrap_err();
            secrets.check(&error);
            secrets.check_text(&error.to_string());
        }
    }
}

#[test]
fn no_debug_output_of_a_running_machine_has_a_secret() {
    let mut network = Network::with_secret_tokens();
    let client = network.client();
    let session = network.session(&client);
    let mut secrets = Secrets(Vec::new());
    secrets.collect(session.to_json().unwrap().expose(), &["access_token", "refresh_token"]);
    let mut machine = client.refresh(session);
    let mut flow = Flow::new(&mut machine);
    let mut calls: Vec<Call> = Vec::new();
    while let Output::Call(call) = flow.poll_output(&mut network.environment.env()) {
        secrets.check(&call);
        calls.push(call);
    }
    secrets.check(&flow);
    secrets.check(&machine);
}
