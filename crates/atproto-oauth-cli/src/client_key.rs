//! The private key of a confidential client, which may be encrypted with a passphrase.

use std::path::{Path, PathBuf};
use std::{env, fs};

use atproto_dpop::{DpopError, P256Keys};
use atproto_oauth_core::{ClientKey, Error};
use atproto_sansio::SecretString;
use clap::Args;

use crate::failure::{CONFIGURATION, Failure};

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
        let text = fs::read_to_string(path).map(SecretString::new);
        let text = text.map_err(|error| Failure::file("the client's key", path, &error))?;
        let key = self.passphrase.parse(&text).map_err(|why| {
            let help = "name the private key of the client, as PEM or JWK, with --client-key";
            Failure::new(CONFIGURATION, format!("{}: {why}", path.display()), help)
        })?;
        Ok(Some(key))
    }
}

impl Passphrase {
    /// Reads a private key, with the passphrase if the key is encrypted.
    pub(crate) fn parse(&self, text: &SecretString) -> Result<ClientKey, String> {
        match ClientKey::parse(text.expose(), &P256Keys) {
            Err(Error::Dpop(DpopError::Encrypted)) => {}
            parsed => return parsed.map_err(|error| error.to_string()),
        }
        let Some(passphrase) = self.get().map_err(|failure| failure.to_string())? else {
            return Err(format!(
                "the private key is encrypted; give its passphrase in the environment variable {VARIABLE}, or \
                 in a file with --client-key-passphrase"
            ));
        };
        let parsed = ClientKey::parse_with_passphrase(text.expose(), &passphrase, &P256Keys);
        parsed.map_err(|error| error.to_string())
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
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| Failure::file("the passphrase", path, &error))?;
    Ok(SecretString::new(text.trim_end_matches(['\r', '\n'])))
}
