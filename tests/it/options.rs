//! Options of a client and of a login, as a server sees them.

use atproto_oauth_core::{
    CallbackParams, Client, ClientBuilder, Error, InputError, Origin, OriginError, Scopes, Subject,
};
use atproto_oauth_tests::replayer::network::Network;
use atproto_sansio::{Body, Call, Flow, Machine, Output};
use proptest::prelude::*;

/// Runs `machine`, and returns its result and the forms that it sent.
fn run<M: Machine>(
    network: &mut Network,
    machine: M,
) -> (Result<M::Output, M::Error>, Vec<String>) {
    let mut flow = Flow::new(machine);
    let mut forms = Vec::new();
    loop {
        match flow.poll_output(&mut network.environment.env()) {
            Output::Call(call) => {
                if let Call::Http(call) = &call
                    && let Body::Bytes(body) = call.request.body()
                    && !body.is_empty()
                {
                    forms.push(String::from_utf8(body.to_vec()).unwrap());
                }
                flow.handle_reply(network.answer(call));
            }
            Output::Wait => panic!("every call was answered"),
            Output::Done(result) => return (result, forms),
        }
    }
}

fn scopes() -> Scopes {
    Scopes::parse("atproto").unwrap()
}

#[test]
fn a_login_without_an_account_goes_to_the_default_server() {
    // Rule B-59
    let mut network = Network::new();
    let server = Origin::parse("https://pds.example.com", false).unwrap();
    let client = Client::loopback(scopes()).default_server(server.clone()).build().unwrap();
    let (begun, forms) = run(&mut network, client.authorize(Subject::DefaultServer));
    let pending = begun.unwrap().pending;
    assert_eq!((pending.subject(), pending.issuer()), (server.as_str(), &server));
    assert_eq!(pending.expected(), None);
    assert!(!forms.is_empty() && !forms.iter().any(|form| form.contains("login_hint")));
}

#[test]
fn a_server_of_a_development_network_is_refused_with_the_name_of_the_option() {
    // Rule M-07
    let mut network = Network::new();
    let client = network.client();
    for server in ["http://localhost:2583", "http://pds.test", "https://127.0.0.1:8443"] {
        let (begun, _) = run(&mut network, client.authorize(Subject::parse(server).unwrap()));
        let error = begun.unwrap_err();
        let why = OriginError::Development;
        assert_eq!(error, Error::Input(InputError::Server { input: server.to_owned(), why }));
        assert!(error.to_string().contains("`ClientBuilder::development`"), "{error}");
        assert!(error.to_string().contains("--development"), "{error}");
    }
}

#[test]
fn a_written_port_of_a_redirect_uri_is_published_and_sent() {
    // Rules C-32, C-36
    let mut network = Network::new();
    let declared = "http://127.0.0.1:80/cb";
    let client = Client::native("https://app.example.com/client.json", scopes())
        .redirect_uri(declared)
        .build()
        .unwrap();
    assert!(client.metadata().unwrap().contains(declared));
    let here = || url::Url::parse(declared).unwrap();
    let subject = || Subject::parse("alice.example.com").unwrap();
    for login in [client.authorize(subject()), client.authorize(subject()).redirect_uri(here())] {
        let (begun, forms) = run(&mut network, login);
        let sent = "redirect_uri=http%3A%2F%2F127.0.0.1%3A80%2Fcb";
        assert!(!forms.is_empty() && forms.iter().all(|form| form.contains(sent)), "{forms:?}");
        let pending = begun.unwrap().pending;
        let back =
            format!("{declared}?state={}&iss=https://pds.example.com&code=c", pending.state());
        let params = CallbackParams::parse(&back).unwrap();
        let (finished, forms) = run(&mut network, client.callback(pending, params));
        assert!(finished.is_ok(), "{finished:?}");
        assert!(forms.iter().any(|form| form.contains(sent)), "{forms:?}");
    }
    let elsewhere = "http://127.0.0.1:8080/cb".parse().unwrap();
    let (refused, _) = run(&mut network, client.authorize(subject()).redirect_uri(elsewhere));
    assert!(matches!(refused.unwrap_err(), Error::Input(InputError::RedirectUriNotDeclared(_))));
}

#[test]
fn the_error_of_a_redirect_uri_says_how_to_declare_it() {
    // Rule C-31
    let mut network = Network::new();
    let client = Client::loopback(scopes()).build().unwrap();
    for (uri, way) in [
        ("http://127.0.0.1:8080/cb", "`redirect_path`"),
        ("http://localhost.app.client.dev/", "`redirect_uri`"),
        ("http://localhost:8080/", "127.0.0.1 or [::1]"),
        ("http://localhost/", "127.0.0.1 or [::1]"),
    ] {
        let login = client.authorize(Subject::DefaultServer).redirect_uri(uri.parse().unwrap());
        let error = run(&mut network, login).0.unwrap_err().to_string();
        assert!(error.contains(uri) && error.contains(way), "{error}");
    }
}

#[test]
fn an_error_about_a_url_does_not_repeat_its_password() {
    // Rule K-05
    let secret = "https://user:secret@app.example.com/cb";
    let client = Client::web(secret, scopes()).redirect_uri(secret).build().unwrap_err();
    let redirect = Client::web("https://app.example.com/c.json", scopes()).redirect_uri(secret);
    let redirect = redirect.build().unwrap_err();
    let path = Client::loopback(scopes()).redirect_path("user:secret@host").build().unwrap_err();
    let asked = Network::new().client().authorize(Subject::DefaultServer);
    let asked = run(&mut Network::new(), asked.redirect_uri(secret.parse().unwrap())).0;
    for error in [client, redirect, path, asked.unwrap_err()] {
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn a_callback_at_another_url_is_refused_with_both_urls() {
    // Rules D-53, K-05, M-07
    let mut network = Network::new();
    let client = network.client();
    let pending = network.pending(&client);
    let back = format!("https://user:secret@127.0.0.1/callback?state={}&code=c", pending.state());
    let params = CallbackParams::parse(&back).unwrap();
    let (finished, _) = run(&mut network, client.callback(pending, params));
    let error = finished.unwrap_err().error;
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    let error = error.to_string();
    assert!(error.contains("at https://…@127.0.0.1/callback,"), "{error}");
    assert!(error.contains("not at http://127.0.0.1/callback "), "{error}");
}

proptest! {
    #[test]
    fn a_loopback_client_id_is_read_as_it_was_written(
        scopes in prop::collection::btree_set("[!#-\\[\\]-~]{1,12}", 0..4),
        path in "/[a-z0-9/._~-]{0,12}",
    ) {
        // Rules C-46, C-47
        let scopes = scopes.into_iter().filter(|scope| scope != "atproto");
        let list = std::iter::once("atproto".to_owned()).chain(scopes).collect::<Vec<_>>().join(" ");
        let Ok(scopes) = Scopes::parse(&list) else { return Ok(()) };
        let Ok(client) = Client::loopback(scopes.clone()).redirect_path(path).build() else {
            return Ok(());
        };
        let again = ClientBuilder::from_loopback_client_id(client.client_id()).unwrap();
        let again = again.build().unwrap();
        prop_assert_eq!(again.client_id(), client.client_id());
        prop_assert_eq!(again.scopes(), &scopes);
    }

    #[test]
    fn a_published_client_id_keeps_its_spelling(text in "https://[a-z.A-Z0-9:-]{1,20}/[ -~]{0,20}") {
        // Rule C-03
        let scopes = Scopes::parse("atproto").unwrap();
        let client = Client::web(&*text, scopes).redirect_uri("https://app.client.dev/callback");
        if let Ok(client) = client.build() {
            prop_assert_eq!(client.client_id(), &text);
            let url = url::Url::parse(&text).unwrap();
            prop_assert_eq!(url.as_str(), &text);
        }
    }
}
