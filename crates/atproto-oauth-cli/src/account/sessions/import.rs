//! `sessions import`: stores sessions that this command, or another client library, has written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use atproto_oauth_core::{Credentials, ForeignError, Revocation, Session, SessionEffect};
use atproto_oauth_ureq::{RingKeys, StatelessClient};
use atproto_sansio::SecretString;
use clap::Args;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::account::accounts;
use crate::account::sessions::foreign::Cipher;
use crate::arguments::Common;
use crate::client;
use crate::client_key::read_passphrase;
use crate::failure::{CONFIGURATION, Failure, Failures, USAGE};
use crate::network;
use crate::output::Format;
use crate::private_file::read_secret;

#[derive(Args, Debug)]
pub(crate) struct Import {
    /// File of `sessions export`, or JSON that another client library has stored: a session, or a list or map
    /// of sessions; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The client_id of sessions of another library, which do not name it
    #[arg(long, env = "ATPROTO_OAUTH_CLIENT_ID", value_name = "URL")]
    client_id: Option<String>,

    /// File with the passphrase of sessions that atproto-php has encrypted
    #[arg(long, value_name = "FILE")]
    passphrase: Option<PathBuf>,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    common: Common,
}

pub(super) fn run(options: &Import) -> Result<(), Failure> {
    let text = read(&options.file)?;
    match is_own(&text) {
        true => add_own(&text, options),
        false => adopt_all(&text, options),
    }
}

/// Whether the text is a session of this project.
fn is_own(text: &SecretString) -> bool {
    // Only the names of its members are copied.
    let names = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(text.expose());
    names.is_ok_and(|names| names.contains_key("version") && names.contains_key("session_id"))
}

fn add_own(text: &SecretString, options: &Import) -> Result<(), Failure> {
    let common = &options.common;
    let session =
        Session::from_json(text.expose()).map_err(|error| unreadable(error.to_string()))?;
    let app = network::app(network::client_of(&session, common)?, common)?;
    app.add(session.clone())?;
    let mut imported = Imported::new(options.format);
    imported.stored(&session);
    imported.print()
}

/// The results of an import, one for each session.
struct Imported {
    format: Format,
    list: Vec<Value>,
    failures: Failures,
}

impl Imported {
    fn new(format: Format) -> Self {
        Self { format, list: Vec::new(), failures: Failures::default() }
    }

    fn stored(&mut self, session: &Session) {
        self.list.push(json!({
            "did": session.did(),
            "handle": session.handle(),
            "session_id": session.session_id(),
            "error": null,
        }));
        let told = format!("The session of {} is stored.\n", accounts::name(session));
        // The next ones are imported, even if nobody is told.
        let told = self.format.tell(&told);
        told.unwrap_or_else(|failure| self.failures.add(failure, self.format));
    }

    /// Notes that a session was not imported; `did` is its account, if it is known.
    fn failed(&mut self, did: Option<&str>, failure: Failure) {
        let error = failure.to_json();
        self.list.push(json!({ "did": did, "handle": null, "session_id": null, "error": error }));
        self.failures.add(failure, self.format);
    }

    fn print(self) -> Result<(), Failure> {
        self.format.print("", &json!({ "sessions": self.list }))?;
        self.failures.first()
    }
}

/// Makes sessions of those of another library. Each spends its refresh token, and is stored before the next.
fn adopt_all(text: &SecretString, options: &Import) -> Result<(), Failure> {
    let passphrase = options.passphrase.as_deref().map(read_passphrase).transpose()?;
    let all = match &passphrase {
        None => Credentials::from_foreign(text.expose(), &RingKeys),
        Some(passphrase) => {
            let cipher = Cipher::new(passphrase);
            let decrypt = |text: &str| cipher.open(text);
            Credentials::from_foreign_encrypted(text.expose(), &RingKeys, &decrypt)
        }
    };
    let all = all.map_err(|error| unreadable(error.to_string()))?;
    let common = &options.common;
    let client_id = options.client_id.as_deref().ok_or_else(|| {
        let message = "the sessions of another library do not name their client";
        Failure::new(USAGE, message, "name it with --client-id")
    })?;
    let client = client::of_session(client_id, &common.key, &common.network)?;
    let app = network::app(client.clone(), common)?;
    let adopting = network::stateless(client, &common.network)?;
    let mut imported = Imported::new(options.format);
    for credentials in all {
        let did = match &credentials {
            Ok(credentials) => Some(credentials.did.to_string()),
            Err(error) => error.did().map(ToString::to_string),
        };
        let adopted = credentials.map_err(of_foreign);
        let adopted = adopted.and_then(|credentials| adopt(&adopting, credentials, common));
        let session = match adopted {
            Ok(session) => session,
            Err(failure) => {
                // The others are imported all the same.
                imported.failed(did.as_deref(), failure);
                continue;
            }
        };
        let name = accounts::name(&session).to_owned();
        match app.add(session.clone()) {
            Ok(_) => imported.stored(&session),
            Err(error) => {
                // The next one would be lost, too. Nobody has the tokens of this one, so they are revoked.
                let fate = match adopting.revoke(session) {
                    Ok(Revocation::NotSupported) => {
                        "stays valid until it expires, because its server revokes no tokens"
                            .to_owned()
                    }
                    Ok(_) => "is revoked".to_owned(),
                    Err(error) => format!("stays valid, because its revocation failed: {error}"),
                };
                let failure = Failure::from(error)
                    .and(&format!("the new session of {name} could not be stored and {fate}"))
                    .and("the sessions after it were not touched");
                imported.failed(did.as_deref(), failure);
                break;
            }
        }
    }
    imported.print()
}

/// A session that can't be read.
fn of_foreign(error: ForeignError) -> Failure {
    let failure = unreadable(error.to_string());
    match error {
        ForeignError::Encrypted { .. } => {
            failure.help("name its passphrase with --passphrase FILE")
        }
        ForeignError::Undecryptable { .. } => failure
            .help("name the file of the passphrase of atproto-php's sessions with --passphrase"),
        _ => failure,
    }
}

/// Spends the refresh token of the other library's session for a session of this one.
fn adopt(
    app: &StatelessClient,
    credentials: Credentials,
    common: &Common,
) -> Result<Session, Failure> {
    let (pds, did) = (credentials.pds.to_string(), credentials.did.to_string());
    let adopted = app.adopt(credentials).map_err(|error| {
        let (fate, help) = fate(error.effect);
        let failure = Failure::from(error).and(&format!("{did}: {fate}")).help(help);
        network::explain(failure, &common.network, &[&pds, &did])
    });
    Ok(adopted?.session)
}

/// The fate of the refresh token, and the advice.
fn fate(effect: SessionEffect) -> (&'static str, &'static str) {
    match effect {
        SessionEffect::Keep => ("its refresh token was not spent", "import it again later"),
        SessionEffect::Ambiguous => {
            ("its refresh token may be spent", "import it once more, or log in again")
        }
        _ => ("the session is over", "log in again with `atproto-oauth login`"),
    }
}

fn unreadable(why: String) -> Failure {
    let help = "name a file of `sessions export`, or the JSON that the other library has stored";
    Failure::new(CONFIGURATION, why, help)
}

fn read(path: &Path) -> Result<SecretString, Failure> {
    let read = match path == Path::new("-") {
        true => read_secret(io::stdin().lock(), 0, MAX),
        false => File::open(path)
            .and_then(|file| file.metadata().map(|found| (found.len(), file)))
            .and_then(|(size, file)| read_secret(file, size, MAX)),
    };
    let read = read.map_err(|error| Failure::file("the session in", path, &error))?;
    let Some(text) = read else {
        let message = format!("{} has more than {MAX} bytes", path.display());
        return Err(Failure::new(USAGE, message, "import fewer sessions at a time"));
    };
    match text.expose().trim().is_empty() {
        true => Err(Failure::new(
            USAGE,
            format!("{} is empty", path.display()),
            "name the file of a session",
        )),
        false => Ok(text),
    }
}

/// Most bytes of sessions that are read: some ten thousand sessions.
const MAX: usize = 64 * 1024 * 1024;
