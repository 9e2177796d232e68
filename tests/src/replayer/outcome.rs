//! The outcome of a step, and its comparison with the `=` line of the transcript.

use std::fmt;

use atproto_oauth_core::{Error, Revocation, Session};

use crate::replayer::world::World;

/// The outcome of a step.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// First field of the `=` line: `session`, `error <Kind>`, a URL, a status or a revocation.
    pub head: String,
    /// Keys and values that the `=` line may name.
    pub fields: Vec<(&'static str, String)>,
    /// Message of the error or of the violation, or body of the response.
    pub text: String,
}

impl Outcome {
    /// Returns an outcome without fields.
    pub fn word(head: impl Into<String>) -> Self {
        Self { head: head.into(), ..Self::default() }
    }

    /// Returns the outcome `session`, with the fields of `session` that are not random.
    pub fn session(session: &Session, world: &World) -> Self {
        let mut outcome = Self::word("session");
        outcome.describe(session, world);
        outcome
    }

    /// Returns the outcome `error <Kind>`, with the properties of `error` as fields.
    pub fn error(error: &Error) -> Self {
        let mut outcome = Self::word(format!("error {:?}", error.kind()));
        outcome.text = error.to_string();
        outcome.field("retryable", error.is_retryable());
        outcome.field("security", error.is_security());
        outcome.field("oauth_error", error.oauth_error_code().unwrap_or("(none)"));
        let status = error.http_status().map(|status| status.as_u16().to_string());
        outcome.field("status", status.unwrap_or_else(|| "(none)".to_owned()));
        let retry_after = error.retry_after().map(|time| time.as_secs().to_string());
        outcome.field("retry_after", retry_after.unwrap_or_else(|| "(none)".to_owned()));
        let loopback_rejected = match error {
            Error::Refused(refusal) => refusal.loopback_rejected,
            Error::Denied(denied) => denied.loopback_rejected,
            _ => false,
        };
        outcome.field("loopback_rejected", loopback_rejected);
        if let Error::Denied(denied) = error {
            outcome.field("unverified", denied.unverified);
        }
        outcome
    }

    /// Adds the field `revocation`: the result of the revocation of tokens that failed a check.
    pub fn revocation(&mut self, revocation: Option<&Result<Revocation, Box<Error>>>) {
        let said = match revocation {
            None => "(none)".to_owned(),
            Some(Ok(outcome)) => format!("{outcome:?}"),
            Some(Err(error)) => format!("{:?}", error.kind()),
        };
        self.field("revocation", said);
    }

    /// Adds the field `violation`, and the text of a rule that the server broke.
    pub fn violation(&mut self, violation: Option<&Error>) {
        self.field("violation", violation.map_or("(none)", |_| "reported"));
        self.text = violation.map(ToString::to_string).unwrap_or_default();
    }

    /// Sets a field.
    pub fn field(&mut self, name: &'static str, value: impl ToString) {
        self.fields.retain(|(known, _)| *known != name);
        self.fields.push((name, value.to_string()));
    }

    /// Adds the members of a session that are not random.
    fn describe(&mut self, session: &Session, world: &World) {
        let json: serde_json::Value =
            serde_json::from_str(session.to_json().unwrap().expose()).unwrap();
        let member = |name: &str| json[name].as_str().unwrap_or("(none)").to_owned();
        for name in ["did", "handle", "issuer", "pds", "access_token", "refresh_token"] {
            self.field(name, member(name));
        }
        self.field("scope", member("scopes"));
        self.field("revocation_endpoint", member("revocation_endpoint"));
        let expires_in = session.expires_at().map(|at| {
            at.as_secs().wrapping_sub(world.environment.now.as_secs()).cast_signed().to_string()
        });
        self.field("expires_in", expires_in.unwrap_or_else(|| "(none)".to_owned()));
    }

    /// Whether both outcomes are equal, apart from `revocation`: the order of the replies decides
    /// whether there are tokens to revoke.
    pub fn is_like(&self, other: &Self) -> bool {
        let rest = |outcome: &Self| {
            let mut outcome = outcome.clone();
            outcome.fields.retain(|(name, _)| *name != "revocation");
            outcome
        };
        rest(self) == rest(other)
    }

    /// Compares the outcome with the fields of an `=` line.
    ///
    /// # Errors
    ///
    /// Returns the outcome and the first field that differs.
    pub fn check(&self, expected: &[String], world: &World) -> Result<(), String> {
        let (head, rest) = expected.split_first().ok_or("the `=` line is empty")?;
        let head = world.expand(head);
        if self.head != head {
            return Err(format!("the outcome is {self}\n  expected {head}"));
        }
        for part in rest {
            let part = world.expand(part);
            let field = part.split_once('=').and_then(|(name, value)| {
                let (_, found) = self.fields.iter().find(|(known, _)| *known == name)?;
                Some(found == value)
            });
            if !field.unwrap_or_else(|| self.text.contains(&part)) {
                return Err(format!("the outcome is {self}\n  which lacks {part}"));
            }
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head)?;
        for (name, value) in &self.fields {
            write!(f, "  {name}={value}")?;
        }
        write!(f, "  {}", self.text)
    }
}
