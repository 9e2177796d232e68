//! The checks that every store must pass, for the tests of a store.
//!
//! ```
//! use atproto_oauth_store::{MemoryStore, conformance};
//!
//! # fn main() -> Result<(), conformance::Failed> {
//! conformance::run(&MemoryStore::new())
//! # }
//! ```
//!
//! The checks write under random keys and remove them again, so the store may have other records.
//! [`run`] uses a thread for each of several writers. [`run_async`] needs no runtime of its own: it
//! polls the futures of all writers in turn. [`processes()`] and [`processes_async`] are for stores that
//! several processes share.

mod case;
mod keys;
mod listing;
mod processes;
mod races;
mod secrets;
mod subject;
mod values;
mod writes;

use std::fmt;

use crate::store::{AsyncStore, Store};
use case::{Case, Outcome};
use subject::{Async, Blocking, Running, Subject, block_on};

pub use processes::{processes, processes_async};

/// Runs all checks on a blocking store.
///
/// # Errors
///
/// Fails with the name of each check that failed, and the reason.
pub fn run(store: &impl Store) -> Result<(), Failed> {
    block_on(run_all(&Blocking(store)))
}

/// Runs all checks on an async store.
///
/// # Errors
///
/// Fails with the name of each check that failed, and the reason.
pub async fn run_async(store: &impl AsyncStore) -> Result<(), Failed> {
    run_all(&Async(store)).await
}

/// The checks that a store did not pass. `Display` and `Debug` print a line for each.
#[derive(Clone, Eq, PartialEq)]
pub struct Failed(Vec<(&'static str, String)>);

impl Failed {
    /// Name of each failed check, with the reason.
    pub fn checks(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, reason)| (*name, reason.as_str()))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store failed {} checks", self.0.len())?;
        self.0.iter().try_for_each(|(name, reason)| write!(f, "\n{name}: {reason}"))
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {}

struct Check {
    name: &'static str,
    run: for<'a> fn(&'a Case<'a>) -> Running<'a, Outcome>,
}

async fn run_all(store: &dyn Subject) -> Result<(), Failed> {
    let mut failed = Vec::new();
    for check in checks() {
        let outcome = match Case::new(store) {
            Ok(case) => match (check.run)(&case).await {
                Ok(()) => case.remove_all().await,
                failure => failure,
            },
            Err(error) => Err(error),
        };
        if let Err(reason) = outcome {
            failed.push((check.name, reason));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(Failed(failed)) }
}

fn checks() -> Vec<Check> {
    macro_rules! list {
        ($($module:ident::$name:ident)*) => {
            vec![$(Check {
                name: stringify!($name),
                run: |case| Box::pin($module::$name(case)),
            }),*]
        };
    }
    list! {
        writes::a_missing_record_is_none
        writes::a_save_that_expects_no_record_writes_once
        writes::a_save_that_expects_a_version_needs_it
        writes::a_save_without_condition_always_writes
        writes::a_conflict_changes_nothing
        writes::a_version_is_never_used_again
        writes::a_delete_needs_its_condition
        writes::a_delete_of_a_missing_record_is_done
        values::any_bytes_are_kept
        values::a_value_of_64_kib_is_kept
        values::an_expiry_is_returned_and_not_judged
        values::a_value_is_kept_whole_or_refused
        keys::odd_segments_are_kept_apart
        keys::a_key_is_kept_whole_or_refused
        keys::nul_is_kept_or_refused
        keys::a_malformed_key_or_prefix_is_refused
        listing::a_listing_without_keys_is_empty
        listing::a_prefix_is_whole_segments
        listing::an_entry_tells_version_and_expiry
        listing::each_key_is_listed_once_during_writes
        listing::a_listing_of_everything_has_each_key_once
        listing::keys_can_be_removed_during_a_listing
        races::a_record_is_taken_once
        races::a_record_is_created_once
        races::increments_add_up
        races::writers_of_different_keys_do_not_disturb_each_other
        races::a_reader_sees_whole_values
        secrets::debug_shows_no_key_and_no_value
        secrets::errors_show_no_key_and_no_value
    }
}
