//! The command `atproto-oauth`: logs in to AT Protocol accounts and calls methods of their servers.

// Both panic if the stream is closed or full: `output` has functions that do not.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod account;
mod arguments;
mod client;
mod client_key;
mod config;
mod demo;
mod documents;
mod failure;
mod manual;
mod method;
mod network;
mod output;
mod private_file;
mod progress;
mod remedy;
mod reply;
mod sandbox;
mod servers;
mod two_phase;
mod words;

use std::env;
use std::process::ExitCode;

use clap::error::ErrorKind as ClapError;
use clap::{CommandFactory, FromArgMatches};

use crate::account::{call, login, logout, sessions, upload, whoami};
use crate::arguments::{Arguments, Command};
use crate::documents::{check_metadata, generate_metadata, keygen, resolve, scope};
use crate::failure::Failure;
use crate::servers::{check_server, doctor};
use crate::two_phase::{complete, credentials, init, templates};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match output::is_json_wanted(env::args_os()) {
                true => failure.print_json(),
                false => failure.print(),
            }
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    match &parse()?.command {
        Command::Login(options) => login::run(options),
        Command::Call(options) => call::run(options),
        Command::Logout(options) => logout::run(options),
        Command::Sessions(verb) => sessions::run(verb),
        Command::Whoami(options) => whoami::run(options),
        Command::UploadBlob(options) => upload::run(options),
        Command::Scope(verb) => scope::run(verb),
        Command::Completions(options) => manual::completions(options),
        Command::Man => manual::man(),
        Command::Init(options) => init::run(options).map_err(Failure::of_two_phase),
        Command::Complete(options) => complete::run(options).map_err(Failure::of_two_phase),
        Command::Credentials(options) => credentials::run(options).map_err(Failure::of_two_phase),
        Command::Templates(options) => templates::run(options),
        Command::CheckMetadata(options) => check_metadata::run(options),
        Command::CheckServer(options) => check_server::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Resolve(options) => resolve::run(options),
        Command::Keygen(options) => keygen::run(options),
        Command::GenerateMetadata(options) => generate_metadata::run(options),
        Command::Demo => demo::run(),
        Command::Sandbox(options) => sandbox::run(options),
    }
}

/// Parses the arguments, with the values of the configuration file as defaults. A file that can't be
/// used is an error of the verbs that would use it, so that help is printed all the same.
fn parse() -> Result<Arguments, Failure> {
    let (mut command, broken) = match config::apply(Arguments::command()) {
        Ok(command) => (command, None),
        Err(failure) => (Arguments::command(), Some(failure)),
    };
    let matches = match (command.try_get_matches_from_mut(env::args_os()), broken) {
        (Ok(matches), Some(failure)) if config::is_used(&command, &matches) => return Err(failure),
        (Ok(matches), _) => matches,
        // The file may have the option that is missing.
        (Err(error), Some(failure)) if error.kind() == ClapError::MissingRequiredArgument => {
            return Err(failure);
        }
        (Err(error), _) => match error.kind() {
            ClapError::DisplayHelp
            | ClapError::DisplayHelpOnMissingArgumentOrSubcommand
            | ClapError::DisplayVersion => error.exit(),
            _ => return Err(error.into()),
        },
    };
    Ok(Arguments::from_arg_matches(&matches)?)
}
