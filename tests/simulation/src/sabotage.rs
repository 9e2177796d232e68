//! Broken worlds: in each of them one rule of the refresh does not hold, so that the simulation has to
//! fail. A rule whose breach goes unnoticed is not tested.
//!
//! One rule has no broken world here: a record is removed only if its version is the one that was read. Where all
//! other rules hold, a run that may remove a record is the only one that could have changed it, so the rule guards
//! against stores and servers that break their promises.

use atproto_sansio::{Record, SecretBytes};
use bytes::Bytes;
use serde_json::Value;

/// The rule that does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    /// Writes succeed whatever the present version is.
    NoCompareAndSet,
    /// A process does not see the leases of others.
    LeasesUnseen,
    /// After a lost response the lease is given back at once.
    LeaseGivenBack,
    /// A process that stood still does not notice it on any clock.
    PausesUnnoticed,
    /// The clocks of the processes differ by more than the allowance.
    ClocksApart,
    /// The monotonic clock runs fast, so that a record seems unchanged for too long.
    FastMonotonicClock,
    /// A process does not see that a session is logged out.
    LogoutsUnseen,
    /// A process does not see that a login was taken.
    TakenUnseen,
    /// The record does not say that its lease was taken over, or that a response was lost.
    LossesForgotten,
    /// The store forgets some of the writes that it has confirmed.
    WritesForgotten,
    /// A token request that has begun too late is sent all the same.
    StartByIgnored,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoCompareAndSet,
        Self::LeasesUnseen,
        Self::LeaseGivenBack,
        Self::PausesUnnoticed,
        Self::ClocksApart,
        Self::FastMonotonicClock,
        Self::LogoutsUnseen,
        Self::TakenUnseen,
        Self::LossesForgotten,
        Self::WritesForgotten,
        Self::StartByIgnored,
    ];

    /// The record as a process sees it.
    pub(crate) fn shown(self, record: Record) -> Record {
        match self {
            Self::LeasesUnseen => without(record, &["lease"]),
            Self::LogoutsUnseen => without(record, &["closed"]),
            Self::TakenUnseen => without(record, &["taken"]),
            _ => record,
        }
    }

    /// The value as the store keeps it.
    pub(crate) fn kept(self, value: SecretBytes) -> SecretBytes {
        match self {
            Self::LeaseGivenBack => edited(value, |json| {
                if json.get("ambiguous_since").is_some_and(|since| !since.is_null())
                    && let Some(members) = json.as_object_mut()
                {
                    members.remove("lease");
                    members.remove("not_before");
                }
            }),
            Self::LossesForgotten => edited(value, |json| {
                if let Some(members) = json.as_object_mut() {
                    members.remove("ambiguous_since");
                    if let Some(lease) = members.get_mut("lease") {
                        lease["took_over"] = Value::Bool(false);
                    }
                }
            }),
            _ => value,
        }
    }
}

fn without(record: Record, names: &[&str]) -> Record {
    let value = edited(record.value, |json| {
        for name in names {
            json.as_object_mut().map(|members| members.remove(*name));
        }
    });
    Record { value, ..record }
}

fn edited(value: SecretBytes, edit: impl FnOnce(&mut Value)) -> SecretBytes {
    let Ok(mut json) = serde_json::from_slice::<Value>(&value.0) else { return value };
    edit(&mut json);
    SecretBytes(Bytes::from(json.to_string()))
}
