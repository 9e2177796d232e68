//! Response modes and prompts of the authorization request.

use atproto_oauth_core::{
    Authorization, Authorize, CallbackParams, Error, Prompt, ResponseMode, Subject,
};

use crate::flows::{Adapter, CALLBACK, Stage};

/// Begins a login of alice with `options`.
fn begin(
    stage: &dyn Stage,
    client: &dyn Adapter,
    options: &dyn Fn(Authorize) -> Authorize,
) -> Authorization {
    let alice = stage.account("alice");
    client.authorize(Subject::parse(&alice.handle).unwrap(), options).unwrap()
}

pub fn the_answer_comes_in_the_query_the_fragment_or_a_form(stage: &dyn Stage) {
    let alice = stage.account("alice");
    // A loopback client, because the redirect URI of a web client receives only queries.
    let client = stage.client();
    for mode in [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost] {
        let begun = begin(stage, &*client, &|login| {
            login.redirect_uri(CALLBACK.parse().unwrap()).response_mode(mode)
        });
        let back = stage.approve(&begun.url, &alice.handle);
        assert!(back.starts_with(CALLBACK), "{back}");
        assert_eq!(back.contains('#'), mode != ResponseMode::Query, "{back}");
        let params = match mode {
            ResponseMode::FormPost => {
                let (_, fields) = back.split_once('#').unwrap();
                CallbackParams::from_pairs(url::form_urlencoded::parse(fields.as_bytes()))
            }
            _ => CallbackParams::parse(&back),
        };
        let session = client.callback(begun.pending, params.unwrap()).unwrap().session;
        assert_eq!(session.did().as_str(), alice.did, "{mode:?}");
    }
}

pub fn each_prompt_can_be_requested(stage: &dyn Stage) {
    let client = stage.client();
    let alice = stage.account("alice");
    for prompt in [Prompt::Login, Prompt::Consent, Prompt::SelectAccount, Prompt::Create] {
        let begun = begin(stage, &*client, &|login| {
            login.redirect_uri(CALLBACK.parse().unwrap()).prompt(prompt)
        });
        if prompt == Prompt::Create {
            continue; // the page of the server creates an account
        }
        let back = stage.approve(&begun.url, &alice.handle);
        let params = CallbackParams::parse(&back).unwrap();
        assert!(client.callback(begun.pending, params).is_ok(), "{prompt:?}");
    }
}

pub fn a_silent_login_fails_if_the_browser_is_not_signed_in(stage: &dyn Stage) {
    let alice = stage.account("alice");
    // Servers allow `prompt=none` to confidential clients only.
    for client in [stage.confidential(), stage.confidential_with_remote_key()] {
        let client = stage.run(client);
        let begun = begin(stage, &*client, &|login| login.prompt(Prompt::None));
        let back = stage.approve(&begun.url, &alice.handle);
        assert_eq!(begun.pending.prompt(), Some(Prompt::None));
        let params = CallbackParams::parse(&back).unwrap();
        let failed = client.callback(begun.pending, params).unwrap_err();
        let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
        assert_eq!(denied.error, "login_required");
    }
}
