//! Listings: prefixes, pages, and writes meanwhile.

use std::collections::BTreeMap;

use atproto_sansio::{Deleted, Expect, Saved, UnixTime};

use super::case::{Case, Outcome, ensure};
use super::subject::Task;

/// More keys than two pages of 100.
const MANY: usize = 250;

pub(super) async fn a_listing_without_keys_is_empty(case: &Case<'_>) -> Outcome {
    ensure!(case.keys(&case.prefix()).await?.is_empty(), "keys are listed that nobody saved");
    ensure!(case.keys(&case.key("a/")).await?.is_empty(), "keys are listed that nobody saved");
    Ok(())
}

pub(super) async fn a_prefix_is_whole_segments(case: &Case<'_>) -> Outcome {
    let keys = [
        "a", "a/1", "a/2", "a/2/deep", "ab/1", "a!/1", "a0/1", "a./1", "A/1", "_/1", "%/1",
        "b/a/1", "a /1",
    ];
    for key in keys {
        case.write(&case.key(key), b"1", Expect::Absent).await?;
    }
    let expected: [(&str, &[&str]); 7] = [
        ("a/", &["a/1", "a/2", "a/2/deep"]),
        ("a/2/", &["a/2/deep"]),
        ("A/", &["A/1"]),
        ("_/", &["_/1"]),
        ("%/", &["%/1"]),
        ("b/", &["b/a/1"]),
        ("a/2/deep/", &[]),
    ];
    for (prefix, keys) in expected {
        let found = case.keys(&case.key(prefix)).await?;
        let keys: Vec<_> = keys.iter().map(|key| case.key(key)).collect();
        ensure!(found == keys, "the prefix {prefix} has {} keys and not its own", found.len());
    }
    ensure!(case.keys(&case.prefix()).await?.len() == keys.len(), "an outer prefix lacks keys");
    Ok(())
}

pub(super) async fn an_entry_tells_version_and_expiry(case: &Case<'_>) -> Outcome {
    let expiries = [None, Some(UnixTime::from_secs(0)), Some(UnixTime::from_secs(2_000_000_000))];
    let mut saved = BTreeMap::new();
    for (number, expiry) in expiries.into_iter().enumerate() {
        let key = case.key(&format!("{number}"));
        match case.save_until(&key, b"1", Expect::Absent, expiry).await? {
            Saved::As(version) => saved.insert(key, (version, expiry)),
            Saved::Conflict => return Err("a first save conflicts".to_owned()),
        };
    }
    let entries = case.list(&case.prefix()).await?;
    let listed: BTreeMap<_, _> =
        entries.into_iter().map(|entry| (entry.key, (entry.version, entry.expires_at))).collect();
    ensure!(listed == saved, "an entry has another version or expiry than its record");
    Ok(())
}

pub(super) async fn each_key_is_listed_once_during_writes(case: &Case<'_>) -> Outcome {
    let mut keys: Vec<_> = (0..MANY).map(|number| case.key(&format!("kept/{number}"))).collect();
    for key in &keys {
        case.write(key, b"1", Expect::Absent).await?;
    }
    keys.sort_unstable();
    let reader = async {
        for _ in 0..3 {
            let mut found = case.keys(&case.key("")).await?;
            found.retain(|key| key.contains("/kept/"));
            ensure!(found == keys, "a listing during writes has {} of {MANY} keys", found.len());
        }
        Ok(None)
    };
    let writer = async {
        for number in 0..50 {
            let key = case.key(&format!("passing/{}", number % 10));
            case.write(&key, b"1", Expect::Any).await?;
            case.write(&case.key(&format!("{number}")), b"1", Expect::Absent).await?;
            case.delete(&key, Expect::Any).await?;
        }
        Ok(None)
    };
    let tasks: Vec<Task<'_>> = vec![Box::pin(reader), Box::pin(writer)];
    case.store().together(tasks).await.into_iter().try_for_each(|outcome| outcome.map(drop))
}

pub(super) async fn a_listing_of_everything_has_each_key_once(case: &Case<'_>) -> Outcome {
    let mut keys = vec![case.key("a"), case.key("b/c"), case.state("a"), case.state("b")];
    keys.push(format!("conformance-{}", case.id));
    keys.push(format!("other/{}", case.id));
    for key in &keys {
        case.write(key, b"1", Expect::Absent).await?;
    }
    let mut found = case.keys("").await?;
    found.retain(|key| key.contains(&case.id));
    keys.sort_unstable();
    ensure!(found == keys, "a listing of everything has {} of {} keys", found.len(), keys.len());
    let mut states = case.keys("state/").await?;
    states.retain(|key| key.contains(&case.id));
    ensure!(states == [case.state("a"), case.state("b")], "a listing of all states has other keys");
    for key in &keys {
        case.delete(key, Expect::Any).await?;
    }
    Ok(())
}

pub(super) async fn keys_can_be_removed_during_a_listing(case: &Case<'_>) -> Outcome {
    for number in 0..MANY {
        case.write(&case.key(&format!("{number}")), b"1", Expect::Absent).await?;
    }
    let mut after = None;
    let mut removed = 0;
    loop {
        let page = case.store().list(&case.prefix(), after.as_deref()).await;
        let page = page.map_err(|error| error.to_string())?;
        for entry in page.entries {
            let reply = case.delete(&entry.key, Expect::Version(entry.version)).await?;
            ensure!(reply == Deleted::Yes, "a listed version is not the present one");
            removed += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    ensure!(removed == MANY, "a listing whose keys are removed has {removed} of {MANY} keys");
    Ok(())
}
