//! The values of a finished login, and the forms in which they are printed.

use std::io::{self, Write};
use std::path::Path;

use atproto_oauth_core::{Credentials, Session};
use atproto_sansio::SecretString;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::failure::{CONFIGURATION, Failure};
use crate::output;
use crate::private_file::Draft;
use crate::two_phase::dotenv;

pub(crate) const REFRESH_TOKEN: &str = "ATPROTO_OAUTH_REFRESH_TOKEN";
pub(crate) const DPOP_PRIVATE_JWK: &str = "ATPROTO_OAUTH_DPOP_PRIVATE_JWK";
/// Name of the variable with the origin of the PDS, from which the issuer is found.
pub(crate) const PDS_ISSUER: &str = "ATPROTO_OAUTH_PDS_ISSUER";
pub(crate) const DID: &str = "ATPROTO_OAUTH_DID";
pub(crate) const CLIENT_ID: &str = "ATPROTO_OAUTH_CLIENT_ID";

/// Name of the file in messages.
pub(crate) const FILE: &str = "the credentials file";

/// Form of printed credentials.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// Commands for a shell: export NAME='value'
    Env,
    /// Lines for a dotenv file: NAME='value'
    Dotenv,
    /// One JSON object of strings
    Json,
}

/// The values of a session that another process needs to renew it.
#[derive(Debug)]
pub(crate) struct Values([(&'static str, SecretString); 5]);

impl Values {
    /// Returns the values of a session.
    pub(crate) fn of(session: &Session) -> Result<Self, Failure> {
        let message = "the authorization server issued no refresh token";
        let help = "add `refresh_token` to the `grant_types` of the client metadata";
        let credentials =
            Credentials::of(session).ok_or_else(|| Failure::new(CONFIGURATION, message, help))?;
        let jwk = credentials.dpop_key.to_jwk().ok_or_else(|| {
            let message = "the private key can't be exported from its backend";
            Failure::new(CONFIGURATION, message, "log in again with `atproto-oauth init`")
        })?;
        Ok(Self([
            (REFRESH_TOKEN, credentials.refresh_token),
            (DPOP_PRIVATE_JWK, jwk),
            (PDS_ISSUER, SecretString::new(credentials.pds.as_str())),
            (DID, SecretString::new(credentials.did.as_str())),
            (CLIENT_ID, SecretString::new(session.client_id())),
        ]))
    }

    /// The values as one object of strings.
    fn to_object(&self) -> Value {
        let pairs = self.0.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), value.expose().into()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }

    /// The text to print or to store.
    pub(crate) fn to_text(&self, format: Format) -> SecretString {
        let lines = |line: &dyn Fn(&str, &str) -> String| {
            self.0.iter().map(|(name, value)| line(name, value.expose())).collect::<String>()
        };
        SecretString::new(match format {
            Format::Env => {
                lines(&|name, value| format!("export {name}={}\n", dotenv::quote_for_shell(value)))
            }
            Format::Dotenv => {
                lines(&|name, value| format!("{name}={}\n", dotenv::quote_for_dotenv(value)))
            }
            Format::Json => format!("{:#}\n", self.to_object()),
        })
    }
}

/// The result for programs: the account, and its credentials if they are not in `file`.
pub(crate) fn described(session: &Session, file: Option<&Path>, values: Option<&Values>) -> Value {
    json!({
        "did": session.did(),
        "handle": session.handle(),
        "pds": session.pds(),
        "scopes": session.scopes(),
        "file": file.map(|file| file.display().to_string()),
        "credentials": values.map(Values::to_object),
    })
}

/// The text that standard output gets.
pub(crate) fn printed(session: &Session, values: &Values, format: Printed) -> SecretString {
    match format {
        Printed::Text(format) => values.to_text(format),
        Printed::Json => {
            SecretString::new(format!("{:#}\n", described(session, None, Some(values))))
        }
    }
}

/// Form of the credentials on standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Printed {
    Text(Format),
    /// The whole result, with `--json`.
    Json,
}

impl Printed {
    pub(crate) fn new(format: Format, form: output::Format) -> Self {
        if form.json { Self::Json } else { Self::Text(format) }
    }
}

/// Place where credentials go: standard output, or a file that was created before a code or refresh
/// token was spent.
#[derive(Debug)]
pub(crate) struct Output(Option<Draft>);

impl Output {
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, Failure> {
        Ok(Self(file.map(|file| Draft::create(FILE, file)).transpose()?))
    }

    /// Writes the credentials. If the file can't be written, prints them and fails, because the
    /// former ones are spent.
    pub(crate) fn write(
        self,
        values: &Values,
        format: Format,
        printed: &SecretString,
    ) -> Result<(), Failure> {
        match self.0 {
            Some(draft) => save(draft, &values.to_text(format), printed),
            None => print(printed),
        }
    }
}

/// Moves the new text of a credentials file to its place. If that fails, prints `printed`, which has the
/// credentials, and fails.
pub(crate) fn save(
    draft: Draft,
    text: &SecretString,
    printed: &SecretString,
) -> Result<(), Failure> {
    draft.replace(text.expose()).map_err(|failure| match print(printed) {
        Ok(()) => failure.and("the new credentials are on standard output instead"),
        Err(lost) => failure.and(&lost.to_string()),
    })
}

/// Prints credentials. A reader that has gone is a failure, because it has not got them.
fn print(text: &SecretString) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.expose().as_bytes()).and_then(|()| out.flush()).map_err(|error| {
        output::unwritten(&error)
            .and("the new credentials are lost")
            .help("log in again with `atproto-oauth init`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_pinned() {
        // Rule L-02
        let values = ["it's", r#"{"kty":"EC"}"#, "https://pds.example.com", "did:plc:x", "c"];
        let names = [REFRESH_TOKEN, DPOP_PRIVATE_JWK, PDS_ISSUER, DID, CLIENT_ID];
        let mut values = values.into_iter().map(SecretString::new);
        let values = Values(names.map(|name| (name, values.next().unwrap())));
        let expected = r#"export ATPROTO_OAUTH_REFRESH_TOKEN='it'\''s'
export ATPROTO_OAUTH_DPOP_PRIVATE_JWK='{"kty":"EC"}'
export ATPROTO_OAUTH_PDS_ISSUER='https://pds.example.com'
export ATPROTO_OAUTH_DID='did:plc:x'
export ATPROTO_OAUTH_CLIENT_ID='c'
"#;
        assert_eq!(values.to_text(Format::Env).expose(), expected);
        let dotenv = expected.replace("export ", "").replace(r"'it'\''s'", "\"it's\"");
        assert_eq!(values.to_text(Format::Dotenv).expose(), dotenv);
        let json = r#"{
  "ATPROTO_OAUTH_CLIENT_ID": "c",
  "ATPROTO_OAUTH_DID": "did:plc:x",
  "ATPROTO_OAUTH_DPOP_PRIVATE_JWK": "{\"kty\":\"EC\"}",
  "ATPROTO_OAUTH_PDS_ISSUER": "https://pds.example.com",
  "ATPROTO_OAUTH_REFRESH_TOKEN": "it's"
}
"#;
        assert_eq!(values.to_text(Format::Json).expose(), json);
    }
}
