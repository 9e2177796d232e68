//! Builds the OAuth client and the driver from the command's options.

use std::fs;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{Client, ClientBuilder, NoncePolicy, Revocation, Scopes, Session};
use atproto_oauth_ureq::{Driver, OAuthClient};
use atproto_sansio::System;

use crate::arguments::{Common, Login};
use crate::failure::{CONFIGURATION, Failure};

/// Path of the redirect URI, which the listener accepts.
pub(crate) const CALLBACK: &str = "/callback";

/// Builds a loopback client for a new login, with the scopes and the nonce policy of the options.
pub(crate) fn new_client(login: &Login, common: &Common) -> Result<Client, Failure> {
    let scopes = Scopes::parse(&login.scope).map_err(atproto_oauth_core::InputError::from)?;
    let builder = Client::loopback(scopes).redirect_path(CALLBACK);
    let builder = match login.accept_missing_nonces {
        true => builder.nonce_policy(NoncePolicy::Interop),
        false => builder,
    };
    Ok(configure(builder, common).build()?)
}

/// Builds the client of a stored session, from the `client_id` of the session.
pub(crate) fn client_of(session: &Session, common: &Common) -> Result<Client, Failure> {
    let builder = ClientBuilder::from_loopback_client_id(session.client_id())?;
    Ok(configure(builder, common).build()?)
}

fn configure(builder: ClientBuilder, common: &Common) -> ClientBuilder {
    let resolver = match common.plc_directory.as_slice() {
        [] => Resolver::new(),
        directories => Resolver::new().with_directories(directories.iter().cloned()),
    };
    let builder = builder.resolver(resolver);
    if common.development { builder.development() } else { builder }
}

/// Revokes the tokens of a session that can't be stored, because `failure` happened. Returns that
/// failure with the result of the revocation.
pub(crate) fn revoke_unstored(client: &OAuthClient, session: Session, failure: Failure) -> Failure {
    let server = session.issuer().to_string();
    match client.revoke(session) {
        Ok(Revocation::Revoked) => failure.and("the new tokens were revoked: log in again"),
        Ok(_) => failure.and(&format!(
            "the new tokens stay valid until they expire, because {server} can't revoke tokens: \
             remove the access of this command in the settings of the account"
        )),
        Err(error) => failure.and(&format!(
            "the new tokens stay valid until they expire, because revoking them failed: {error}; \
             remove the access of this command in the settings of the account at {server}"
        )),
    }
}

/// Builds the driver that performs HTTP and DNS calls, with the options of the network.
pub(crate) fn driver(common: &Common) -> Result<Driver, Failure> {
    let mut builder = Driver::builder(System::new(P256Keys));
    if common.development {
        builder = builder.development();
    }
    for (host, address) in &common.connect_to {
        builder = builder.host_override(host, *address);
    }
    if let Some(nameserver) = common.nameserver {
        builder = builder.nameserver(nameserver);
    }
    if let Some(path) = &common.ca_certificate {
        let pem =
            fs::read(path).map_err(|error| Failure::file("the certificate file", path, &error))?;
        builder = builder
            .root_certificate(&pem)
            .map_err(|error| Failure::new(CONFIGURATION, format!("{}: {error}", path.display())))?;
    }
    Ok(builder.build())
}
