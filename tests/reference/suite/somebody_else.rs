//! Somebody else signs in than was asked for.

use atproto_oauth_core::{AuthorityError, CallbackParams, Error};

use crate::network::Network;
use crate::wire;

#[test]
fn the_tokens_of_somebody_else_are_revoked_and_not_handed_out() {
    let network = Network::get();
    let client = network.client();
    let begun = network.begin(&client, "alice.test");
    let callback = network.approve(begun.url.as_str(), "carol.test");
    let params = CallbackParams::parse(&callback).unwrap();
    let failed = client.callback(begun.pending, params).unwrap_err();
    let Error::Authority(AuthorityError::SubjectMismatch { expected, found }) = &failed.error
    else {
        panic!("{failed:?}")
    };
    assert_eq!(expected.as_str(), network.did("alice.test"));
    assert_eq!(found.as_str(), network.did("carol.test"));
    assert!(failed.error.is_security());

    // The server saw both tokens come back, each with a proof.
    let revoked = wire::check(&network);
    let revoked = revoked.iter().filter(|line| *line == "POST /oauth/revoke 200").count();
    assert_eq!(revoked, 2);
}
