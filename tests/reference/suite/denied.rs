//! A user who says no.

use atproto_oauth_core::{CallbackParams, Error};

use crate::network::{CALLBACK, Network};

#[test]
fn a_denied_consent_is_told_with_what_the_application_kept() {
    let network = Network::get();
    let client = network.client();
    let redirect_uri = CALLBACK.parse().unwrap();
    let begun = client
        .authorize_with("alice.test".parse().unwrap(), |authorize| {
            authorize.redirect_uri(redirect_uri).app_state("where I was")
        })
        .unwrap();
    let callback = network.deny(begun.url.as_str());
    network.clear_log();
    let failed =
        client.callback(begun.pending, CallbackParams::parse(&callback).unwrap()).unwrap_err();
    let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
    assert_eq!(denied.error, "access_denied");
    assert!(!denied.unverified, "the reference server names itself in a denial");
    assert_eq!(failed.app_state.as_deref(), Some("where I was"));
    assert_eq!(network.log(), [] as [serde_json::Value; 0], "nothing is exchanged");
}
