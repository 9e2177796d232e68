//! A callback is accepted from the place that its login asked for, and from no other.

use atproto_oauth_core::{CallbackParams, CallbackProblem, Error, Pending, ResponseMode, Subject};
use atproto_oauth_tests::replayer::network::Network;

const HERE: &str = "http://127.0.0.1/callback";

/// Begins a login with `mode`, or without the parameter.
fn begin(network: &mut Network, mode: Option<ResponseMode>) -> Pending {
    let client = network.client();
    let login = client.authorize(Subject::parse("alice.example.com").unwrap());
    let login = match mode {
        Some(mode) => login.response_mode(mode),
        None => login,
    };
    network.run(login).unwrap().pending
}

/// Finishes the login with a callback whose parameters take the place of `…` in `text`.
fn finish(network: &mut Network, pending: &Pending, text: &str) -> Result<(), Error> {
    let params = CallbackParams::parse(&text.replace('…', &parameters(pending))).unwrap();
    finish_with(network, pending, params)
}

fn finish_with(
    network: &mut Network,
    pending: &Pending,
    params: CallbackParams,
) -> Result<(), Error> {
    let client = network.client();
    let done = network.run(client.callback(pending.clone(), params));
    done.map(drop).map_err(|failed| failed.error)
}

fn parameters(pending: &Pending) -> String {
    format!("state={}&iss=https%3A%2F%2Fpds.example.com&code=c-1", pending.state())
}

fn is_refused(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Callback(CallbackProblem::ResponseMode { .. })))
}

#[test]
fn a_callback_by_another_response_mode_is_refused() {
    // Rules D-10, D-53
    use ResponseMode::{FormPost, Fragment, Query};
    let mut network = Network::new();
    for (text, modes) in [
        (&*format!("{HERE}?…"), &[Query][..]),
        ("?…", &[Query]),
        ("/callback?…", &[Query]),
        (&format!("{HERE}?…#_=_"), &[Query]),
        (&format!("{HERE}#…"), &[Fragment]),
        (&format!("{HERE}?own=x#…"), &[Fragment]),
        ("#…", &[Fragment]),
        ("/callback#…", &[Fragment]),
        ("/callback?own=x#…", &[Fragment]),
        ("…", &[Query, FormPost]),
    ] {
        for asked in [None, Some(Query), Some(Fragment), Some(FormPost)] {
            let pending = begin(&mut network, asked);
            let result = finish(&mut network, &pending, text);
            if modes.contains(&asked.unwrap_or(Query)) {
                assert_eq!(result, Ok(()), "{text} {asked:?}");
            } else {
                assert!(is_refused(&result), "{text} {asked:?}: {result:?}");
            }
        }
    }
}

#[test]
fn a_program_may_name_the_place_of_the_parameters() {
    // Rules D-10, D-53
    use ResponseMode::{FormPost, Fragment, Query};
    let mut network = Network::new();
    for asked in [Query, Fragment, FormPost] {
        let pending = begin(&mut network, Some(asked));
        let pairs = parameters(&pending);
        let params =
            || CallbackParams::from_pairs(url::form_urlencoded::parse(pairs.as_bytes())).unwrap();
        assert_eq!(finish_with(&mut network, &pending, params()), Ok(()));
        for mode in [Query, Fragment, FormPost] {
            let result = finish_with(&mut network, &pending, params().received_by(mode));
            if mode == asked {
                assert_eq!(result, Ok(()), "{mode}");
            } else {
                assert!(is_refused(&result), "{mode} {asked}: {result:?}");
            }
        }
    }
}

#[test]
fn a_callback_that_is_split_between_query_and_fragment_is_refused() {
    // Rule D-10
    let mut network = Network::new();
    for asked in [ResponseMode::Query, ResponseMode::Fragment] {
        let pending = begin(&mut network, Some(asked));
        let split = parameters(&pending).replace("&code", "#code");
        let result = finish(&mut network, &pending, &format!("?{split}"));
        assert!(is_refused(&result), "{result:?}");
    }
}

#[test]
fn a_login_of_an_older_version_has_no_mode_and_takes_each() {
    // Rule D-12
    let mut network = Network::new();
    let pending = begin(&mut network, None);
    let mut stored: serde_json::Value =
        serde_json::from_str(pending.to_json().unwrap().expose()).unwrap();
    assert_eq!(stored["response_mode"], "query");
    stored.as_object_mut().unwrap().remove("response_mode");
    let old = Pending::from_json(&stored.to_string()).unwrap();
    for text in ["?…", "#…", "…"] {
        assert_eq!(finish(&mut network, &old, text), Ok(()), "{text}");
    }
}
