//! The failure of the command: what has happened, what to do about it, and the exit code.
//!
//! On standard error it is two lines, `error: …` and `help: …`, or one line of JSON for a program.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use atproto_oauth_core::xrpc::XrpcError;
use atproto_oauth_core::{
    CallbackError, Denied, Error, ErrorKind, FinishLoginError, InputError, RefreshError,
    SessionError, SessionsError,
};
use atproto_sansio::is_printable;
use clap::error::ErrorKind as ClapError;
use serde_json::{Value, json};

use crate::output::{Format, tell};
use crate::{remedy, words};

/// Failure of the command: the messages on stderr, and the exit code.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    kind: &'static str,
    code: u8,
    message: String,
    details: Vec<String>,
    help: String,
    answer: Answer,
}

/// The error response that a failure is about, if it is about one.
#[derive(Clone, Debug, Default)]
struct Answer {
    status: Option<u16>,
    /// Error code of OAuth, or error name of XRPC.
    error: Option<String>,
    retry_after: Option<Duration>,
}

pub(crate) const REFUSED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const CONFIGURATION: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;
pub(crate) const DENIED: u8 = 5;
pub(crate) const SESSION_OVER: u8 = 6;
pub(crate) const NETWORK: u8 = 7;
pub(crate) const SECURITY: u8 = 8;
/// Exit code of a shell for a command that a signal has ended.
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    /// `message` says what has happened, and to which value; `help` what to do, in terms of the command.
    pub(crate) fn new(code: u8, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            kind: kind_of_code(code),
            code,
            message: words::of_command(&message.into()),
            details: Vec::new(),
            help: help.into(),
            answer: Answer::default(),
        }
    }

    /// Failure to read, write or lock a file; `what` names the file, for example `the session
    /// file`.
    pub(crate) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "check the path, and whether its folder exists",
            io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
            io::ErrorKind::AlreadyExists => "name another file",
            io::ErrorKind::InvalidData => "name a file of text in UTF-8",
            _ => "check the path, and the disk that it is on",
        };
        let message = format!("can't access {what} {}: {error}", path.display());
        Self::new(CONFIGURATION, message, help)
    }

    /// Adds a fact to the message.
    pub(crate) fn and(mut self, clause: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(&words::of_command(clause));
        self
    }

    /// Names the value that the message is about, such as a file, in front of it.
    pub(crate) fn about(mut self, name: &str) -> Self {
        self.message = format!("{name}: {}", self.message);
        self
    }

    /// The message and the advice in one text, for a list of problems.
    pub(crate) fn with_advice(&self) -> String {
        format!("{}; {}", self.message, self.help)
    }

    /// Replaces the advice.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// Makes it a failure of a session that has ended. The answer of the server stays.
    pub(crate) fn session_over(mut self, help: impl Into<String>) -> Self {
        (self.code, self.kind, self.help) = (SESSION_OVER, kind_of_code(SESSION_OVER), help.into());
        self
    }

    /// Advises in the words of the verbs that log in with two processes.
    pub(crate) fn of_two_phase(mut self) -> Self {
        self.help = words::of_two_phase(&self.help);
        self
    }

    /// Adds lines below the message, such as the problems of a file.
    pub(crate) fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// Prints the two lines on standard error, with colours on a terminal.
    pub(crate) fn print(&self) {
        let colon = if self.details.is_empty() { "" } else { ":" };
        let mut text = labelled(ERROR, "error", &format!("{}{colon}", self.message));
        for detail in &self.details {
            text.push_str(&format!("  {}\n", escaped(detail)));
        }
        text.push_str(&labelled(HELP, "help", &self.help));
        tell(text.trim_end());
    }

    /// The failure for programs. All members are always there.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "kind": self.kind,
            "code": self.code,
            "message": escaped(&self.message),
            "details": self.details.iter().map(|detail| escaped(detail)).collect::<Vec<_>>(),
            "help": escaped(&self.help),
            "status": self.answer.status,
            "server_error": self.answer.error,
            "retry_after": self.answer.retry_after.map(|time| time.as_secs()),
        })
    }

    /// Prints one line of JSON on standard error.
    pub(crate) fn print_json(&self) {
        tell(json!({ "error": self.to_json() }));
    }

    /// A failure of the library; `text` tells more than the text of `error`.
    fn of_library(error: &Error, text: &str) -> Self {
        Self {
            kind: kind(error.kind()),
            answer: Answer {
                status: error.http_status().map(|status| status.as_u16()),
                error: error.oauth_error_code().map(str::to_owned).or_else(|| match error {
                    Error::Xrpc(error) => error.error.clone(),
                    _ => None,
                }),
                retry_after: error.retry_after(),
            },
            ..Self::new(code(error), text, remedy::of(error))
        }
    }
}

/// The failures of a verb that does several things. The first becomes the verb's own.
#[derive(Debug, Default)]
pub(crate) struct Failures(Option<Failure>);

impl Failures {
    /// Keeps the first failure, and prints a later one at once. In JSON, the result has all of them.
    pub(crate) fn add(&mut self, failure: Failure, format: Format) {
        match &self.0 {
            None => self.0 = Some(failure),
            Some(_) if format.json => {}
            Some(_) => failure.print(),
        }
    }

    pub(crate) fn first(self) -> Result<(), Failure> {
        self.0.map_or(Ok(()), Err)
    }
}

fn code(error: &Error) -> u8 {
    match error.kind() {
        _ if error.is_security() => SECURITY,
        // The server is busy, or could not be reached by a gateway: the same call may succeed later.
        _ if matches!(error, Error::Xrpc(error) if matches!(error.status.as_u16(), 429 | 502..=504)) => {
            NETWORK
        }
        _ if matches!(error, Error::Xrpc(_)) => REFUSED,
        _ if matches!(error, Error::Denied(Denied { .. })) => DENIED,
        _ if error.is_retryable() => NETWORK,
        _ if error.http_status().is_some_and(|status| status.is_server_error()) => NETWORK,
        _ if matches!(error, Error::Session(SessionError::NotSaved(_))) => CONFIGURATION,
        ErrorKind::Config | ErrorKind::Store => CONFIGURATION,
        ErrorKind::Input => USAGE,
        ErrorKind::Identity | ErrorKind::Discovery => NOT_FOUND,
        ErrorKind::Authorization | ErrorKind::Token | ErrorKind::Dpop => DENIED,
        ErrorKind::Session => SESSION_OVER,
        ErrorKind::Policy => SECURITY,
        ErrorKind::Resource => REFUSED,
        _ => NETWORK,
    }
}

/// Name of a kind in JSON.
fn kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Input => "input",
        ErrorKind::Identity => "identity",
        ErrorKind::Discovery => "discovery",
        ErrorKind::Network => "network",
        ErrorKind::Policy => "policy",
        ErrorKind::Authorization => "authorization",
        ErrorKind::Token => "token",
        ErrorKind::Dpop => "dpop",
        ErrorKind::Session => "session",
        ErrorKind::Resource => "resource",
        ErrorKind::Store => "store",
        _ => "other",
    }
}

/// Kind of a failure of the command itself. `check` and `interrupted` are no kinds of the library.
fn kind_of_code(code: u8) -> &'static str {
    match code {
        REFUSED => "check",
        USAGE => kind(ErrorKind::Input),
        CONFIGURATION => kind(ErrorKind::Config),
        NOT_FOUND => kind(ErrorKind::Identity),
        DENIED => kind(ErrorKind::Authorization),
        SESSION_OVER => kind(ErrorKind::Session),
        NETWORK => kind(ErrorKind::Network),
        SECURITY => kind(ErrorKind::Policy),
        INTERRUPTED => "interrupted",
        _ => "other",
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();

fn labelled(style: Style, label: &str, text: &str) -> String {
    format!("{style}{label}:{style:#} {}\n", escaped(text))
}

/// The text on one line. Characters that could move the cursor of a terminal, or hide words, are
/// escaped.
fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for char in text.chars() {
        match is_printable(char) {
            true => line.push(char),
            false => line.extend(char.escape_default()),
        }
    }
    line
}

/// A mistake in the arguments, which clap has found.
impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Self {
        let text = error.render().to_string();
        let (mut message, mut usages, mut help) = (String::new(), Vec::new(), Vec::new());
        for paragraph in text.split("\n\n") {
            // A paragraph is one line for us, and its first word says what it is.
            let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(error) = line.strip_prefix("error: ") {
                message = error.to_owned();
            } else if let Some(usage) = line.strip_prefix("Usage: ") {
                usages.push(format!("the usage is `{usage}`"));
            } else if let Some(tip) = line.strip_prefix("tip: ") {
                help.push(tip.replace(" tip: ", "; "));
            }
        }
        // A usage has all options that were given. So it is of use only if nothing else says what to correct.
        match error.kind() {
            ClapError::MissingRequiredArgument => help.push("give what is missing".to_owned()),
            ClapError::ArgumentConflict => help.push("leave one of them out".to_owned()),
            _ if help.is_empty() => help.append(&mut usages),
            _ => {}
        }
        help.push("--help tells more".to_owned());
        Self::new(USAGE, message, help.join("; "))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of_library(&error, &error.to_string())
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Error::from(error).into()
    }
}

impl From<FinishLoginError> for Failure {
    fn from(error: FinishLoginError) -> Self {
        // Its text says, too, whether tokens that had to be revoked were revoked.
        Self::of_library(&error.error, &error.to_string())
    }
}

impl From<CallbackError> for Failure {
    fn from(error: CallbackError) -> Self {
        Self::of_library(&error.error, &error.to_string())
    }
}

impl From<RefreshError> for Failure {
    fn from(error: RefreshError) -> Self {
        Self::of_library(&error.error, &error.to_string())
    }
}

impl From<SessionsError> for Failure {
    fn from(error: SessionsError) -> Self {
        error.error.into()
    }
}

impl From<XrpcError> for Failure {
    fn from(error: XrpcError) -> Self {
        Error::from(error).into()
    }
}

/// The message alone, for texts that tell it together with others.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.message))
    }
}
