//! Handles, DIDs, DID documents.
