//! Conversations as text files, and what replays them.
//!
//! A transcript is a conversation that a person can read: what the client is asked to do, the
//! requests that it makes for it, what it is answered, and what it ends in.
//!
//! ```text
//! # A server that asks for a nonce gets the same request again, once.
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
//! Fields are separated by two spaces or more. A line that begins with a space goes on with the one
//! before it; one that begins with `#` is a comment.
//!
//! | line | meaning |
//! |---|---|
//! | `client [nonce=interop] [fallback]` | configures the client; before anything else |
//! | `after <folder/file>` | plays another transcript first, in the blocking order |
//! | `login <subject>  [scope=…] [prompt=…] [app_state=…] [redirect=…]` | begins a login |
//! | `callback <parameters or URL>` | the browser comes back |
//! | `refresh`, `revoke` | with the session that there is |
//! | `request GET\|POST <path or URL>  [header.<name>=…] [body=…]` | asks the account's server |
//! | `wait <seconds>` | both clocks go on |
//! | `forget` | the memory is empty |
//! | `restart` | what is pending and the session are written down and read again; `forget` |
//! | `> METHOD URL  conditions…` | a request that is made whatever the order of the replies is |
//! | `>? …` | one that is not made in the blocking order, and may be made in others |
//! | `> TXT name` | a DNS look-up |
//! | `< status body  header: value…` | its reply; the body is JSON, text, or `@fixture {patch}` |
//! | `< did=…  did=…` | the records, or `(none)` |
//! | `< !NotSent` | no reply: the phase of the failure |
//! | `= outcome  key=value…  text` | what the step ends in; texts are parts of an error's message |
//!
//! Conditions are `dpop.nonce`, `dpop.ath` (of the token that is named), `dpop.iat` (seconds from
//! now), `form.<field>`, `header.<name>`, `reach` and `body`. `(none)` says that it is not there.
//!
//! `$alice`, `$bob`, `$state`, `$iss` and `$client_id` stand for what they say.
//!
//! # What is checked without being written
//!
//! Each proof's signature, header and claims, that no two of a transcript have the same `jti`, that
//! its key is the login's; that requests which need no credentials carry none; that the PKCE
//! verifier is the one of the challenge; that every request goes as far as it may and no further.
//! See [`check`].
//!
//! # Orders
//!
//! Each step is replayed in every order in which calls can be handed out and answered; it must end
//! alike in all of them. See [`orders`].

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
