//! Advice for each error of the library: the verb, option or file of the command that helps.
//!
//! The library advises programs in Rust. A user of the command can do other things: give another option,
//! log in again, tell the operator of a server. An error without advice of its own has that of its kind.

use std::time::Duration;

use atproto_identity::{IdentityError, IdentityErrorKind};
use atproto_oauth_core::xrpc::XrpcError;
use atproto_oauth_core::{
    AuthorityError, CallbackProblem, ConfigError, DeletedCause, Denied, DiscoveryError, Error,
    ErrorKind, InputError, ReauthCause, Refusal, SessionError,
};
use atproto_sansio::{Phase, StoreError, StoreErrorKind, TransportError};
use http::StatusCode;

/// Advice for an error; never empty.
pub(crate) fn of(error: &Error) -> String {
    let specific = match error {
        Error::Config(error) => config(error),
        Error::Input(error) => input(error),
        Error::Identity(error) => identity(error),
        Error::Discovery(error) => discovery(error),
        Error::Transport(error) => transport(error),
        Error::Refused(refusal) => refused(refusal),
        Error::Callback(problem) => callback(problem),
        Error::Denied(denied) => denied_login(denied),
        Error::Authority(error) => authority(error),
        Error::Unanswered { .. } => Some("try once more; if that fails, log in again"),
        Error::Session(error) => session(error),
        Error::Xrpc(error) => return xrpc(error),
        Error::Store(error) => store(error),
        _ => None,
    };
    let advice = specific.unwrap_or_else(|| of_kind(error.kind()));
    match error.retry_after().filter(|_| error.is_retryable()) {
        Some(time) => later(time),
        None => advice.to_owned(),
    }
}

/// Advice for an error of which only the kind is known.
fn of_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => {
            "correct the client_id, its metadata or its key; `check-metadata` checks them"
        }
        ErrorKind::Input => "correct the value; --help shows the arguments of a verb",
        ErrorKind::Identity => "check the handle; `resolve` shows each step to its server",
        ErrorKind::Discovery => OPERATOR,
        ErrorKind::Network => NETWORK,
        ErrorKind::Policy => "check the name; a server on this machine needs --development",
        ErrorKind::Authorization => LOG_IN,
        ErrorKind::Token => LOG_IN,
        ErrorKind::Dpop => {
            "check the clock of this machine, and run `check-server` with the server's URL"
        }
        ErrorKind::Session => LOG_IN,
        ErrorKind::Resource => "correct the call; --trace shows the request and its reply",
        ErrorKind::Store => FOLDER,
        _ => "try again; --trace shows each request and reply",
    }
}

fn later(time: Duration) -> String {
    format!("try again in {} s", time.as_secs().max(1))
}

const LOG_IN: &str = "log in again with `atproto-oauth login`";
const NETWORK: &str = "check the network, and try again; `doctor` finds what stands in the way";
const FOLDER: &str = "name another folder with --sessions, or mend this one";
const OPERATOR: &str =
    "tell the operator of the server; `check-server` shows all that is wrong with it";
const CHECK_CLIENT: &str =
    "run `check-metadata` with the client_id; it tells all that is wrong with its documents";
pub(crate) const PUBLISHED_CLIENT: &str =
    "log in with a published client: `atproto-oauth init --client-id URL`";
pub(crate) const CLIENT_KEY: &str =
    "name the file of the client's key with --client-key, or log in again";

fn config(error: &ConfigError) -> Option<&'static str> {
    Some(match error {
        ConfigError::NoStore | ConfigError::PlaintextStore => FOLDER,
        ConfigError::ClientId { .. } => {
            "give the https URL of the client's metadata as --client-id, or http://localhost…"
        }
        ConfigError::RedirectUri { .. } | ConfigError::NoRedirectUri => {
            "give a redirect URI that the metadata of the client declare, with --redirect-uri"
        }
        ConfigError::NativeConfidential => {
            "leave out --client-key, or use a client with an https URL"
        }
        ConfigError::Misplaced(_) => "leave the option out, or use another kind of client",
        ConfigError::SameKid(_) | ConfigError::EmptyKid => "correct the kid in the JWK of the key",
        ConfigError::RevokedKey(_) | ConfigError::NoActiveKey => {
            "make a new key with `keygen`, publish it with `generate-metadata`, and log in again"
        }
        ConfigError::DefaultServer { .. } => {
            "name a server with an https URL, or give --development"
        }
        ConfigError::Page { .. } => "correct the URL in the configuration of the client",
        _ => return None,
    })
}

fn input(error: &InputError) -> Option<&'static str> {
    Some(match error {
        InputError::Subject { .. } | InputError::NoSubject => {
            "give a handle such as alice.bsky.social, a DID, or the https URL of a server"
        }
        InputError::SessionKey => "`sessions list --json` shows the sessions with their accounts",
        InputError::Server { .. } => {
            "give the URL of the server alone, such as https://bsky.social"
        }
        InputError::Scopes(_) => "correct --scope; `scope check` tells all mistakes of a list",
        InputError::ScopeNotDeclared(_) => {
            "leave it out of --scope, or add it to the client's metadata (--client-id)"
        }
        InputError::RedirectUriNotDeclared(_) => {
            "give one of the client's redirect URIs with --redirect-uri, or declare this one"
        }
        InputError::ReservedParameter(_) => "leave the parameter out",
        InputError::Prompt(_) => "log in without it",
        InputError::Nsid(_) => "give the full name of the method",
        InputError::Service(_) => "give --proxy a DID, # and the id of a service",
        InputError::ForeignOrigin { .. } => {
            "call a method by its name alone; --proxy names another service"
        }
        InputError::Request(_) => "correct the name and the parameters of the method",
        InputError::Stored { .. } => "log in again, or take the file from a backup",
        InputError::UnsupportedVersion { .. } => "update the command, or log in again",
        _ => return None,
    })
}

fn identity(error: &IdentityError) -> Option<&'static str> {
    Some(match error.kind() {
        IdentityErrorKind::ReservedTld => {
            "give a handle with a public domain; --development allows .test"
        }
        IdentityErrorKind::InvalidDid => "check the spelling of the DID",
        IdentityErrorKind::UnsupportedMethod => {
            "give a did:plc or did:web; --plc-directory names a directory of did:plc"
        }
        IdentityErrorKind::Ambiguous | IdentityErrorKind::InvalidRecord => {
            "give the DID, or tell the owner of the handle to correct its records"
        }
        IdentityErrorKind::NotFound => {
            "check the spelling; --nameserver and --plc-directory name others to ask"
        }
        IdentityErrorKind::Tombstoned => "give another account",
        IdentityErrorKind::NoPds | IdentityErrorKind::InvalidPdsEndpoint => {
            "tell the owner of the account to correct its DID document"
        }
        IdentityErrorKind::DocumentIdMismatch | IdentityErrorKind::Malformed => {
            "do not trust this DID; --plc-directory names another directory to ask"
        }
        IdentityErrorKind::HandleMismatch => {
            "give the handle that the document claims, or the DID if you trust it"
        }
        IdentityErrorKind::Dns => "try again, or name another server with --nameserver",
        IdentityErrorKind::Status => "try again later; `resolve` shows the step that fails",
        IdentityErrorKind::Transport => NETWORK,
        IdentityErrorKind::Blocked => of_kind(ErrorKind::Policy),
        _ => return None,
    })
}

fn discovery(error: &DiscoveryError) -> Option<&'static str> {
    Some(match error {
        DiscoveryError::NoOAuth(_) => {
            "check the URL; a server without OAuth can't be used with this command"
        }
        DiscoveryError::Status { status, .. }
            if error.is_transient() && *status != StatusCode::NOT_IMPLEMENTED =>
        {
            "try again later"
        }
        _ => OPERATOR,
    })
}

fn transport(error: &TransportError) -> Option<&'static str> {
    Some(match error.phase {
        Phase::NotSent => NETWORK,
        Phase::MaybeSent | Phase::Truncated | Phase::TimedOut => {
            "the server may have acted on the request: look, and try again"
        }
        Phase::TooLarge => "ask for less, for example with the parameter `limit` of a method",
        Phase::Blocked(_) => of_kind(ErrorKind::Policy),
        Phase::Unsupported => "tell it to the developers of this command: it is a bug",
    })
}

fn refused(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal.error.as_deref() {
        _ if refusal.loopback_rejected => PUBLISHED_CLIENT,
        Some("invalid_client") => CLIENT_KEY,
        Some("invalid_client_metadata" | "unauthorized_client") => CHECK_CLIENT,
        Some("invalid_dpop_proof") => "set the clock of this machine by NTP, and try again",
        Some("invalid_scope") => {
            "request fewer scopes with --scope; `scope check` tells mistakes of a list"
        }
        Some("invalid_grant") => LOG_IN,
        Some("invalid_request") => "correct the arguments; --trace shows the request and its reply",
        _ if refusal.status == StatusCode::NOT_IMPLEMENTED => OPERATOR,
        _ if refusal.is_transient() => "try again later",
        _ => return None,
    })
}

fn callback(problem: &CallbackProblem) -> Option<&'static str> {
    Some(match problem {
        CallbackProblem::Unreadable | CallbackProblem::Missing("code" | "state") => {
            "copy the whole URL that the browser ended on, and put it in quotes"
        }
        CallbackProblem::UnknownState => {
            "give the URL of the login that was begun last, or begin a new one"
        }
        CallbackProblem::OtherBrowser => "begin the login in this browser",
        CallbackProblem::Expired => "begin a new login, and finish it sooner",
        _ => "do not use this URL; begin a new login",
    })
}

fn denied_login(denied: &Denied) -> Option<&'static str> {
    Some(match denied.error.as_str() {
        _ if denied.loopback_rejected => PUBLISHED_CLIENT,
        "access_denied" => "log in again, and accept the request in the browser",
        "invalid_scope" => "request fewer scopes with --scope",
        "server_error" | "temporarily_unavailable" => "try again later",
        _ => return None,
    })
}

fn authority(error: &AuthorityError) -> Option<&'static str> {
    Some(match error {
        AuthorityError::SubjectMismatch { .. } => {
            "log in again, and sign in as the account that you named"
        }
        AuthorityError::PdsOfAccount { .. } => {
            "correct the DID and the PDS of the credentials; if the account has moved, log in again"
        }
        AuthorityError::IssuerMismatch { .. } | AuthorityError::IssuerOfAccount { .. } => {
            "begin a new login with the account's handle; if it happens again, do not trust the server"
        }
        _ => return None,
    })
}

fn session(error: &SessionError) -> Option<&'static str> {
    Some(match error {
        SessionError::NoSuchKey { .. } => CLIENT_KEY,
        SessionError::KeyRevoked { .. } | SessionError::SharedKey => {
            "make another key with `keygen`, publish it, and log in again"
        }
        SessionError::OtherClient => {
            "give the client_id of the login with --client-id, or log in again"
        }
        SessionError::OtherSession => {
            "restore the folder of --sessions from a backup, or log in again"
        }
        SessionError::AlreadyStored => "use the stored session, or `logout` and import it again",
        SessionError::Renewed => "run `sessions refresh`, and repeat this",
        SessionError::NotSaved(_) => FOLDER,
        SessionError::NeedsReauth(ReauthCause::AccountMigrated) => {
            "log in again with the account's handle, which leads to its new server"
        }
        SessionError::Ended(DeletedCause::RestoredFromBackup) => {
            "log in again; sessions can't be restored from a backup"
        }
        _ => return None,
    })
}

fn store(error: &StoreError) -> Option<&'static str> {
    Some(match error.kind {
        StoreErrorKind::Unavailable => "try again; --sessions names another folder",
        StoreErrorKind::Unreadable => {
            "restore the folder of --sessions and the key beside it from a backup, or log in again"
        }
        _ => FOLDER,
    })
}

fn xrpc(error: &XrpcError) -> String {
    match (&error.needed_scope, error.retry_after) {
        // The scope is untrusted, so it is no part of a line to copy into a shell.
        (Some(scope), _) => format!("log in again, with {scope} as one more scope of --scope"),
        // A server answers so to a name that it does not know, today and later.
        (None, _) if error.status == StatusCode::NOT_IMPLEMENTED => {
            "check the name of the method, which the server does not know".to_owned()
        }
        (None, Some(time)) => later(time),
        (None, None) if error.is_transient() => "try again later".to_owned(),
        (None, None) if error.status == StatusCode::UNAUTHORIZED => LOG_IN.to_owned(),
        (None, None) => of_kind(ErrorKind::Resource).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use atproto_oauth_core::xrpc;
    use bytes::Bytes;

    use crate::failure::Failure;

    #[test]
    fn a_call_that_a_busy_server_refuses_is_a_failure_of_the_network() {
        // Rule L-25
        for (status, code, help) in [
            (429, 7, "try again later"),
            (502, 7, "try again later"),
            (503, 7, "try again later"),
            (504, 7, "try again later"),
            (500, 1, "try again later"),
            (501, 1, "check the name of the method"),
            (400, 1, "correct the call"),
            (401, 1, "log in again"),
        ] {
            let response = http::Response::builder().status(status).body(Bytes::new()).unwrap();
            let told = Failure::from(xrpc::check(&response).unwrap_err()).to_json();
            assert_eq!((&told["code"], &told["status"]), (&code.into(), &status.into()), "{told}");
            assert!(told["help"].as_str().unwrap().contains(help), "{told}");
        }
    }
}
