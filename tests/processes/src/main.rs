//! One worker process; [`run`](atproto_oauth_processes::run) starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    match atproto_oauth_processes::work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("a worker failed: {error}");
            ExitCode::FAILURE
        }
    }
}
