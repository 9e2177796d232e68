//! The command `atproto-oauth`: logs in to AT Protocol accounts and calls methods of their servers.

mod accounts;
mod arguments;
mod call;
mod demo;
mod failure;
mod listener;
mod login;
mod logout;
mod network;
mod page;
mod sandbox;
mod store;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::Login(options) => login::run(options),
        Command::Call(options) => call::run(options),
        Command::Logout(options) => logout::run(options),
        Command::Demo => demo::run(),
        Command::Sandbox(options) => sandbox::run(options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.exit_code()
        }
    }
}
