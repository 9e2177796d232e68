//! The authorization endpoint without its pages: opening a request, signing in, consenting, and
//! where the browser is sent then (RFC 6749 section 4.1, RFC 9207).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atproto_sansio::UnixTime;
use url::Url;

use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::assertion::ClientAuth;
use crate::server::client::find;
use crate::server::par::{PATIENCE, PushedRequest};

/// What a server remembers of browsers and of consent.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// Who is signed in, by device.
    signed_in: BTreeMap<String, BTreeMap<String, UnixTime>>,
    /// The scopes that an account has granted to a client.
    granted: BTreeMap<(String, String), BTreeSet<String>>,
}

/// For how long a remembered sign-in is good.
const SIGNED_IN: Duration = Duration::from_secs(7 * 24 * 3600);

/// What a browser gets to see.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The page that asks who is there, and whether they consent.
    Page(Box<PushedRequest>),
    /// It is sent back to the client at once.
    Back(Return),
    /// A page that says what is wrong: there is nowhere to send the browser.
    Wrong(&'static str),
}

/// Parameters on their way to a client.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) redirect_uri: String,
    pub(crate) response_mode: String,
    pub(crate) params: Vec<(&'static str, String)>,
}

/// What a person decides.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// They sign in and consent, perhaps to fewer scopes.
    Approve { identifier: String, password: String, scopes: Option<Vec<String>>, remember: bool },
    /// They don't.
    Deny,
}

/// Opens an authorization URL.
pub(crate) fn open(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    request_uri: &str,
    device: &str,
) -> Opened {
    if find(sandbox, at, client_id).is_err() {
        return Opened::Wrong("There is no such client, or its metadata can't be used.");
    }
    let mut request = match enter(sandbox, at, client_id, request_uri, device) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let now = sandbox.clock(at);
    request.expires = now + PATIENCE;
    request.device = Some(device.to_owned());
    let server = sandbox.server_mut(at);
    server.pushed.requests.insert(request_uri.to_owned(), request.clone());

    let parameters = &request.parameters;
    let here = server.visits.signed_in.get(device).cloned().unwrap_or_default();
    let nobody_is_here = here.is_empty();
    // Nobody goes on without a word whom the client did not name.
    let hint = parameters.login_hint.as_deref();
    let candidates: Vec<(String, UnixTime)> = here
        .into_iter()
        .filter(|(did, _)| hint.is_some_and(|hint| sandbox.is_called(did, hint)))
        .filter(|(did, _)| sandbox.audience(at, did).is_some())
        .collect();
    match (parameters.prompt.as_deref(), &candidates[..]) {
        (Some("select_account"), _) if nobody_is_here => {
            fail(sandbox, at, request_uri, &request, NOBODY_TO_CHOOSE)
        }
        (Some("none"), []) => fail(sandbox, at, request_uri, &request, NOBODY_IS_HERE),
        (Some("none"), [only, ..]) => match readiness(sandbox, at, &request, only, now) {
            Ok(()) => grant(sandbox, at, request_uri, request, &only.0.clone(), device),
            Err(no) => fail(sandbox, at, request_uri, &request, no),
        },
        (None, [only]) if readiness(sandbox, at, &request, only, now).is_ok() => {
            grant(sandbox, at, request_uri, request, &only.0.clone(), device)
        }
        _ => Opened::Page(Box::new(request)),
    }
}

/// Does what a person decided. `Err` says what they got wrong; they may try again.
pub(crate) fn decide(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    request_uri: &str,
    device: &str,
    decision: Decision,
) -> Result<Opened, &'static str> {
    let mut request = match enter(sandbox, at, client_id, request_uri, device) {
        Ok(request) if request.device.as_deref() == Some(device) => request,
        Ok(request) => {
            let no = denied("This browser has not opened the page");
            return Ok(fail(sandbox, at, request_uri, &request, no));
        }
        Err(refused) => return Ok(refused),
    };
    let Decision::Approve { identifier, password, scopes, remember } = decision else {
        return Ok(fail(sandbox, at, request_uri, &request, denied("The user said no")));
    };
    let is_here = |server: &ServerId| sandbox.server(*server).issuer == at;
    let account = sandbox.accounts.iter().find(|account| {
        account.is_called(&identifier)
            && account.password == password
            && (is_here(&account.server) || account.left.iter().any(is_here))
    });
    let account = account.ok_or("No account here has this name and password.")?;
    if !is_here(&account.server) {
        let no = denied("This account is deactivated here");
        return Ok(fail(sandbox, at, request_uri, &request, no));
    }
    let did = account.did.clone();
    if let Some(allowed) = scopes {
        request.parameters.scopes.retain(|scope| allowed.contains(scope));
        if !request.parameters.scopes.iter().any(|scope| scope == "atproto") {
            let no = denied("The scope atproto is required");
            return Ok(fail(sandbox, at, request_uri, &request, no));
        }
    }
    let now = sandbox.clock(at);
    let visits = &mut sandbox.server_mut(at).visits;
    if remember {
        visits.signed_in.entry(device.to_owned()).or_default().insert(did.clone(), now);
    }
    let pair = (did.clone(), request.parameters.client_id.clone());
    visits.granted.entry(pair).or_default().extend(request.parameters.scopes.iter().cloned());
    Ok(grant(sandbox, at, request_uri, request, &did, device))
}

/// Signs an account out of a browser.
pub(crate) fn sign_out(visits: &mut Visits, device: &str, did: &str) {
    if let Some(accounts) = visits.signed_in.get_mut(device) {
        accounts.remove(did);
    }
}

/// The request, if this browser may go on with it. One that it may not is void from then on.
fn enter(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    request_uri: &str,
    device: &str,
) -> Result<PushedRequest, Opened> {
    let now = sandbox.clock(at);
    let found = sandbox.server(at).pushed.requests.get(request_uri).cloned();
    let request = found.ok_or(Opened::Wrong("There is no such request, or it is over."))?;
    let no = if request.authorized.is_some() {
        "This request was granted already"
    } else if request.expires < now {
        "This request has expired"
    } else if request.parameters.client_id != client_id {
        "This request is of another client"
    } else if request.device.as_deref().is_some_and(|first| first != device) {
        "Another browser has opened the page"
    } else {
        return Ok(request);
    };
    Err(fail(sandbox, at, request_uri, &request, denied(no)))
}

/// Why there is no code (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6).
#[derive(Clone, Copy)]
struct No {
    error: &'static str,
    why: &'static str,
}

const NOBODY_IS_HERE: No = No { error: "login_required", why: "Nobody is signed in" };
const NOBODY_TO_CHOOSE: No =
    No { error: "account_selection_required", why: "Nobody is signed in whom one could choose" };

const fn denied(why: &'static str) -> No {
    No { error: "access_denied", why }
}

/// Whether somebody who is signed in may go on without a word.
fn readiness(
    sandbox: &Sandbox,
    at: ServerId,
    request: &PushedRequest,
    (did, since): &(String, UnixTime),
    now: UnixTime,
) -> Result<(), No> {
    if now.since(*since) > SIGNED_IN {
        return Err(No { error: "login_required", why: "The sign-in was long ago" });
    }
    let pair = (did.clone(), request.parameters.client_id.clone());
    let granted = sandbox.server(at).visits.granted.get(&pair);
    let all = |granted: &BTreeSet<String>| {
        request.parameters.scopes.iter().all(|scope| granted.contains(scope))
    };
    match granted.is_some_and(all) && request.auth != ClientAuth::None {
        true => Ok(()),
        false => Err(No { error: "consent_required", why: "Nobody has consented to this yet" }),
    }
}

fn grant(
    sandbox: &mut Sandbox,
    at: ServerId,
    request_uri: &str,
    mut request: PushedRequest,
    did: &str,
    device: &str,
) -> Opened {
    let code = sandbox.entropy.name("cod-");
    let params = vec![("code", code.clone())];
    request.authorized = Some((did.to_owned(), code));
    request.device = Some(device.to_owned());
    request.expires = sandbox.clock(at) + PATIENCE;
    let back = back(sandbox, at, &request, params);
    sandbox.server_mut(at).pushed.authorize(request_uri, request);
    Opened::Back(back)
}

fn fail(
    sandbox: &mut Sandbox,
    at: ServerId,
    request_uri: &str,
    request: &PushedRequest,
    no: No,
) -> Opened {
    sandbox.server_mut(at).pushed.requests.remove(request_uri);
    let params = vec![("error", no.error.to_owned()), ("error_description", no.why.to_owned())];
    Opened::Back(back(sandbox, at, request, params))
}

fn back(
    sandbox: &Sandbox,
    at: ServerId,
    request: &PushedRequest,
    result: Vec<(&'static str, String)>,
) -> Return {
    // RFC 9207 section 2
    let mut params = vec![("iss", sandbox.server(at).origin.clone())];
    params.extend(request.parameters.state.clone().map(|state| ("state", state)));
    params.extend(result);
    Return {
        redirect_uri: request.parameters.redirect_uri.clone(),
        response_mode: request.parameters.response_mode.clone(),
        params,
    }
}

impl Return {
    /// The URL that the browser is sent to; what a form would post is in the fragment then.
    pub(crate) fn url(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.params);
        let Ok(mut url) = Url::parse(&self.redirect_uri) else { return String::new() };
        if self.response_mode == "query" {
            url.query_pairs_mut().extend_pairs(&self.params);
        } else {
            url.set_fragment(Some(&query.finish()));
        }
        url.into()
    }
}
