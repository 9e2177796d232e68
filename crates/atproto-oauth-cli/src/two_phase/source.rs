//! Credentials of an earlier login, read from the environment or a file, and renewed.

use std::env;
use std::path::{Path, PathBuf};

use atproto_dpop::DpopKey;
use atproto_oauth_core::{Credentials, Origin, RefreshError, Session, SessionEffect};
use atproto_oauth_ureq::{RingKeys, StatelessClient};
use atproto_sansio::SecretString;
use clap::Args;
use serde_json::{Map, Value};

use crate::arguments::Network;
use crate::client;
use crate::client_key::KeyFile;
use crate::failure::{CONFIGURATION, Failure, USAGE};
use crate::network;
use crate::output;
use crate::private_file::{Draft, PrivateFile};
use crate::two_phase::dotenv;
use crate::two_phase::values::{
    self, CLIENT_ID, DID, DPOP_PRIVATE_JWK, FILE, Format, Output, PDS_ISSUER, Printed,
    REFRESH_TOKEN, Values,
};

/// Options of the verbs that use credentials.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// Dotenv or JSON file to read the credentials from and to write the renewed ones back to; by
    /// default, they are read from the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,

    /// Form in which the renewed credentials are printed
    #[arg(long, value_enum, default_value_t = Format::Env, conflicts_with = "file")]
    pub(crate) format: Format,

    /// File to write the renewed credentials to, for its owner only, instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub(crate) output: Option<PathBuf>,

    /// The client_id of the login, if neither the environment nor the file has it
    #[arg(long, value_name = "URL")]
    pub(crate) client_id: Option<String>,

    #[command(flatten)]
    pub(crate) network: Network,
}

/// A renewed session, whose credentials are stored or printed, and the client that it is for.
pub(crate) struct Renewed {
    pub(crate) app: StatelessClient,
    pub(crate) session: Session,
}

/// Spends the refresh token, and stores or prints the renewed credentials before anything else is
/// done with them.
pub(crate) fn renew(source: &Source, form: output::Format) -> Result<Renewed, Failure> {
    let network = &source.network;
    let kept = source.file.as_deref().map(Kept::open).transpose()?;
    let value = |name: &str| match &kept {
        Some(kept) => kept.value(name),
        None => env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::new),
    };
    let credentials = credentials(source, &value)?;
    let client_id = source.client_id.clone().map(SecretString::new).or_else(|| value(CLIENT_ID));
    let client_id = client_id.or_else(|| env::var(CLIENT_ID).ok().map(SecretString::new));
    let client_id = client_id.ok_or_else(|| missing(source, CLIENT_ID))?;
    let app = network::stateless(
        client::of_session(client_id.expose(), &KeyFile::default(), network)?,
        network,
    )?;
    // Before the token is spent, the new file exists.
    let place = match &kept {
        Some(kept) => Place::Back(Draft::create(FILE, &kept.path)?, kept),
        None => Place::Output(Output::open(source.output.as_deref())?),
    };

    let names = [credentials.pds.to_string(), credentials.did.to_string()];
    let names = names.each_ref().map(String::as_str);
    let adopted = app.adopt(credentials);
    let session = adopted.map_err(|error| explain(error, network, &names))?.session;
    let values = Values::of(&session)?;
    let printed = values::printed(&session, &values, Printed::new(source.format, form));
    match place {
        Place::Back(draft, kept) => {
            let token = session.refresh_token().map_or("", SecretString::expose);
            values::save(draft, &kept.with_refresh_token(token), &printed)?;
        }
        Place::Output(output) => output.write(&values, source.format, &printed)?,
    }
    Ok(Renewed { app, session })
}

/// Place of the renewed credentials.
enum Place<'a> {
    Back(Draft, &'a Kept),
    Output(Output),
}

fn credentials(
    source: &Source,
    value: &dyn Fn(&str) -> Option<SecretString>,
) -> Result<Credentials, Failure> {
    let value = |name: &str| value(name).ok_or_else(|| missing(source, name));
    let (refresh_token, jwk) = (value(REFRESH_TOKEN)?, value(DPOP_PRIVATE_JWK)?);
    let (pds, did) = (value(PDS_ISSUER)?, value(DID)?);
    let wrong = |name: &str, why: &dyn std::fmt::Display| {
        let help = format!("set {name} to the value that `atproto-oauth complete` gave");
        Failure::new(CONFIGURATION, format!("the value of {name} can't be used: {why}"), help)
    };
    let pds = Origin::parse(pds.expose().trim(), source.network.development)
        .map_err(|error| wrong(PDS_ISSUER, &error))?;
    Ok(Credentials {
        did: did.expose().trim().parse().map_err(|error| wrong(DID, &error))?,
        pds,
        refresh_token,
        dpop_key: DpopKey::from_jwk(jwk.expose(), &RingKeys)
            .map_err(|error| wrong(DPOP_PRIVATE_JWK, &error))?,
    })
}

fn missing(source: &Source, name: &str) -> Failure {
    match &source.file {
        Some(file) => {
            let message = format!("{} has no value of {name}", file.display());
            Failure::new(CONFIGURATION, message, "log in again with `atproto-oauth init`")
        }
        None => Failure::new(
            USAGE,
            format!("{name} is not set"),
            "set the values that `atproto-oauth complete` printed, or name their file with --file",
        ),
    }
}

/// Tells the fate of the refresh token, too.
fn explain(error: RefreshError, network: &Network, names: &[&str]) -> Failure {
    let again = "log in again with `atproto-oauth init`";
    let is_security = error.error.is_security();
    match error.effect {
        SessionEffect::Dead if !is_security => Failure::from(error).session_over(again),
        SessionEffect::Keep => {
            network::explain(error, network, names).and("the refresh token was not spent")
        }
        SessionEffect::Ambiguous => network::explain(error, network, names)
            .and("the refresh token may be spent")
            .help(format!("try once more, and if that fails, {again}")),
        SessionEffect::NeedsReauth | SessionEffect::Dead => {
            network::explain(error, network, names).help(again)
        }
    }
}

/// The file with the credentials. It is locked until the renewed ones are in it, because two
/// processes must not spend the same refresh token.
struct Kept {
    path: PathBuf,
    text: SecretString,
    _lock: PrivateFile,
}

impl Source {
    /// The file that the renewed credentials are written to.
    pub(crate) fn destination(&self) -> Option<&Path> {
        self.file.as_deref().or(self.output.as_deref())
    }
}

impl Kept {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = PrivateFile::lock(FILE, path)?.ok_or_else(|| {
            let error = std::io::Error::from(std::io::ErrorKind::NotFound);
            Failure::file(FILE, path, &error)
        })?;
        let text = file.read()?;
        let kept = Self { path: path.to_owned(), text, _lock: file };
        kept.check()?;
        Ok(kept)
    }

    /// Rejects a file in which a value can't be found or replaced.
    fn check(&self) -> Result<(), Failure> {
        let refused = |why: String| {
            Failure::new(
                CONFIGURATION,
                format!("the credentials file {}: {why}", self.path.display()),
                "correct the file, or name another one with --file",
            )
        };
        if self.is_json() {
            let json = serde_json::from_str::<Map<String, Value>>(self.text.expose());
            return json.map(drop).map_err(|error| {
                refused(format!(
                    "it is malformed at line {}, column {}",
                    error.line(),
                    error.column()
                ))
            });
        }
        let found = dotenv::parse(self.text.expose())
            .map_err(|line| refused(format!("the quotes of line {line} do not end")))?;
        match found.iter().filter(|assignment| assignment.name == REFRESH_TOKEN).count() {
            0 | 1 => Ok(()),
            _ => Err(refused(format!("it has {REFRESH_TOKEN} more than once"))),
        }
    }

    fn is_json(&self) -> bool {
        self.text.expose().trim_start().starts_with('{')
    }

    fn json(&self) -> Map<String, Value> {
        serde_json::from_str(self.text.expose()).unwrap_or_default()
    }

    /// Returns a value; the private key may be a JSON object.
    fn value(&self, name: &str) -> Option<SecretString> {
        let value = match self.is_json() {
            true => match self.json().remove(name)? {
                Value::String(text) => text,
                other => other.to_string(),
            },
            false => {
                let found = dotenv::parse(self.text.expose()).ok()?;
                found.into_iter().rfind(|assignment| assignment.name == name)?.value
            }
        };
        (!value.is_empty()).then(|| SecretString::new(value))
    }

    /// The text of the file with another refresh token. Everything else in it stays.
    fn with_refresh_token(&self, token: &str) -> SecretString {
        if self.is_json() {
            let mut json = self.json();
            json.insert(REFRESH_TOKEN.to_owned(), token.into());
            return SecretString::new(format!("{:#}\n", Value::Object(json)));
        }
        let mut text = self.text.expose().to_owned();
        let found = dotenv::parse(self.text.expose()).unwrap_or_default();
        if let Some(found) = found.into_iter().find(|assignment| assignment.name == REFRESH_TOKEN) {
            text.replace_range(found.place, &dotenv::quote_for_dotenv(token));
        }
        SecretString::new(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop, prop_assume, proptest};

    use super::*;

    fn kept(folder: &tempfile::TempDir, text: &str) -> Result<Kept, Failure> {
        let path = folder.path().join("credentials");
        let _ = std::fs::remove_file(&path);
        Draft::create(FILE, &path).unwrap().add(text).unwrap();
        Kept::open(&path)
    }

    #[test]
    fn the_other_lines_of_a_file_stay() {
        // Rule L-03
        let folder = tempfile::tempdir().unwrap();
        let text = "# mine\nOTHER=1\nexport ATPROTO_OAUTH_REFRESH_TOKEN='old' # spent\nLAST='x y'";
        let kept = kept(&folder, text).unwrap();
        assert_eq!(kept.value(REFRESH_TOKEN).unwrap().expose(), "old");
        assert!(kept.value(DID).is_none());
        let new = kept.with_refresh_token("it's $new");
        assert_eq!(new.expose(), text.replace("'old'", "\"it's \\$new\""));
    }

    #[test]
    fn a_json_file_may_have_the_key_as_an_object() {
        // Rule L-03
        let folder = tempfile::tempdir().unwrap();
        let text = r#" {"ATPROTO_OAUTH_DPOP_PRIVATE_JWK": {"kty": "EC"}, "other": [1],
            "ATPROTO_OAUTH_REFRESH_TOKEN": "old"}"#;
        let kept = kept(&folder, text).unwrap();
        assert_eq!(kept.value(DPOP_PRIVATE_JWK).unwrap().expose(), r#"{"kty":"EC"}"#);
        let new: Value = serde_json::from_str(kept.with_refresh_token("new").expose()).unwrap();
        assert_eq!(new["ATPROTO_OAUTH_REFRESH_TOKEN"], "new");
        assert_eq!(new["other"][0], 1);
    }

    #[test]
    fn a_file_whose_token_could_not_be_replaced_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (text, why) in [
            ("{", "malformed at line 1"),
            ("A=1\nB='x", "line 2"),
            ("ATPROTO_OAUTH_REFRESH_TOKEN=1\nATPROTO_OAUTH_REFRESH_TOKEN=2", "more than once"),
        ] {
            let failure = kept(&folder, text).err().unwrap().to_string();
            assert!(failure.contains(why), "{failure}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Rule L-03
        #[test]
        fn a_new_token_replaces_the_old_one_and_nothing_else(
            lines in prop::collection::vec("(export )?[A-Z]{0,3}=?('[^']{0,9}'|[^'\"]{0,9})", 0..5),
            at in 0..5_usize,
            tokens in prop::collection::vec("[ -~]{1,12}", 2),
        ) {
            let line = format!("{REFRESH_TOKEN}={}", dotenv::quote_for_shell(&tokens[0]));
            let mut all = lines;
            all.insert(at.min(all.len()), line);
            let text = all.join("\n");
            // It would be JSON.
            prop_assume!(!text.trim_start().starts_with('{'));
            let folder = tempfile::tempdir().unwrap();
            let kept = kept(&folder, &text).unwrap();
            assert_eq!(kept.value(REFRESH_TOKEN).unwrap().expose(), tokens[0]);
            let others = |text: &str| -> Vec<_> {
                let found = dotenv::parse(text).unwrap().into_iter();
                let found = found.filter(|assignment| assignment.name != REFRESH_TOKEN);
                found.map(|assignment| (assignment.name.to_owned(), assignment.value)).collect()
            };
            let before = others(&text);
            let new = kept.with_refresh_token(&tokens[1]);
            assert_eq!(others(new.expose()), before);
            let found = dotenv::parse(new.expose()).unwrap();
            let found = found.iter().find(|assignment| assignment.name == REFRESH_TOKEN).unwrap();
            assert_eq!(found.value, tokens[1]);
        }
    }
}
