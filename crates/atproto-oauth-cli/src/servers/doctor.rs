//! `doctor`: what stands in the way of a login, from this machine to the server of an account.

use atproto_identity::{Handle, Identifier};
use atproto_oauth_core::{Origin, Subject};
use clap::Args;

use crate::account::{accounts, store};
use crate::arguments::{Folder, Network};
use crate::failure::Failure;
use crate::output::Format;
use crate::servers::check_server::Checker;
use crate::servers::verdict::{self, Verdict};

#[derive(Args, Debug)]
pub(crate) struct Doctor {
    /// Account that can't log in, or URL of its server
    #[arg(value_name = "HANDLE|DID|SERVER", default_value = "https://bsky.social")]
    subject: String,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    folder: Folder,

    #[command(flatten)]
    network: Network,
}

pub(crate) fn run(options: &Doctor) -> Result<(), Failure> {
    let subject = Subject::parse(&options.subject)?;
    let checker = Checker::new(&options.network)?;
    let mut verdicts = vec![sessions(&options.folder)];
    let server = match subject {
        Subject::Account(account) => checker.of_account(account, &mut verdicts),
        Subject::Server(server) => Some(server),
        _ => Some(checker.client.default_server().clone()),
    };
    if let Some(server) = server {
        verdicts.extend(checker.of_server(&server));
    }
    verdict::print(&verdicts, options.format)
}

/// Whether the stored sessions can be read. Nothing is created.
fn sessions(folder: &Folder) -> Verdict {
    const CHECK: &str = "sessions";
    let remedy = "name another folder with --sessions, or mend this one";
    match store::path(folder) {
        Ok(path) if !path.exists() => Verdict::good(
            CHECK,
            format!("{} is not there yet: no account is logged in", path.display()),
        ),
        Ok(path) => match accounts::of_store(folder) {
            Ok(all) => Verdict::good(CHECK, format!("{} in {}", all.len(), path.display())),
            Err(failure) => Verdict::bad(CHECK, failure.to_string(), remedy),
        },
        Err(failure) => Verdict::bad(CHECK, failure.to_string(), remedy),
    }
}

impl Checker {
    /// Checks the identity of an account, and returns its PDS.
    fn of_account(&self, account: Identifier, verdicts: &mut Vec<Verdict>) -> Option<Origin> {
        let (did, typed) = match account {
            Identifier::Did(did) => (did, None),
            Identifier::Handle(handle) => {
                match self.driver.run(self.client.resolver().trace_handle(handle.clone())) {
                    Ok(traced) => {
                        let text = format!("{handle} leads to {} by {}", traced.did, traced.at);
                        verdicts.push(Verdict::good("handle", text));
                        (traced.did, Some(handle))
                    }
                    Err(error) => {
                        let remedy = "check the spelling; the owner sets the TXT record or the well-known \
                                      file of the handle; --nameserver asks another DNS server";
                        verdicts.push(Verdict::bad("handle", error.to_string(), remedy));
                        return None;
                    }
                }
            }
        };
        let document = match self.driver.run(self.client.resolver().trace_did(did.clone())) {
            Ok(traced) => traced.document,
            Err(error) => {
                let remedy = "the directory or the host of the DID has to answer; --plc-directory names another";
                verdicts.push(Verdict::bad("DID", error.to_string(), remedy));
                return None;
            }
        };
        verdicts.push(claimed(document.handle(), typed.as_ref()));
        let pds = document.pds(self.client.development()).map_err(|error| error.to_string());
        let pds = pds.and_then(|url| {
            Origin::parse(url.as_str(), self.client.development()).map_err(|why| why.to_string())
        });
        match pds {
            Ok(pds) => {
                verdicts.push(Verdict::good("DID", format!("{did} is at {pds}")));
                Some(pds)
            }
            Err(why) => {
                let remedy = "the DID document has to name a PDS with an https URL";
                verdicts.push(Verdict::bad("DID", format!("{did}: {why}"), remedy));
                None
            }
        }
    }
}

/// Whether the DID document claims the handle that led to it.
fn claimed(claimed: Option<&Handle>, typed: Option<&Handle>) -> Verdict {
    const CHECK: &str = "claim";
    match (claimed, typed) {
        (Some(claimed), Some(typed)) if claimed != typed => Verdict::bad(
            CHECK,
            format!("the DID document claims {claimed}, not {typed}"),
            "log in with the handle that is claimed, or change the handle of the account",
        ),
        (Some(claimed), _) => Verdict::good(CHECK, format!("the DID document claims {claimed}")),
        (None, _) => Verdict::warning(
            CHECK,
            "the DID document claims no handle",
            "log in with the DID, or set a handle for the account",
        ),
    }
}
