//! The private key of a confidential client, which may be encrypted with a passphrase.

use std::env;
use std::path::{Path, PathBuf};

use atproto_dpop::DpopError;
use atproto_oauth_core::{ClientKey, Error};
use atproto_oauth_ureq::RingKeys;
use atproto_sansio::SecretString;
use clap::Args;

use crate::failure::{CONFIGURATION, Failure};
use crate::private_file::read_secret_file;

/// Options of each verb that uses a stored session.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct KeyFile {
    /// File with the private key of a confidential client, as PEM or JWK, for sessions of such a client
    #[arg(long, env = "ATPROTO_OAUTH_CLIENT_KEY", value_name = "FILE")]
    client_key: Option<PathBuf>,

    #[command(flatten)]
    passphrase: Passphrase,
}

/// Option of each verb that reads a private key.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Passphrase {
    /// File with the passphrase of an encrypted private key, instead of the passphrase itself in
    /// ATPROTO_OAUTH_CLIENT_KEY_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    client_key_passphrase: Option<PathBuf>,
}

/// Environment variable with the passphrase. It holds no path, so that the passphrase needs no file.
const VARIABLE: &str = "ATPROTO_OAUTH_CLIENT_KEY_PASSPHRASE";

impl KeyFile {
    /// The key in the file of the options; `None` without that option.
    pub(crate) fn read(&self) -> Result<Option<ClientKey>, Failure> {
        let Some(path) = &self.client_key else { return Ok(None) };
        let text = read_secret_file(path);
        let text = text.map_err(|error| Failure::file("the client's key", path, &error))?;
        let key = self.passphrase.parse(&text);
        Ok(Some(key.map_err(|failure| failure.about(&path.display().to_string()))?))
    }
}

impl Passphrase {
    /// Reads a private key, with the passphrase if the key is encrypted.
    pub(crate) fn parse(&self, text: &SecretString) -> Result<ClientKey, Failure> {
        let failed = |why: &str, help: String| Failure::new(CONFIGURATION, why, help);
        let private = || "name a private key of a client, as PEM or JWK".to_owned();
        match ClientKey::parse(text.expose(), &RingKeys) {
            Err(Error::Dpop(DpopError::Encrypted)) => {}
            parsed => return parsed.map_err(|error| failed(&error.to_string(), private())),
        }
        let places = format!(
            "passphrase in the environment variable {VARIABLE}, or in a file with --client-key-passphrase"
        );
        let Some(passphrase) = self.get()? else {
            return Err(failed("the private key is encrypted", format!("give its {places}")));
        };
        let parsed = ClientKey::parse_with_passphrase(text.expose(), &passphrase, &RingKeys);
        parsed.map_err(|error| {
            let help = match error {
                Error::Dpop(DpopError::Passphrase) => format!("give the right {places}"),
                _ => private(),
            };
            failed(&error.to_string(), help)
        })
    }

    /// The passphrase, from the file of the option, or else from the environment.
    fn get(&self) -> Result<Option<SecretString>, Failure> {
        if let Some(path) = &self.client_key_passphrase {
            return read_passphrase(path).map(Some);
        }
        let Some(passphrase) = env::var_os(VARIABLE) else { return Ok(None) };
        match passphrase.into_string() {
            Ok(passphrase) => Ok(Some(SecretString::new(passphrase))),
            Err(_) => {
                let help = "give the passphrase in a file, with --client-key-passphrase";
                Err(Failure::new(CONFIGURATION, format!("{VARIABLE} is not UTF-8"), help))
            }
        }
    }
}

/// The passphrase in a file, which may end with a line break.
pub(crate) fn read_passphrase(path: &Path) -> Result<SecretString, Failure> {
    let text = read_secret_file(path);
    let text = text.map_err(|error| Failure::file("the passphrase", path, &error))?;
    Ok(SecretString::new(text.expose().trim_end_matches(['\r', '\n'])))
}
