//! `generate-metadata`: writes the documents that a client publishes.

use std::path::{Path, PathBuf};

use atproto_oauth_core::Client;
use clap::Args;
use serde_json::{Value, json};

use crate::client_key::Passphrase;
use crate::documents::{configuration, files};
use crate::failure::{CONFIGURATION, Failure};
use crate::output::Format;

#[derive(Args, Debug)]
#[command(after_help = KEYS)]
pub(crate) struct GenerateMetadata {
    /// Configuration in TOML or JSON, or a folder with client.toml or client.json
    #[arg(long, value_name = "FILE", default_value = "config")]
    config: PathBuf,

    /// Folder of the documents client-metadata.json and jwks.json; it is created if it is missing
    #[arg(long, value_name = "FOLDER", default_value = "public")]
    output: PathBuf,

    #[command(flatten)]
    passphrase: Passphrase,

    #[command(flatten)]
    form: Format,
}

/// A document to publish.
struct Document {
    name: &'static str,
    file: PathBuf,
    text: String,
}

pub(crate) fn run(generate: &GenerateMetadata) -> Result<(), Failure> {
    let client =
        configuration::client(&configuration_file(&generate.config)?, &generate.passphrase)?;
    let documents = documents(&client, &generate.output)?;
    files::replace(documents.iter().map(|document| (document.file.as_path(), &*document.text)))?;

    let wrote = |document: &Document| format!("Wrote: {}\n", document.file.display());
    let text: String = documents.iter().map(wrote).collect();
    let json: Result<Vec<Value>, _> = documents.iter().map(Document::to_json).collect();
    let json = json.map_err(|error| {
        Failure::new(CONFIGURATION, format!("the documents are malformed: {error}"), CORRECT)
    })?;
    generate.form.print(&text, &json!({ "wrote": json }))
}

/// The documents of the client. A client without keys has no JWK Set.
fn documents(client: &Client, folder: &Path) -> Result<Vec<Document>, Failure> {
    let named = |name, text| Document { name, file: folder.join(name), text };
    let metadata = client.metadata().ok_or_else(|| {
        Failure::new(
            CONFIGURATION,
            "a client without a published client_id has no metadata",
            CORRECT,
        )
    })?;
    let mut documents = vec![named("client-metadata.json", metadata)];
    if client.is_confidential() {
        documents.push(named("jwks.json", client.jwks()));
    }
    Ok(documents)
}

impl Document {
    fn to_json(&self) -> serde_json::Result<Value> {
        let document: Value = serde_json::from_str(&self.text)?;
        Ok(
            json!({"name": self.name, "file": self.file.display().to_string(), "document": document}),
        )
    }
}

/// Finds the configuration in a folder; a file is returned as it is.
fn configuration_file(given: &Path) -> Result<PathBuf, Failure> {
    if !given.is_dir() {
        return Ok(given.to_owned());
    }
    let mut found = NAMES.map(|name| given.join(name)).into_iter().filter(|file| file.exists());
    let folder = given.display();
    match (found.next(), found.next()) {
        (Some(file), None) => Ok(file),
        (None, _) => Err(Failure::new(
            CONFIGURATION,
            format!("the folder {folder} has no client.toml or client.json"),
            "write one (--help has its keys), or name another file with --config",
        )),
        (Some(_), Some(_)) => Err(Failure::new(
            CONFIGURATION,
            format!("the folder {folder} has client.toml and client.json"),
            "name one of them with --config",
        )),
    }
}

const CORRECT: &str = "correct the client_id of the configuration";

const NAMES: [&str; 2] = ["client.toml", "client.json"];

const KEYS: &str = "\
Keys of the configuration:
  client_id          https URL at which client-metadata.json is served
  redirect_uri       URL, or list of URLs, to which the browser returns; the first is the default
  scope              scopes that the client may request, separated by spaces
  client_name        name that users see
  private_key_path   file of the private key (`keygen` makes one), which may be encrypted with a
                     passphrase; relative to the configuration
  private_key_paths  further keys to publish, a list (optional)
  kind               confidential (the default), or public or native: a client without a key
  client_uri, logo_uri, tos_uri, policy_uri, jwks_uri
                     https URLs (optional)
  contacts           e-mail address, or list of them, of the people who run the client (optional)";
