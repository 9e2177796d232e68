//! Texts of the library in the words of the command.
//!
//! The library's texts name the function that a program in Rust calls. The user of the command has an
//! option in its place, or none; then [`remedy`] says what to do.

use crate::remedy;

/// Replaces each phrase for programs in Rust.
pub(crate) fn of_command(text: &str) -> String {
    PHRASES.iter().fold(text.to_owned(), |text, (phrase, ours)| match text.contains(phrase) {
        true => text.replace(phrase, ours),
        false => text,
    })
}

/// Replaces each phrase of an advice that is for the verbs of stored sessions.
pub(crate) fn of_two_phase(help: &str) -> String {
    TWO_PHASE.iter().fold(help.to_owned(), |help, (phrase, ours)| help.replace(phrase, ours))
}

/// `init`, `complete` and `credentials` have no stored sessions, and no option for a key.
const TWO_PHASE: [(&str, &str); 2] = [
    (
        remedy::CLIENT_KEY,
        "use a client without a key: its metadata have the token_endpoint_auth_method none",
    ),
    ("`atproto-oauth login`", "`atproto-oauth init`"),
];

/// Phrases of the library, each with that of the command. A longer phrase comes before its parts.
const PHRASES: [(&str, &str); 36] = [
    // Settings of a client
    (": name one with `store` (`MemoryStore` keeps sessions until the program ends)", ""),
    (": wrap it in `Sealed`, or accept it with `plaintext_at_rest()`", ""),
    (": add one with `redirect_uri`", ""),
    (": remove `key`, or use `Client::web` on a server", ""),
    ("rename one with `ClientKey::with_kid`", "change it in one of them"),
    (": add one for new sessions with `ClientBuilder::key`", ""),
    (": name it with `ClientKey::with_kid`, or leave its thumbprint", ""),
    ("`Client::loopback`", "a loopback client (which has no metadata)"),
    ("`Client::native`", "a native client"),
    ("`Client::web`", "a web client"),
    // Input
    (" (a program logs in without one with `Subject::DefaultServer`)", ""),
    (": declare it with `redirect_uri`, or `redirect_path` for a loopback client", ""),
    (", and use `xrpc::with_proxy` for another service", ", and name another service with --proxy"),
    (": add it to the scopes of the client", ""),
    // Development networks
    ("; `development()` allows it", ""),
    ("needs `development()`", "needs --development"),
    ("the driver was not built for development networks: see `development()`", DEVELOPMENT),
    ("build the client with `ClientBuilder::development`, or give the option --development", GIVE),
    // Identity and discovery
    (" (`with_directories`)", ""),
    (
        "; for a server that predates them, build the client with \
         `ClientBuilder::resource_metadata_fallback`",
        "",
    ),
    (": try again later", ""),
    // Logins
    (" (it was finished before, or begun with another store)", ""),
    (
        ": begin the login in this browser (the program hands the value of the login's cookie over as \
         `Binding`)",
        "",
    ),
    (": begin a new login, or name their place with `CallbackParams::received_by`", ""),
    (": begin a new login", ""),
    ("; begin it again", ""),
    (": `NoncePolicy::Interop` accepts it", ""),
    // Sessions
    (": add it with `ClientBuilder::key`, or log in again", ""),
    ("; log in again", ""),
    ("; use that client, or log in again", ""),
    (": restore the store, or log in again", ""),
    (": use that, or log it out first", ""),
    (": renew it, and hand it over as it is then", ""),
    // Adapters and stores
    ("; add the key with `SealingKeys::and_open_with`", ""),
    (
        "; it was written without `Sealed`: load it without `Sealed` and save it with it, or delete it",
        "",
    ),
    ("set one with `DriverBuilder::nameserver`", "name one with --nameserver"),
];

const DEVELOPMENT: &str = "it is of a development network, which needs --development";
const GIVE: &str = "give the option --development";

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use atproto_dpop::DpopError;
    use atproto_identity::{DidError, IdentityError};
    use atproto_oauth_core::xrpc;
    use atproto_oauth_core::{
        AuthorityError, CallbackProblem, Client, ConfigError, DeletedCause, DiscoveryError,
        EndpointName, Error, InputError, Origin, OriginError, ReauthCause, ResponseMode,
        ScopeError, Scopes, SessionError,
    };
    use atproto_oauth_ureq::store::{
        Expect, MemoryStore, Sealed, SealingKey, SealingKeys, SecretBytes, Store,
    };
    use atproto_sansio::{Phase, Rule, StoreError, StoreErrorKind, TransportError};

    use super::*;
    use crate::failure::Failure;

    /// One error of each variant that can be made outside the library, and of each text in it that
    /// names a function.
    fn errors() -> Vec<Error> {
        let mut all = Vec::new();
        all.extend(config());
        all.extend(input());
        all.extend(identity());
        all.extend(discovery());
        all.extend(logins());
        all.extend(sessions());
        all.extend(transport());
        all
    }

    fn origin(text: &str) -> Origin {
        Origin::parse(text, false).unwrap()
    }

    fn text(text: &str) -> String {
        text.to_owned()
    }

    fn config() -> Vec<Error> {
        let scopes = || Scopes::parse("atproto").unwrap();
        let web = |id: &str, uri: &str| Client::web(id, scopes()).redirect_uri(uri).build();
        let (id, server) = ("https://a.client.dev/c.json", origin("https://a.client.dev"));
        let mut all: Vec<Error> = [
            ConfigError::NoStore,
            ConfigError::PlaintextStore,
            ConfigError::NoRedirectUri,
            ConfigError::NativeConfidential,
            ConfigError::Misplaced("redirect_path"),
            ConfigError::SameKid(text("k")),
            ConfigError::RevokedKey(text("k")),
            ConfigError::NoActiveKey,
            ConfigError::EmptyKid,
            ConfigError::DefaultServer { server, why: OriginError::Development },
            ConfigError::Page { name: "tos_uri", url: text("x"), why: "it is no https URL" },
        ]
        .into_iter()
        .map(Error::from)
        .collect();
        for (id, uri) in [
            ("http://localhost", "https://a.client.dev/"),
            ("https://127.0.0.1/c.json", "https://a.client.dev/"),
            ("https://localhost/c.json", "https://a.client.dev/"),
            (id, "http://127.0.0.1/"),
            (id, "http://a.client.dev/"),
            (id, "dev.client.a:/cb"),
        ] {
            all.push(web(id, uri).unwrap_err());
        }
        all
    }

    fn input() -> Vec<Error> {
        let pds = origin("https://pds.client.dev");
        let stored = || "session";
        let all = [
            InputError::Subject { input: text("x"), why: text("it has no dot") },
            InputError::NoSubject,
            InputError::SessionKey,
            InputError::Server { input: text("http://x.test"), why: OriginError::Development },
            InputError::Scopes(ScopeError::OpenId("email")),
            InputError::ScopeNotDeclared(text("a")),
            InputError::RedirectUriNotDeclared(text("https://a.client.dev/")),
            InputError::ReservedParameter(text("state")),
            InputError::Prompt("create"),
            InputError::Nsid(text("x")),
            InputError::Service(text("x")),
            InputError::ForeignOrigin { expected: pds, found: text("https://b.client.dev") },
            InputError::Request("its URL is malformed"),
            InputError::Stored { what: stored(), why: text("line 1") },
            InputError::UnsupportedVersion { what: stored(), version: 9 },
        ];
        all.into_iter().map(Error::from).collect()
    }

    fn identity() -> Vec<Error> {
        let did = || "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse::<atproto_identity::Did>().unwrap();
        let handle = || "alice.test".parse::<atproto_identity::Handle>().unwrap();
        let status = http::StatusCode::BAD_GATEWAY;
        let blocked = TransportError::blocked(Rule::NO_DEVELOPMENT);
        let all = [
            IdentityError::ReservedTld { handle: handle(), domain: "test" },
            "did:web:localhost".parse::<atproto_identity::Did>().map_or_else(
                IdentityError::from,
                |_| {
                    let reason = "localhost needs `development()`";
                    DidError::Method { method: "web", reason }.into()
                },
            ),
            DidError::Syntax("it has no method").into(),
            DidError::UnsupportedMethod(text("key")).into(),
            IdentityError::NoDirectory(did()),
            IdentityError::Ambiguous { handle: handle(), dids: vec![did(), did()] },
            IdentityError::Unresolved { handle: handle(), failures: Vec::new() },
            IdentityError::Directories { did: did(), failures: vec![blocked.clone().into()] },
            IdentityError::NotFound { at: text("a.client.dev"), status: None },
            IdentityError::InvalidRecord { at: text("a.client.dev"), found: text("x\u{1b}[2J") },
            IdentityError::Redirect { to: text("http://a"), rule: "it must be https" },
            IdentityError::Tombstoned(did()),
            IdentityError::Malformed { from: text("a.client.dev"), reason: text("no JSON") },
            IdentityError::DocumentIdMismatch { did: did(), found: text("did:web:b.client.dev") },
            IdentityError::NoPds(did()),
            IdentityError::InvalidPdsEndpoint {
                did: did(),
                endpoint: "http://localhost".into(),
                rule: "a server of a development network needs `development()`",
                forbidden_host: true,
            },
            IdentityError::HandleMismatch { input: handle(), did: did(), declared: None },
            IdentityError::Status { from: text("a.client.dev"), status, retry_after: None },
            IdentityError::Dns { from: text("a.client.dev"), code: 2 },
            blocked.into(),
        ];
        all.into_iter().map(Error::from).collect()
    }

    fn discovery() -> Vec<Error> {
        let (url, server) = (|| text("https://a.client.dev/x"), origin("https://a.client.dev"));
        let status = http::StatusCode::TOO_MANY_REQUESTS;
        let wait = Some(Duration::from_secs(7));
        let all = [
            DiscoveryError::Status { url: url(), status, retry_after: wait },
            DiscoveryError::Status { url: url(), status, retry_after: None },
            DiscoveryError::ContentType { url: url(), found: text("text/html") },
            DiscoveryError::Malformed { url: url(), what: text("line 1") },
            DiscoveryError::Violations { url: url(), violations: Vec::new() },
            DiscoveryError::NoOAuth(server.clone()),
            DiscoveryError::NotProtected { issuer: server.clone(), resource: server },
        ];
        all.into_iter().map(Error::from).collect()
    }

    fn logins() -> Vec<Error> {
        let server = || origin("https://a.client.dev");
        let did = || "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa".parse::<atproto_identity::Did>().unwrap();
        let (expected, found) = (text("https://a.client.dev/"), text("https://b.client.dev/"));
        let problems = [
            CallbackProblem::Unreadable,
            CallbackProblem::Repeated("code"),
            CallbackProblem::Missing("code"),
            CallbackProblem::Missing("iss"),
            CallbackProblem::SignedResponse,
            CallbackProblem::CodeAndError,
            CallbackProblem::UnknownState,
            CallbackProblem::OtherBrowser,
            CallbackProblem::Expired,
            CallbackProblem::RedirectUri { expected, found },
            CallbackProblem::ResponseMode { expected: ResponseMode::Query, found: "the fragment" },
        ];
        let authority = [
            AuthorityError::IssuerMismatch { expected: server(), found: text("x") },
            AuthorityError::SubjectMismatch { expected: did(), found: did() },
            AuthorityError::IssuerOfAccount { did: did(), expected: server(), found: server() },
            AuthorityError::PdsOfAccount { did: did(), expected: server(), found: server() },
        ];
        let token = EndpointName::Token;
        let transport = TransportError::new(Phase::TimedOut, "POST a.client.dev/token");
        let mut all: Vec<_> = problems.into_iter().map(Error::from).collect();
        all.extend(authority.into_iter().map(Error::from));
        all.extend([
            Error::Malformed { endpoint: token, what: text("no `sub`") },
            Error::NonceMissing(token),
            Error::NonceRetryExhausted(token),
            Error::Unanswered { endpoint: token, transport },
            Error::Dpop(DpopError::Htu),
        ]);
        all
    }

    fn sessions() -> Vec<Error> {
        let full = StoreError::new(StoreErrorKind::Unavailable, "the disk is full");
        let (kid, jkt) = (text("k"), text("j"));
        let all = [
            SessionError::NoRefreshToken,
            SessionError::NoSuchKey { kid: kid.clone(), jkt },
            SessionError::KeyRevoked { kid },
            SessionError::SharedKey,
            SessionError::OtherClient,
            SessionError::NotFound,
            SessionError::OtherSession,
            SessionError::LoggedOut,
            SessionError::AlreadyStored,
            SessionError::Renewed,
            SessionError::Ended(DeletedCause::RestoredFromBackup),
            SessionError::NeedsReauth(ReauthCause::AccountMigrated),
            SessionError::RetryLater { after: Duration::from_secs(3) },
            SessionError::TokenRefused,
            SessionError::NotSaved(full),
        ];
        let mut all: Vec<_> = all.into_iter().map(Error::from).collect();
        // A record that is not sealed, and one that was sealed with another key
        let files = Arc::new(MemoryStore::new());
        let sealed =
            || Sealed::new(files.clone(), SealingKeys::new(SealingKey::generate().unwrap()));
        let value = SecretBytes(bytes::Bytes::from_static(b"x"));
        files.save("plain", &value, Expect::Absent, None).unwrap();
        sealed().save("sealed", &value, Expect::Absent, None).unwrap();
        for key in ["plain", "sealed"] {
            all.push(sealed().load(key).unwrap_err().into());
        }
        all
    }

    fn transport() -> Vec<Error> {
        let phases = [
            Phase::NotSent,
            Phase::MaybeSent,
            Phase::Truncated,
            Phase::TooLarge,
            Phase::TimedOut,
            Phase::Unsupported,
        ];
        let failed = |phase| {
            let why =
                "the system has no usable nameserver: set one with `DriverBuilder::nameserver`";
            Error::from(TransportError::new(phase, why))
        };
        let mut all: Vec<_> = phases.into_iter().map(failed).collect();
        for (status, body) in [
            (403, r#"{"error": "ScopeMissingError", "message": "needs \"repo:a.b.c\""}"#),
            (401, r#"{"error": "AuthMissing"}"#),
            (429, ""),
            (400, "{\"error\": \"InvalidRequest\", \"message\": \"a\\u001b[31mb\"}"),
        ] {
            let response = http::Response::builder().status(status);
            let response = response.body(bytes::Bytes::from_static(body.as_bytes())).unwrap();
            all.push(xrpc::check(&response).unwrap_err().into());
        }
        all
    }

    #[test]
    fn each_error_of_the_library_is_told_in_the_words_of_the_command() {
        // Rule L-25
        for error in errors() {
            let told = Failure::from(error.clone()).to_json();
            let (message, help) =
                (told["message"].as_str().unwrap(), told["help"].as_str().unwrap());
            assert!(!message.is_empty() && !help.is_empty(), "{error}");
            for text in [message, help] {
                // A path, a call, or the name of a type or method of a client's builder.
                let is_rust = ["::", "()", "`store`", "`key`", "with_", "`redirect_uri`: add"];
                assert!(!is_rust.iter().any(|part| text.contains(part)), "{text}");
                assert!(!text.chars().any(char::is_control), "{text}");
                assert!(!text.contains("crate") && !text.contains("build the client"), "{text}");
            }
            assert!(!message.contains(help) || error.retry_after().is_some(), "{message}");
            assert_ne!(told["kind"], "other", "{error}");
        }
    }

    #[test]
    fn each_phrase_is_one_of_the_library() {
        let texts: Vec<_> = errors().iter().map(ToString::to_string).collect();
        for (phrase, _) in PHRASES {
            assert!(texts.iter().any(|text| text.contains(phrase)), "{phrase}");
        }
    }
}
