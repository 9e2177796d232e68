//! What the hosts of the standard network are called.

/// Origins and handles of the network that [`Sandbox::new`](crate::Sandbox::new) makes.
///
/// The default names belong to nobody (RFC 2606) and look public, so a client needs no development
/// mode to talk to them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// The directory of `did:plc` documents.
    pub plc: String,
    /// DNS over HTTPS: `/dns-query` in JSON.
    pub doh: String,
    /// A PDS that is its own authorization server, with `alice`, `carol`, `dave` and `wendy`.
    pub pds: String,
    /// The same, a second one, with `bob`.
    pub other_pds: String,
    /// An authorization server that hosts no accounts.
    pub entryway: String,
    /// A PDS behind the entryway, with `rita`.
    pub entryway_pds: String,
    /// Another PDS behind the same entryway, with `sara`.
    pub other_entryway_pds: String,
    /// The host of `wendy`'s `did:web`, as in the DID; a port is written `%3A`.
    pub did_web: String,
    /// What follows the name in a handle: `.example.com`.
    pub handles: String,
}

impl Default for Names {
    fn default() -> Self {
        let https = |host: &str| format!("https://{host}");
        Self {
            plc: https("plc.directory"),
            doh: https("dns.example.com"),
            pds: https("pds.example.com"),
            other_pds: https("pds.example.net"),
            entryway: https("entryway.example.org"),
            entryway_pds: https("first.entryway.example.org"),
            other_entryway_pds: https("second.entryway.example.org"),
            did_web: "wendy.example.com".to_owned(),
            handles: ".example.com".to_owned(),
        }
    }
}
