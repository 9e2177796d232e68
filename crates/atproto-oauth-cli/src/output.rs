//! Results on standard output: text for people, or JSON for programs. Other texts are on standard error.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::failure::{CONFIGURATION, Failure};
use crate::progress::print_beside;

/// Option of each verb with a result for programs.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Print the result as one JSON document, and a failure as one line of JSON on standard error
    #[arg(long)]
    pub(crate) json: bool,
}

impl Format {
    /// Prints lines for people while a verb is at work. The JSON document comes at its end.
    pub(crate) fn tell(self, text: &str) -> Result<(), Failure> {
        match self.json {
            true => Ok(()),
            false => write(text.as_bytes()),
        }
    }

    /// Prints the form that the user has chosen. `text` is complete lines.
    pub(crate) fn print(self, text: &str, json: &Value) -> Result<(), Failure> {
        match self.json {
            true => write(format!("{json:#}\n").as_bytes()),
            false => write(text.as_bytes()),
        }
    }
}

/// Whether these arguments have the option `--json`, so that a failure is JSON, too, even one of the
/// arguments.
pub(crate) fn is_json_wanted(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}

/// Prints a reply: JSON with line breaks, anything else as it is.
pub(crate) fn print(body: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => write(format!("{json:#}\n").as_bytes()),
        Err(_) => write(body),
    }
}

/// Writes a text and a line break to stderr, in colours on a terminal. If stderr is closed or full, the text
/// is lost and the command goes on, because its exit code tells the result, too.
pub(crate) fn tell(text: impl Display) {
    let text = format!("{text}\n");
    // `eprintln!` would panic.
    let _ = print_beside(|| anstream::stderr().lock().write_all(text.as_bytes()));
}

/// Writes to stdout. It is no failure if the reader has closed the pipe.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let written = print_beside(|| {
        let mut out = io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush())
    });
    written.or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(unwritten(&error)),
    })
}

/// Standard output could not be written.
pub(crate) fn unwritten(error: &io::Error) -> Failure {
    let help = "check the disk or the program that standard output goes to";
    Failure::new(CONFIGURATION, format!("can't write to stdout: {error}"), help)
}
