//! How the browser brings the answer, and what the server is asked to ask.

use atproto_oauth_core::{CallbackParams, Error, Prompt, ResponseMode, Subject};
use serde_json::{Value, json};

use crate::adapters::Adapter;
use crate::network::{CALLBACK, Network};

/// Begins a login of alice with options.
fn begin(
    client: &dyn Adapter,
    options: impl FnOnce(atproto_oauth_core::Authorize) -> atproto_oauth_core::Authorize,
) -> atproto_oauth_core::Authorization {
    let login = client.client().authorize(Subject::parse("alice.test").unwrap());
    client.authorize(options(login)).unwrap()
}

fn approve(network: &Network, url: &str) -> Value {
    let form =
        json!({"authorization_url": url, "identifier": "alice.test", "password": "alice-pass"});
    network.ask("/approve", &form)
}

#[test]
fn the_answer_comes_in_the_query_the_fragment_or_a_form() {
    let network = Network::get();
    for client in network.clients() {
        if client.client().metadata().is_some() {
            continue; // a web client's redirect URI has no other answers
        }
        for mode in [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost] {
            let redirect_uri = CALLBACK.parse().unwrap();
            let begun =
                begin(&*client, |login| login.redirect_uri(redirect_uri).response_mode(mode));
            let answer = approve(&network, begun.url.as_str());
            let params = match mode {
                ResponseMode::FormPost => {
                    assert_eq!(answer["action"], CALLBACK);
                    let fields = answer["params"].as_object().unwrap();
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    CallbackParams::from_pairs(fields.iter().map(|(name, v)| (name, text(v))))
                }
                _ => {
                    let url = answer["redirect_url"].as_str().unwrap();
                    assert_eq!(url.contains('#'), mode == ResponseMode::Fragment, "{url}");
                    CallbackParams::parse(url)
                }
            };
            let session = client.callback(begun.pending, params.unwrap()).unwrap().session;
            assert_eq!(session.did().as_str(), network.did("alice.test"), "{mode:?}");
        }
    }
}

#[test]
fn the_server_asks_what_it_is_asked_to_ask() {
    let network = Network::get();
    let client = network.client();
    for prompt in [Prompt::Login, Prompt::Consent, Prompt::SelectAccount, Prompt::Create] {
        let redirect_uri = CALLBACK.parse().unwrap();
        let begun = begin(&client, |login| login.redirect_uri(redirect_uri).prompt(prompt));
        if prompt == Prompt::Create {
            continue; // the page signs somebody new up
        }
        let answer = approve(&network, begun.url.as_str());
        let url = answer["redirect_url"].as_str().unwrap_or_else(|| panic!("{prompt:?}: {answer}"));
        let params = CallbackParams::parse(url).unwrap();
        assert!(client.callback(begun.pending, params).is_ok(), "{prompt:?}");
    }
}

#[test]
fn a_silent_login_fails_where_nobody_is_signed_in() {
    let network = Network::get();
    for client in network.clients() {
        if client.client().metadata().is_none() {
            continue; // only a confidential client may ask for it
        }
        let begun = begin(&*client, |login| login.prompt(Prompt::None));
        let answer = approve(&network, begun.url.as_str());
        let url = answer["redirect_url"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(begun.pending.prompt(), Some(Prompt::None));
        let params = CallbackParams::parse(url).unwrap();
        let failed = client.callback(begun.pending, params).unwrap_err();
        let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
        assert_eq!(denied.error, "login_required");
    }
}
