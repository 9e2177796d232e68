//! The user denies the login at the authorization page.

use atproto_oauth_core::{CallbackParams, Error, Subject};

use crate::flows::{CALLBACK, Stage};

pub fn a_denied_consent_is_reported_with_the_app_state(stage: &dyn Stage) {
    let client = stage.client();
    let alice = stage.account("alice");
    let begun = client
        .authorize(Subject::parse(&alice.handle).unwrap(), &|login| {
            login.redirect_uri(CALLBACK.parse().unwrap()).app_state("where I was")
        })
        .unwrap();
    let back = stage.deny(&begun.url);
    stage.clear_log();
    let params = CallbackParams::parse(&back).unwrap();
    let failed = client.callback(begun.pending, params).unwrap_err();
    let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
    assert_eq!(denied.error, "access_denied");
    assert!(!denied.unverified, "the denial has the `iss` of its server");
    assert_eq!(failed.app_state.as_deref(), Some("where I was"));
    assert!(stage.log(&alice.issuer).is_empty(), "no token request is sent");
}
