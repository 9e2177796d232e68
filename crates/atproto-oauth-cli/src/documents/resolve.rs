//! `resolve`: shows the way from a handle, a DID or a server to the OAuth endpoints.

use atproto_identity::{Did, Handle, Identifier, IdentityError};
use atproto_oauth_core::{Client, Error, InputError, Origin, Subject};
use atproto_oauth_ureq::Driver;
use clap::Args;

use crate::arguments::Network;
use crate::documents::found::{CheckedHandle, Found};
use crate::failure::Failure;
use crate::network;
use crate::output::Format;

#[derive(Args, Debug)]
pub(crate) struct Resolve {
    /// Account, or URL of a server
    #[arg(value_name = "HANDLE|DID|SERVER")]
    subject: String,

    #[command(flatten)]
    form: Format,

    #[command(flatten)]
    network: Network,
}

/// The client whose settings decide what is allowed, and the driver that asks the network.
struct Tracer {
    client: Client,
    driver: Driver,
}

pub(crate) fn run(resolve: &Resolve) -> Result<(), Failure> {
    let network = &resolve.network;
    let subject = Subject::parse(&resolve.subject)?;
    let client = network::any_client(network)?;
    let tracer = Tracer { client, driver: network::driver(network)? };

    let mut found = Found::of(&subject);
    let result = tracer.trace(subject, &mut found).map_err(|error| {
        let pds = found.pds.as_ref().map(ToString::to_string).unwrap_or_default();
        network::explain(error, network, &[&found.input, &pds])
    });
    let error = result.as_ref().err().map(Failure::to_json);
    // The steps before a failure are shown, too, because they help to find its cause.
    resolve.form.print(&found.to_text(), &found.to_json(error))?;
    result
}

impl Tracer {
    fn trace(&self, subject: Subject, found: &mut Found) -> Result<(), Error> {
        match subject {
            Subject::Account(Identifier::Handle(handle)) => self.of_handle(handle, found),
            Subject::Account(Identifier::Did(did)) => self.of_did(did, found),
            Subject::Server(server) => self.of_server(&server, found),
            Subject::DefaultServer => self.of_server(self.client.default_server(), found),
        }
    }

    fn of_handle(&self, handle: Handle, found: &mut Found) -> Result<(), Error> {
        let problem = Some("it does not resolve".to_owned());
        let checked = CheckedHandle { handle: handle.clone(), leads_to: None, problem };
        let checked = found.handle.insert(checked);
        let traced = self.driver.run(self.client.resolver().trace_handle(handle.clone()))?;
        let did = traced.did.clone();
        checked.leads_to = Some(traced);
        checked.problem = Some("the DID document can't be read".to_owned());

        found.did = Some(did.clone());
        let claimed = self.document(&did, found)?;
        let is_claimed = claimed.as_ref() == Some(&handle);
        if let Some(checked) = &mut found.handle {
            checked.problem = (!is_claimed).then(|| match &claimed {
                Some(claimed) => format!("the DID document claims {claimed}"),
                None => "the DID document claims no valid handle".to_owned(),
            });
        }
        // The other steps are of use, too. A login with an unclaimed handle fails all the same.
        let rest = self.of_account(found);
        match is_claimed {
            true => rest,
            false => {
                Err(IdentityError::HandleMismatch { input: handle, did, declared: claimed }.into())
            }
        }
    }

    fn of_did(&self, did: Did, found: &mut Found) -> Result<(), Error> {
        if let Some(claimed) = self.document(&did, found)? {
            found.handle = Some(self.check(claimed, &did));
        }
        self.of_account(found)
    }

    /// Asks where the handle leads that the document of `did` claims.
    fn check(&self, handle: Handle, did: &Did) -> CheckedHandle {
        match self.driver.run(self.client.resolver().trace_handle(handle.clone())) {
            Ok(traced) => {
                let is_other = traced.did != *did;
                let problem = is_other.then(|| format!("it leads to {}", traced.did));
                CheckedHandle { handle, leads_to: Some(traced), problem }
            }
            Err(error) => {
                CheckedHandle { handle, leads_to: None, problem: Some(error.to_string()) }
            }
        }
    }

    /// Fetches the DID document, and returns the handle that it claims.
    fn document(&self, did: &Did, found: &mut Found) -> Result<Option<Handle>, Error> {
        let traced = self.driver.run(self.client.resolver().trace_did(did.clone()))?;
        let claimed = traced.document.handle().cloned();
        found.document = Some((traced.document, traced.url));
        Ok(claimed)
    }

    /// Finds the PDS in the DID document, and its authorization server.
    fn of_account(&self, found: &mut Found) -> Result<(), Error> {
        let Some((document, _)) = &found.document else { return Ok(()) };
        let url = document.pds(self.client.development())?;
        let pds = self.server(url.as_str())?;
        found.pds = Some(pds.clone());
        found.discovered = Some(self.driver.run(self.client.discover_pds(pds))?);
        Ok(())
    }

    fn of_server(&self, server: &Origin, found: &mut Found) -> Result<(), Error> {
        let server = self.server(server.as_str())?;
        found.discovered = Some(self.driver.run(self.client.discover(server))?);
        Ok(())
    }

    /// The origin in `url`, if the network of the options may have it.
    fn server(&self, url: &str) -> Result<Origin, InputError> {
        let origin = Origin::parse(url, self.client.development());
        origin.map_err(|why| InputError::Server { input: url.to_owned(), why })
    }
}
