//! Values, their limits, and expiries.

use atproto_sansio::{Expect, Saved, StoreErrorKind, UnixTime};

use super::case::{Case, Outcome, ensure, secret};

pub(super) async fn any_bytes_are_kept(case: &Case<'_>) -> Outcome {
    let every_byte: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 6] = [b"", b"\0", b"\r\n'\"\\%_;--", &[0xff; 3], &every_byte, b" spaces "];
    for (number, value) in values.into_iter().enumerate() {
        let key = case.key(&format!("{number}"));
        case.write(&key, value, Expect::Absent).await?;
        ensure!(case.value(&key).await? == value, "value {number} is not the saved one");
        case.write(&key, b"other", Expect::Any).await?;
        case.write(&key, value, Expect::Any).await?;
        ensure!(case.value(&key).await? == value, "value {number} does not replace another");
    }
    Ok(())
}

pub(super) async fn a_value_of_64_kib_is_kept(case: &Case<'_>) -> Outcome {
    let value = long(64 * 1024);
    case.write(&case.key("a"), &value, Expect::Absent).await?;
    ensure!(case.value(&case.key("a")).await? == value, "the value is not the saved one");
    Ok(())
}

pub(super) async fn an_expiry_is_returned_and_not_judged(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    // 1970, 2001, 2096 and the year 9999.
    for seconds in [0, 1, 1_000_000_000, 4_000_000_000, 253_402_300_799] {
        let expiry = Some(UnixTime::from_secs(seconds));
        let saved = case.save_until(&key, b"1", Expect::Any, expiry).await?;
        ensure!(saved != Saved::Conflict, "a save without condition conflicts");
        let record = case.load(&key).await?.ok_or("a record is missing after its expiry")?;
        ensure!(record.expires_at == expiry, "the expiry {seconds} is not the saved one");
        ensure!(
            case.keys(&case.prefix()).await? == [&*key],
            "a record is not listed after its expiry"
        );
        // A write over a record that has expired is a write over a record.
        let second = case.save(&key, b"2", Expect::Absent).await?;
        ensure!(second == Saved::Conflict, "a record counts as absent after its expiry");
        case.write(&key, b"3", Expect::Version(record.version)).await?;
        let record = case.load(&key).await?.ok_or("the record is missing")?;
        ensure!(record.expires_at.is_none(), "a save without expiry keeps the old one");
    }
    Ok(())
}

pub(super) async fn a_value_is_kept_whole_or_refused(case: &Case<'_>) -> Outcome {
    let key = case.key("a");
    for exponent in [16, 18, 20, 22, 24] {
        for size in [1 << exponent, (1 << exponent) + 1] {
            case.write(&key, b"before", Expect::Any).await?;
            let value = long(size);
            let expected = match case.store().save(&key, &secret(&value), Expect::Any, None).await {
                Ok(_) => value,
                Err(error) => {
                    let kind = error.kind;
                    ensure!(
                        kind == StoreErrorKind::TooLarge && !error.maybe_applied,
                        "a value of {size} bytes is refused with {kind:?} and not as too large"
                    );
                    b"before".to_vec()
                }
            };
            let found = case.value(&key).await?;
            ensure!(found == expected, "after a value of {size} bytes, another one is stored");
        }
    }
    Ok(())
}

/// Bytes without a short period, so that a lost piece changes them.
fn long(size: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..997_u32)
        .map(|number| number.pow(2).to_be_bytes()[2] ^ number.to_be_bytes()[3])
        .collect();
    let mut bytes = block.repeat(size / block.len() + 1);
    bytes.truncate(size);
    bytes
}
