//! Resolution of a handle to its DID, by DNS and HTTPS.

pub(crate) mod by_dns;
pub(crate) mod by_https;
pub(crate) mod dns_json;
pub(crate) mod method;
pub(crate) mod race;
pub(crate) mod resolve_handle;
pub(crate) mod well_known;
