//! Results on standard output: text for people, or JSON for programs.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use crate::failure::{CONFIGURATION, Failure};

/// Option of the verbs whose result has two forms.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Print the result as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

impl Format {
    /// Prints the form that the user has chosen. `text` is complete lines.
    pub(crate) fn print(self, text: &str, json: &Value) -> Result<(), Failure> {
        match self.json {
            true => write(format!("{json:#}\n").as_bytes()),
            false => write(text.as_bytes()),
        }
    }
}

/// Prints a reply: JSON with line breaks, anything else as it is.
pub(crate) fn print(body: &[u8]) -> Result<(), Failure> {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => write(format!("{json:#}\n").as_bytes()),
        Err(_) => write(body),
    }
}

/// Writes to stdout. It is no failure if the reader has closed the pipe.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).or_else(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::new(CONFIGURATION, format!("can't write to stdout: {error}"))),
    })
}
