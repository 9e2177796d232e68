//! Conditions of saves and deletes, and versions.

use std::collections::HashSet;

use atproto_sansio::{Deleted, Expect, Saved, Version};

use super::case::{Case, Outcome, ensure};

pub(super) async fn a_missing_record_is_none(case: &Case<'_>) -> Outcome {
    ensure!(case.load(&case.key("a")).await?.is_none(), "a record exists that nobody saved");
    ensure!(case.load(&case.state("a")).await?.is_none(), "a state exists that nobody saved");
    Ok(())
}

pub(super) async fn a_save_that_expects_no_record_writes_once(case: &Case<'_>) -> Outcome {
    for key in [case.key("a"), case.state("a")] {
        let version = case.write(&key, b"1", Expect::Absent).await?;
        let record = case.load(&key).await?.ok_or("the record is missing")?;
        ensure!(&*record.value.0 == b"1", "the value is not the saved one");
        ensure!(record.version == version, "the version is not that of the save");
        ensure!(record.expires_at.is_none(), "a record without expiry has one");
        let second = case.save(&key, b"2", Expect::Absent).await?;
        ensure!(second == Saved::Conflict, "a second save replaces the record");
        ensure!(case.value(&key).await? == b"1", "a save that conflicts changes the value");
        case.delete(&key, Expect::Any).await?;
    }
    Ok(())
}

pub(super) async fn a_save_that_expects_a_version_needs_it(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    let missing = case.save(&key, b"0", Expect::Version(Version(1))).await?;
    ensure!(missing == Saved::Conflict, "a save that expects a version creates a record");

    let first = case.write(&key, b"1", Expect::Absent).await?;
    let second = case.write(&key, b"2", Expect::Version(first)).await?;
    ensure!(case.value(&key).await? == b"2", "the value is not replaced");
    let stale = case.save(&key, b"3", Expect::Version(first)).await?;
    ensure!(stale == Saved::Conflict, "a save replaces a newer version than it expects");
    case.write(&key, b"4", Expect::Version(second)).await?;
    Ok(())
}

pub(super) async fn a_save_without_condition_always_writes(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    for value in [b"1", b"2", b"3"] {
        let version = case.write(&key, value, Expect::Any).await?;
        let record = case.load(&key).await?.ok_or("the record is missing")?;
        ensure!(&*record.value.0 == value, "the value is not replaced");
        ensure!(record.version == version, "the version is not that of the save");
    }
    Ok(())
}

pub(super) async fn a_conflict_changes_nothing(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    case.write(&key, b"1", Expect::Absent).await?;
    let before = case.load(&key).await?;
    case.save(&key, b"2", Expect::Absent).await?;
    case.save(&key, b"3", Expect::Version(Version(1))).await?;
    case.delete(&key, Expect::Absent).await?;
    case.delete(&key, Expect::Version(Version(1))).await?;
    ensure!(case.load(&key).await? == before, "an operation that conflicts changes the record");
    Ok(())
}

pub(super) async fn a_version_is_never_used_again(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    let mut seen = HashSet::new();
    for _ in 0..20 {
        // The same value each time, as a version must not be a hash of it.
        let first = case.write(&key, b"1", Expect::Absent).await?;
        ensure!(seen.insert(first), "a record that was created again has an old version");
        let second = case.write(&key, b"1", Expect::Version(first)).await?;
        ensure!(seen.insert(second), "a write has the version of another one");
        case.delete(&key, Expect::Version(second)).await?;
    }
    case.write(&key, b"1", Expect::Absent).await?;
    for old in seen {
        let stale = case.save(&key, b"2", Expect::Version(old)).await?;
        ensure!(stale == Saved::Conflict, "a version is accepted whose record was deleted");
    }
    Ok(())
}

pub(super) async fn a_delete_needs_its_condition(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    let first = case.write(&key, b"1", Expect::Absent).await?;
    let second = case.write(&key, b"2", Expect::Version(first)).await?;
    for wrong in [Expect::Absent, Expect::Version(first)] {
        let reply = case.delete(&key, wrong).await?;
        ensure!(reply == Deleted::Conflict, "a delete that expects another record succeeds");
        ensure!(case.load(&key).await?.is_some(), "a delete that conflicts removes the record");
    }
    let reply = case.delete(&key, Expect::Version(second)).await?;
    ensure!(reply == Deleted::Yes, "a delete that expects the present version conflicts");
    ensure!(case.load(&key).await?.is_none(), "a deleted record can be loaded");

    case.write(&key, b"3", Expect::Absent).await?;
    let reply = case.delete(&key, Expect::Any).await?;
    ensure!(reply == Deleted::Yes, "a delete without condition conflicts");
    ensure!(case.load(&key).await?.is_none(), "a deleted record can be loaded");
    Ok(())
}

pub(super) async fn a_delete_of_a_missing_record_is_done(case: &Case<'_>) -> Outcome {
    for key in [case.key("a"), case.state("a")] {
        for expect in [Expect::Absent, Expect::Version(Version(1)), Expect::Any] {
            let reply = case.delete(&key, expect).await?;
            ensure!(reply == Deleted::Yes, "a delete of a missing record conflicts");
        }
    }
    Ok(())
}
