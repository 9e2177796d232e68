//! Builds the OAuth client and the driver from the command's options.

use std::fs;

use atproto_identity::Resolver;
use atproto_oauth_core::{
    Client, ClientBuilder, Error, InputError, Scopes, Session, SessionChange, SessionEvent,
};
use atproto_oauth_ureq::{Driver, DriverBuilder, OAuthClient, OAuthClientBuilder, StatelessClient};
use atproto_sansio::is_development_host;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

use crate::account::login::Login;
use crate::account::store;
use crate::arguments::{Common, Folder, Network};
use crate::client;
use crate::failure::{CONFIGURATION, Failure};
use crate::output::tell;
use crate::progress;
use crate::words;

/// Path of the redirect URI, which the listener accepts.
pub(crate) const CALLBACK: &str = "/callback";

/// Builds a loopback client for a new login, with the scopes of the options.
fn new_client(login: &Login) -> Result<Client, Failure> {
    let scopes = Scopes::parse(&login.scope).map_err(InputError::from)?;
    let builder = Client::loopback(scopes).redirect_path(CALLBACK);
    Ok(configure(builder, &login.network).build()?)
}

/// Builds the client of a stored session, from the `client_id` of the session.
pub(crate) fn client_of(session: &Session, common: &Common) -> Result<Client, Failure> {
    client::of_session(session.client_id(), &common.key, &common.network)
}

/// Sets the options of the network.
pub(crate) fn configure(builder: ClientBuilder, network: &Network) -> ClientBuilder {
    let resolver = match network.plc_directory.as_slice() {
        [] => Resolver::new(),
        directories => Resolver::new().with_directories(directories.iter().cloned()),
    };
    let builder = builder.resolver(resolver);
    if network.development { builder.development() } else { builder }
}

/// An OAuth client that lists the sessions of any client, and sends no request.
pub(crate) fn offline(folder: &Folder) -> Result<OAuthClient, Failure> {
    let scopes = Scopes::parse("atproto").map_err(InputError::from)?;
    let builder = OAuthClient::builder(Client::loopback(scopes).build()?);
    Ok(builder.store(store::open(folder)?).build().map_err(Error::from)?)
}

/// The OAuth client of `client`, with the store of the options.
pub(crate) fn app(client: Client, common: &Common) -> Result<OAuthClient, Failure> {
    let builder = OAuthClient::builder(client).store(store::open(&common.folder)?).on_event(warn);
    with_network(builder, &common.network)
}

/// Like [`app`], for a login.
pub(crate) fn app_of_login(login: &Login) -> Result<OAuthClient, Failure> {
    let builder = OAuthClient::builder(new_client(login)?).store(store::open(&login.folder)?);
    with_network(builder.on_event(warn), &login.network)
}

/// Servers of a session, whose names [`explain`] looks at.
pub(crate) fn places(session: &Session) -> [String; 2] {
    [session.pds().to_string(), session.issuer().to_string()]
}

/// Warns of what the result of a call does not tell.
fn warn(event: &SessionEvent) {
    match &event.change {
        SessionChange::NonceMissing(endpoint) => {
            let error = Error::NonceMissing(*endpoint).to_string();
            tell(format_args!("warning: {}", words::of_command(&error)));
        }
        // The failed revocation of a logout is the result of its verb.
        SessionChange::LateTokensRevoked(Err(error)) => {
            let why = words::of_command(&error.to_string());
            tell(format_args!("warning: tokens could not be revoked: {why}"));
        }
        _ => {}
    }
}

/// Advises the option `--development` if it is missing, and if one of these names belongs to a network
/// on this machine. A name is a handle, a DID or a URL.
pub(crate) fn explain(failure: impl Into<Failure>, network: &Network, names: &[&str]) -> Failure {
    match lacks_development(network, names) {
        true => {
            failure.into().help("give --development: the names are of a network on this machine")
        }
        false => failure.into(),
    }
}

/// Whether the option `--development` is missing, because one of these names belongs to a network on this machine.
pub(crate) fn lacks_development(network: &Network, names: &[&str]) -> bool {
    let directories = network.plc_directory.iter().map(Url::as_str);
    let mut names = names.iter().copied().chain(directories);
    !network.development && names.any(|name| is_development_host(host_of(name)))
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

/// A client for machines that use no session.
pub(crate) fn any_client(network: &Network) -> Result<Client, Failure> {
    let scopes = Scopes::parse("atproto").map_err(InputError::from)?;
    Ok(configure(Client::loopback(scopes), network).build()?)
}

/// A driver without a store, for machines that use no session.
pub(crate) fn driver(network: &Network) -> Result<Driver, Failure> {
    let driver = DriverBuilder::default();
    let driver = if network.development { driver.development() } else { driver };
    Ok(drive(driver, network)?.build())
}

/// Builds a client for a program that stores no session here.
pub(crate) fn stateless(client: Client, network: &Network) -> Result<StatelessClient, Failure> {
    let driver = DriverBuilder::default();
    let driver = if client.development() { driver.development() } else { driver };
    Ok(StatelessClient::with_driver(client, drive(driver, network)?.build()))
}

/// Builds the OAuth client, with the options of the network.
fn with_network(builder: OAuthClientBuilder, network: &Network) -> Result<OAuthClient, Failure> {
    let mut result = Ok(());
    let builder = builder.driver(|driver| {
        drive(driver.clone(), network).unwrap_or_else(|failure| {
            result = Err(failure);
            driver
        })
    });
    result?;
    Ok(builder.build().map_err(Error::from)?)
}

/// Sets the options of the network in a driver.
fn drive(mut driver: DriverBuilder, network: &Network) -> Result<DriverBuilder, Failure> {
    match network.trace {
        true => print_trace(),
        false => progress::name_slow_servers(),
    }
    for (host, address) in &network.connect_to {
        driver = driver.host_override(host, *address);
    }
    if let Some(nameserver) = network.nameserver {
        driver = driver.nameserver(nameserver);
    }
    let Some(path) = &network.ca_certificate else { return Ok(driver) };
    let pem =
        fs::read(path).map_err(|error| Failure::file("the certificate file", path, &error))?;
    driver.root_certificate(&pem).map_err(|error| {
        let help = "name a PEM file with certificates with --ca-certificate";
        Failure::new(CONFIGURATION, format!("{}: {error}", path.display()), help)
    })
}

/// Prints the log entries of the adapter from now on. A second call changes nothing.
fn print_trace() {
    let entries = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .with_level(false)
        .without_time()
        // A report of a failed write would go to standard error, too, and panic.
        .log_internal_errors(false);
    let ours = Targets::new().with_target("atproto_oauth_ureq", LevelFilter::TRACE);
    let _ = tracing_subscriber::registry().with(entries.with_filter(ours)).try_init();
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
