//! `complete`: finishes the login that `init` began, and prints its credentials.

use std::io::{self, BufRead, IsTerminal, Read};
use std::path::{Path, PathBuf};

use atproto_oauth_core::{
    CallbackError, CallbackParams, CallbackProblem, Error, Pending, Revocation, Session,
};
use atproto_oauth_ureq::StatelessClient;
use atproto_sansio::SecretString;
use clap::{Args, ValueEnum};

use crate::account::{accounts, logout};
use crate::arguments::Network;
use crate::client;
use crate::failure::{CONFIGURATION, DENIED, Failure, USAGE};
use crate::network;
use crate::output::{self, tell};
use crate::private_file::{Draft, PrivateFile};
use crate::two_phase::init::{STATE, StateFile};
use crate::two_phase::values::{self, Format, Output, Values};

#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// URL that the browser ended on; by default or for `-`, it is read from standard input, which
    /// keeps it out of the history of the shell
    #[arg(value_name = "REDIRECT_URL")]
    pub(crate) url: Option<String>,

    #[command(flatten)]
    pub(crate) state: StateFile,

    /// Form of the credentials
    #[arg(long, value_enum, default_value_t = Printed::Env)]
    pub(crate) format: Printed,

    /// File to write the credentials to, for its owner only, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) form: output::Format,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// Result of a login.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Printed {
    /// Commands for a shell: export NAME='value'
    Env,
    /// Lines for a dotenv file: NAME='value'
    Dotenv,
    /// One JSON object of strings
    Json,
    /// No credentials: the login is only tested, and its tokens are revoked
    None,
}

impl Printed {
    fn format(self) -> Option<Format> {
        match self {
            Self::Env => Some(Format::Env),
            Self::Dotenv => Some(Format::Dotenv),
            Self::Json => Some(Format::Json),
            Self::None => None,
        }
    }
}

/// Largest text that is read from standard input, in bytes.
const MAX_INPUT: u64 = 64 * 1024;

pub(crate) fn run(complete: &Complete) -> Result<(), Failure> {
    if complete.format == Printed::None && complete.output.is_some() {
        let message = "with --format none there is nothing to write to the file of --output";
        return Err(Failure::new(USAGE, message, "leave out one of the two options"));
    }
    let params = callback(complete.url.as_deref())?;
    let state = complete.state.path.as_path();
    let waiting = waiting(state, &params)?;
    let pending = waiting.pending.clone();
    let client = client::of_login(
        pending.client_id(),
        pending.redirect_uri(),
        pending.scopes().clone(),
        &complete.network,
    )?;
    let app = network::stateless(client, &complete.network)?;
    let output = Output::open(complete.output.as_deref())?;

    // The state is taken before the code is sent, so that no other process sends the code, too.
    waiting.file.remove()?;
    let subject = pending.subject().to_owned();
    let session = match app.callback(pending, params) {
        Ok(login) => login.session,
        Err(error) => {
            let is_unused = is_unused(&error);
            let failure = network::explain(error, &complete.network, &[&subject]);
            return Err(match is_unused {
                true => put_back(state, &waiting.json, failure),
                false => failure,
            });
        }
    };
    finish(complete, &app, session, output)
}

/// The stored login, and the file that it is in.
struct Waiting {
    file: PrivateFile,
    json: SecretString,
    pending: Pending,
}

/// Reads the login that waits for this callback. A callback with another `state` leaves it as it is.
fn waiting(state: &Path, params: &CallbackParams) -> Result<Waiting, Failure> {
    let Some(file) = PrivateFile::open(STATE, state)? else {
        let message = format!(
            "no login waits in {}: it was completed, or `atproto-oauth init` was run in another folder",
            state.display()
        );
        return Err(Failure::new(DENIED, message, "begin a new login with `atproto-oauth init`"));
    };
    let json = file.read()?;
    let pending = Pending::from_json(json.expose()).map_err(|error| {
        let message = format!("the state file {}: {error}", state.display());
        Failure::new(CONFIGURATION, message, "begin a new login with `atproto-oauth init --force`")
    })?;
    if params.state() != pending.state() {
        let failure = Failure::from(Error::from(CallbackProblem::UnknownState));
        let clause = format!("the login of {} still waits for its own URL", pending.subject());
        return Err(failure.and(&clause));
    }
    Ok(Waiting { file, json, pending })
}

/// Parses the URL of the argument or of standard input.
fn callback(url: Option<&str>) -> Result<CallbackParams, Failure> {
    let text = match url {
        Some(url) if url != "-" => url.to_owned(),
        _ => from_stdin().map_err(|error| {
            let message = format!("can't read the URL from standard input: {error}");
            Failure::new(USAGE, message, "give the URL as the argument, in quotes")
        })?,
    };
    CallbackParams::parse(&text).map_err(|problem| match problem {
        CallbackProblem::Unreadable | CallbackProblem::Missing(_) => {
            let help =
                "copy the whole URL, with everything behind `?` or `#`, and put it in quotes";
            Failure::new(USAGE, "this is not the URL that the browser ended on", help)
        }
        problem => Error::from(problem).into(),
    })
}

/// Reads all of a pipe, or one line that the user types or pastes.
fn from_stdin() -> io::Result<String> {
    let (stdin, mut text) = (io::stdin().lock(), String::new());
    if stdin.is_terminal() {
        tell("Paste the URL that the browser ended on:");
        stdin.take(MAX_INPUT).read_line(&mut text)?;
    } else {
        stdin.take(MAX_INPUT).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// Whether the code was not sent, so that the same login may be completed with the right URL or when
/// the network is back.
fn is_unused(failed: &CallbackError) -> bool {
    match &failed.error {
        Error::Callback(problem) => *problem != CallbackProblem::Expired,
        // Without tokens, the account could not be looked up, or the server not be reached.
        Error::Transport(_) | Error::Identity(_) | Error::Discovery(_) => {
            failed.revocation.is_none()
        }
        _ => false,
    }
}

/// Stores the login again after its code was not sent.
fn put_back(state: &Path, json: &SecretString, failure: Failure) -> Failure {
    let stored = Draft::create(STATE, state).and_then(|draft| draft.add(json.expose()));
    match stored {
        Ok(()) => failure.and("the code was not used, so you can try again").help(
            "run `complete` with the URL that the browser ended on, or when the network is back",
        ),
        Err(error) => failure.and(&error.to_string()),
    }
}

/// Prints the credentials of the session, or ends it again.
fn finish(
    complete: &Complete,
    app: &StatelessClient,
    session: Session,
    output: Output,
) -> Result<(), Failure> {
    let told = format!(
        "Logged in as {} ({}) at {}.",
        accounts::name(&session),
        session.did(),
        session.pds()
    );
    let described = values::described(&session, complete.output.as_deref(), None);
    let Some(format) = complete.format.format() else {
        let issuer = session.issuer().to_string();
        let fate = match app.revoke(session) {
            Ok(Revocation::Revoked) => "Its tokens are revoked again.".to_owned(),
            Ok(_) => format!(
                "Its tokens stay valid until they expire, because {issuer} can't revoke tokens."
            ),
            Err(error) => {
                let failure = network::explain(error, &complete.network, &[]);
                let fate = "the login has worked, but its tokens could not be revoked, and stay valid until \
                            they expire";
                return Err(failure.and(fate).help(logout::by_hand(&issuer)));
            }
        };
        tell(format_args!("{told} {fate}"));
        return complete.form.print("", &described);
    };
    let values = match Values::of(&session) {
        Ok(values) => values,
        Err(failure) => {
            // The tokens can't be renewed, so nobody is to have them.
            return Err(match app.revoke(session) {
                Ok(_) => failure,
                Err(error) => failure.and(&format!("its tokens could not be revoked: {error}")),
            });
        }
    };
    let printed = values::printed(&session, &values, values::Printed::new(format, complete.form));
    output.write(&values, format, &printed)?;
    match &complete.output {
        Some(file) => {
            tell(format_args!("{told} The credentials are in {}.", file.display()));
            complete.form.print("", &described)
        }
        None => {
            tell(format_args!("{told} Keep these credentials secret."));
            Ok(())
        }
    }
}
