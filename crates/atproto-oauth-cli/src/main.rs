//! The command `atproto-oauth`: logs in to AT Protocol accounts and calls methods of their servers.

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
mod sandbox;
mod servers;
mod two_phase;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::account::{call, login, logout, sessions, upload, whoami};
use crate::arguments::{Arguments, Command};
use crate::documents::{check_metadata, generate_metadata, keygen, resolve, scope};
use crate::failure::Failure;
use crate::servers::{check_server, doctor};
use crate::two_phase::{complete, credentials, init, templates};

fn main() -> ExitCode {
    let arguments = match config::apply(Arguments::command()) {
        Ok(command) => {
            Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
        }
        Err(failure) => return fail(&failure),
    };
    let result = match &arguments.command {
        Command::Login(options) => login::run(options),
        Command::Call(options) => call::run(options),
        Command::Logout(options) => logout::run(options),
        Command::Sessions(verb) => sessions::run(verb),
        Command::Whoami(options) => whoami::run(options),
        Command::UploadBlob(options) => upload::run(options),
        Command::Scope(verb) => scope::run(verb),
        Command::Completions(options) => manual::completions(options),
        Command::Man => manual::man(),
        Command::Init(options) => init::run(options),
        Command::Complete(options) => complete::run(options),
        Command::Credentials(options) => credentials::run(options),
        Command::Templates(options) => templates::run(options),
        Command::CheckMetadata(options) => check_metadata::run(options),
        Command::CheckServer(options) => check_server::run(options),
        Command::Doctor(options) => doctor::run(options),
        Command::Resolve(options) => resolve::run(options),
        Command::Keygen(options) => keygen::run(options),
        Command::GenerateMetadata(options) => generate_metadata::run(options),
        Command::Demo => demo::run(),
        Command::Sandbox(options) => sandbox::run(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("error: {failure}");
    failure.exit_code()
}
