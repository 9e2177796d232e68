//! Origins, hosts and handles of the standard network.

use crate::origin::{canonical, canonical_did_web};

/// Origins, hosts and the handle suffix of the network that [`Sandbox::new`](crate::Sandbox::new)
/// creates.
///
/// The default names are reserved for documentation (RFC 2606), except `plc.directory`, which is
/// the default PLC directory of clients. All of them look public, so a client needs no development
/// mode to use them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Names {
    /// Origin of the PLC directory, which serves the documents of `did:plc` accounts.
    pub plc: String,
    /// Origin of the DNS over HTTPS resolver: `/dns-query`, in the JSON format.
    pub doh: String,
    /// Origin of a PDS that is its own authorization server; it hosts `alice`, `carol`, `dave` and
    /// `wendy`.
    pub pds: String,
    /// Origin of a second PDS that is its own authorization server; it hosts `bob`.
    pub other_pds: String,
    /// Origin of an authorization server that hosts no accounts.
    pub entryway: String,
    /// Origin of a PDS whose authorization server is the entryway; it hosts `rita`.
    pub entryway_pds: String,
    /// Origin of a second PDS whose authorization server is the entryway; it hosts `sara`.
    pub other_entryway_pds: String,
    /// Host of `wendy`'s `did:web`, as written in the DID: the colon before a port is `%3A`.
    pub did_web: String,
    /// Suffix of all handles, with its leading period: `.example.com`.
    pub handles: String,
}

impl Names {
    /// Returns the names in their canonical form, in which they are compared with requests.
    ///
    /// # Panics
    ///
    /// Panics if a name is malformed.
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
