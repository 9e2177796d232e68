//! The results of checks: each a verdict, and a remedy if one is needed.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::failure::{Failure, REFUSED};
use crate::output::Format;
use crate::words;

/// The result of one check.
#[derive(Debug)]
pub(super) struct Verdict {
    check: &'static str,
    status: Status,
    message: String,
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Status {
    Good,
    Warning,
    Bad,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "error",
        }
    }
}

impl Verdict {
    pub(super) fn good(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Good, message: message.into(), remedy: None }
    }

    pub(super) fn warning(
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { status: Status::Warning, remedy: Some(remedy.into()), ..Self::good(check, message) }
    }

    pub(super) fn bad(
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let message = words::of_command(&message.into());
        Self { status: Status::Bad, remedy: Some(remedy.into()), ..Self::good(check, message) }
    }
}

/// Prints all verdicts. Fails if one of them is bad.
pub(super) fn print(verdicts: &[Verdict], format: Format) -> Result<(), Failure> {
    let (mut text, mut list) = (String::new(), Vec::new());
    for Verdict { check, status, message, remedy } in verdicts {
        let status = status.as_str();
        let _ = writeln!(text, "{status:<8} {check:<10} {message}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<19} → {remedy}", "");
        }
        let verdict: Value =
            json!({ "check": check, "status": status, "message": message, "remedy": remedy });
        list.push(verdict);
    }
    format.print(&text, &json!({ "checks": list }))?;
    match verdicts.iter().find(|verdict| verdict.status == Status::Bad) {
        None => Ok(()),
        Some(bad) => Err(Failure::new(
            REFUSED,
            format!("the check `{}` has failed: {}", bad.check, bad.message),
            bad.remedy.clone().unwrap_or_default(),
        )),
    }
}
