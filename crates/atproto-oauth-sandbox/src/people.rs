//! The user and the browser of a login: opening the authorization URL, signing in, and consenting
//! to the request or denying it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use url::Url;

use crate::incoming::repeated_parameter;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::authorize::{self, Decision, Opened};

/// A browser with its own device id at each server, as if it kept the servers' cookies.
///
/// An authorization request can only be continued in the browser that opened it first. A server may
/// remember the sign-ins of a browser: see [`Consent::remember`].
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// The device id that each server has given to this browser.
    devices: BTreeMap<ServerId, String>,
}

/// The input of a user on the sign-in page: account, password, scopes, and whether to stay signed
/// in.
#[derive(Clone, Debug)]
#[must_use]
pub struct Consent {
    identifier: String,
    /// `None`: the account's own password.
    password: Option<String>,
    /// `None`: all requested scopes.
    scopes: Option<Vec<String>>,
    remember: bool,
}

/// The reason why a server does not redirect the browser to the client.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum NoRedirect {
    /// The URL is not an authorization URL of this network: its origin or path is not that of an
    /// authorization endpoint, or `client_id` or `request_uri` is missing.
    NotAnAuthorizationUrl,
    /// The server shows an error page with this text.
    ErrorPage(&'static str),
    /// The name or the password is wrong. The sign-in page shows this text, and the user may try
    /// again.
    NotSignedIn(&'static str),
    /// The server shows the sign-in page, which waits for the user's decision.
    Waiting,
}

impl Consent {
    /// Signs in with this handle or DID and the correct password, and consents to all requested
    /// scopes. The browser does not stay signed in.
    pub fn of(identifier: &str) -> Self {
        Self { identifier: identifier.to_owned(), password: None, scopes: None, remember: false }
    }

    /// Signs in with `password` instead of the correct password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Consents only to those requested scopes that are also in `scopes`.
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = Some(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// Stays signed in: the server remembers the sign-in of this account in this browser.
    pub fn remember(mut self) -> Self {
        self.remember = true;
        self
    }
}

impl Sandbox {
    /// Opens an authorization URL in a new browser, signs in with the handle or DID `identifier`,
    /// and consents. Returns the URL that the browser is redirected to, with the authorization
    /// response.
    ///
    /// If the request has `response_mode=form_post`, the parameters of the form are in the fragment
    /// of the returned URL.
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser: [`NoRedirect`] has the reason.
    pub fn approve(&mut self, url: &Url, identifier: &str) -> Result<String, NoRedirect> {
        self.consent(&mut Browser::default(), url, Consent::of(identifier))
    }

    /// Opens an authorization URL in a new browser and denies the request. Returns the URL that the
    /// browser is redirected to, usually with `error=access_denied`.
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser: [`NoRedirect`] has the reason.
    pub fn deny(&mut self, url: &Url) -> Result<String, NoRedirect> {
        self.visit(&mut Browser::default(), url, Some(Decision::Deny))
    }

    /// Opens an authorization URL in `browser`, and signs in and consents as `consent` says.
    /// Returns the URL that the browser is redirected to.
    ///
    /// If the server needs no decision, because the browser is signed in, `consent` has no effect.
    ///
    /// # Errors
    ///
    /// Fails if the server does not redirect the browser: [`NoRedirect`] has the reason.
    pub fn consent(
        &mut self,
        browser: &mut Browser,
        url: &Url,
        consent: Consent,
    ) -> Result<String, NoRedirect> {
        let account = self.accounts.iter().find(|account| account.is_called(&consent.identifier));
        let right = account.map(|account| account.password.clone()).unwrap_or_default();
        let decision = Decision::Approve {
            identifier: consent.identifier,
            password: consent.password.unwrap_or(right),
            scopes: consent.scopes,
            remember: consent.remember,
        };
        self.visit(browser, url, Some(decision))
    }

    /// Opens an authorization URL in `browser` and makes no decision. Returns the URL that the
    /// browser is redirected to, if the server redirects it at once.
    ///
    /// # Errors
    ///
    /// Fails with [`NoRedirect::Waiting`] if the server shows the sign-in page, and with another
    /// [`NoRedirect`] if the URL or the request is invalid.
    pub fn open(&mut self, browser: &mut Browser, url: &Url) -> Result<String, NoRedirect> {
        self.visit(browser, url, None)
    }

    /// Opens an authorization URL and, if the server shows the sign-in page, applies `decision`.
    fn visit(
        &mut self,
        browser: &mut Browser,
        url: &Url,
        decision: Option<Decision>,
    ) -> Result<String, NoRedirect> {
        let at = self
            .server_at(&url.origin().ascii_serialization())
            .ok_or(NoRedirect::NotAnAuthorizationUrl)?;
        let text = |name: &str| {
            url.query_pairs().find(|(this, _)| this == name).map(|(_, value)| value.into_owned())
        };
        let (Some(client_id), Some(request_uri), "/oauth/authorize") =
            (text("client_id"), text("request_uri"), url.path())
        else {
            return Err(NoRedirect::NotAnAuthorizationUrl);
        };
        if repeated_parameter(url).is_some() {
            return Err(NoRedirect::ErrorPage("A parameter is repeated."));
        }
        let entropy = &mut self.entropy;
        let device = browser.devices.entry(at).or_insert_with(|| entropy.name("dev-"));
        let opened = authorize::open(self, at, &client_id, &request_uri, device);
        let opened = match (opened, decision) {
            (Opened::Page(_), Some(decision)) => {
                authorize::decide(self, at, &client_id, &request_uri, device, decision)
                    .map_err(NoRedirect::NotSignedIn)?
            }
            (opened, _) => opened,
        };
        match opened {
            Opened::Back(back) => Ok(back.url()),
            Opened::Wrong(why) => Err(NoRedirect::ErrorPage(why)),
            Opened::Page(_) => Err(NoRedirect::Waiting),
        }
    }
}

impl fmt::Display for NoRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnAuthorizationUrl => {
                f.write_str("the URL is not an authorization URL of a server of this sandbox")
            }
            Self::ErrorPage(why) | Self::NotSignedIn(why) => f.write_str(why),
            Self::Waiting => f.write_str(
                "the sign-in page waits for a decision: use `approve`, `consent` or `deny`",
            ),
        }
    }
}

impl Error for NoRedirect {}
