//! Subcommands and options of the command, with their help texts.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use url::Url;

use crate::account::call::Call;
use crate::account::login::Login;
use crate::account::logout::Logout;
use crate::account::sessions::Sessions;
use crate::account::store::Place;
use crate::account::upload::Upload;
use crate::account::whoami::Whoami;
use crate::client_key::KeyFile;
use crate::documents::check_metadata::CheckMetadata;
use crate::documents::generate_metadata::GenerateMetadata;
use crate::documents::keygen::Keygen;
use crate::documents::resolve::Resolve;
use crate::documents::scope::Scope;
use crate::manual::Completions;
use crate::sandbox::Sandbox;
use crate::servers::check_server::CheckServer;
use crate::servers::doctor::Doctor;
use crate::two_phase::complete::Complete;
use crate::two_phase::credentials::Credentials;
use crate::two_phase::init::Init;
use crate::two_phase::templates::Templates;

/// Logs in to AT Protocol accounts with OAuth, and calls methods of their servers.
#[derive(Debug, Parser)]
#[command(name = "atproto-oauth", version, after_help = AFTER_HELP)]
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
    /// List, show, renew, export and import stored sessions
    #[command(subcommand)]
    Sessions(Sessions),
    /// Ask the account's server who is logged in
    Whoami(Whoami),
    /// Upload a file to the account's server and print the reference of the blob
    UploadBlob(Upload),
    /// Explain scopes, normalize them, and check what they allow
    #[command(subcommand)]
    Scope(Scope),
    /// Print completions for a shell
    Completions(Completions),
    /// Print the manual page
    Man,
    /// Begin a login that `complete` finishes, and print the URL to open
    Init(Init),
    /// Finish the login that `init` began, and print its credentials
    Complete(Complete),
    /// Use the credentials that `complete` printed, without a stored session
    #[command(subcommand)]
    Credentials(Credentials),
    /// Write the client metadata and the callback page that `init` needs on a web server
    Templates(Templates),
    /// Fetch the metadata of a client as a server does, and tell everything that is wrong with it
    CheckMetadata(CheckMetadata),
    /// Check whether a server follows the profile of AT Protocol OAuth
    CheckServer(CheckServer),
    /// Find what stands in the way of a login, from this machine to the account's server
    Doctor(Doctor),
    /// Show the way from a handle, DID or server to the OAuth endpoints, with the source of each step
    Resolve(Resolve),
    /// Make a private key for a client that runs on a server (a confidential client)
    Keygen(Keygen),
    /// Write the documents that a client publishes: its metadata and its public keys
    GenerateMetadata(GenerateMetadata),
    /// Show a complete login step by step, in a temporary network on this machine
    Demo,
    /// Run an AT Protocol network on this machine, to test clients
    Sandbox(Sandbox),
}

/// Options of each verb that uses a stored session.
#[derive(Args, Debug)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) folder: Folder,

    #[command(flatten)]
    pub(crate) key: KeyFile,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Option of each verb that reads or writes stored sessions.
#[derive(Args, Clone, Debug)]
pub(crate) struct Folder {
    /// Folder of the sessions, which are encrypted; by default, atproto-oauth/sessions in the user's state
    /// directory
    #[arg(long, env = "ATPROTO_OAUTH_SESSIONS", value_name = "FOLDER")]
    pub(crate) sessions: Option<PathBuf>,

    /// Place of the key that encrypts the sessions, for a new folder; by default, the keyring if there is one.
    /// The choice is recorded in the folder and never changes
    #[arg(long, env = "ATPROTO_OAUTH_SEALING_KEY", value_name = "PLACE", hide_env_values = true)]
    pub(crate) sealing_key: Option<Place>,
}

/// Options of each verb that sends requests.
#[derive(Args, Clone, Debug)]
pub(crate) struct Network {
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

    /// Print each request and reply on standard error, without secrets
    #[arg(long, help_heading = "Network")]
    pub(crate) trace: bool,
}

fn host_address(text: &str) -> Result<(String, SocketAddr), String> {
    let (host, address) = text.split_once('=').ok_or("expected HOST=ADDRESS:PORT")?;
    let address =
        address.parse().map_err(|_| format!("`{address}` is not an IP address with a port"))?;
    Ok((host.to_owned(), address))
}

const AFTER_HELP: &str = "\
An option that is not given is read from the environment, and then from atproto-oauth/config.toml in \
the user's configuration folder, for example sessions = \"/srv/sessions\". ATPROTO_OAUTH_CONFIG names \
another file.

A failure is two lines on standard error: `error: …`, and `help: …` with the way out. With --json, it is \
the last line there instead: {\"error\": {\"kind\": …, \"code\": …, \"message\": …, \"details\": […], \
\"help\": …, \"status\": …, \"server_error\": …, \"retry_after\": …}}. `code` is the exit code. `kind` is config, \
input, identity, discovery, network, policy, authorization, token, dpop, session, store, resource, check or \
interrupted. `status` and `server_error` are of a server's error response, `retry_after` is in seconds. All \
members are always there, but may be null; further ones may come.

Exit codes: 0 success, 1 the server rejected the call or a check found an error, 2 wrong arguments, \
3 a problem with a file, a port or the configuration, 4 the account or its server was not found, \
5 the login was denied or timed out, 6 no valid session (log in again), \
7 the network failed, or the server was busy (status 429, 502, 503 or 504; try again), 8 a security check failed, 130 interrupted";

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
            let path = verb.split(' ');
            let found =
                path.fold(&mut command, |found, verb| found.find_subcommand_mut(verb).unwrap());
            found.render_long_help().to_string()
        };
        // Arguments that each verb needs, and whether it sends requests and uses sessions.
        let verbs: [(&str, &[&str], bool, bool); 29] = [
            ("login", &[], true, true),
            ("call", &["a.b.getC"], true, true),
            ("logout", &[], true, true),
            ("sessions list", &[], false, true),
            ("sessions show", &[], false, true),
            ("sessions refresh", &[], true, true),
            ("sessions revoke", &[], true, true),
            ("sessions export", &["--output", "-"], false, true),
            ("sessions import", &["-"], true, true),
            ("whoami", &[], true, true),
            ("upload-blob", &["file"], true, true),
            ("scope parse", &["atproto"], false, false),
            ("scope normalize", &["atproto"], false, false),
            ("scope check", &["atproto"], false, false),
            ("completions", &["bash"], false, false),
            ("man", &[], false, false),
            (
                "init",
                &[
                    "--client-id",
                    "http://localhost",
                    "--redirect-uri",
                    "http://127.0.0.1/",
                    "alice.test",
                ],
                true,
                false,
            ),
            ("complete", &[], true, false),
            ("credentials refresh", &[], true, false),
            ("credentials call", &["a.b.getC"], true, false),
            ("templates", &["--domain", "app.client.dev"], false, false),
            ("resolve", &["alice.test"], true, false),
            ("check-metadata", &["http://localhost"], true, false),
            ("check-server", &["https://pds.example.com"], true, false),
            ("doctor", &[], true, true),
            ("keygen", &["--output", "-"], false, false),
            ("generate-metadata", &[], false, false),
            ("demo", &[], false, false),
            ("sandbox", &[], false, false),
        ];
        let network =
            ["--plc-directory", "--nameserver", "--development", "--ca-certificate", "--trace"];
        for option in network.into_iter().chain(["--connect-to", "--sealing-key", "--sessions"]) {
            for (verb, needed, sends, has_sessions) in verbs {
                let is_listed = match option {
                    "--sealing-key" | "--sessions" => has_sessions,
                    _ => sends,
                };
                assert_eq!(help(verb).contains(option), is_listed, "{verb} {option}");
                let given: &[&str] = match option {
                    "--development" | "--trace" => &[option],
                    "--connect-to" => &["--development", "--connect-to", "a.test=127.0.0.1:80"],
                    "--sealing-key" => &[option, "file"],
                    "--plc-directory" => &["--plc-directory", "https://plc.example.com"],
                    _ => &[option, "127.0.0.1:53"],
                };
                let verb: Vec<_> = verb.split(' ').collect();
                let arguments = [&["atproto-oauth"], &verb[..], needed, given].concat();
                let parsed = Arguments::try_parse_from(arguments);
                assert_eq!(parsed.is_ok(), is_listed, "{verb:?} {option}: {parsed:?}");
            }
        }
    }

    #[test]
    fn json_is_an_option_of_the_verbs_whose_result_has_that_form() {
        // Rule L-25
        fn check(command: &clap::Command, path: &str) {
            let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "help");
            if command.get_subcommands().next().is_some() {
                return verbs.for_each(|verb| check(verb, &format!("{path} {}", verb.get_name())));
            }
            let has_json = command.get_arguments().any(|option| option.get_long() == Some("json"));
            // A script, a page and a story have no form for programs.
            let is_without = [" completions", " man", " demo"].contains(&path);
            assert_ne!(has_json, is_without, "{path}");
        }
        check(&Arguments::command(), "");
    }

    #[test]
    fn a_login_needs_no_argument() {
        let arguments = Arguments::try_parse_from(["atproto-oauth", "login"]).unwrap();
        let Command::Login(login) = arguments.command else { unreachable!() };
        assert_eq!(login.subject, "https://bsky.social");
    }
}
