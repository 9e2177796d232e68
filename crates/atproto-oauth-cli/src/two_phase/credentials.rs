//! `credentials`: renews the credentials of an earlier login, and calls methods with them.

use atproto_oauth_core::xrpc;
use clap::{Args, Subcommand};

use crate::failure::{Failure, USAGE};
use crate::method::Method;
use crate::network;
use crate::output::Format;
use crate::reply::Reply;
use crate::two_phase::source::{Source, renew};
use crate::two_phase::values;

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
    pub(crate) form: Format,

    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) method: Method,

    #[command(flatten)]
    pub(crate) reply: Reply,

    #[command(flatten)]
    pub(crate) source: Source,
}

pub(crate) fn run(verb: &Credentials) -> Result<(), Failure> {
    match verb {
        Credentials::Refresh(options) => refresh(options),
        Credentials::Call(call) => send(call),
    }
}

fn refresh(options: &Refresh) -> Result<(), Failure> {
    let session = renew(&options.source, options.form)?.session;
    match options.source.destination() {
        // Without a file, the result has been printed.
        None => Ok(()),
        Some(file) => options.form.print("", &values::described(&session, Some(file), None)),
    }
}

/// The renewed credentials are stored or printed before the method is called, whatever becomes of
/// the call.
fn send(call: &Call) -> Result<(), Failure> {
    let request = call.method.request()?;
    if call.reply.json && call.source.destination().is_none() {
        let message =
            "with --json, the reply is the only output, so the renewed credentials need a file";
        return Err(Failure::new(USAGE, message, "name it with --file or --output"));
    }
    let renewed = renew(&call.source, Format { json: call.reply.json })?;
    let places = network::places(&renewed.session);
    let places = places.each_ref().map(String::as_str);
    let reply = renewed
        .app
        .request(&renewed.session, request)
        .map_err(|error| network::explain(error, &call.source.network, &places))?;
    xrpc::check(&reply.response)?;
    call.reply.print(&reply.response)
}
