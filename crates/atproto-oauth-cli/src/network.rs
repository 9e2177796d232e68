//! Builds the OAuth client and the driver from the command's options.

use std::fs;

use atproto_dpop::P256Keys;
use atproto_identity::Resolver;
use atproto_oauth_core::{Client, ClientBuilder, Revocation, Scopes, Session};
use atproto_oauth_ureq::{Driver, StatelessClient};
use atproto_sansio::{System, is_development_host};
use url::Url;

use crate::arguments::{Common, Login};
use crate::failure::{CONFIGURATION, Failure};

/// Path of the redirect URI, which the listener accepts.
pub(crate) const CALLBACK: &str = "/callback";

/// Builds a loopback client for a new login, with the scopes of the options.
pub(crate) fn new_client(login: &Login) -> Result<Client, Failure> {
    let scopes = Scopes::parse(&login.scope).map_err(atproto_oauth_core::InputError::from)?;
    let builder = Client::loopback(scopes).redirect_path(CALLBACK);
    Ok(configure(builder, &login.common).build()?)
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
pub(crate) fn revoke_unstored(
    client: &StatelessClient,
    session: Session,
    failure: Failure,
) -> Failure {
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

/// Adds the option `--development` to a failure of the library if the option is missing, and if one
/// of these names belongs to a network on this machine. A name is a handle, a DID or a URL.
pub(crate) fn explain(failure: impl Into<Failure>, common: &Common, names: &[&str]) -> Failure {
    let directories = common.plc_directory.iter().map(Url::as_str);
    let mut names = names.iter().copied().chain(directories);
    match !common.development && names.any(|name| is_development_host(host_of(name))) {
        true => failure.into().and("a network on this machine needs the option --development"),
        false => failure.into(),
    }
}

/// Returns the host of a `did:web` or of a URL; any other name is returned unchanged.
fn host_of(name: &str) -> &str {
    let rest = name.strip_prefix("did:web:").or_else(|| Some(name.split_once("://")?.1));
    let rest = rest.unwrap_or(name);
    let rest = rest.split(['/', '%']).next().unwrap_or_default();
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => rest,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_name_is_found() {
        for (name, host) in [
            ("alice.test", "alice.test"),
            ("did:web:localhost%3A2583", "localhost"),
            ("did:plc:z72i7hdynmk6r22z27h6tvur", "did:plc:z72i7hdynmk6r22z27h6tvur"),
            ("http://localhost:2583", "localhost"),
            ("http://127.0.0.1/", "127.0.0.1"),
            ("http://[::1]:2583", "[::1]"),
            ("http://[::1]", "[::1]"),
            ("https://pds.example.com/x", "pds.example.com"),
        ] {
            assert_eq!(host_of(name), host);
        }
        assert!(is_development_host(host_of("http://[::1]:2583")));
    }
}
