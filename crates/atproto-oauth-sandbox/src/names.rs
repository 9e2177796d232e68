//! What the hosts of the standard network are called.

use crate::origin::{canonical, canonical_did_web};

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

impl Names {
    /// As requests write them.
    ///
    /// # Panics
    ///
    /// One of them is no origin or no host.
    pub(crate) fn canonical(&self) -> Self {
        Self {
            plc: canonical(&self.plc),
            doh: canonical(&self.doh),
            pds: canonical(&self.pds),
            other_pds: canonical(&self.other_pds),
            entryway: canonical(&self.entryway),
            entryway_pds: canonical(&self.entryway_pds),
            other_entryway_pds: canonical(&self.other_entryway_pds),
            did_web: canonical_did_web(&self.did_web),
            handles: self.handles.to_ascii_lowercase(),
        }
    }
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
