//! `check-metadata`: fetches the documents of a client as an authorization server does, and tells everything
//! that is wrong with them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use atproto_oauth_core::{CheckClient, Finding, Severity, lint_jwks, lint_metadata};
use clap::Args;
use serde_json::{Value, json};

use crate::arguments::Network;
use crate::failure::{Failure, REFUSED};
use crate::output::Format;
use crate::{network, words};

#[derive(Args, Debug)]
pub(crate) struct CheckMetadata {
    /// The client_id: URL of the metadata document, or the client_id of a loopback client
    #[arg(value_name = "CLIENT_ID")]
    client_id: String,

    /// File with the metadata document, to check it before it is published; nothing is fetched
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,

    /// File with the JWKS, to check it before it is published
    #[arg(long, value_name = "FILE", requires = "document")]
    jwks: Option<PathBuf>,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    network: Network,
}

pub(crate) fn run(options: &CheckMetadata) -> Result<(), Failure> {
    let findings = match &options.document {
        Some(path) => {
            let read = |path: &PathBuf| {
                fs::read(path).map_err(|error| Failure::file("the document", path, &error))
            };
            let mut findings = lint_metadata(&options.client_id, &read(path)?);
            if let Some(jwks) = &options.jwks {
                findings.extend(lint_jwks(&read(jwks)?));
            }
            findings
        }
        None => {
            let driver = network::driver(&options.network)?;
            let check = CheckClient::new(&options.client_id, options.network.development);
            driver.run(check)?.findings
        }
    };
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let mut text = String::new();
    for finding in &findings {
        let _ = writeln!(text, "{}", words::of_command(&finding.to_string()));
    }
    let _ = match errors {
        0 => writeln!(text, "Authorization servers accept this client."),
        _ => writeln!(text, "Authorization servers refuse this client."),
    };
    let described: Vec<_> = findings.iter().map(described).collect();
    let json = json!({
        "client_id": options.client_id, "accepted": errors == 0, "findings": described,
    });
    options.format.print(&text, &json)?;
    match errors {
        0 => Ok(()),
        1 => Err(Failure::new(REFUSED, "one finding is an error", "correct it, and check again")),
        count => {
            let message = format!("{count} findings are errors");
            Err(Failure::new(REFUSED, message, "correct them, and check again"))
        }
    }
}

fn described(finding: &Finding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "severity": finding.severity.to_string(),
        "member": finding.member,
        "message": words::of_command(&finding.message),
    })
}
