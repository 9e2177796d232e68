//! `call`: sends one XRPC request to the account's server, with a stored session.

use std::fs;
use std::path::PathBuf;

use atproto_sansio::Body;
use clap::Args;
use http::Request;

use crate::account::accounts;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::method::Method;
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) method: Method,

    /// File to send as the request body, for example to com.atproto.repo.uploadBlob; the parameters
    /// are then in the URL
    #[arg(long, value_name = "FILE", conflicts_with = "query", requires = "content_type")]
    pub(crate) file: Option<PathBuf>,

    /// Media type of the file, for example image/png
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,

    /// Account to call the method for, if several are logged in
    #[arg(long, env = "ATPROTO_OAUTH_ACCOUNT", value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn run(call: &Call) -> Result<(), Failure> {
    let common = &call.common;
    let request = request(call)?;
    let stored = accounts::newest(&common.folder, call.account.as_deref())?;
    let (_, reply) = accounts::send(stored, request, common)?;
    output::print(reply.response.body())
}

fn request(call: &Call) -> Result<Request<Body>, Failure> {
    match (&call.file, &call.content_type) {
        (Some(path), Some(content_type)) => {
            let bytes = fs::read(path).map_err(|error| Failure::file("the file", path, &error))?;
            call.method.upload(content_type, bytes)
        }
        _ => call.method.request(),
    }
}
