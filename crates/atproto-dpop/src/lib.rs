//! DPoP.
