//! Begins a login: from an account or a server to the authorization URL for the user's browser.
//!
//! ```text
//! Account ── identity ──▶ Discover ── server metadata ──▶ Push ── request_uri ──▶ Authorization
//!   (a login from a server begins here) ──▲
//! ```
//!
//! If the machine ends in `Ok`: the account's DID document claims the given handle, if any; the
//! account's server (PDS) names the authorization server, whose `protected_resources`, if present,
//! lists the PDS; the server metadata keeps all rules of the profile; and the authorization server
//! has accepted the request together with a DPoP proof by the session's future key.
//!
//! atproto OAuth, «Authorization Requests».

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use atproto_dpop::{Dpop, DpopKey, DpopReply};
use atproto_identity::{Account, Freshness, Identifier, ResolveAccount};
use atproto_sansio::{Budget, Cx, Machine, SecretString, Step, Steps, UnixTime};
use url::Url;

use crate::client::config::Config;
use crate::client::redirect_uri::RedirectUri;
use crate::discovery::discover::{Discover, Discovered, origin_of_pds};
use crate::discovery::server::ServerMetadata;
use crate::endpoints::form::FormEndpoint;
use crate::endpoints::par::{Par, Pushed};
use crate::error::{EndpointName, Error, InputError};
use crate::login::pending::{LIFETIME, Pending};
use crate::login::pkce;
use crate::login::prompt::{Prompt, ResponseMode};
use crate::login::subject::Subject;
use crate::origin::Origin;
use crate::scope::Scopes;
use crate::stored::Version;

/// Resolves the account, pushes the authorization request, and ends in the URL to open.
pub struct Authorize {
    login: Login,
    steps: Steps<State>,
}

/// The client's settings, the account or server to log in to, and the caller's options.
struct Login {
    config: Arc<Config>,
    subject: Subject,
    options: Options,
}

/// The URL to open in the browser, and the pending login to store until the callback.
#[non_exhaustive]
#[must_use = "without `pending`, the callback of this login can't be used"]
pub struct Authorization {
    /// URL to open in the user's browser: the authorization endpoint with `client_id` and
    /// `request_uri`.
    pub url: Url,
    /// Expiry of the `request_uri`, from `expires_in` of the PAR response (RFC 9126 section 2.2).
    /// The browser must open `url` before this time.
    pub expires_at: UnixTime,
    /// Pending login: store it before the browser opens `url`, because the callback needs it.
    pub pending: Pending,
    /// Rule that the server broke although its response is usable: [`Error::NonceMissing`]. Report
    /// it in a log. Under [`NoncePolicy::Strict`](crate::NoncePolicy::Strict) the login fails with it instead.
    pub violation: Option<Error>,
}

#[derive(Default)]
struct Options {
    redirect_uri: Option<Url>,
    scopes: Option<Scopes>,
    prompt: Option<Prompt>,
    response_mode: Option<ResponseMode>,
    app_state: Option<String>,
    extra: Vec<(String, String)>,
}

enum State {
    Start,
    Account(Box<ResolveAccount>),
    /// The account is `None` if the login began with a server.
    Discover(Option<Box<Account>>, Box<Discover>),
    Push(Box<Push>),
}

/// The pushed authorization request in flight, and its values that [`Pending`] will keep.
struct Push {
    account: Option<Box<Account>>,
    request: Dpop<Par>,
    server: ServerMetadata,
    redirect_uri: RedirectUri,
    scopes: Scopes,
    state: String,
    code_verifier: SecretString,
    dpop_key: DpopKey,
    created_at: UnixTime,
}

impl Authorize {
    pub(crate) fn new(config: Arc<Config>, subject: Subject) -> Self {
        let login = Login { config, subject, options: Options::default() };
        Self { login, steps: Steps::begin(State::Start) }
    }

    /// Redirect URI of this login; the client's first redirect URI by default.
    ///
    /// A loopback client passes the URI with the port on which it listens. If the client does not
    /// declare the URI, the login fails with [`InputError::RedirectUriNotDeclared`].
    pub fn redirect_uri(mut self, uri: Url) -> Self {
        self.login.options.redirect_uri = Some(uri);
        self
    }

    /// Scopes to request; all scopes that the client declares by default.
    ///
    /// A scope that the client does not declare fails with [`InputError::ScopeNotDeclared`].
    pub fn scopes(mut self, scopes: Scopes) -> Self {
        self.login.options.scopes = Some(scopes);
        self
    }

    /// The `prompt` parameter; absent by default.
    ///
    /// If the server publishes `prompt_values_supported` without this value, the login fails with
    /// [`InputError::Prompt`].
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.login.options.prompt = Some(prompt);
        self
    }

    /// The `response_mode` parameter; absent by default, so that the server uses the query. A
    /// callback by another mode is rejected.
    pub fn response_mode(mut self, mode: ResponseMode) -> Self {
        self.login.options.response_mode = Some(mode);
        self
    }

    /// Text of the application that [`LoggedIn`](crate::LoggedIn) or
    /// [`CallbackError`](crate::CallbackError) returns. [`Pending`] stores the text; no request
    /// contains it.
    pub fn app_state(mut self, app_state: impl Into<String>) -> Self {
        self.login.options.app_state = Some(app_state.into());
        self
    }

    /// Adds a parameter to the authorization request, such as `ui_locales` or `display`.
    ///
    /// If the protocol sets the parameter itself, or the caller has added the same name before, the
    /// login fails with [`InputError::ReservedParameter`].
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.login.options.extra.push((name.into(), value.into()));
        self
    }
}

impl Login {
    /// Checks the options, then starts with the account's identity or with server discovery.
    fn start(&self) -> Result<State, Error> {
        self.redirect()?;
        self.asked_scopes()?;
        let mut names = BTreeSet::from(RESERVED);
        for (name, _) in &self.options.extra {
            if !names.insert(name) {
                return Err(InputError::ReservedParameter(name.clone()).into());
            }
        }
        let resolve = |identifier| {
            State::Account(Box::new(self.config.resolver.account(identifier, Freshness::Cached)))
        };
        Ok(match &self.subject {
            Subject::Account(identifier) => resolve(identifier.clone()),
            Subject::Server(origin) => {
                self.config.check_server(origin)?;
                self.discover(None, origin.clone(), true)
            }
            Subject::DefaultServer => self.discover(None, self.config.default_server.clone(), true),
        })
    }

    fn discover(&self, account: Option<Box<Account>>, resource: Origin, fallback: bool) -> State {
        let fallback = fallback || self.config.resource_metadata_fallback;
        let discover = Discover::new(resource, fallback, self.config.development);
        State::Discover(account, Box::new(discover))
    }

    fn redirect(&self) -> Result<RedirectUri, InputError> {
        self.config.redirect_uri(self.options.redirect_uri.as_ref())
    }

    fn asked_scopes(&self) -> Result<&Scopes, Error> {
        let declared = &self.config.scopes;
        let asked = self.options.scopes.as_ref().unwrap_or(declared);
        match asked.missing_from(declared) {
            Some(scope) => Err(InputError::ScopeNotDeclared(scope.to_owned()).into()),
            None => Ok(asked),
        }
    }

    fn push(
        &self,
        account: Option<Box<Account>>,
        server: ServerMetadata,
        cx: &mut Cx<'_>,
    ) -> Result<Push, Error> {
        if let (Some(prompt), Some(known)) = (self.options.prompt, &server.prompt_values_supported)
            && !known.iter().any(|value| value == prompt.as_str())
        {
            return Err(InputError::Prompt(prompt.as_str()).into());
        }
        let (redirect_uri, scopes) = (self.redirect()?, self.asked_scopes()?.clone());
        let state = pkce::random_name(cx.entropy());
        let code_verifier = pkce::verifier(cx.entropy());
        let dpop_key = DpopKey::new(cx.generate_key());
        let par = Par {
            endpoint: FormEndpoint {
                url: server.pushed_authorization_request_endpoint.clone(),
                auth: self.config.auth(
                    &self.config.client_id,
                    &self.config.auth_method(),
                    &server.issuer,
                    &dpop_key,
                )?,
                reach: self.config.reach(),
            },
            parameters: self.parameters(&redirect_uri, &scopes, &state, &code_verifier),
        };
        Ok(Push {
            account,
            request: Dpop::new(par, &dpop_key),
            server,
            redirect_uri,
            scopes,
            state,
            code_verifier,
            dpop_key,
            created_at: cx.now(),
        })
    }

    fn parameters(
        &self,
        redirect_uri: &RedirectUri,
        scopes: &Scopes,
        state: &str,
        code_verifier: &SecretString,
    ) -> Vec<(String, String)> {
        let mut parameters = vec![
            ("response_type", "code".to_owned()),
            ("redirect_uri", redirect_uri.as_str().to_owned()),
            ("scope", scopes.to_string()),
            ("state", state.to_owned()),
            ("code_challenge", pkce::challenge(code_verifier)),
            ("code_challenge_method", "S256".to_owned()),
        ];
        let optional = [
            ("login_hint", self.subject.login_hint()),
            ("prompt", self.options.prompt.map(Prompt::as_str)),
            ("response_mode", self.options.response_mode.map(ResponseMode::as_str)),
        ];
        parameters.extend(
            optional.into_iter().filter_map(|(name, value)| Some((name, value?.to_owned()))),
        );
        let own = parameters.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(self.options.extra.iter().cloned()).collect()
    }

    fn finish(&self, push: Push, pushed: Pushed, violation: Option<Error>) -> Authorization {
        let mut url = push.server.authorization_endpoint.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.config.client_id)
            .append_pair("request_uri", &pushed.request_uri);
        let handle = match &self.subject {
            // `ResolveAccount` has checked that the account's DID document claims the handle.
            Subject::Account(Identifier::Handle(handle)) => Some(handle.clone()),
            Subject::Account(Identifier::Did(_)) | Subject::Server(_) | Subject::DefaultServer => {
                None
            }
        };
        Authorization {
            url,
            expires_at: push.created_at + pushed.expires_in,
            violation,
            pending: Pending {
                version: Version,
                state: push.state,
                client_id: self.config.client_id.clone(),
                auth: self.config.auth_method(),
                subject: match &self.subject {
                    Subject::DefaultServer => self.config.default_server.to_string(),
                    subject => subject.to_string(),
                },
                prompt: self.options.prompt,
                response_mode: Some(self.options.response_mode.unwrap_or_default()),
                nonce: push.request.hint(),
                server: push.server,
                redirect_uri: push.redirect_uri,
                scopes: push.scopes,
                expected: push.account.map(|account| account.did),
                handle,
                code_verifier: push.code_verifier,
                dpop_key: push.dpop_key,
                created_at: push.created_at,
                expires_at: push.created_at + LIFETIME,
                app_state: self.options.app_state.clone(),
                unknown: serde_json::Map::new(),
            },
        }
    }
}

impl Machine for Authorize {
    type Output = Authorization;
    type Error = Error;

    fn budget(&self) -> Budget {
        Budget::new(20, std::time::Duration::from_secs(60))
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<Authorization, Error>> {
        let Self { login, steps } = self;
        steps.run(|state| login.step(state, cx))
    }
}

impl Login {
    fn step(&self, state: State, cx: &mut Cx<'_>) -> Result<Step<State, Authorization>, Error> {
        Ok(match state {
            State::Start => Step::Next(self.start()?),
            State::Account(mut resolve) => match resolve.poll(cx) {
                Poll::Pending => Step::Wait(State::Account(resolve)),
                Poll::Ready(account) => {
                    let account = account?;
                    let resource = origin_of_pds(&account.pds, self.config.development)?;
                    Step::Next(self.discover(Some(Box::new(account)), resource, false))
                }
            },
            State::Discover(account, mut discover) => match discover.poll(cx) {
                Poll::Pending => Step::Wait(State::Discover(account, discover)),
                Poll::Ready(discovered) => {
                    let Discovered { server, .. } = discovered?;
                    Step::Next(State::Push(Box::new(self.push(account, server, cx)?)))
                }
            },
            State::Push(mut push) => match push.request.poll(cx) {
                Poll::Pending => Step::Wait(State::Push(push)),
                Poll::Ready(reply) => {
                    let DpopReply { output, nonce_missing } = reply?;
                    let endpoint = EndpointName::PushedAuthorizationRequest;
                    let violation = self.config.nonce_violation(nonce_missing, endpoint)?;
                    Step::Done(self.finish(*push, output, violation))
                }
            },
        })
    }
}

impl fmt::Debug for Authorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorize")
            .field("client_id", &self.login.config.client_id)
            .field("subject", &self.login.subject)
            .field("state", &self.steps)
            .finish_non_exhaustive()
    }
}

/// Prints the name of the state, because a state holds keys.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "Start",
            Self::Account(_) => "Account",
            Self::Discover(..) => "Discover",
            Self::Push(_) => "Push",
        })
    }
}

/// Omits `url`, because `url` contains the `request_uri`; [`Pending`] omits its own secrets.
impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("expires_at", &self.expires_at)
            .field("pending", &self.pending)
            .field("violation", &self.violation)
            .finish_non_exhaustive()
    }
}

/// Parameters that this crate sets itself, or that the atproto OAuth profile does not use.
const RESERVED: [&str; 19] = [
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "id_token_hint",
    "login_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];
