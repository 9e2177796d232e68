//! What people do: open the authorization URL, sign in, consent or not.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use url::Url;

use crate::incoming::repeated_parameter;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::authorize::{self, Decision, Opened};

/// A browser, which servers know again.
///
/// A request belongs to the browser that opened it first, and a server may remember who signed in.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// What each server calls it.
    devices: BTreeMap<ServerId, String>,
}

/// What a person does on the page.
#[derive(Clone, Debug)]
#[must_use]
pub struct Consent {
    identifier: String,
    password: Option<String>,
    scopes: Option<Vec<String>>,
    remember: bool,
}

/// Why the browser does not come back to the application.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stuck {
    /// The URL is not one of an authorization endpoint here.
    Elsewhere,
    /// The server shows a page that says what is wrong.
    Wrong(&'static str),
    /// The name or the password is not right; the page asks again.
    NotSignedIn(&'static str),
    /// The page waits for a decision.
    Waiting,
}

impl Consent {
    /// Signs in with this handle or DID and the right password, and consents to everything.
    pub fn of(identifier: &str) -> Self {
        Self { identifier: identifier.to_owned(), password: None, scopes: None, remember: false }
    }

    /// With this password.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// To these scopes only.
    pub fn scopes<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        self.scopes = Some(scopes.into_iter().map(str::to_owned).collect());
        self
    }

    /// And stays signed in.
    pub fn remember(mut self) -> Self {
        self.remember = true;
        self
    }
}

impl Sandbox {
    /// Opens `url` in a new browser, signs in as `identifier` and consents: where the browser is sent
    /// then.
    ///
    /// What a form would post (`response_mode=form_post`) is in the fragment of the URL.
    ///
    /// # Errors
    ///
    /// It is sent nowhere.
    pub fn approve(&mut self, url: &Url, identifier: &str) -> Result<String, Stuck> {
        self.consent(&mut Browser::default(), url, Consent::of(identifier))
    }

    /// Opens `url` in a new browser and does not consent.
    ///
    /// # Errors
    ///
    /// It is sent nowhere.
    pub fn deny(&mut self, url: &Url) -> Result<String, Stuck> {
        self.visit(&mut Browser::default(), url, Some(Decision::Deny))
    }

    /// Opens `url` in a browser of one's own, signs in and consents.
    ///
    /// # Errors
    ///
    /// It is sent nowhere.
    pub fn consent(
        &mut self,
        browser: &mut Browser,
        url: &Url,
        consent: Consent,
    ) -> Result<String, Stuck> {
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

    /// Opens `url` in a browser of one's own and decides nothing.
    ///
    /// # Errors
    ///
    /// It is sent nowhere: [`Stuck::Waiting`], if the page wants to know something.
    pub fn open(&mut self, browser: &mut Browser, url: &Url) -> Result<String, Stuck> {
        self.visit(browser, url, None)
    }

    fn visit(
        &mut self,
        browser: &mut Browser,
        url: &Url,
        decision: Option<Decision>,
    ) -> Result<String, Stuck> {
        let at = self.server_at(&url.origin().ascii_serialization()).ok_or(Stuck::Elsewhere)?;
        let text = |name: &str| {
            url.query_pairs().find(|(this, _)| this == name).map(|(_, value)| value.into_owned())
        };
        let (Some(client_id), Some(request_uri), "/oauth/authorize") =
            (text("client_id"), text("request_uri"), url.path())
        else {
            return Err(Stuck::Elsewhere);
        };
        if repeated_parameter(url).is_some() {
            return Err(Stuck::Wrong("A parameter is repeated."));
        }
        let entropy = &mut self.entropy;
        let device = browser.devices.entry(at).or_insert_with(|| entropy.name("dev-"));
        let opened = authorize::open(self, at, &client_id, &request_uri, device);
        let opened = match (opened, decision) {
            (Opened::Page(_), Some(decision)) => {
                authorize::decide(self, at, &client_id, &request_uri, device, decision)
                    .map_err(Stuck::NotSignedIn)?
            }
            (opened, _) => opened,
        };
        match opened {
            Opened::Back(back) => Ok(back.url()),
            Opened::Wrong(why) => Err(Stuck::Wrong(why)),
            Opened::Page(_) => Err(Stuck::Waiting),
        }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elsewhere => f.write_str("the URL is not of an authorization endpoint here"),
            Self::Wrong(why) | Self::NotSignedIn(why) => f.write_str(why),
            Self::Waiting => f.write_str("the page waits for a decision"),
        }
    }
}

impl Error for Stuck {}
