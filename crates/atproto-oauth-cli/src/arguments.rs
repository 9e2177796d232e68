//! Subcommands and options of the command, with their help texts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

/// Logs in to AT Protocol accounts with OAuth, and calls methods of their servers.
#[derive(Debug, Parser)]
#[command(name = "atproto-oauth", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in through the browser and store the session
    Login(Login),
    /// Call an XRPC method of the account's server and print the response
    Call(Call),
    /// Log an account out, at its server and here
    Logout(Logout),
    /// Show a complete login step by step, in a temporary network on this machine
    Demo,
    /// Run an AT Protocol network on this machine, to test clients
    Sandbox(Sandbox),
}

/// Options that `login`, `call` and `logout` share.
#[derive(Args, Debug)]
pub(crate) struct Common {
    /// Folder of the sessions, which are encrypted with the key in FOLDER.key; by default,
    /// atproto-oauth/sessions in the user's state directory
    #[arg(long, env = "ATPROTO_OAUTH_SESSIONS", value_name = "FOLDER")]
    pub(crate) sessions: Option<PathBuf>,

    /// PLC directory, instead of plc.directory; if the option is repeated, the next directory is
    /// tried when one fails
    #[arg(long, value_name = "URL", help_heading = "Network")]
    pub(crate) plc_directory: Vec<Url>,

    /// DNS server for lookups of handles, instead of the system's
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Network")]
    pub(crate) nameserver: Option<SocketAddr>,

    /// Allow a development network: loopback addresses, plain http and .test handles
    #[arg(long, help_heading = "Network")]
    pub(crate) development: bool,

    /// Address to connect to for a host of the development network, instead of a DNS lookup
    #[arg(
        long,
        value_name = "HOST=ADDRESS:PORT",
        value_parser = host_address,
        requires = "development",
        help_heading = "Network"
    )]
    pub(crate) connect_to: Vec<(String, SocketAddr)>,

    /// PEM file of a certificate authority to trust, instead of the public ones
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub(crate) ca_certificate: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Account to log in, or URL of a server where the user chooses the account
    #[arg(value_name = "HANDLE|DID|SERVER", default_value = "https://bsky.social")]
    pub(crate) subject: String,

    /// Scopes to request, separated by spaces; atproto is required
    #[arg(long, default_value = "atproto transition:generic")]
    pub(crate) scope: String,

    /// Do not open a browser; only print the URL to open
    #[arg(long)]
    pub(crate) no_browser: bool,

    /// Log earlier sessions of the account out when the new one is stored; by default, they stay
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Call {
    /// Name of the XRPC method, for example com.atproto.server.getSession
    pub(crate) nsid: String,

    /// Parameters as key=text; for the input of a procedure also key:=json. With --file, they are
    /// parameters in the URL
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) params: Vec<String>,

    /// Call the method as a procedure (POST); by default, the verb in its name decides
    #[arg(long, conflicts_with = "query")]
    pub(crate) procedure: bool,

    /// Call the method as a query (GET); by default, the verb in its name decides
    #[arg(long)]
    pub(crate) query: bool,

    /// File to send as the request body, for example to com.atproto.repo.uploadBlob
    #[arg(long, value_name = "FILE", conflicts_with = "query", requires = "content_type")]
    pub(crate) file: Option<PathBuf>,

    /// Media type of the file, for example image/png
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,

    /// Service to which the account's server forwards the call, for example
    /// did:web:api.bsky.app#bsky_appview
    #[arg(long, value_name = "DID#SERVICE")]
    pub(crate) proxy: Option<String>,

    /// Account to call the method for, if several are logged in
    #[arg(long, env = "ATPROTO_OAUTH_ACCOUNT", value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Logout {
    /// Account to log out, if several are logged in
    #[arg(value_name = "HANDLE|DID")]
    pub(crate) account: Option<String>,

    /// Log all accounts out
    #[arg(long, conflicts_with = "account")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Args, Debug)]
pub(crate) struct Sandbox {
    /// Seed of all random values in the network
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,

    /// First of nine consecutive ports; by default, the system chooses free ports
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Print the network's addresses and accounts as one line of JSON, and nothing else
    #[arg(long)]
    pub(crate) json: bool,

    /// Server software that the servers of the network behave like
    #[arg(long, value_name = "SERVER", value_enum, default_value_t = Like::Reference)]
    pub(crate) like: Like,

    /// JSON file to publish for the servers of the network at an https URL: the metadata document
    /// of a client at its client_id, or its JWKS; the option may be repeated. Servers fetch from
    /// public host names only, not from example.com or .test
    #[arg(long, value_name = "URL=FILE", value_parser = client_document)]
    pub(crate) client: Vec<(Url, PathBuf)>,
}

fn host_address(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or("expected HOST=ADDRESS:PORT")?;
    let address =
        address.parse().map_err(|_| format!("`{address}` is not an IP address with a port"))?;
    Ok((host.to_owned(), address))
}

/// Server software whose habits the sandbox has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Like {
    Reference,
    Tranquil,
    Cirrus,
    Ezpds,
    Cocoon,
    Pegasus,
}

/// Parses `URL=FILE`. The last `=` separates them, because a URL may have a query.
fn client_document(text: &str) -> Result<(Url, PathBuf), String> {
    let (url, file) = text.rsplit_once('=').ok_or("expected URL=FILE")?;
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "https");
    let url = url.ok_or("expected an https URL before the last `=`")?;
    if url.port().is_some() || url.fragment().is_some() {
        return Err("servers fetch from URLs without port and fragment only".to_owned());
    }
    Ok((url, file.into()))
}

const EXIT_CODES: &str = "\
Exit codes: 0 success, 1 the server rejected the call, 2 wrong arguments, \
3 a problem with a file, a port or the configuration, 4 the account or its server was not found, \
5 the login was denied or timed out, 6 no valid session (log in again), \
7 the network failed (try again), 8 a security check failed";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_lists_no_option_that_a_verb_ignores() {
        let help = |verb: &str| {
            let mut command = Arguments::command();
            let found = command.find_subcommand_mut(verb).unwrap();
            found.render_long_help().to_string()
        };
        for option in ["--sessions", "--plc-directory", "--nameserver", "--ca-certificate"] {
            for (verb, is_listed) in
                [("login", true), ("call", true), ("logout", true), ("demo", false)]
            {
                assert_eq!(help(verb).contains(option), is_listed, "{verb} {option}");
                let value = "127.0.0.1:53";
                let mut arguments = vec!["atproto-oauth", verb, option, value];
                if verb == "call" {
                    arguments.push("a.b.getC");
                }
                let parsed = Arguments::try_parse_from(arguments);
                let is_url = option == "--plc-directory";
                assert_eq!(parsed.is_ok(), is_listed && !is_url, "{verb} {option}: {parsed:?}");
            }
        }
    }

    #[test]
    fn a_client_document_has_a_url_that_servers_fetch() {
        let (url, file) =
            client_document("https://app.client.dev/c.json?v=1=folder/c.json").unwrap();
        assert_eq!(url.as_str(), "https://app.client.dev/c.json?v=1");
        assert_eq!(file, PathBuf::from("folder/c.json"));
        for refused in ["c.json", "http://app.client.dev/c.json=c", "https://a.dev:8443/c.json=c"] {
            assert!(client_document(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_login_needs_no_argument() {
        let arguments = Arguments::try_parse_from(["atproto-oauth", "login"]).unwrap();
        let Command::Login(login) = arguments.command else { unreachable!() };
        assert_eq!(login.subject, "https://bsky.social");
    }
}
