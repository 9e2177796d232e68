//! What a step ended in, and whether that is what its transcript says.

use std::fmt;

use atproto_oauth_core::{Error, Revocation, Session};

use crate::replayer::world::World;

/// What a step ended in.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// The first word, or the URL.
    pub head: String,
    /// What else can be said of it.
    pub fields: Vec<(&'static str, String)>,
    /// The error's message.
    pub text: String,
}

impl Outcome {
    /// One that is a word.
    pub fn word(head: impl Into<String>) -> Self {
        Self { head: head.into(), ..Self::default() }
    }

    /// A session.
    pub fn session(session: &Session, world: &World) -> Self {
        let mut outcome = Self::word("session");
        outcome.describe(session, world);
        outcome
    }

    /// An error.
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
        if let Error::Denied(denied) = error {
            outcome.field("unverified", denied.unverified);
        }
        outcome
    }

    /// What became of the tokens that must not be used.
    pub fn revocation(&mut self, revocation: Option<&Result<Revocation, Box<Error>>>) {
        let said = match revocation {
            None => "(none)".to_owned(),
            Some(Ok(outcome)) => format!("{outcome:?}"),
            Some(Err(error)) => format!("{:?}", error.kind()),
        };
        self.field("revocation", said);
    }

    /// One more thing that can be said of it.
    pub fn field(&mut self, name: &'static str, value: impl ToString) {
        self.fields.push((name, value.to_string()));
    }

    /// What can be said of a session; all but what is random.
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

    /// Whether both are one result. Whether there were tokens to be revoked depends on what was
    /// answered first.
    pub fn is_like(&self, other: &Self) -> bool {
        let rest = |outcome: &Self| {
            let mut outcome = outcome.clone();
            outcome.fields.retain(|(name, _)| *name != "revocation");
            outcome
        };
        rest(self) == rest(other)
    }

    /// Whether this is what the fields of an `=` line say.
    ///
    /// # Errors
    ///
    /// What differs.
    pub fn check(&self, expected: &[String], world: &World) -> Result<(), String> {
        let (head, rest) = expected.split_first().ok_or("the outcome is empty")?;
        let head = world.expand(head);
        if self.head != head {
            return Err(format!("it ended in {self}\n  and not in {head}"));
        }
        for part in rest {
            let part = world.expand(part);
            let field = part.split_once('=').and_then(|(name, value)| {
                let (_, found) = self.fields.iter().find(|(known, _)| *known == name)?;
                Some(found == value)
            });
            if !field.unwrap_or_else(|| self.text.contains(&part)) {
                return Err(format!("it ended in {self}\n  which lacks {part}"));
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
