//! `templates`: writes the two static files that a login in two processes needs on a web server.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use atproto_oauth_core::{Client, Description, Error, InputError, Scopes};
use base64ct::{Base64, Encoding};
use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::failure::{CONFIGURATION, Failure, USAGE};
use crate::output::{Format, tell};

#[derive(Args, Debug)]
pub(crate) struct Templates {
    /// Host name of the web server, for example app.example.com
    #[arg(long, value_name = "HOST")]
    pub(crate) domain: String,

    /// Folder for the files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(crate) output: PathBuf,

    /// Scopes that the client may request, separated by spaces
    #[arg(long, env = "ATPROTO_OAUTH_SCOPE", default_value = "atproto transition:generic")]
    pub(crate) scope: String,

    /// Overwrite files that exist
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) format: Format,
}

const METADATA: &str = "client-metadata.json";
const CALLBACK: &str = "callback.html";

pub(crate) fn run(templates: &Templates) -> Result<(), Failure> {
    let (client_id, redirect_uri, metadata) = metadata(templates)?;
    let files = [(METADATA, metadata), (CALLBACK, page())]
        .map(|(name, text)| (templates.output.join(name), text));
    if !templates.force {
        // Neither file is written if one of them exists.
        if let Some((path, _)) = files.iter().find(|(path, _)| fs::symlink_metadata(path).is_ok()) {
            return Err(exists(path));
        }
    }
    fs::create_dir_all(&templates.output)
        .map_err(|error| Failure::file("the folder", &templates.output, &error))?;
    let mut list = Vec::new();
    for (path, text) in &files {
        write(path, text, templates.force)?;
        templates.format.tell(&format!("Wrote: {}\n", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        list.push(json!({ "name": name, "file": path.display().to_string() }));
    }
    let described = json!({ "wrote": list, "client_id": client_id, "redirect_uri": redirect_uri });
    templates.format.print("", &described)?;
    tell(format_args!(
        "Serve both files at https://{}/. Then log in with\n\n  \
         export ATPROTO_OAUTH_CLIENT_ID={client_id}\n  \
         export ATPROTO_OAUTH_REDIRECT_URI={redirect_uri}\n  \
         atproto-oauth init HANDLE",
        templates.domain
    ));
    Ok(())
}

/// Returns `client_id`, redirect URI and metadata document of a public web client.
fn metadata(templates: &Templates) -> Result<(String, String, String), Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        let domain = &templates.domain;
        Failure::new(
            USAGE,
            format!("--domain {domain}: {why}"),
            "give a public host name alone, such as app.client.dev",
        )
    };
    let origin =
        Url::parse(&format!("https://{}/", templates.domain)).map_err(|error| wrong(&error))?;
    if origin.host_str() != Some(&templates.domain) {
        return Err(wrong(&"it is not a host name in lower case"));
    }
    let scopes = Scopes::parse(&templates.scope).map_err(InputError::from)?;
    let (client_id, redirect_uri) = (format!("{origin}{METADATA}"), format!("{origin}{CALLBACK}"));
    let description = Description { client_uri: Some(origin), ..Description::default() };
    let client = Client::web(&client_id, scopes).redirect_uri(&redirect_uri);
    let client = client.description(description).build().map_err(|error| match error {
        Error::Config(why) => wrong(&why),
        other => other.into(),
    })?;
    let metadata = client.metadata().unwrap_or_default();
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| {
        let message = format!("the metadata is malformed: {error}");
        Failure::new(CONFIGURATION, message, "correct --domain and --scope")
    })?;
    Ok((client_id, redirect_uri, format!("{metadata:#}\n")))
}

/// Builds the callback page. Its policy allows this script and this style, by their hashes, and
/// nothing else: the page sends no request, and no other script can read the code.
fn page() -> String {
    let (script, style) = (include_str!("callback/script.js"), include_str!("callback/style.css"));
    let hash = |text: &str| format!("'sha256-{}'", Base64::encode_string(&Sha256::digest(text)));
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(style)
    );
    include_str!("callback/page.html")
        .replace("{policy}", &policy)
        .replace("{style}", style)
        .replace("{script}", script)
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        _ => Failure::file("the file", path, &error),
    };
    if force {
        // A link is replaced, and not the file that it points to.
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

fn exists(path: &Path) -> Failure {
    let message = format!("{} exists", path.display());
    Failure::new(CONFIGURATION, message, "overwrite it with --force")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text between two marks that occur once each.
    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        assert_eq!(text.matches(start).count(), 1, "{start}");
        let (_, rest) = text.split_once(start).unwrap();
        rest.split_once(end).unwrap().0
    }

    #[test]
    fn the_callback_page_runs_its_own_script_only_and_sends_nothing() {
        // Rule L-04
        let page = page();
        let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
        assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('{'), "{policy}");
        for (directive, start, end) in
            [("script-src", "<script>", "</script>"), ("style-src", "<style>", "</style>")]
        {
            let hash = Base64::encode_string(&Sha256::digest(between(&page, start, end)));
            assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{directive}");
        }
        // The policy is in front of everything that it governs.
        assert!(page.find("Content-Security-Policy") < page.find("<style>"));
        assert!(page.contains("<meta name=\"referrer\" content=\"no-referrer\">"));
        for request in
            ["http:", "https:", "src=", "href=", "fetch", "XMLHttp", "<form", "import", "@"]
        {
            let rest = page.replace(policy, "");
            assert!(!rest.contains(request), "{request}");
        }
        for dangerous in ["innerHTML", "document.write", "eval(", "outerHTML"] {
            assert!(!page.contains(dangerous), "{dangerous}");
        }
        assert!(page.contains("history.replaceState"));
    }

    #[test]
    fn the_domain_is_a_public_host_name() {
        // Rule L-04
        let templates = |domain: &str| Templates {
            domain: domain.to_owned(),
            output: PathBuf::from("."),
            scope: "atproto".to_owned(),
            force: false,
            format: Format { json: false },
        };
        let (client_id, redirect_uri, json) = metadata(&templates("app.client.dev")).unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(client_id, "https://app.client.dev/client-metadata.json");
        assert_eq!(json["client_id"], client_id);
        assert_eq!(json["redirect_uris"], serde_json::json!([redirect_uri]));
        assert_eq!(json["token_endpoint_auth_method"], "none");
        assert_eq!(json["application_type"], "web");
        for domain in [
            "",
            "localhost",
            "app.test",
            "127.0.0.1",
            "App.client.dev",
            "https://app.client.dev",
            "app.client.dev/x",
            "app.client.dev:8443",
            "user@app.client.dev",
            "a b",
        ] {
            let failure = metadata(&templates(domain)).unwrap_err();
            assert!(failure.to_string().starts_with(&format!("--domain {domain}: ")), "{failure}");
        }
    }
}
