//! What can be asked of the command.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

/// Logs in to AT Protocol services with OAuth, and calls them.
#[derive(Debug, Parser)]
#[command(name = "atproto-oauth", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in through the browser and keep the session
    Login(Login),
    /// Call a method of the account's server and print its answer
    Call(Call),
    /// Show a whole login, step by step, in a network of its own
    Demo,
    /// Run a network on this machine, to try clients against
    Sandbox(Sandbox),
}

/// What both verbs need.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// The file that keeps the session, readable by its owner only
    #[arg(long, global = true, env = "ATPROTO_OAUTH_SESSION", value_name = "FILE")]
    pub(crate) session: Option<PathBuf>,

    /// A directory of did:plc documents, in place of plc.directory; several are tried in turn
    #[arg(long, global = true, value_name = "URL", help_heading = "Network")]
    pub(crate) plc_directory: Vec<Url>,

    /// The DNS server to ask for handles, in place of the system's
    #[arg(long, global = true, value_name = "ADDRESS:PORT", help_heading = "Network")]
    pub(crate) nameserver: Option<SocketAddr>,

    /// Allow a development network: loopback, plain http and .test
    #[arg(long, global = true, help_heading = "Network")]
    pub(crate) development: bool,

    /// Connect to this address for a host of the development network
    #[arg(
        long,
        global = true,
        value_name = "HOST=ADDRESS:PORT",
        value_parser = host_address,
        requires = "development",
        help_heading = "Network"
    )]
    pub(crate) connect_to: Vec<(String, SocketAddr)>,

    /// Trust this certificate authority (PEM) instead of the public ones
    #[arg(long, global = true, value_name = "FILE", help_heading = "Network")]
    pub(crate) ca_certificate: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// A handle, a DID, or the URL of a server
    #[arg(value_name = "HANDLE|DID|SERVER", default_value = "https://bsky.social")]
    pub(crate) subject: String,

    /// What to ask for, separated by spaces; atproto must be among it
    #[arg(long, default_value = "atproto transition:generic")]
    pub(crate) scope: String,

    /// Print the URL and do not open a browser
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Accept servers that do not send the DPoP nonces that the specification demands
    #[arg(long)]
    pub(crate) accept_missing_nonces: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Call {
    /// The method, such as com.atproto.server.getSession
    pub(crate) nsid: String,

    /// Parameters: key=text, or key:=json in the input of a procedure
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,

    /// Call it as a procedure (POST), whatever its name suggests
    #[arg(long, conflicts_with = "query")]
    pub(crate) procedure: bool,

    /// Call it as a query (GET), whatever its name suggests
    #[arg(long)]
    pub(crate) query: bool,

    /// Send the bytes of a file, as com.atproto.repo.uploadBlob takes them
    #[arg(long, value_name = "FILE", conflicts_with = "query", requires = "content_type")]
    pub(crate) file: Option<PathBuf>,

    /// The type of the file's bytes, such as image/png
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,

    /// Have the account's server pass the call on, such as to did:web:api.bsky.app#bsky_appview
    #[arg(long, value_name = "DID#SERVICE")]
    pub(crate) proxy: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Sandbox {
    /// What everything random in it follows from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// The first of nine fixed ports in a row; otherwise the system chooses them
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Print one line of JSON, for scripts, and nothing else
    #[arg(long)]
    pub(crate) json: bool,
}

fn host_address(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or("it must be HOST=ADDRESS:PORT")?;
    let address = address.parse().map_err(|_| format!("`{address}` is not ADDRESS:PORT"))?;
    Ok((host.to_owned(), address))
}

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 the server refused the call, 2 usage, 3 configuration or files, \
4 the account or its server was not found, 5 the login was refused, 6 the session is over, \
7 the network failed (try again), 8 a check of security failed";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_login_needs_no_argument() {
        let arguments = Arguments::try_parse_from(["atproto-oauth", "login"]).unwrap();
        let Command::Login(login) = arguments.command else { unreachable!() };
        assert_eq!(login.subject, "https://bsky.social");
    }
}
