//! The configuration of a published client: its keys, and the client that follows from them.
//!
//! The builder of the library stops at the first broken rule. So that the user sees all of them at
//! once, each setting is first tried in a client whose other settings are good.

mod nearest;
mod settings;

use std::collections::BTreeMap;
use std::path::Path;

use atproto_oauth_core::{Client, ClientBuilder, ClientKey, Description, Error, Scopes};
use atproto_oauth_ureq::RingKeys;
use atproto_sansio::SystemEntropy;
use url::Url;

use crate::client_key::Passphrase;
use crate::documents::configuration::settings::Settings;
use crate::failure::{CONFIGURATION, Failure};
use crate::private_file::read_secret_file;
use crate::words;

/// Kind of client, the value of `kind`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A web application on a server, with a private key.
    Confidential,
    /// A web application without a key.
    Public,
    /// A program on its users' devices.
    Native,
}

/// Reads the configuration, and builds its client. Fails with every problem of the configuration.
pub(crate) fn client(file: &Path, passphrase: &Passphrase) -> Result<Client, Failure> {
    let mut settings = Settings::read(file)?;
    let client = build(&mut settings, passphrase);
    settings.report_unknown(&KEYS);
    settings.finish()?;
    // Without a problem, there is a client.
    client.ok_or_else(|| Failure::new(CONFIGURATION, "no client was configured", CORRECT))
}

/// Builds the client; `None` if there is a problem.
fn build(settings: &mut Settings, passphrase: &Passphrase) -> Option<Client> {
    let kind = kind(settings);
    let id = client_id(settings);
    let redirect_uris = redirect_uris(settings, kind, id.as_deref());
    let scopes = scopes(settings);
    let description = description(settings, id.as_deref());
    let keys = keys(settings, kind, passphrase);
    let jwks_uri = jwks_uri(settings, kind);

    let mut builder = kind?.client(&id?, scopes?).description(description);
    for uri in redirect_uris {
        builder = builder.redirect_uri(uri);
    }
    for key in keys {
        builder = builder.key(key);
    }
    if let Some(uri) = jwks_uri {
        builder = builder.jwks_uri(uri);
    }
    match builder.build() {
        Ok(client) => Some(client),
        Err(error) => {
            // The settings are good one by one, but not together. A missing one is known already.
            if settings.is_good() {
                settings.problem("client_id", in_plain_words(&error));
            }
            None
        }
    }
}

impl Kind {
    fn client(self, id: &str, scopes: Scopes) -> ClientBuilder {
        match self {
            Self::Confidential | Self::Public => Client::web(id, scopes),
            Self::Native => Client::native(id, scopes),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::Public => "public",
            Self::Native => "native",
        }
    }
}

fn kind(settings: &mut Settings) -> Option<Kind> {
    if !settings.has("kind") {
        return Some(Kind::Confidential);
    }
    let name = settings.text("kind")?;
    let kind = KINDS.into_iter().find(|kind| kind.name() == name);
    if kind.is_none() {
        let [one, two, three] = KINDS.map(Kind::name);
        settings.problem("kind", format!("write {one} (the default), {two} or {three}"));
    }
    kind
}

fn client_id(settings: &mut Settings) -> Option<String> {
    let way_out = "write the https URL at which client-metadata.json will be served";
    let id = settings.required("client_id", way_out)?;
    let client = Client::web(&id, any_scopes()?).redirect_uri("https://app.example.com/");
    is_accepted(settings, "client_id", client).then_some(id)
}

fn redirect_uris(settings: &mut Settings, kind: Option<Kind>, id: Option<&str>) -> Vec<String> {
    let way_out =
        "write the URL to which the browser returns from the login, or a list of such URLs";
    if !settings.has("redirect_uri") {
        settings.problem("redirect_uri", format!("it is missing; {way_out}"));
    }
    let mut uris = settings.texts("redirect_uri");
    // The rules of a native client compare the redirect URI with the `client_id`.
    let id = match kind {
        Some(Kind::Confidential | Kind::Public) => Some(id.unwrap_or(ANY_CLIENT_ID)),
        Some(Kind::Native) | None => id,
    };
    if let (Some(kind), Some(id), Some(scopes)) = (kind, id, any_scopes()) {
        uris.retain(|uri| {
            let client = kind.client(id, scopes.clone()).redirect_uri(uri);
            is_accepted(settings, "redirect_uri", client)
        });
    }
    uris
}

fn scopes(settings: &mut Settings) -> Option<Scopes> {
    let way_out =
        "write the scopes that the client may request, such as \"atproto transition:generic\"";
    let text = settings.required("scope", way_out)?;
    Scopes::parse(&text).map_err(|error| settings.problem("scope", error)).ok()
}

fn description(settings: &mut Settings, id: Option<&str>) -> Description {
    let way_out = "write the name that the user sees when they log in";
    let client_name = settings.required("client_name", way_out);
    let with = |set: fn(&mut Description, Url)| {
        move |url| {
            let mut description = Description::default();
            set(&mut description, url);
            description
        }
    };
    // The `client_uri` is compared with the `client_id`.
    let client_uri = match id {
        Some(_) => page(settings, "client_uri", id, with(|d, url| d.client_uri = Some(url))),
        None => url(settings, "client_uri"),
    };
    let logo_uri = page(settings, "logo_uri", id, with(|d, url| d.logo_uri = Some(url)));
    let tos_uri = page(settings, "tos_uri", id, with(|d, url| d.tos_uri = Some(url)));
    let policy_uri = page(settings, "policy_uri", id, with(|d, url| d.policy_uri = Some(url)));
    let contacts = contacts(settings);
    let other_members = BTreeMap::new();
    Description { client_name, client_uri, logo_uri, tos_uri, policy_uri, contacts, other_members }
}

fn contacts(settings: &mut Settings) -> Vec<String> {
    let mut contacts = settings.texts("contacts");
    contacts.retain(|contact| {
        let contacts = vec![contact.clone()];
        let description = Description { contacts, ..Description::default() };
        any_scopes().is_some_and(|scopes| {
            let client = Client::web(ANY_CLIENT_ID, scopes)
                .redirect_uri("https://app.example.com/")
                .description(description);
            is_accepted(settings, "contacts", client)
        })
    });
    contacts
}

/// The URL of a page that the metadata names, tried in a description that has no other page.
fn page(
    settings: &mut Settings,
    key: &str,
    id: Option<&str>,
    description: impl Fn(Url) -> Description,
) -> Option<Url> {
    let url = url(settings, key)?;
    let client = Client::web(id.unwrap_or(ANY_CLIENT_ID), any_scopes()?)
        .redirect_uri("https://app.example.com/")
        .description(description(url.clone()));
    is_accepted(settings, key, client).then_some(url)
}

fn url(settings: &mut Settings, key: &str) -> Option<Url> {
    let text = settings.text(key)?;
    Url::parse(&text)
        .map_err(|error| settings.problem(key, format!("it is not a URL ({error}); correct it")))
        .ok()
}

fn jwks_uri(settings: &mut Settings, kind: Option<Kind>) -> Option<Url> {
    let uri = url(settings, "jwks_uri")?;
    if has_no_key(settings, kind, "jwks_uri") {
        return None;
    }
    // Any key will do, because a client without one must not have a `jwks_uri`.
    let key = ClientKey::generate(&RingKeys, &mut SystemEntropy).ok()?;
    let client = Client::web(ANY_CLIENT_ID, any_scopes()?)
        .redirect_uri("https://app.example.com/")
        .key(key)
        .jwks_uri(uri.clone());
    is_accepted(settings, "jwks_uri", client).then_some(uri)
}

/// The keys of a confidential client, `private_key_path` first.
fn keys(settings: &mut Settings, kind: Option<Kind>, passphrase: &Passphrase) -> Vec<ClientKey> {
    let first = settings.text("private_key_path");
    let others = settings.texts("private_key_paths");
    let is_without = ["private_key_path", "private_key_paths"]
        .into_iter()
        .filter(|key| settings.has(key) && has_no_key(settings, kind, key))
        .count();
    if kind == Some(Kind::Confidential) && !settings.has("private_key_path") {
        settings.problem(
            "private_key_path",
            "it is missing; name the file of the private key, which `atproto-oauth keygen` makes, \
             or set kind to public or native for a client without a key",
        );
    }
    if is_without > 0 {
        return Vec::new();
    }
    let paths = first.into_iter().map(|path| ("private_key_path", path));
    let paths = paths.chain(others.into_iter().map(|path| ("private_key_paths", path)));
    let mut keys: Vec<(String, ClientKey)> = Vec::new();
    for (name, path) in paths {
        let Some(key) = key(settings, name, &path, passphrase) else { continue };
        match keys.iter().find(|(_, known)| known.kid() == key.kid()) {
            Some((other, _)) => {
                let problem =
                    format!("{path} and {other} have the same kid, {}; remove one", key.kid());
                settings.problem(name, problem);
            }
            None => keys.push((path, key)),
        }
    }
    keys.into_iter().map(|(_, key)| key).collect()
}

/// Adds a problem if this kind of client has no key, so that `name` has no meaning for it.
fn has_no_key(settings: &mut Settings, kind: Option<Kind>, name: &str) -> bool {
    match kind {
        Some(Kind::Confidential) | None => false,
        Some(kind @ (Kind::Public | Kind::Native)) => {
            let kind = kind.name();
            settings.problem(
                name,
                format!("a client of the kind {kind} has no key; remove {name}, or remove kind"),
            );
            true
        }
    }
}

/// Reads the private key in the file at `path`.
fn key(
    settings: &mut Settings,
    name: &str,
    path: &str,
    passphrase: &Passphrase,
) -> Option<ClientKey> {
    if path.contains("-----BEGIN") || path.trim_start().starts_with('{') {
        settings.problem(name, "it is a key; write the key into a file, and the file's path here");
        return None;
    }
    let file = settings.path(path);
    let shown = file.display();
    let text = match read_secret_file(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let way_out =
                format!("correct the path, or run `atproto-oauth keygen --output {shown}`");
            settings.problem(name, format!("there is no file {shown}; {way_out}"));
            return None;
        }
        Err(error) => {
            settings.problem(name, format!("{shown} can't be read: {error}"));
            return None;
        }
    };
    match passphrase.parse(&text) {
        Ok(key) if key.kid().trim().is_empty() => {
            settings.problem(name, format!("{shown} has an empty kid; remove it from the JWK"));
            None
        }
        Ok(key) => Some(key),
        Err(failure) => {
            settings.problem(name, format!("{shown} can't be used: {}", failure.with_advice()));
            None
        }
    }
}

/// Whether the library builds this client. If not, its reason becomes a problem of `key`.
fn is_accepted(settings: &mut Settings, key: &str, client: ClientBuilder) -> bool {
    match client.build() {
        Ok(_) => true,
        Err(error) => {
            settings.problem(key, in_plain_words(&error));
            false
        }
    }
}

/// The text of an error, whose advice names functions of the library for programs in Rust.
fn in_plain_words(error: &Error) -> String {
    words::of_command(&error.to_string())
}

fn any_scopes() -> Option<Scopes> {
    Scopes::parse("atproto").ok()
}

const CORRECT: &str = "correct the configuration; --help has its keys";

const KINDS: [Kind; 3] = [Kind::Confidential, Kind::Public, Kind::Native];

/// Every key of a configuration.
const KEYS: [&str; 13] = [
    "kind",
    "client_id",
    "redirect_uri",
    "scope",
    "client_name",
    "private_key_path",
    "private_key_paths",
    "client_uri",
    "logo_uri",
    "tos_uri",
    "policy_uri",
    "contacts",
    "jwks_uri",
];

/// A good `client_id`, for settings that are tried before there is one.
const ANY_CLIENT_ID: &str = "https://app.example.com/client-metadata.json";
