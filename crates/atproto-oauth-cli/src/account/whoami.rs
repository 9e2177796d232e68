//! `whoami`: asks the account's server who is logged in.

use atproto_oauth_core::xrpc;
use clap::Args;
use serde_json::{Value, json};

use crate::account::accounts;
use crate::arguments::Common;
use crate::failure::Failure;
use crate::output::Format;

#[derive(Args, Debug)]
pub(crate) struct Whoami {
    /// Account to ask for, if several are logged in
    #[arg(value_name = "HANDLE|DID", env = "ATPROTO_OAUTH_ACCOUNT")]
    account: Option<String>,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(options: &Whoami) -> Result<(), Failure> {
    let common = &options.common;
    let stored = accounts::newest(&common.folder, options.account.as_deref())?;
    let request = xrpc::query("com.atproto.server.getSession", &[])?;
    let (stored, reply) = accounts::send(stored, request, common)?;
    let answer: Value = xrpc::json(&reply.response)?;
    let session = &stored.session;
    // The server's answer may have a newer handle than the login.
    let handle = answer.get("handle").and_then(Value::as_str);
    let handle = handle.unwrap_or_else(|| accounts::name(session));
    let (did, pds) = (session.did(), session.pds());
    let handle = atproto_sansio::printable(handle);
    let text = format!("{handle} ({did}) at {pds}\n");
    options.format.print(&text, &json!({ "handle": handle, "did": did, "pds": pds }))
}
