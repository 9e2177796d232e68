//! Texts of the library in the words of the command.
//!
//! The library's texts name the function that a program in Rust calls. The user of the command has an
//! option in its place, or none; then [`remedy`](crate::remedy) says what to do.

/// Replaces each phrase for programs in Rust.
pub(crate) fn of_command(text: &str) -> String {
    PHRASES.iter().fold(text.to_owned(), |text, (phrase, ours)| match text.contains(phrase) {
        true => text.replace(phrase, ours),
        false => text,
    })
}

/// Phrases of the library, each with that of the command. A longer phrase comes before its parts.
const PHRASES: [(&str, &str); 34] = [
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
    // Logins
    (" (the program hands the value of the login's cookie over as `Binding`)", ""),
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
