//! Resolution of a DID to its DID document.

pub(crate) mod directories;
pub(crate) mod document;
pub(crate) mod pds;
pub(crate) mod plc;
pub(crate) mod resolve_did;
pub(crate) mod web;
