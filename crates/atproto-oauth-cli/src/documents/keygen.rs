//! `keygen`: makes a key of a confidential client.

use std::path::{Path, PathBuf};

use atproto_oauth_core::ClientKey;
use atproto_oauth_ureq::RingKeys;
use atproto_sansio::{SecretString, SystemEntropy};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::documents::files;
use crate::failure::{CONFIGURATION, Failure, USAGE};
use crate::output::{self, Format, tell};

#[derive(Args, Debug)]
pub(crate) struct Keygen {
    /// File to create, readable by its owner only; no file is overwritten. With -, the private key
    /// is printed, and its public part goes to standard error
    #[arg(long, value_name = "FILE|-")]
    output: PathBuf,

    /// Format of the private key
    #[arg(long, value_enum, default_value_t = KeyFormat::Pem)]
    format: KeyFormat,

    #[command(flatten)]
    form: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyFormat {
    /// PEM, PKCS#8 (PRIVATE KEY)
    Pem,
    /// PEM, SEC 1 (EC PRIVATE KEY)
    Sec1,
    /// JSON Web Key, with its kid
    Jwk,
}

pub(crate) fn run(keygen: &Keygen) -> Result<(), Failure> {
    let is_printed = keygen.output == Path::new("-");
    if is_printed && keygen.form.json {
        let message = "with --output -, the output is the private key alone";
        return Err(Failure::new(USAGE, message, "leave out --json, or name a file"));
    }
    let key = ClientKey::generate(&RingKeys, &mut SystemEntropy)?;
    let private = keygen.format.write(&key)?;
    let public: Value = serde_json::from_str(&key.public_jwk())
        .map_err(|error| Failure::new(CONFIGURATION, format!("the public key: {error}"), BUG))?;
    let text = format!("kid: {}\nPublic JWK: {public}\n", key.kid());
    if is_printed {
        output::write(private.expose().as_bytes())?;
        tell(text.trim_end());
        return Ok(());
    }
    files::create_secret(&keygen.output, &private)?;
    let file = keygen.output.display().to_string();
    keygen.form.print(
        &format!("Wrote: {file}\n{text}"),
        &json!({"file": file, "kid": key.kid(), "public_jwk": public}),
    )
}

impl KeyFormat {
    /// The private key as text that ends in a line break.
    fn write(self, key: &ClientKey) -> Result<SecretString, Failure> {
        let text = match self {
            Self::Pem => key.to_pkcs8_pem(),
            Self::Sec1 => key.to_sec1_pem(),
            // A string that grew would leave a copy of the private key behind.
            Self::Jwk => key.to_jwk().map(|jwk| SecretString::new([jwk.expose(), "\n"].concat())),
        };
        text.ok_or_else(|| Failure::new(CONFIGURATION, "the new key can't be exported", BUG))
    }
}

const BUG: &str = "try again; if it fails again, tell it to the developers of this command";
