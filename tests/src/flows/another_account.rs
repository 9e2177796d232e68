//! The user signs in with another account than the login was begun for.

use atproto_oauth_core::{AuthorityError, CallbackParams, Error};

use crate::flows::{Stage, Wire};

pub fn tokens_of_another_account_are_revoked_and_not_returned(stage: &dyn Stage) {
    let client = stage.client();
    let (alice, carol) = (stage.account("alice"), stage.account("carol"));
    let mut wire = Wire::of(stage, &alice.issuer);
    let begun = stage.begin(&*client, &alice.handle);
    let back = stage.approve(&begun.url, &carol.handle);
    let params = CallbackParams::parse(&back).unwrap();
    let failed = client.callback(begun.pending, params).unwrap_err();
    let Error::Authority(AuthorityError::SubjectMismatch { expected, found }) = &failed.error
    else {
        panic!("{failed:?}")
    };
    assert_eq!(expected.as_str(), alice.did);
    assert_eq!(found.as_str(), carol.did);
    assert!(failed.error.is_security());

    // The server received a revocation of each token; `step` checks their proofs.
    let seen = wire.step();
    assert_eq!(seen.iter().filter(|line| *line == "POST /oauth/revoke 200").count(), 2);
}
