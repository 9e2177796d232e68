//! `call`: sends one XRPC request to the account's server, with a stored session.

use clap::Args;

use crate::account::accounts;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::method::Method;
use crate::reply::Reply;

#[derive(Args, Debug)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) method: Method,

    /// Account to call the method for, if several are logged in
    #[arg(long, env = "ATPROTO_OAUTH_ACCOUNT", value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) format: Reply,

    #[command(flatten)]
    pub(crate) common: Common,
}

pub(crate) fn run(call: &Call) -> Result<(), Failure> {
    let common = &call.common;
    let request = call.method.request()?;
    let stored = accounts::newest(&common.folder, call.account.as_deref())?;
    let (_, reply) = accounts::send(stored, request, common)?;
    call.format.print(&reply.response)
}
