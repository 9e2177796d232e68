//! `credentials`: renews the credentials of an earlier login, and calls methods with them.

use atproto_oauth_core::xrpc;
use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::method::Method;
use crate::two_phase::source::{Source, renew};
use crate::{network, output};

#[derive(Debug, Subcommand)]
pub(crate) enum Credentials {
    /// Renew the credentials, and print them or write them back to their file
    Refresh(Refresh),
    /// Renew the credentials, store them, call an XRPC method and print the response
    Call(Call),
}

#[derive(Args, Debug)]
pub(crate) struct Refresh {
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) method: Method,

    #[command(flatten)]
    pub(crate) source: Source,
}

pub(crate) fn run(verb: &Credentials) -> Result<(), Failure> {
    match verb {
        Credentials::Refresh(refresh) => renew(&refresh.source).map(drop),
        Credentials::Call(call) => send(call),
    }
}

/// The renewed credentials are stored or printed before the method is called, whatever becomes of
/// the call.
fn send(call: &Call) -> Result<(), Failure> {
    let request = call.method.request()?;
    let renewed = renew(&call.source)?;
    let places = network::places(&renewed.session);
    let places = places.each_ref().map(String::as_str);
    let reply = renewed
        .app
        .request(&renewed.session, request)
        .map_err(|error| network::explain(error, &call.source.network, &places))?;
    xrpc::check(&reply.response)?;
    output::print(reply.response.body())
}
