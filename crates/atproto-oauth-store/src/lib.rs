#![doc = include_str!("../README.md")]

mod store;

pub use atproto_sansio::{
    Deleted, Expect, Listed, Listing, Record, Saved, SecretBytes, StoreError, StoreErrorKind,
    UnixTime, Version,
};
pub use store::{AsyncStore, Store};
