//! `scope`: reads scopes, writes them in canonical form, and says what they allow.

use std::fmt::Write as _;

use atproto_oauth_core::permission::{
    Allowed, Audience, MediaRange, Nsids, Operation, Permission, PermissionError,
};
use atproto_oauth_core::xrpc::Nsid;
use atproto_oauth_core::{ScopeFinding, Scopes};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::failure::{Failure, REFUSED, USAGE};
use crate::output::Format;

/// The verbs below `scope`.
#[derive(Debug, Subcommand)]
pub(crate) enum Scope {
    /// Explain each scope of a list, and tell its mistakes
    Parse(List),
    /// Print a list in canonical form
    Normalize(List),
    /// Tell the mistakes of a list, and whether it allows what an application does
    Check(Check),
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// Scopes, as one argument or as several
    #[arg(value_name = "SCOPE", required = true)]
    scopes: Vec<String>,

    #[command(flatten)]
    format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Scopes, as one argument or as several
    #[arg(value_name = "SCOPE", required = true)]
    scopes: Vec<String>,

    /// Permission that the scopes have to allow, such as repo:app.bsky.feed.post?action=create; the option
    /// may be repeated
    #[arg(long, value_name = "PERMISSION")]
    allows: Vec<Permission>,

    #[command(flatten)]
    format: Format,
}

pub(crate) fn run(verb: &Scope) -> Result<(), Failure> {
    match verb {
        Scope::Parse(options) => parse(options),
        Scope::Normalize(options) => normalize(options),
        Scope::Check(options) => check(options),
    }
}

fn parse(options: &List) -> Result<(), Failure> {
    let list = options.scopes.join(" ");
    let findings = Scopes::lint(&list);
    let (mut text, mut json) = (String::new(), Vec::new());
    for scope in list.split_ascii_whitespace() {
        let (meaning, canonical) = match Permission::parse(scope) {
            Ok(permission) => (meaning(&permission), Some(permission.to_string())),
            Err(PermissionError::UnknownResource(_)) => ("unknown permission".to_owned(), None),
            Err(error) => (format!("invalid: {error}"), None),
        };
        let scope = atproto_sansio::printable(scope);
        let _ = writeln!(text, "{scope}\n    {meaning}");
        json.push(json!({ "scope": scope, "canonical": canonical, "meaning": meaning }));
    }
    for finding in &findings {
        let _ = writeln!(text, "{}: {finding}", severity(finding));
    }
    let findings_json: Vec<_> = findings.iter().map(described).collect();
    options.format.print(&text, &json!({ "scopes": json, "findings": findings_json }))?;
    fail_on_errors(&findings)
}

fn normalize(options: &List) -> Result<(), Failure> {
    let list = options.scopes.join(" ");
    let findings: Vec<_> =
        Scopes::lint(&list).into_iter().filter(|finding| finding.code.is_error()).collect();
    fail_on_errors(&findings)?;
    let scopes = Scopes::parse(&list).map_err(|error| mistaken(error.to_string()))?;
    let normalized = scopes.normalized();
    options.format.print(&format!("{normalized}\n"), &json!({ "scope": normalized }))
}

fn check(options: &Check) -> Result<(), Failure> {
    let list = options.scopes.join(" ");
    let findings = Scopes::lint(&list);
    let mut text = String::new();
    for finding in &findings {
        let _ = writeln!(text, "{}: {finding}", severity(finding));
    }
    let mut lacking = Vec::new();
    let mut answers = Vec::new();
    for permission in &options.allows {
        let operations = operations(permission)?;
        let allowed = operations.iter().map(|operation| allows(&list, operation)).min();
        let allowed = allowed.unwrap_or(Allowed::No);
        let _ = writeln!(text, "{permission}: {allowed}");
        answers
            .push(json!({ "permission": permission.to_string(), "allowed": allowed.to_string() }));
        if allowed == Allowed::No {
            lacking.push(permission.to_string());
        }
    }
    if text.is_empty() {
        text.push_str("There are no findings.\n");
    }
    let findings_json: Vec<_> = findings.iter().map(described).collect();
    options.format.print(&text, &json!({ "findings": findings_json, "allows": answers }))?;
    fail_on_errors(&findings)?;
    match lacking.is_empty() {
        true => Ok(()),
        false => {
            let lacking = lacking.join(" ");
            let message = format!("the scopes do not allow {lacking}");
            Err(Failure::new(REFUSED, message, format!("add {lacking} to them")))
        }
    }
}

/// Whether the scopes of a list, which may have mistakes, allow an operation.
fn allows(list: &str, operation: &Operation) -> Allowed {
    let known = list.split_ascii_whitespace().filter_map(|scope| Permission::parse(scope).ok());
    known.map(|permission| permission.allows(operation)).max().unwrap_or(Allowed::No)
}

/// The operations that a permission is for.
fn operations(permission: &Permission) -> Result<Vec<Operation>, Failure> {
    let vague = || {
        let message = format!("`{permission}` is for no certain operation");
        Failure::new(USAGE, message, "name collections, methods or types in --allows")
    };
    Ok(match permission {
        Permission::Repo(repo) => {
            let Nsids::Only(collections) = &repo.collections else { return Err(vague()) };
            let pairs = collections.iter().flat_map(|collection| {
                repo.actions.iter().map(|action| (collection.clone(), *action))
            });
            pairs.map(|(collection, action)| Operation::Repo { collection, action }).collect()
        }
        Permission::Rpc(rpc) => {
            let (Nsids::Only(methods), Audience::Service(service)) = (&rpc.methods, &rpc.audience)
            else {
                return Err(vague());
            };
            let with =
                |method: &Nsid| Operation::Rpc { method: method.clone(), service: service.clone() };
            methods.iter().map(with).collect()
        }
        Permission::Blob(blob) => {
            blob.accept.iter().map(|range| Operation::Blob { media_type: range.clone() }).collect()
        }
        Permission::Account(account) => {
            let (attribute, action) = (account.attribute, account.action);
            vec![Operation::Account { attribute, action }]
        }
        Permission::Identity(identity) => {
            vec![Operation::Identity { attribute: identity.attribute }]
        }
        _ => return Err(vague()),
    })
}

fn severity(finding: &ScopeFinding) -> &'static str {
    if finding.code.is_error() { "error" } else { "warning" }
}

fn described(finding: &ScopeFinding) -> Value {
    json!({
        "code": finding.code.as_str(),
        "severity": severity(finding),
        "scope": finding.scope,
        "message": finding.message,
    })
}

fn fail_on_errors(findings: &[ScopeFinding]) -> Result<(), Failure> {
    let errors: Vec<_> = findings.iter().filter(|finding| finding.code.is_error()).collect();
    match errors.first() {
        None => Ok(()),
        Some(first) => Err(mistaken(first.to_string())),
    }
}

fn mistaken(why: String) -> Failure {
    let help = "correct the scopes; `scope check` tells all mistakes of a list";
    Failure::new(REFUSED, why, help)
}

/// The meaning of a permission, as a phrase.
fn meaning(permission: &Permission) -> String {
    let names = |nsids: &Nsids, all: &str| match nsids {
        Nsids::Any => all.to_owned(),
        Nsids::Only(only) => only.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    match permission {
        Permission::Atproto => "the account's DID".to_owned(),
        Permission::Repo(repo) => {
            let actions: Vec<_> = repo.actions.iter().map(|action| action.as_str()).collect();
            let collections = names(&repo.collections, "all collections");
            format!("{} records in {collections}", actions.join(", "))
        }
        Permission::Rpc(rpc) => {
            let methods = names(&rpc.methods, "all methods");
            format!("call {methods} of {}", audience(&rpc.audience))
        }
        Permission::Blob(blob) => {
            let accept: Vec<_> = blob.accept.iter().map(MediaRange::to_string).collect();
            format!("upload blobs of {}", accept.join(", "))
        }
        Permission::Include(include) => format!("the permission set {}", include.nsid),
        Permission::Account(_) => "an attribute of the account".to_owned(),
        Permission::Identity(_) => "change the account's identity".to_owned(),
        Permission::Transition(_) => "rights of the time before permissions".to_owned(),
        _ => "a permission".to_owned(),
    }
}

fn audience(audience: &Audience) -> String {
    match audience {
        Audience::Any => "every service".to_owned(),
        Audience::Service(service) => service.to_string(),
    }
}
