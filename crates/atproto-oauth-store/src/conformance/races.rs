//! Several writers at the same time.

use std::iter::repeat_with;

use atproto_sansio::{Expect, Saved};

use super::case::{Case, Outcome, ensure};
use super::subject::Task;

const WRITERS: usize = 16;

pub(super) async fn a_record_is_taken_once(case: &Case<'_>) -> Outcome {
    for round in 0..5 {
        let key = case.key(&format!("{round}"));
        let version = case.write(&key, b"0", Expect::Absent).await?;
        one_wins(case, &key, Expect::Version(version)).await?;
    }
    Ok(())
}

pub(super) async fn a_record_is_created_once(case: &Case<'_>) -> Outcome {
    for round in 0..5 {
        // Folders or tables for the key may have to be created, too.
        one_wins(case, &case.key(&format!("{round}/a/b")), Expect::Absent).await?;
    }
    Ok(())
}

pub(super) async fn increments_add_up(case: &Case<'_>) -> Outcome {
    let key = &case.key("a");
    case.write(key, b"0", Expect::Absent).await?;
    let task = || -> Task<'_> { Box::pin(async { increment(case, key, 10).await.map(|()| None) }) };
    together(case, repeat_with(task).take(8)).await?;
    let sum = case.value(key).await?;
    ensure!(sum == b"80", "80 increments add up to {}", String::from_utf8_lossy(&sum));
    Ok(())
}

pub(super) async fn writers_of_different_keys_do_not_disturb_each_other(
    case: &Case<'_>,
) -> Outcome {
    let writer = |number: usize| -> Task<'_> {
        Box::pin(async move {
            let key = case.key(&format!("{number}"));
            let mut expect = Expect::Absent;
            for value in 0..10 {
                let value = format!("{number}-{value}").into_bytes();
                expect = Expect::Version(case.write(&key, &value, expect).await?);
                ensure!(case.value(&key).await? == value, "a writer does not see its own write");
            }
            Ok(None)
        })
    };
    together(case, (0..WRITERS).map(writer)).await.map(drop)
}

pub(super) async fn a_reader_sees_whole_values(case: &Case<'_>) -> Outcome {
    let key = &case.key("a");
    case.write(key, b"aa", Expect::Absent).await?;
    let writer: Task<'_> = Box::pin(async {
        for number in 0..40_usize {
            let letter = if number % 2 == 0 { b'b' } else { b'c' };
            case.write(key, &vec![letter; 40_000 - number * 500], Expect::Any).await?;
        }
        Ok(None)
    });
    let reader = || -> Task<'_> {
        Box::pin(async {
            for _ in 0..100 {
                let value = case.value(key).await?;
                let is_whole = value.windows(2).all(|pair| pair.first() == pair.last());
                ensure!(is_whole && !value.is_empty(), "a reader sees parts of two writes");
            }
            Ok(None)
        })
    };
    together(case, [writer, reader(), reader()]).await.map(drop)
}

/// Adds 1 to a record `times` times, by compare-and-set.
pub(super) async fn increment(case: &Case<'_>, key: &str, times: usize) -> Outcome {
    for _ in 0..times {
        loop {
            let record = case.load(key).await?.ok_or("the record is missing")?;
            let text = std::str::from_utf8(&record.value.0).map_err(|error| error.to_string())?;
            let sum: u64 = text.parse().map_err(|_| "the value is no number")?;
            let next = (sum + 1).to_string();
            let expect = Expect::Version(record.version);
            if case.save(key, next.as_bytes(), expect).await? != Saved::Conflict {
                break;
            }
        }
    }
    Ok(())
}

/// Many writers save under one condition, and exactly one of them must succeed.
async fn one_wins(case: &Case<'_>, key: &str, expect: Expect) -> Outcome {
    let writer = |number: usize| -> Task<'_> {
        Box::pin(async move {
            let value = number.to_string();
            let saved = case.save(key, value.as_bytes(), expect).await?;
            Ok(Some(value).filter(|_| saved != Saved::Conflict))
        })
    };
    let winners = together(case, (0..WRITERS).map(writer)).await?;
    let [winner] = &winners[..] else {
        return Err(format!("{} of {WRITERS} writers won, and not one", winners.len()));
    };
    ensure!(case.value(key).await? == winner.as_bytes(), "the value is not that of the winner");
    Ok(())
}

/// Runs tasks at the same time, and returns their texts.
async fn together<'a>(
    case: &Case<'a>,
    tasks: impl IntoIterator<Item = Task<'a>>,
) -> Outcome<Vec<String>> {
    let outcomes = case.store().together(tasks.into_iter().collect()).await;
    outcomes.into_iter().filter_map(Result::transpose).collect()
}
