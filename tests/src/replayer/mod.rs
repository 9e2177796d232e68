//! Transcripts: text files of requests and replies, and the replayer that runs the client
//! against them.
//!
//! A transcript is a list of steps. A step names a procedure of the client, the requests that the
//! client must send for it, their replies, and the outcome of the procedure.
//!
//! ```text
//! # A server asks for a nonce, and the client repeats the request once.
//! login $alice
//! > GET https://plc.directory/$alice
//! < 200 @did-document
//! …
//! > POST https://pds.example.com/oauth/par  dpop.nonce=(none)
//! < 400 {"error":"use_dpop_nonce"}  dpop-nonce: n-1
//! > POST https://pds.example.com/oauth/par  dpop.nonce=n-1
//! < 201 @pushed  dpop-nonce: n-2
//! = https://pds.example.com/oauth/authorize?client_id=$client_id&request_uri=urn%3Apushed
//! ```
//!
//! # Lines
//!
//! Two or more spaces separate the fields of a line. A line that begins with a space continues the
//! line before it with further fields. A line that begins with `#` is a comment.
//!
//! The first character of a line is `>` for a request, `<` for a reply and `=` for an outcome. Any
//! other line begins a step.
//!
//! | step | meaning |
//! |---|---|
//! | `client [published]  [nonce=strict]  [fallback]` | configures the client, which is a loopback client or else has a published document; only as the first step |
//! | `after <folder/file>` | plays another transcript first, in the blocking order |
//! | `login <subject>  options…` | begins a login |
//! | `callback <parameters or URL>` | finishes the login that was begun last |
//! | `refresh` | refreshes the current session |
//! | `revoke` | revokes the tokens of the current session |
//! | `request <GET or POST> <NSID, path or URL>  options…` | sends a resource request to the PDS |
//! | `wait <seconds>` | advances the wall clock and the monotonic clock |
//! | `forget` | empties the memory: nonces, metadata, identities |
//! | `restart` | stores pending login and session as JSON, reads them again, and does `forget` |
//!
//! The options of `login` are `scope=…`, `prompt=login`, `prompt=create`, `app_state=…`,
//! `redirect=…` and `parameter.<name>=…`; those of `request` are `header.<name>=…` and `body=…`.
//!
//! A step is followed by its requests, each with its reply, and by its outcome.
//!
//! | line | meaning |
//! |---|---|
//! | `> METHOD URL  conditions…` | a request that the client sends in every order |
//! | `>? METHOD URL  conditions…` | a request that the client sends in some of the orders |
//! | `> TXT name` | a DNS lookup of TXT records |
//! | `< status body  header: value…` | HTTP reply; the body may be `@fixture` or `@fixture {patch}` |
//! | `< did=…  did=…` | reply to a DNS lookup: the TXT records, or `(none)` |
//! | `< !NotSent` | failure of the call; the word after `!` is a variant of [`Phase`] |
//! | `= outcome  key=value…  text…` | end of the step |
//!
//! Conditions have the form `name=value`; the names are `dpop.nonce`; `dpop.ath` (written as the
//! access token, not its hash); `dpop.iat` (seconds by which `iat` is ahead of its usual value, ten
//! seconds ago); `form.<field>`; `header.<name>`; `reach`; and `body`. The value `(none)` requires
//! that the claim, field or header is absent.
//!
//! A fixture is a file in `tests/transcripts/fixtures`; the patch is a JSON merge patch (RFC 7396).
//! The content type of a reply is `application/json` if its body begins with `{`, and `text/plain`
//! otherwise; a `content-type` header in the line replaces it, and `content-type: (none)` removes
//! it.
//!
//! The first field of an outcome is a URL for `login`, `session` for `callback` and `refresh`, a
//! status for `request`, a [`Revocation`] for `revoke`, and `error <Kind>` for each failure. A
//! further field is `key=value` if the outcome has that key ([`outcome`] lists them); any other
//! field must be a part of the error message or of the response body.
//!
//! The transcript may use `$alice` and `$bob` (DIDs), `$client_id` (percent-encoded), and, after a
//! `login`, `$state` and `$iss` of that login.
//!
//! # Checks that no line states
//!
//! The replayer checks for each request: the signature, header and claims of its DPoP proof; that
//! the proof has a new `jti` and the key of the login; that a metadata request has no credentials;
//! that the PKCE verifier matches the challenge; and its `reach`. See [`check`].
//!
//! # Orders
//!
//! The replayer plays each step in every order in which calls can be handed out and answered. The
//! outcome must be the same in all orders. The *blocking order* answers each call before it polls
//! for the next one; the requests of a transcript are written in that order. See [`orders`].
//!
//! [`Phase`]: atproto_sansio::Phase
//! [`Revocation`]: atproto_oauth_core::Revocation

pub mod action;
pub mod check;
pub mod environment;
pub mod fixture;
pub mod network;
pub mod orders;
pub mod outcome;
pub mod parse;
pub mod play;
pub mod proof;
pub mod reply;
pub mod transcript;
pub mod world;

pub use orders::replay;
