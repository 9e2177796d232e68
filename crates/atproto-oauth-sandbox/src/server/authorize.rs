//! The authorization endpoint without its HTML pages: opens a pushed request, signs the user in,
//! records the consent, and builds the authorization response (RFC 6749 section 4.1, RFC 9207).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atproto_sansio::UnixTime;
use url::Url;

use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::assertion::ClientAuth;
use crate::server::client::find;
use crate::server::par::{PATIENCE, PushedRequest};

/// The sign-ins and consents that an authorization server remembers.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    /// Time of each remembered sign-in, by the browser's device id, then by the account's DID.
    signed_in: BTreeMap<String, BTreeMap<String, UnixTime>>,
    /// Scopes that an account has granted to a client, by the account's DID and the `client_id`.
    granted: BTreeMap<(String, String), BTreeSet<String>>,
}

/// Lifetime of a remembered sign-in.
const SIGN_IN_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// Response of the authorization endpoint to a browser.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The page that asks the user to sign in and to consent to this request.
    Page(Box<PushedRequest>),
    /// The authorization response: the browser goes back to the client at once.
    Back(Return),
    /// An error page with this text, because no redirect URI is known to send the browser to.
    Wrong(&'static str),
}

/// An authorization response: its parameters, and the redirect URI and response mode that deliver
/// the parameters to the client.
#[derive(Clone, Debug)]
pub(crate) struct Return {
    pub(crate) redirect_uri: String,
    pub(crate) response_mode: String,
    pub(crate) params: Vec<(&'static str, String)>,
}

/// The user's decision on the sign-in page.
#[derive(Clone, Debug)]
pub(crate) enum Decision {
    /// The user signs in and consents. `scopes` are those that the user allows; `None` allows all
    /// requested scopes. `remember` stores the sign-in for this browser.
    Approve { identifier: String, password: String, scopes: Option<Vec<String>>, remember: bool },
    /// The user denies the request; the client receives `access_denied`.
    Deny,
}

/// Opens the request `request_uri` in the browser `device`: returns the sign-in page, or an
/// authorization response if no interaction with the user is needed or possible.
pub(crate) fn open(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    request_uri: &str,
    device: &str,
) -> Opened {
    if find(sandbox, at, client_id).is_err() {
        return Opened::Wrong("The client_id is unknown, or the client's metadata is invalid.");
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
    let no_account_is_signed_in = here.is_empty();
    // Only an account that the client names in `login_hint` may continue without the sign-in page.
    let hint = parameters.login_hint.as_deref();
    let candidates: Vec<(String, UnixTime)> = here
        .into_iter()
        .filter(|(did, _)| hint.is_some_and(|hint| sandbox.is_called(did, hint)))
        .filter(|(did, _)| sandbox.audience(at, did).is_some())
        .collect();
    match (parameters.prompt.as_deref(), &candidates[..]) {
        (Some("select_account"), _) if no_account_is_signed_in => {
            fail(sandbox, at, request_uri, &request, ACCOUNT_SELECTION_REQUIRED)
        }
        (Some("none"), []) => fail(sandbox, at, request_uri, &request, LOGIN_REQUIRED),
        (Some("none"), [only, ..]) => match readiness(sandbox, at, &request, only, now) {
            Ok(()) => grant(sandbox, at, request_uri, request, &only.0.clone(), device),
            Err(denial) => fail(sandbox, at, request_uri, &request, denial),
        },
        (None, [only]) if readiness(sandbox, at, &request, only, now).is_ok() => {
            grant(sandbox, at, request_uri, request, &only.0.clone(), device)
        }
        _ => Opened::Page(Box::new(request)),
    }
}

/// Applies the user's decision to the request. If the name or the password is wrong, returns `Err`
/// with the text for the sign-in page, and the user may try again.
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
            let denial = denied("This browser has not opened the sign-in page");
            return Ok(fail(sandbox, at, request_uri, &request, denial));
        }
        Err(refused) => return Ok(refused),
    };
    let Decision::Approve { identifier, password, scopes, remember } = decision else {
        return Ok(fail(sandbox, at, request_uri, &request, denied("The user denied the request")));
    };
    let is_here = |server: &ServerId| sandbox.server(*server).issuer == at;
    let account = sandbox.accounts.iter().find(|account| {
        account.is_called(&identifier)
            && account.password == password
            && (is_here(&account.server) || account.left.iter().any(is_here))
    });
    let account = account.ok_or("No account here has this name and password.")?;
    if !is_here(&account.server) {
        let denial = denied("This account is deactivated here");
        return Ok(fail(sandbox, at, request_uri, &request, denial));
    }
    let did = account.did.clone();
    if let Some(allowed) = scopes {
        request.parameters.scopes.retain(|scope| allowed.contains(scope));
        if !request.parameters.scopes.iter().any(|scope| scope == "atproto") {
            let denial = denied("The scope atproto is required");
            return Ok(fail(sandbox, at, request_uri, &request, denial));
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

/// Removes the account `did` from the remembered sign-ins of the browser `device`.
pub(crate) fn sign_out(visits: &mut Visits, device: &str, did: &str) {
    if let Some(accounts) = visits.signed_in.get_mut(device) {
        accounts.remove(did);
    }
}

/// Returns the pushed request if this browser may continue with it. Otherwise the request is
/// removed, and `Err` is the response to the browser.
fn enter(
    sandbox: &mut Sandbox,
    at: ServerId,
    client_id: &str,
    request_uri: &str,
    device: &str,
) -> Result<PushedRequest, Opened> {
    let now = sandbox.clock(at);
    let found = sandbox.server(at).pushed.requests.get(request_uri).cloned();
    let request =
        found.ok_or(Opened::Wrong("The request_uri is unknown, or its request has ended."))?;
    let reason = if request.authorized.is_some() {
        "This request was granted already"
    } else if request.expires < now {
        "This request has expired"
    } else if request.parameters.client_id != client_id {
        "This request was pushed by another client"
    } else if request.device.as_deref().is_some_and(|first| first != device) {
        "This request was opened in another browser"
    } else {
        return Ok(request);
    };
    Err(fail(sandbox, at, request_uri, &request, denied(reason)))
}

/// Error of an authorization response, sent instead of a code (RFC 6749 section 4.1.2.1, OpenID
/// Connect Core section 3.1.2.6).
#[derive(Clone, Copy)]
struct Denial {
    error: &'static str,
    description: &'static str,
}

const LOGIN_REQUIRED: Denial =
    Denial { error: "login_required", description: "No account is signed in" };
const ACCOUNT_SELECTION_REQUIRED: Denial = Denial {
    error: "account_selection_required",
    description: "No account is signed in that the user could select",
};

const fn denied(description: &'static str) -> Denial {
    Denial { error: "access_denied", description }
}

/// Checks whether a signed-in account may continue without the sign-in page: its sign-in is recent,
/// it has granted all requested scopes to the client before, and the client is confidential.
fn readiness(
    sandbox: &Sandbox,
    at: ServerId,
    request: &PushedRequest,
    (did, since): &(String, UnixTime),
    now: UnixTime,
) -> Result<(), Denial> {
    if now.since(*since) > SIGN_IN_LIFETIME {
        let description = "The sign-in is more than 7 days old";
        return Err(Denial { error: "login_required", description });
    }
    let pair = (did.clone(), request.parameters.client_id.clone());
    let granted = sandbox.server(at).visits.granted.get(&pair);
    let all = |granted: &BTreeSet<String>| {
        request.parameters.scopes.iter().all(|scope| granted.contains(scope))
    };
    match granted.is_some_and(all) && request.auth != ClientAuth::None {
        true => Ok(()),
        false => Err(Denial {
            error: "consent_required",
            description: "The user must consent on the sign-in page",
        }),
    }
}

/// Issues a code for the account `did` and returns the authorization response with it.
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

/// Removes the request and returns an authorization response with the error.
fn fail(
    sandbox: &mut Sandbox,
    at: ServerId,
    request_uri: &str,
    request: &PushedRequest,
    denial: Denial,
) -> Opened {
    sandbox.server_mut(at).pushed.requests.remove(request_uri);
    let params = vec![
        ("error", denial.error.to_owned()),
        ("error_description", denial.description.to_owned()),
    ];
    Opened::Back(back(sandbox, at, request, params))
}

fn back(
    sandbox: &Sandbox,
    at: ServerId,
    request: &PushedRequest,
    result: Vec<(&'static str, String)>,
) -> Return {
    // Every authorization response names its issuer in `iss` (RFC 9207 section 2).
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
    /// Returns the redirect URI with the parameters of the response. If the response mode is
    /// `query`, the parameters are in the query of the URL. If it is `fragment`, they are in its
    /// fragment; so are those of `form_post`, in place of the body that a browser would post.
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
